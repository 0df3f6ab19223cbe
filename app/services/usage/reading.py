"""Usage records, row by row, with exact arithmetic: card-hours are fractions, no float occurs."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from fractions import Fraction
from pathlib import Path

from app.kernel.clock import FIRST_DAY, LAST_DAY, SHANGHAI
from app.kernel.rates import Rounding, parse_decimal, round_to
from app.services.usage.mapping import Mapping, Times

_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6}
_LAST_OFFSET_S = 10**11
_WITH_SLASHES = re.compile(r"([0-9]{4})/([0-9]{1,2})/([0-9]{1,2})(?:[ T]([0-9]{1,2}):([0-9]{2})(.*))?", re.ASCII)
"""As spreadsheets write a time where Chinese is their language: `2026/3/1 8:05`."""


class UsageFileError(ValueError):
    """The file cannot be read as its mapping says; names row (the heading is row 1) and column where there is one."""

    def __init__(self, why: str, *, row: int, column: str | None = None) -> None:
        self.row, self.column = row, column
        super().__init__(f"Row {row}{f', column {column!r}' if column else ''}: {why}")


class SkipReason(StrEnum):
    """Why a row makes no bill. The first that applies, in this order, so that the counts add up to the rows."""

    NEVER_SCHEDULED = "never_scheduled"
    NO_GPU = "no_gpu"
    NEVER_ENDED = "never_ended"
    NO_TIME = "no_time"


@dataclass(frozen=True, slots=True)
class UsageRow:
    """One job that used GPUs. The offsets are seconds from the trace's epoch; the instants are known where that is."""

    row: int
    job_id: str
    gpu_model: str | None
    card_hours: Fraction
    started_s: Fraction
    ended_s: Fraction
    used_from: datetime | None
    used_until: datetime | None


@dataclass(frozen=True, slots=True)
class SkippedRow:
    """One job that is not billed."""

    row: int
    job_id: str
    reason: SkipReason


def read_usage(path: Path, mapping: Mapping) -> Iterator[UsageRow | SkippedRow]:
    """The file's rows in their order, numbered from 2 (the heading is row 1); blank lines count and give nothing.

    Raises UsageFileError at the first row that cannot be read. Whoever must leave nothing behind reads to the end
    before acting on a row.
    """
    encoding = "utf-8-sig" if mapping.file.encoding == "utf-8" else mapping.file.encoding
    number = 1
    with path.open(encoding=encoding, newline="") as file:
        records = csv.reader(file, delimiter=mapping.file.delimiter, strict=True)
        try:
            heading = [name.strip() for name in next(records, [])]
            _check_heading(heading, mapping)
            for number, cells in enumerate(records, start=2):
                if any(cell.strip() for cell in cells):
                    yield _Row(number, heading, cells, mapping).read()
        except csv.Error as refusal:
            raise UsageFileError(f"not readable as CSV: {refusal}.", row=number + 1) from refusal
        except UnicodeDecodeError as refusal:
            raise UsageFileError(
                f"not all of what follows is {mapping.file.encoding} text. The mapping's file.encoding may be wrong.",
                row=number,
            ) from refusal


def _check_heading(heading: Sequence[str], mapping: Mapping) -> None:
    for name in mapping.columns.names():
        if name not in heading:
            found = ", ".join(heading) or "nothing"
            raise UsageFileError(f"there is no such column. The heading has: {found}.", row=1, column=name)
        if heading.count(name) > 1:
            raise UsageFileError("the heading has this column twice.", row=1, column=name)


