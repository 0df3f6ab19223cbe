"""Restorations of this database from a backup, and which regions may be sealed again after one."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.vocabulary import ReleaseGround
from app.models.base import Base, Count, Id, Instant, RegionCode, Words, one_of, region_code_format


class Restoration(Base):
    """One return of this database from a backup. Until it is settled, a region is sealed only if released."""

    __tablename__ = "restorations"

    id: Mapped[Id] = mapped_column(primary_key=True)
    restored_at: Mapped[Instant]
    backup: Mapped[Words]
    """Its name, or what else it was restored from."""
    restored_to: Mapped[Instant | None]
    """The instant that was asked for; null for the end of what was archived."""
    last_commit_at: Mapped[Instant | None]
    """Of the last transaction that was replayed; what was committed later is lost."""
    settled_at: Mapped[Instant | None]
    """From then on all regions may be sealed, also those that nothing is known of."""
    settled_by: Mapped[Words | None]
    settled_reason: Mapped[Words | None]

    __table_args__ = (
        CheckConstraint("num_nonnulls(settled_at, settled_by, settled_reason) IN (0, 3)", name="settled_whole"),
    )


class RestorationRelease(Base):
    """A region that may be sealed again: its log agrees with what was published, or an official says so."""

    __tablename__ = "restoration_releases"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    restoration_id: Mapped[Id] = mapped_column(primary_key=True)
    released_at: Mapped[Instant]
    ground: Mapped[Id]
    log_size: Mapped[Count]
    """Of the restored log; 0 where the region has none."""
    published_size: Mapped[Count | None]
    published_root: Mapped[bytes | None] = mapped_column(LargeBinary)
    """The largest published head it was compared with."""
    decided_by: Mapped[Words | None]
    reason: Mapped[Words | None]

    __table_args__ = (
        ForeignKeyConstraint(["restoration_id"], ["restorations.id"]),
        one_of("ground", ReleaseGround),
        CheckConstraint("num_nonnulls(published_size, published_root) IN (0, 2)", name="published_whole"),
        CheckConstraint(
            "(ground = 'agrees' AND published_size IS NOT NULL AND num_nonnulls(decided_by, reason) = 0)"
            " OR (ground = 'decided' AND num_nonnulls(decided_by, reason) = 2)",
            name="ground_given",
        ),
        region_code_format(),
    )
