"""What signing in needs besides the password: second factors, and who failed how often from where.

Shared by all regions, like the people themselves.
"""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Count, Id, Instant, Words


class SecondFactor(Base):
    """A person's authenticator (TOTP, RFC 6238). One counts at most; those before it stay without their secret."""

    __tablename__ = "second_factors"

    id: Mapped[Id] = mapped_column(primary_key=True)
    user_id: Mapped[Id] = mapped_column(ForeignKey("users.id"))
    sealed_secret: Mapped[Words | None]
    """Encrypted (`services/encrypted_fields`)."""
    created_at: Mapped[Instant]
    confirmed_at: Mapped[Instant | None]
    """When its first code proved that the person has it; from then on it counts."""
    last_step: Mapped[Count | None]
    """The 30 seconds (since 1970) of the newest code that counted. It only grows: a code counts once."""
    ended_at: Mapped[Instant | None]
    ended_by: Mapped[Id | None]

    __table_args__ = (
        Index(
            "uq_second_factors_counts",
            "user_id",
            unique=True,
            postgresql_where="confirmed_at IS NOT NULL AND ended_at IS NULL",
        ),
        Index(
            "uq_second_factors_begun",
            "user_id",
            unique=True,
            postgresql_where="confirmed_at IS NULL AND ended_at IS NULL",
        ),
        CheckConstraint("(sealed_secret IS NULL) = (ended_at IS NOT NULL)", name="no_secret_after_its_end"),
        CheckConstraint("(confirmed_at IS NULL) = (last_step IS NULL)", name="confirmed_by_a_code"),
        CheckConstraint("(ended_at IS NULL) = (ended_by IS NULL)", name="ended_by_somebody"),
    )


class RecoveryCode(Base):
    """A code for when the authenticator is lost: counts once. Drawn from 2⁸⁰, so a plain hash is enough."""

    __tablename__ = "recovery_codes"

    factor_id: Mapped[Id] = mapped_column(ForeignKey("second_factors.id"), primary_key=True)
    code_sha256: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    used_at: Mapped[Instant | None]
    """When it was used, or became void because new ones were made."""


class SignInFailures(Base):
    """Failed attempts to sign in that count for one key (`identity/throttling.py`); forgotten after a while."""

    __tablename__ = "sign_in_failures"

    key_sha256: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    failures: Mapped[Count]
    rests_until: Mapped[Instant | None]
    forgotten_at: Mapped[Instant]

    __table_args__ = (
        Index(None, "forgotten_at"),
        CheckConstraint("failures >= 0", name="failures_counted"),
    )


class KnownPlace(Base):
    """A browser, program or address from which a person got in before; others' failures do not keep it out."""

    __tablename__ = "known_places"

    user_id: Mapped[Id] = mapped_column(ForeignKey("users.id"), primary_key=True)
    place_sha256: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    seen_at: Mapped[Instant]
