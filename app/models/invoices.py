"""Invoice lines and contracts: what of their amounts has been subsidised, in the whole country, and by which bills.

An invoice is known by its fingerprint only: no number stands here, and no firm. A contract is the line 0 of its own.
"""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Fen, Id, Instant, RegionCode, Small, region_code_format


class InvoiceBase(Base):
    """What is claimed of an invoice line: a counter, national, so without a region in its key.

    One row for all programmes whose base is exclusive (no layer), which is the lock of the line; one for each programme
    whose base may be stacked. Before anything was claimed its amount is not known.
    """

    __tablename__ = "invoice_bases"

    fingerprint: Mapped[Id] = mapped_column(primary_key=True)
    line_no: Mapped[Small] = mapped_column(primary_key=True)
    layer: Mapped[Id] = mapped_column(primary_key=True)
    """Empty, or the id of a programme whose base may be stacked."""
    stated_fen: Mapped[Fen | None]
    """The line's amount with VAT, as the first claim stated it; it stands as long as anything is claimed."""
    limit_fen: Mapped[Fen | None]
    """The same less what red-letter invoices took off."""
    used_fen: Mapped[Fen]
    granted_fen: Mapped[Fen]
    """The subsidy that was granted for it, rounded up line by line."""

    __table_args__ = (
        CheckConstraint("length(fingerprint) = 64", name="fingerprint_length"),
        CheckConstraint("line_no >= 0", name="line_no_not_negative"),
        CheckConstraint("(stated_fen IS NULL) = (limit_fen IS NULL)", name="amount_known_or_not"),
        CheckConstraint("limit_fen BETWEEN 0 AND stated_fen", name="limit_within_stated"),
        CheckConstraint("used_fen BETWEEN 0 AND coalesce(limit_fen, 0)", name="used_within_limit"),
        CheckConstraint("granted_fen >= 0", name="granted_not_negative"),
    )


class InvoiceUse(Base):
    """What one line of a bill claimed of an invoice line, or gave back (below zero) by a refund. Never changed."""

    __tablename__ = "invoice_uses"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    redemption_id: Mapped[Id] = mapped_column(primary_key=True)
    cause_id: Mapped[Id] = mapped_column(primary_key=True)
    """The redemption itself where it claims, a refund where it gives back."""
    bill_line: Mapped[Small] = mapped_column(primary_key=True)
    fingerprint: Mapped[Id] = mapped_column(primary_key=True)
    line_no: Mapped[Small] = mapped_column(primary_key=True)
    layer: Mapped[Id]
    provider_id: Mapped[Id]
    base_fen: Mapped[Fen]
    granted_fen: Mapped[Fen]

    __table_args__ = (
        ForeignKeyConstraint(["region_code", "redemption_id"], ["redemptions.region_code", "redemptions.id"]),
        Index(None, "fingerprint", "line_no", "layer"),
        CheckConstraint(
            "CASE WHEN cause_id = redemption_id THEN base_fen >= 0 AND granted_fen >= 0"
            " ELSE base_fen <= 0 AND granted_fen <= 0 END",
            name="claims_or_gives_back",
        ),
        CheckConstraint("base_fen <> 0 OR granted_fen <> 0", name="changes_something"),
        region_code_format(),
    )


class RedInvoice(Base):
    """A red-letter invoice, by its fingerprint, and the invoice that it takes back from. National; never changed."""

    __tablename__ = "red_invoices"

    fingerprint: Mapped[Id] = mapped_column(primary_key=True)
    blue_fingerprint: Mapped[Id]

    __table_args__ = (
        CheckConstraint("length(fingerprint) = 64", name="fingerprint_length"),
        CheckConstraint("fingerprint <> blue_fingerprint", name="takes_from_another"),
    )


class RedLetter(Base):
    """So much taken off an invoice line by a red-letter invoice, recorded with a refund. Never changed."""

    __tablename__ = "red_letters"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    refund_id: Mapped[Id] = mapped_column(primary_key=True)
    blue_fingerprint: Mapped[Id] = mapped_column(primary_key=True)
    line_no: Mapped[Small] = mapped_column(primary_key=True)
    fingerprint: Mapped[Id]
    amount_fen: Mapped[Fen]
    recorded_at: Mapped[Instant]

    __table_args__ = (
        ForeignKeyConstraint(["region_code", "refund_id"], ["refunds.region_code", "refunds.id"]),
        Index(None, "blue_fingerprint", "line_no"),
        CheckConstraint("amount_fen > 0", name="amount_positive"),
        region_code_format(),
    )