class _Row:
    """A row with its heading and mapping at hand."""

    def __init__(self, number: int, heading: Sequence[str], cells: Sequence[str], mapping: Mapping) -> None:
        if len(cells) != len(heading):
            raise UsageFileError(f"{len(cells)} cells under a heading of {len(heading)} columns.", row=number)
        self._number = number
        self._cells = dict(zip(heading, cells, strict=True))
        self._mapping = mapping

    def read(self) -> UsageRow | SkippedRow:
        columns, time = self._mapping.columns, self._mapping.time
        job_id = self._value(columns.job_id)
        if job_id is None:
            raise UsageFileError("the job has no id.", row=self._number, column=columns.job_id)
        started_s = self._instant(columns.started_at)
        if started_s is None:
            return SkippedRow(self._number, job_id, SkipReason.NEVER_SCHEDULED)
        cards = self._cards()
        if cards == 0:
            return SkippedRow(self._number, job_id, SkipReason.NO_GPU)
        ended_s = self._instant(columns.ended_at)
        if ended_s is None:
            return SkippedRow(self._number, job_id, SkipReason.NEVER_ENDED)
        if ended_s == started_s:
            return SkippedRow(self._number, job_id, SkipReason.NO_TIME)
        if ended_s < started_s:
            raise UsageFileError("the job ended before it started.", row=self._number, column=columns.ended_at)
        return UsageRow(
            row=self._number,
            job_id=job_id,
            gpu_model=self._value(columns.gpu_model) if columns.gpu_model else None,
            card_hours=cards * (ended_s - started_s) / 3600,
            started_s=started_s,
            ended_s=ended_s,
            used_from=_at(started_s, time),
            used_until=_at(ended_s, time),
        )

    def _cards(self) -> Fraction:
        columns = self._mapping.columns
        cards = self._decimal(columns.cards) or Fraction(0)
        if columns.card_share is None or cards == 0:
            return cards
        share = self._decimal(columns.card_share)
        if share is None:
            raise UsageFileError("the job has cards but no share of them.", row=self._number, column=columns.card_share)
        if share > columns.parts_per_card and not columns.share_above_a_card:
            why = (
                f"{share} parts of a card, which has {columns.parts_per_card}. Mend the mapping's parts_per_card,"
                " or set share_above_a_card = true where one job's share is of several cards."
            )
            raise UsageFileError(why, row=self._number, column=columns.card_share)
        return cards * share / columns.parts_per_card

    def _value(self, column: str) -> str | None:
        value = self._cells[column].strip()
        return None if value in self._mapping.file.empty else value

    def _decimal(self, column: str) -> Fraction | None:
        value = self._value(column)
        try:
            return None if value is None else parse_decimal(value, max_decimals=9, max_digits=27)
        except ValueError as refusal:
            raise UsageFileError(str(refusal), row=self._number, column=column) from refusal

    def _instant(self, column: str) -> Fraction | None:
        time = self._mapping.time
        if time.unit != "iso8601":
            offset = self._decimal(column)
            if offset is None:
                return None
            offset_s = offset / _PER_SECOND[time.unit]
            first_s, last_s = _bounds_s(time.epoch)
            if not first_s <= offset_s < last_s:
                raise UsageFileError(_BEYOND, row=self._number, column=column)
            return offset_s
        value = self._value(column)
        if value is None:
            return None
        try:
            at = datetime.fromisoformat(_as_iso(value))
        except ValueError as refusal:
            why = f"{value!r} is not an ISO 8601 instant such as 2026-03-01T08:00:00+08:00."
            raise UsageFileError(why, row=self._number, column=column) from refusal
        if not FIRST_DAY.year <= at.year <= LAST_DAY.year:
            raise UsageFileError(_BEYOND, row=self._number, column=column)
        return Fraction(((at if at.tzinfo else at.replace(tzinfo=SHANGHAI)) - _UNIX_EPOCH) // _MICROSECOND, 10**6)


_BEYOND = f"that time is beyond any calendar: the years {FIRST_DAY.year} to {LAST_DAY.year} are known."


def _bounds_s(epoch: datetime | None) -> tuple[int, int]:
    """Between which offsets an instant lies in the years that are known; without an epoch only none is endless."""
    if epoch is None:
        return 0, _LAST_OFFSET_S
    first, last = (datetime(day.year, 1, 1, tzinfo=UTC) for day in (FIRST_DAY, LAST_DAY))
    return (first - epoch) // timedelta(seconds=1), (last - epoch) // timedelta(seconds=1)


def _as_iso(written: str) -> str:
    """The time in ISO 8601 where it is written with slashes, else as it is."""
    found = _WITH_SLASHES.fullmatch(written)
    if found is None:
        return written
    year, month, day, hour, minute, rest = found.groups()
    on = f"{year}-{month:0>2}-{day:0>2}"
    return on if hour is None else f"{on}T{hour:0>2}:{minute}{rest}"


def _at(offset_s: Fraction, time: Times) -> datetime | None:
    epoch = _UNIX_EPOCH if time.unit == "iso8601" else time.epoch
    if epoch is None:
        return None
    return epoch + round_to(offset_s * 10**6, 1, Rounding.FLOOR) * _MICROSECOND
