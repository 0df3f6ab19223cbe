"""Tables of holidays (节假日安排), one a year and the same for all of the country, so they have no region."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.vocabulary import DayKind
from app.models.base import Base, CivilDate, Id, Instant, Small, Words, one_of


class CalendarTable(Base):
    """A year's table as it was loaded; the highest version is the one that counts, the others are its history."""

    __tablename__ = "calendar_tables"

    year: Mapped[Small] = mapped_column(primary_key=True, autoincrement=False)
    version: Mapped[Small] = mapped_column(primary_key=True, autoincrement=False)
    document_no: Mapped[Words]
    """The notice of the State Council that says so: `国办发明电〔2025〕7号`."""
    loaded_at: Mapped[Instant]
    loaded_by: Mapped[Id]

    __table_args__ = (
        CheckConstraint("year BETWEEN 2000 AND 2999", name="year_known"),
        CheckConstraint("version >= 1", name="version_counts"),
    )


class CalendarDay(Base):
    """A day off, or a day of a weekend on which people work."""

    __tablename__ = "calendar_days"

    year: Mapped[Small] = mapped_column(primary_key=True, autoincrement=False)
    version: Mapped[Small] = mapped_column(primary_key=True, autoincrement=False)
    day: Mapped[CivilDate] = mapped_column(primary_key=True)
    kind: Mapped[Id]
    name: Mapped[Words]

    __table_args__ = (
        ForeignKeyConstraint(["year", "version"], ["calendar_tables.year", "calendar_tables.version"]),
        one_of("kind", DayKind),
        CheckConstraint(
            "EXTRACT(year FROM day) = year OR (EXTRACT(year FROM day) = year - 1 AND EXTRACT(month FROM day) = 12)",
            name="day_of_its_year",
        ),
        CheckConstraint("kind = 'holiday' OR EXTRACT(isodow FROM day) >= 6", name="made_up_at_weekends"),
    )
