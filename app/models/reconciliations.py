"""Reconciliation runs and what they found."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Integer
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Id, Instant, RegionCode, region_code_format


class Reconciliation(Base):
    """One check of the books of a region: each invariant with its differences, over one snapshot."""

    __tablename__ = "reconciliations"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    id: Mapped[Id] = mapped_column(primary_key=True)
    started_at: Mapped[Instant]
    finished_at: Mapped[Instant]
    run_by: Mapped[Id]
    difference_count: Mapped[int] = mapped_column(Integer)
    report: Mapped[dict[str, Any]] = mapped_column(JSONB)

    __table_args__ = (region_code_format(),)
