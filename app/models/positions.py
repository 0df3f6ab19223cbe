"""What firms, groups, contracts and vouchers have come to under a programme: the counters of cumulative rules."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Count, Fen, Id, RegionCode, region_code_format


class PositionCounter(Base):
    """One counter. The row of period `all` without a category is the lock of its holder."""

    __tablename__ = "positions"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    programme_id: Mapped[Id] = mapped_column(primary_key=True)
    holder: Mapped[Id] = mapped_column(primary_key=True)
    """firm, group, contract or voucher."""
    holder_id: Mapped[Id] = mapped_column(primary_key=True)
    period: Mapped[Id] = mapped_column(primary_key=True)
    """`all`, a year (`2026`, `2026/04`) or a day (`2026-11-25`)."""
    category: Mapped[Id] = mapped_column(primary_key=True)
    base_fen: Mapped[Fen] = mapped_column(default=0)
    gross_fen: Mapped[Fen] = mapped_column(default=0)
    granted_fen: Mapped[Fen] = mapped_column(default=0)
    claims: Mapped[Count] = mapped_column(default=0)

    __table_args__ = (
        ForeignKeyConstraint(["region_code", "programme_id"], ["programmes.region_code", "programmes.id"]),
        CheckConstraint("holder IN ('firm', 'group', 'contract', 'voucher')", name="holder_known"),
        CheckConstraint("base_fen >= 0 AND gross_fen >= 0 AND granted_fen >= 0 AND claims >= 0", name="not_negative"),
        region_code_format(),
    )
