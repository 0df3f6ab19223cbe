"""Lists of the bank's results (银行支付结果): what it says became of a region's money in a period, line by line."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, Integer
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.vocabulary import BankLineStatus
from app.models.base import Base, CivilDate, Fen, Id, Instant, RegionCode, Words, one_of, region_code_format


class BankList(Base):
    """One file with all results of a region's days. A later file of the same period replaces it."""

    __tablename__ = "bank_lists"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    id: Mapped[Id] = mapped_column(primary_key=True)
    organisation_id: Mapped[Id] = mapped_column(ForeignKey("organisations.id"))
    """The finance bureau that sent it."""
    period_from: Mapped[CivilDate]
    period_until: Mapped[CivilDate]
    """The last day, included."""
    line_count: Mapped[int] = mapped_column(Integer)
    total_fen: Mapped[Fen]
    """Of all lines, whatever their result."""
    file_name: Mapped[Words]
    file_sha256: Mapped[Id]
    uploaded_at: Mapped[Instant]
    uploaded_by: Mapped[Id]
    replaced_at: Mapped[Instant | None]
    replaced_by_id: Mapped[Id | None]

    __table_args__ = (
        ForeignKeyConstraint(
            ["region_code", "replaced_by_id"],
            ["bank_lists.region_code", "bank_lists.id"],
            deferrable=True,
            initially="DEFERRED",
        ),
        Index(
            "uq_bank_lists_live_period",
            "region_code",
            "period_from",
            "period_until",
            unique=True,
            postgresql_where="replaced_at IS NULL",
        ),
        CheckConstraint("period_from <= period_until", name="period_in_order"),
        CheckConstraint("line_count >= 0 AND total_fen >= 0", name="not_negative"),
        CheckConstraint("length(file_sha256) = 64", name="file_sha256_length"),
        CheckConstraint("(replaced_at IS NULL) = (replaced_by_id IS NULL)", name="replacement_complete"),
        region_code_format(),
    )


class BankListLine(Base):
    """One payment, return or receipt as the bank has it, with the row of the file in which it stands."""

    __tablename__ = "bank_list_lines"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    list_id: Mapped[Id] = mapped_column(primary_key=True)
    row_no: Mapped[int] = mapped_column(Integer, primary_key=True)
    status: Mapped[Id]
    bank_reference: Mapped[Id]
    order_id: Mapped[Id | None]
    """As it is written there; whether there is such an order is for the reconciliation to say."""
    amount_fen: Mapped[Fen]
    settled_on: Mapped[CivilDate]
    payee_name: Mapped[Words | None]
    account_tail: Mapped[Id | None]
    """The last digits only."""

    __table_args__ = (
        ForeignKeyConstraint(["region_code", "list_id"], ["bank_lists.region_code", "bank_lists.id"]),
        Index(None, "region_code", "bank_reference"),
        Index(None, "region_code", "order_id", postgresql_where="order_id IS NOT NULL"),
        one_of("status", BankLineStatus),
        CheckConstraint("amount_fen > 0", name="amount_positive"),
        CheckConstraint("length(account_tail) <= 4", name="account_tail_only"),
    )
