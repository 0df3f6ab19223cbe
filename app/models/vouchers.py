"""Vouchers, their shares in pools, and the firm's standing consent."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.vocabulary import ExtensionGround, VoucherEnd
from app.models.base import (
    Base,
    CanonicalJson,
    Count,
    Fen,
    Id,
    Instant,
    RegionCode,
    Small,
    Words,
    one_of,
    region_code_format,
)

IDENTITY = (
    "balance_fen + held_fen + redeemed_fen + recovered_fen + expired_fen + voided_fen + surrendered_fen = face_fen"
)
NOT_NEGATIVE = (
    "balance_fen >= 0 AND held_fen >= 0 AND redeemed_fen >= 0 AND recovered_fen >= 0"
    " AND expired_fen >= 0 AND voided_fen >= 0 AND surrendered_fen >= 0 AND face_fen >= 0"
)


class Counters:
    """Where the fen of a face value are; they always add up to it."""

    face_fen: Mapped[Fen] = mapped_column(default=0)
    balance_fen: Mapped[Fen] = mapped_column(default=0)
    held_fen: Mapped[Fen] = mapped_column(default=0)
    redeemed_fen: Mapped[Fen] = mapped_column(default=0)
    recovered_fen: Mapped[Fen] = mapped_column(default=0)
    expired_fen: Mapped[Fen] = mapped_column(default=0)
    voided_fen: Mapped[Fen] = mapped_column(default=0)
    surrendered_fen: Mapped[Fen] = mapped_column(default=0)


class Voucher(Counters, Base):
    """A promise to a firm. This row is the lock of everything that happens to the voucher, and its totals."""

    __tablename__ = "vouchers"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    id: Mapped[Id] = mapped_column(primary_key=True)
    code: Mapped[Id]
    programme_id: Mapped[Id]
    firm_id: Mapped[Id] = mapped_column(ForeignKey("organisations.id"))
    batch_id: Mapped[Id]
    posting_count: Mapped[Count] = mapped_column(default=0)
    """How many postings the voucher has had: the last `voucher_seq`."""
    valid_from: Mapped[Instant]
    valid_until: Mapped[Instant]
    redeemable_until: Mapped[Instant]
    frozen_at: Mapped[Instant | None]
    stands_still: Mapped[bool] = mapped_column(server_default=text("false"))
    """Whether its validity stands as long as it is frozen: settled when it was, by the rules in force then."""
    ended_as: Mapped[Id | None]
    ended_at: Mapped[Instant | None]
    issued_at: Mapped[Instant]
    terms: Mapped[CanonicalJson | None]
    """What officials fixed with the grant: facts of the claim, exceptions, decisions of other levels."""

    __table_args__ = (
        ForeignKeyConstraint(["region_code", "programme_id"], ["programmes.region_code", "programmes.id"]),
        ForeignKeyConstraint(["region_code", "batch_id"], ["issuance_batches.region_code", "issuance_batches.id"]),
        UniqueConstraint("region_code", "code"),
        Index(None, "region_code", "programme_id", "id"),
        Index(None, "firm_id", "region_code", "id"),
        Index("ix_vouchers_not_ended", "redeemable_until", postgresql_where="ended_as IS NULL"),
        CheckConstraint(IDENTITY, name="identity"),
        CheckConstraint(NOT_NEGATIVE, name="not_negative"),
        CheckConstraint("valid_from < valid_until AND valid_until <= redeemable_until", name="validity_order"),
        CheckConstraint("(ended_as IS NULL) = (ended_at IS NULL)", name="end_complete"),
        CheckConstraint("ended_as IS NULL OR (balance_fen = 0 AND held_fen = 0)", name="ended_has_nothing_free"),
        CheckConstraint("left(code, 6) = region_code", name="code_region"),
        CheckConstraint("NOT stands_still OR frozen_at IS NOT NULL", name="stands_while_frozen"),
        one_of("ended_as", VoucherEnd),
        region_code_format(),
    )


class Extension(Base):
    """A voucher made valid longer, once, by two persons. Insert and select only.

    A trigger on `vouchers` lets the validity change only to what the newest of these rows says, and only later.
    """

    __tablename__ = "extensions"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    voucher_id: Mapped[Id] = mapped_column(primary_key=True)
    number: Mapped[Small] = mapped_column(primary_key=True)
    """The first is 1."""
    ground: Mapped[Id]
    valid_until_before: Mapped[Instant]
    redeemable_until_before: Mapped[Instant]
    valid_until: Mapped[Instant]
    redeemable_until: Mapped[Instant]
    document_no: Mapped[Words | None]
    approval_id: Mapped[Id]
    event_id: Mapped[Id]
    """The audit event that seals it."""
    extended_at: Mapped[Instant]
    made_by: Mapped[Id]
    decided_by: Mapped[Id]

    __table_args__ = (
        ForeignKeyConstraint(["region_code", "voucher_id"], ["vouchers.region_code", "vouchers.id"]),
        ForeignKeyConstraint(["region_code", "approval_id"], ["approvals.region_code", "approvals.id"]),
        ForeignKeyConstraint(["region_code", "event_id"], ["audit_events.region_code", "audit_events.id"]),
        UniqueConstraint("region_code", "event_id"),
        UniqueConstraint("region_code", "approval_id", "voucher_id"),
        one_of("ground", ExtensionGround),
        CheckConstraint("number > 0", name="number_positive"),
        CheckConstraint("made_by <> decided_by", name="two_persons"),
        CheckConstraint(
            "valid_until >= valid_until_before AND redeemable_until >= redeemable_until_before"
            " AND (valid_until > valid_until_before OR redeemable_until > redeemable_until_before)"
            " AND valid_until <= redeemable_until",
            name="grows",
        ),
        CheckConstraint("(ground = 'exception') = (document_no IS NOT NULL)", name="exception_has_a_document"),
        region_code_format(),
    )


class Allotment(Counters, Base):
    """A voucher's share in one pool, with the same counters as the voucher."""

    __tablename__ = "allotments"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    voucher_id: Mapped[Id] = mapped_column(primary_key=True)
    pool_id: Mapped[Id] = mapped_column(primary_key=True)
    line: Mapped[Small]
    """The declared order of the fund sources; the first one takes the spare fen."""

    __table_args__ = (
        ForeignKeyConstraint(["region_code", "voucher_id"], ["vouchers.region_code", "vouchers.id"]),
        ForeignKeyConstraint(["region_code", "pool_id"], ["pools.region_code", "pools.id"]),
        UniqueConstraint("region_code", "voucher_id", "line"),
        CheckConstraint(IDENTITY, name="identity"),
        CheckConstraint(NOT_NEGATIVE, name="not_negative"),
    )


