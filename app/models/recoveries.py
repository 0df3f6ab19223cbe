"""Recoveries: what a payee has to pay back of money that had been sent to the bank when its bill was cancelled."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.vocabulary import RecoveryStatus
from app.models.base import Base, CanonicalJson, Fen, Id, Instant, RegionCode, one_of, region_code_format


class RecoveryTransfer(Base):
    """One payment by which a payee pays recoveries back, once for each of the bank's references."""

    __tablename__ = "recovery_transfers"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    bank_reference: Mapped[Id] = mapped_column(primary_key=True)
    payee_id: Mapped[Id] = mapped_column(ForeignKey("organisations.id"))
    amount_fen: Mapped[Fen]
    """What its recoveries come to."""
    recorded_at: Mapped[Instant]
    recorded_by: Mapped[Id]

    __table_args__ = (CheckConstraint("amount_fen > 0", name="amount_positive"), region_code_format())


class Recovery(Base):
    """The part of a refund that cannot simply go back. The voucher's lock covers it."""

    __tablename__ = "recoveries"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    id: Mapped[Id] = mapped_column(primary_key=True)
    refund_id: Mapped[Id]
    redemption_id: Mapped[Id]
    payee_id: Mapped[Id] = mapped_column(ForeignKey("organisations.id"))
    amount_fen: Mapped[Fen]
    parts: Mapped[CanonicalJson]
    """Pool id and fen, in the declared order of the fund sources."""
    counted: Mapped[CanonicalJson]
    """What its return takes off the counters of cumulative rules; nothing where the rules do not restore the cap."""
    restored: Mapped[bool]
    """Whether `counted` has been taken off them: by money that came back within its fiscal year."""
    status: Mapped[Id]
    treasury_fen: Mapped[Fen]
    """What of it went to the treasury, because the year of its pool was over."""
    bank_reference: Mapped[Id | None]
    claim_entry_id: Mapped[Id | None]
    receipt_entry_id: Mapped[Id | None]
    refunded_as_id: Mapped[Id | None]
    """The refund that it became when the payment bounced."""
    recorded_at: Mapped[Instant]
    ended_at: Mapped[Instant | None]
    ended_by: Mapped[Id | None]

    __table_args__ = (
        ForeignKeyConstraint(["region_code", "refund_id"], ["refunds.region_code", "refunds.id"]),
        ForeignKeyConstraint(["region_code", "redemption_id"], ["redemptions.region_code", "redemptions.id"]),
        ForeignKeyConstraint(["region_code", "claim_entry_id"], ["entries.region_code", "entries.id"]),
        ForeignKeyConstraint(["region_code", "receipt_entry_id"], ["entries.region_code", "entries.id"]),
        ForeignKeyConstraint(["region_code", "refunded_as_id"], ["refunds.region_code", "refunds.id"]),
        ForeignKeyConstraint(
            ["region_code", "bank_reference"], ["recovery_transfers.region_code", "recovery_transfers.bank_reference"]
        ),
        UniqueConstraint("region_code", "refund_id"),
        Index(None, "region_code", "redemption_id", "id"),
        Index(None, "payee_id", "id"),
        one_of("status", RecoveryStatus),
        CheckConstraint("amount_fen > 0", name="amount_positive"),
        CheckConstraint("treasury_fen BETWEEN 0 AND amount_fen", name="treasury_within_amount"),
        CheckConstraint(
            "(status IN ('recorded', 'due')) = (ended_at IS NULL) AND (ended_at IS NULL) = (ended_by IS NULL)",
            name="end_complete",
        ),
        CheckConstraint(
            "(status = 'received') = (receipt_entry_id IS NOT NULL)"
            " AND (receipt_entry_id IS NULL) = (bank_reference IS NULL)",
            name="received_by_an_entry",
        ),
        CheckConstraint("(status = 'refunded') = (refunded_as_id IS NOT NULL)", name="refunded_by_a_refund"),
        CheckConstraint("status NOT IN ('due', 'received') OR claim_entry_id IS NOT NULL", name="claimed_by_an_entry"),
        CheckConstraint("NOT restored OR status = 'received'", name="restored_when_received"),
        region_code_format(),
    )
