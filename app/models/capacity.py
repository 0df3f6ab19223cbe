"""What bills take of their providers' capacity, day by day: counters, and the locks of days."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import CheckConstraint, Numeric
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, CivilDate, Id, RegionCode, region_code_format


class CapacityUse(Base):
    """So much used between two days. The row of a single day without a unit is the lock of that day."""

    __tablename__ = "capacity_uses"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    provider_id: Mapped[Id] = mapped_column(primary_key=True)
    first_on: Mapped[CivilDate] = mapped_column(primary_key=True)
    last_on: Mapped[CivilDate] = mapped_column(primary_key=True)
    site: Mapped[Id] = mapped_column(primary_key=True)
    """As the registry names it; empty where the bill names none."""
    unit: Mapped[Id] = mapped_column(primary_key=True)
    amount: Mapped[Decimal] = mapped_column(Numeric)

    __table_args__ = (
        CheckConstraint("amount >= 0", name="not_negative"),
        CheckConstraint("first_on <= last_on AND last_on - first_on < 366", name="days_in_order"),
        CheckConstraint("unit IN ('', 'card_hour', 'pflops_hour')", name="unit_known"),
        CheckConstraint("unit <> '' OR (first_on = last_on AND site = '' AND amount = 0)", name="lock_is_a_day"),
        region_code_format(),
    )
