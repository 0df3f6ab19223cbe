"""Pools: the budget of a programme by fiscal year and fund source; and the decisions that closed a year."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, CanonicalJson, Fen, Id, Instant, RegionCode, Small, Words, region_code_format


class Pool(Base):
    """One source of money. Only `available_fen` is stored; the other accounts follow from the postings."""

    __tablename__ = "pools"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    id: Mapped[Id] = mapped_column(primary_key=True)
    programme_id: Mapped[Id]
    fiscal_year: Mapped[Small]
    fund_source: Mapped[Id]
    county_code: Mapped[RegionCode | None]
    """Set where a city shares its quota out to a county."""
    available_fen: Mapped[Fen]
    created_at: Mapped[Instant]
    closed_at: Mapped[Instant | None]
    """Set once, when finance closed the year; from then on nothing is spent from it (a trigger holds the instant)."""

    __table_args__ = (
        ForeignKeyConstraint(["region_code", "programme_id"], ["programmes.region_code", "programmes.id"]),
        UniqueConstraint(
            "region_code",
            "programme_id",
            "fiscal_year",
            "fund_source",
            "county_code",
            postgresql_nulls_not_distinct=True,
        ),
        CheckConstraint("available_fen >= 0", name="available_not_negative"),
        CheckConstraint("closed_at IS NULL OR available_fen = 0", name="closed_has_nothing_available"),
    )


class YearClose(Base):
    """A year of a programme closed by two persons of finance, and what that did to each pool. Insert and select only.

    A year may be closed again, to carry forward what was left behind the first time.
    """

    __tablename__ = "year_closes"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    id: Mapped[Id] = mapped_column(primary_key=True)
    programme_id: Mapped[Id]
    fiscal_year: Mapped[Small]
    approval_id: Mapped[Id]
    document_no: Mapped[Words]
    effect: Mapped[CanonicalJson]
    """Fen by pool: what lapsed, what was carried forward, what stayed behind."""
    closed_at: Mapped[Instant]
    made_by: Mapped[Id]
    decided_by: Mapped[Id]

    __table_args__ = (
        ForeignKeyConstraint(["region_code", "programme_id"], ["programmes.region_code", "programmes.id"]),
        ForeignKeyConstraint(["region_code", "approval_id"], ["approvals.region_code", "approvals.id"]),
        UniqueConstraint("region_code", "approval_id"),
        Index(None, "region_code", "programme_id", "id"),
        CheckConstraint("made_by <> decided_by", name="two_persons"),
        region_code_format(),
    )
