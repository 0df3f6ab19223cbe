"""Files that tell of a period: the same one counts once, a later one of the same days replaces, none overlap another.

What is looked up here stays true until COMMIT only under a lock of the caller's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from app.kernel.problems import AppError, Code, FieldError
from app.models import BankList, Statement

LONGEST_DAYS = 366

PeriodFile = type[Statement] | type[BankList]


@dataclass(frozen=True, slots=True)
class Days:
    """Days in Asia/Shanghai, both included."""

    first: date
    last: date

    def require_past(self, *, today: date) -> None:
        """Raise `validation_failed` where there is no or too much period, `period_ends_in_future`."""
        count = (self.last - self.first).days + 1
        if not 1 <= count <= LONGEST_DAYS:
            sentence = f"A period has 1 to {LONGEST_DAYS} days / 期间应为 1 至 {LONGEST_DAYS} 天"
            error = FieldError("/period_until", "period_length", sentence, limit=LONGEST_DAYS, actual=count)
            raise AppError(Code.VALIDATION_FAILED, count=1, errors=[error])
        if self.last > today:
            raise AppError(Code.PERIOD_ENDS_IN_FUTURE, limit=today.isoformat(), actual=self.last.isoformat())


def find_repeated(
    tx: Connection, table: PeriodFile, whose: Mapping[str, str], days: Days, file_sha256: str
) -> Row[*tuple[Any, ...]] | None:
    """The live one, where it is this very file. One that was replaced counts anew when it is sent again."""
    found: Row[*tuple[Any, ...]] | None = tx.execute(
        select(table).where(
            *(getattr(table, name) == value for name, value in whose.items()),
            table.period_from == days.first,
            table.period_until == days.last,
            table.file_sha256 == file_sha256,
            table.replaced_at.is_(None),
        )
    ).one_or_none()
    return found


def find_replaced(
    tx: Connection, table: PeriodFile, whose: Mapping[str, str], days: Days, *, overlaps: Callable[[str, str], AppError]
) -> str | None:
    """The live one of the same period, which a new one replaces.

    Raises what `overlaps` makes of the id and the period of one that covers some of the days and others besides.
    """
    overlapping = tx.execute(
        select(table.id, table.period_from, table.period_until).where(
            *(getattr(table, name) == value for name, value in whose.items()),
            table.replaced_at.is_(None),
            table.period_from <= days.last,
            table.period_until >= days.first,
        )
    ).all()
    for row in overlapping:
        if (row.period_from, row.period_until) != (days.first, days.last):
            raise overlaps(row.id, f"{row.period_from} – {row.period_until}")
    return overlapping[0].id if overlapping else None


def store_file(tx: Connection, table: PeriodFile, row: Mapping[str, Any], *, replaces_id: str | None) -> None:
    """Write it. Only one of a period is live at a time, so the old one steps back first; its key waits for COMMIT."""
    if replaces_id is not None:
        tx.execute(
            update(table)
            .where(table.region_code == row["region_code"], table.id == replaces_id)
            .values(replaced_at=row["uploaded_at"], replaced_by_id=row["id"])
        )
    tx.execute(insert(table).values(dict(row)))
