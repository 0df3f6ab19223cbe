"""People, machine clients and what they may do. Shared registries: a person may act in several regions."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.vocabulary import Role, SessionStage, TokenKind
from app.models.base import Base, CanonicalJson, Id, Instant, RegionCode, Words, one_of, region_code_format


class User(Base):
    """A person. Without a password hash nobody can sign in as them yet."""

    __tablename__ = "users"

    id: Mapped[Id] = mapped_column(primary_key=True)
    login: Mapped[Id] = mapped_column(unique=True)
    name: Mapped[Words]
    organisation_id: Mapped[Id] = mapped_column(ForeignKey("organisations.id"))
    password_hash: Mapped[Words | None]
    tokens_valid_from: Mapped[Instant | None]
    """Tokens issued before this instant are void: set with every new password."""
    disabled_at: Mapped[Instant | None]
    person_id: Mapped[Id | None]
    """The same for all accounts that are known to be one natural person's; none where this is the only one."""
    created_at: Mapped[Instant]
    created_by: Mapped[Id]

    __table_args__ = (
        Index(None, "organisation_id"),
        Index(None, "person_id", postgresql_where="person_id IS NOT NULL"),
        CheckConstraint("login = lower(login)", name="login_lower"),
    )


class Client(Base):
    """A machine of one organisation; it signs in with a key of its own, or with a secret whose hash is kept."""

    __tablename__ = "clients"

    id: Mapped[Id] = mapped_column(primary_key=True)
    name: Mapped[Words]
    organisation_id: Mapped[Id] = mapped_column(ForeignKey("organisations.id"))
    secret_sha256: Mapped[bytes | None] = mapped_column(LargeBinary)
    previous_secret_sha256: Mapped[bytes | None] = mapped_column(LargeBinary)
    """Renewed, and still good until `previous_secret_until`, so that no machine stands still meanwhile."""
    previous_secret_until: Mapped[Instant | None]
    dpop_required: Mapped[bool] = mapped_column(server_default=false())
    """Whether its access tokens are always bound to a key of its own (RFC 9449)."""
    disabled_at: Mapped[Instant | None]
    created_at: Mapped[Instant]
    created_by: Mapped[Id]

    __table_args__ = (
        Index(None, "organisation_id"),
        CheckConstraint(
            "(previous_secret_sha256 IS NULL) = (previous_secret_until IS NULL)", name="previous_secret_ends"
        ),
    )


class ClientKey(Base):
    """A public key with which a machine signs its assertions. Retired once; its name is not used again."""

    __tablename__ = "client_keys"

    client_id: Mapped[Id] = mapped_column(ForeignKey("clients.id"), primary_key=True)
    kid: Mapped[Id] = mapped_column(primary_key=True)
    algorithm: Mapped[Id]
    """The one algorithm of this key."""
    jwk: Mapped[CanonicalJson]
    created_at: Mapped[Instant]
    created_by: Mapped[Id]
    retired_at: Mapped[Instant | None]

    __table_args__ = (CheckConstraint("algorithm IN ('EdDSA', 'ES256', 'PS256')", name="algorithm_known"),)


class SpentToken(Base):
    """A token that is good no more before its time: an assertion that was used, an access token that was revoked."""

    __tablename__ = "spent_tokens"

    subject_id: Mapped[Id] = mapped_column(primary_key=True)
    """The person or machine that the token is of."""
    kind: Mapped[Id] = mapped_column(primary_key=True)
    jti_sha256: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    expires_at: Mapped[Instant]
    """From when on it would be refused anyway, and may be forgotten."""

    __table_args__ = (one_of("kind", TokenKind),)


class RoleGrant(Base):
    """A role held by a user or a client in a region; officials of an authority hold it for that authority."""

    __tablename__ = "role_grants"

    id: Mapped[Id] = mapped_column(primary_key=True)
    user_id: Mapped[Id | None] = mapped_column(ForeignKey("users.id"))
    client_id: Mapped[Id | None] = mapped_column(ForeignKey("clients.id"))
    role: Mapped[Id]
    region_code: Mapped[RegionCode]
    authority_id: Mapped[Id | None] = mapped_column(ForeignKey("organisations.id"))
    granted_at: Mapped[Instant]
    granted_by: Mapped[Id]
    revoked_at: Mapped[Instant | None]

    __table_args__ = (
        CheckConstraint("(user_id IS NULL) <> (client_id IS NULL)", name="one_subject"),
        CheckConstraint(
            "client_id IS NULL OR role NOT IN ('maker', 'checker', 'finance')", name="officials_are_persons"
        ),
        CheckConstraint(
            "role NOT IN ('maker', 'checker') OR authority_id IS NOT NULL", name="officials_have_authority"
        ),
        UniqueConstraint("user_id", "role", "region_code"),
        UniqueConstraint("client_id", "role", "region_code"),
        one_of("role", Role),
        region_code_format(),
    )


class Invitation(Base):
    """A single-use link with which a person sets the first password, or a new one."""

    __tablename__ = "invitations"

    id: Mapped[Id] = mapped_column(primary_key=True)
    user_id: Mapped[Id] = mapped_column(ForeignKey("users.id"))
    secret_sha256: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    expires_at: Mapped[Instant]
    used_at: Mapped[Instant | None]
    created_at: Mapped[Instant]
    created_by: Mapped[Id]

    __table_args__ = (Index(None, "user_id"),)


class PortalSession(Base):
    """A signed-in browser. The cookie holds a random secret, the table its hash."""

    __tablename__ = "portal_sessions"

    id: Mapped[Id] = mapped_column(primary_key=True)
    user_id: Mapped[Id] = mapped_column(ForeignKey("users.id"))
    secret_sha256: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    csrf_secret: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[Instant]
    seen_at: Mapped[Instant]
    expires_at: Mapped[Instant]
    ended_at: Mapped[Instant | None]
    stage: Mapped[Id]
    """How far signing in has come: only a `full` session opens more than the next page of signing in."""
    source: Mapped[Words]
    browser: Mapped[Words]
    """From where and with what, as its owner sees it in the list of his sessions."""
    outside_factor: Mapped[bool] = mapped_column(server_default=false())
    """Whether an outside provider vouched for a second factor."""

    __table_args__ = (Index(None, "user_id"), one_of("stage", SessionStage))
