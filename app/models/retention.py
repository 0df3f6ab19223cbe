"""Retention (留存期限): for how long personal data are kept in a region. A new row replaces the one before it."""

from __future__ import annotations

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.vocabulary import RetentionKind
from app.models.base import Base, Id, Instant, RegionCode, Small, Words, one_of, region_code_format


class RetentionSetting(Base):
    """From `set_at` on this is how long, in this region and those below it that have none of their own."""

    __tablename__ = "retention_settings"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    kind: Mapped[Id] = mapped_column(primary_key=True)
    set_at: Mapped[Instant] = mapped_column(primary_key=True)
    keep_days: Mapped[Small]
    reason: Mapped[Words]
    set_by: Mapped[Id]

    __table_args__ = (
        one_of("kind", RetentionKind),
        CheckConstraint("keep_days BETWEEN 30 AND 3660", name="days_fit"),
        region_code_format(),
    )