class Mandate(Base):
    """A firm's standing consent: this provider may draw on this voucher up to a limit, until an instant."""

    __tablename__ = "mandates"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    id: Mapped[Id] = mapped_column(primary_key=True)
    voucher_id: Mapped[Id]
    provider_id: Mapped[Id] = mapped_column(ForeignKey("organisations.id"))
    limit_fen: Mapped[Fen]
    used_fen: Mapped[Fen] = mapped_column(default=0)
    """Drawn under this mandate, net of refunds."""
    valid_until: Mapped[Instant]
    granted_at: Mapped[Instant]
    granted_by: Mapped[Id]
    revoked_at: Mapped[Instant | None]
    revoked_by: Mapped[Id | None]
    note: Mapped[Words | None]

    __table_args__ = (
        ForeignKeyConstraint(["region_code", "voucher_id"], ["vouchers.region_code", "vouchers.id"]),
        Index(None, "region_code", "voucher_id", "provider_id"),
        Index(
            "uq_mandates_live",
            "region_code",
            "voucher_id",
            "provider_id",
            unique=True,
            postgresql_where="revoked_at IS NULL",
        ),
        CheckConstraint("limit_fen > 0", name="limit_positive"),
        CheckConstraint("used_fen >= 0 AND used_fen <= limit_fen", name="used_within_limit"),
        CheckConstraint("(revoked_at IS NULL) = (revoked_by IS NULL)", name="revocation_complete"),
    )
