"""Pools: the budget of a programme by fiscal year and fund source."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Fen, Id, Instant, RegionCode, Small


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
    )
