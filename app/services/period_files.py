"""Files that tell of a period: the same one counts once, a later one of the same days replaces, none overlap another.

What is looked up here stays true until COMMIT only under a lock of the caller's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, insert, select, text, update

from app.kernel.problems import AppError, Code, FieldError
from app.models import BankList, Statement

LONGEST_DAYS = 366

PeriodFile = type[Statement] | type[BankList]

_LINES_OF: Mapping[PeriodFile, tuple[str, str, tuple[str, ...]]] = {
    Statement: (
        "statement_lines",
        "statement_id",
        (
            *("row_no", "provider_id", "order_no", "redemption_id", "redeemed_on"),
            *("bill_total_fen", "subsidy_fen", "refunded_fen", "voucher_code"),
        ),
    ),
    BankList: (
        "bank_list_lines",
        "list_id",
        ("row_no", "status", "bank_reference", "order_id", "amount_fen", "settled_on", "payee_name", "account_tail"),
    ),
}
"""Where the lines of a file are, by which of its columns, and what of them the digest is over: for ever the same."""


def digests(table: PeriodFile) -> str:
    """SQL: of each file of the table `region_code`, `id` and `lines_sha256`, over its lines as they are stored."""
    lines, key, columns = _LINES_OF[table]
    told = f"string_agg(jsonb_build_array({', '.join(columns)})::text, chr(10) ORDER BY row_no)"
    return (
        f"SELECT region_code, {key} AS id, encode(sha256(convert_to({told}, 'UTF8')), 'hex') AS lines_sha256"
        f" FROM {lines} GROUP BY region_code, {key}"
    )


def lines_sha256(tx: Connection, table: PeriodFile, *, region_code: str, file_id: str) -> str:
    """The digest of the lines that were stored of a file, to be sealed with its upload; empty without lines."""
    query = text(f"SELECT lines_sha256 FROM ({digests(table)}) AS file WHERE region_code = :region AND id = :id")
    return str(tx.execute(query, {"region": region_code, "id": file_id}).scalar() or "")


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
