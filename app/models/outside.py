"""What outside identity providers vouch for, and the tokens that people sign in for."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Id, Instant, Words


class OutsideIdentity(Base):
    """A subject of an outside provider that signs in as one person. Ended once, never changed or deleted.

    Of the subject only the SHA-256 (of issuer and subject) is kept: all that is ever asked is whether it is the same.
    """

    __tablename__ = "outside_identities"

    id: Mapped[Id] = mapped_column(primary_key=True)
    user_id: Mapped[Id] = mapped_column(ForeignKey("users.id"))
    issuer: Mapped[Words]
    subject_sha256: Mapped[bytes] = mapped_column(LargeBinary)
    invitation_id: Mapped[Id] = mapped_column(ForeignKey("invitations.id"))
    """Under which it was linked: whoever made it, let this person choose how to sign in."""
    linked_at: Mapped[Instant]
    ended_at: Mapped[Instant | None]
    ended_by: Mapped[Id | None]

    __table_args__ = (
        Index(
            "uq_outside_identities_live",
            "issuer",
            "subject_sha256",
            unique=True,
            postgresql_where="ended_at IS NULL",
        ),
        Index(
            "uq_outside_identities_live_user",
            "user_id",
            "issuer",
            unique=True,
            postgresql_where="ended_at IS NULL",
        ),
        Index(None, "user_id"),
        CheckConstraint("octet_length(subject_sha256) = 32", name="subject_is_a_digest"),
        CheckConstraint("(ended_at IS NULL) = (ended_by IS NULL)", name="ended_by_somebody"),
    )


class SignInCode(Base):
    """What a person who signed in at an outside provider types into the command line, once, for a personal token."""

    __tablename__ = "sign_in_codes"

    secret_sha256: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    user_id: Mapped[Id] = mapped_column(ForeignKey("users.id"))
    challenge_sha256: Mapped[bytes] = mapped_column(LargeBinary)
    """Of the secret of the program that asked: the code alone is of no use to anybody else."""
    second_factor: Mapped[bool]
    signed_in_at: Mapped[Instant]
    """Whether the provider asked for a second factor, and when the person showed himself there."""
    created_at: Mapped[Instant]
    expires_at: Mapped[Instant]
    """From when on it is good no more; it is deleted when it is used, or afterwards."""

    __table_args__ = (Index(None, "user_id"),)


class PersonalToken(Base):
    """A personal token that was given out: for whom, for what and until when; never the token."""

    __tablename__ = "personal_tokens"

    id: Mapped[Id] = mapped_column(primary_key=True)
    user_id: Mapped[Id] = mapped_column(ForeignKey("users.id"))
    jti_sha256: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    scope: Mapped[Id]
    created_at: Mapped[Instant]
    expires_at: Mapped[Instant]
    revoked_at: Mapped[Instant | None]

    __table_args__ = (
        Index(None, "user_id"),
        CheckConstraint("scope IN ('read', 'write', 'read write')", name="scope_known"),
    )
