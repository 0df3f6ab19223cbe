"""Redemptions and refunds: what was drawn from a voucher for a bill, and what was given back."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.vocabulary import RedemptionStatus
from app.models.base import (
    Base,
    CanonicalJson,
    Fen,
    Id,
    Instant,
    RegionCode,
    Small,
    Words,
    one_of,
    region_code_format,
)

NAMES_INVOICES = text("""strpos(facts, '"invoice_uses":[{') > 0""")
"""Reconciliation finds those that claimed of invoice lines; all others cost the index nothing."""


class OrderNumber(Base):
    """A provider's own number of a redemption, taken for ever: claimed before the voucher is locked."""

    __tablename__ = "order_numbers"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    provider_id: Mapped[Id] = mapped_column(primary_key=True)
    order_no: Mapped[Id] = mapped_column(primary_key=True)
    redemption_id: Mapped[Id]

    __table_args__ = (region_code_format(),)


class UsageReference(Base):
    """A metered usage that a provider billed, and where: claimed last, given back where nothing came of it."""

    __tablename__ = "usage_references"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    provider_id: Mapped[Id] = mapped_column(primary_key=True)
    usage_ref: Mapped[Id] = mapped_column(primary_key=True)
    redemption_id: Mapped[Id]
    line: Mapped[Small]
    """The first line of the bill that has it, from 1."""

    __table_args__ = (
        Index(None, "region_code", "redemption_id"),
        CheckConstraint("line > 0", name="line_positive"),
        region_code_format(),
    )


class Redemption(Base):
    """One bill drawn on one voucher, with the facts and the trace that explain the amount.

    One of several from one hold has its number there (`part_no`); it may draw nothing, and then has no entry.
    """

    __tablename__ = "redemptions"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    id: Mapped[Id] = mapped_column(primary_key=True)
    voucher_id: Mapped[Id]
    programme_id: Mapped[Id]
    firm_id: Mapped[Id]
    provider_id: Mapped[Id] = mapped_column(ForeignKey("organisations.id"))
    mandate_id: Mapped[Id | None]
    payment_code_id: Mapped[Id | None]
    hold_id: Mapped[Id | None]
    part_no: Mapped[Small | None]
    order_no: Mapped[Id]
    rule_version_id: Mapped[Id]
    bill_total_fen: Mapped[Fen]
    subsidy_fen: Mapped[Fen]
    firm_pays_fen: Mapped[Fen]
    refunded_fen: Mapped[Fen] = mapped_column(default=0)
    """Subsidy given back so far."""
    bill_refunded_fen: Mapped[Fen] = mapped_column(default=0)
    """How much of the bill was cancelled so far."""
    recovered_fen: Mapped[Fen] = mapped_column(default=0)
    """Subsidy that the payee has to pay back, or has paid back, as it had been sent to the bank already."""
    status: Mapped[Id]
    facts: Mapped[CanonicalJson]
    trace: Mapped[CanonicalJson]
    entry_id: Mapped[Id | None]
    redeemed_at: Mapped[Instant]
    redeemed_by: Mapped[Id]

    __table_args__ = (
        ForeignKeyConstraint(["region_code", "voucher_id"], ["vouchers.region_code", "vouchers.id"]),
        ForeignKeyConstraint(["region_code", "mandate_id"], ["mandates.region_code", "mandates.id"]),
        ForeignKeyConstraint(["region_code", "payment_code_id"], ["payment_codes.region_code", "payment_codes.id"]),
        ForeignKeyConstraint(["region_code", "rule_version_id"], ["rule_versions.region_code", "rule_versions.id"]),
        ForeignKeyConstraint(["region_code", "entry_id"], ["entries.region_code", "entries.id"]),
        ForeignKeyConstraint(["region_code", "hold_id"], ["holds.region_code", "holds.id"]),
        UniqueConstraint("region_code", "provider_id", "order_no"),
        UniqueConstraint("region_code", "entry_id"),
        Index("ix_redemptions_invoice_uses", "region_code", "id", postgresql_where=NAMES_INVOICES),
        Index(
            "uq_redemptions_hold_part",
            "region_code",
            "hold_id",
            "part_no",
            unique=True,
            postgresql_where="hold_id IS NOT NULL",  # most redemptions are in one step and cost this index nothing
        ),
        Index(
            "uq_redemptions_payment_code",
            "region_code",
            "payment_code_id",
            unique=True,
            postgresql_where="payment_code_id IS NOT NULL AND hold_id IS NULL",  # a hold's have the code of their hold
        ),
        Index(None, "region_code", "voucher_id", "id"),
        Index(None, "provider_id", "id"),
        one_of("status", RedemptionStatus),
        CheckConstraint("num_nonnulls(mandate_id, payment_code_id) = 1", name="one_consent"),
        CheckConstraint("subsidy_fen + firm_pays_fen = bill_total_fen", name="split_adds_up"),
        CheckConstraint("subsidy_fen > 0 OR (subsidy_fen = 0 AND hold_id IS NOT NULL)", name="draws_something"),
        CheckConstraint("subsidy_fen = 0 OR entry_id IS NOT NULL", name="entry_where_money_moved"),
        CheckConstraint("(hold_id IS NULL) = (part_no IS NULL) AND part_no > 0", name="part_numbered"),
        CheckConstraint("firm_pays_fen >= 0", name="firm_pays_not_negative"),
        CheckConstraint(
            "refunded_fen >= 0 AND recovered_fen >= 0 AND refunded_fen + recovered_fen <= subsidy_fen",
            name="refunded_within_subsidy",
        ),
        CheckConstraint("bill_refunded_fen BETWEEN 0 AND bill_total_fen", name="refunded_within_bill"),
    )


class Refund(Base):
    """Part of a bill cancelled; the subsidy is recomputed over the whole position, never rate times refund."""

    __tablename__ = "refunds"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    id: Mapped[Id] = mapped_column(primary_key=True)
    redemption_id: Mapped[Id]
    because_of_id: Mapped[Id | None]
    """The refund of another redemption of the same hold, which took from this one too."""
    bill_refund_fen: Mapped[Fen]
    subsidy_refund_fen: Mapped[Fen]
    reason: Mapped[Words]
    facts: Mapped[CanonicalJson]
    trace: Mapped[CanonicalJson]
    entry_id: Mapped[Id | None]
    """None where nothing moved: the cap still holds the subsidy at what was drawn."""
    refunded_at: Mapped[Instant]
    refunded_by: Mapped[Id]

    __table_args__ = (
        ForeignKeyConstraint(["region_code", "redemption_id"], ["redemptions.region_code", "redemptions.id"]),
        ForeignKeyConstraint(["region_code", "entry_id"], ["entries.region_code", "entries.id"]),
        ForeignKeyConstraint(["region_code", "because_of_id"], ["refunds.region_code", "refunds.id"]),
        Index(None, "region_code", "redemption_id", "id"),
        Index("ix_refunds_invoice_uses", "region_code", "id", postgresql_where=NAMES_INVOICES),
        CheckConstraint(
            "bill_refund_fen > 0 OR (bill_refund_fen = 0 AND because_of_id IS NOT NULL)", name="bill_refund_positive"
        ),
        CheckConstraint("subsidy_refund_fen >= 0", name="subsidy_refund_not_negative"),
        CheckConstraint("(subsidy_refund_fen > 0) = (entry_id IS NOT NULL)", name="entry_where_money_moved"),
    )
