"""Providers' statements (对账单): what a provider says it redeemed in a period, line by line."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, CivilDate, Fen, Id, Instant, RegionCode, Words, region_code_format


class Statement(Base):
    """One file of a provider for one region and period. A later file of the same period replaces it."""

    __tablename__ = "statements"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    id: Mapped[Id] = mapped_column(primary_key=True)
    provider_id: Mapped[Id] = mapped_column(ForeignKey("organisations.id"))
    period_from: Mapped[CivilDate]
    period_until: Mapped[CivilDate]
    """The last day, included."""
    line_count: Mapped[int] = mapped_column(Integer)
    subsidy_total_fen: Mapped[Fen]
    file_name: Mapped[Words]
    file_sha256: Mapped[Id]
    uploaded_at: Mapped[Instant]
    uploaded_by: Mapped[Id]
    replaced_at: Mapped[Instant | None]
    replaced_by_id: Mapped[Id | None]

    __table_args__ = (
        ForeignKeyConstraint(
            ["region_code", "replaced_by_id"],
            ["statements.region_code", "statements.id"],
            deferrable=True,
            initially="DEFERRED",
        ),
        Index(
            "uq_statements_live_period",
            "region_code",
            "provider_id",
            "period_from",
            "period_until",
            unique=True,
            postgresql_where="replaced_at IS NULL",
        ),
        CheckConstraint("period_from <= period_until", name="period_in_order"),
        CheckConstraint("line_count >= 0 AND subsidy_total_fen >= 0", name="not_negative"),
        CheckConstraint("length(file_sha256) = 64", name="file_sha256_length"),
        CheckConstraint("(replaced_at IS NULL) = (replaced_by_id IS NULL)", name="replacement_complete"),
        region_code_format(),
    )


class StatementLine(Base):
    """One redemption as the provider has it, with the row of the file in which it stands."""

    __tablename__ = "statement_lines"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    statement_id: Mapped[Id] = mapped_column(primary_key=True)
    row_no: Mapped[int] = mapped_column(Integer, primary_key=True)
    provider_id: Mapped[Id]
    order_no: Mapped[Id | None]
    redemption_id: Mapped[Id | None]
    redeemed_on: Mapped[CivilDate | None]
    bill_total_fen: Mapped[Fen | None]
    subsidy_fen: Mapped[Fen]
    """As it was drawn, before any refund."""
    refunded_fen: Mapped[Fen | None]
    """Subsidy given back until the end of the period."""
    voucher_code: Mapped[Id | None]

    __table_args__ = (
        ForeignKeyConstraint(["region_code", "statement_id"], ["statements.region_code", "statements.id"]),
        UniqueConstraint("region_code", "statement_id", "order_no"),
        Index(None, "region_code", "provider_id", "order_no"),
        Index(None, "region_code", "redemption_id", postgresql_where="redemption_id IS NOT NULL"),
        CheckConstraint("num_nonnulls(order_no, redemption_id) > 0", name="identified"),
        CheckConstraint(
            "subsidy_fen >= 0 AND coalesce(bill_total_fen, 0) >= 0 AND coalesce(refunded_fen, 0) >= 0",
            name="not_negative",
        ),
    )
