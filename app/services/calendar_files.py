"""A year's table of holidays as a file, .xlsx or CSV: bytes in; days, and every complaint, out. Pure.

Columns 日期 (a day, or a span such as 2026-02-15至2026-02-23), 类型 (放假 or 上班), 名称, and 文号 where the file
itself says which notice it is taken from.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from app.kernel.problems import AppError, Code, FieldError
from app.kernel.vocabulary import DayKind
from app.kernel.widths import half_width
from app.services.calendars import SpecialDay
from app.services.sheets.cells import comparable, is_filled, shown, written_day
from app.services.sheets.places import column_letters
from app.services.sheets.refusals import Unreadable
from app.services.sheets.tables import read_tables
from app.services.sheets.workbook import Cell

HEADINGS: Mapping[str, tuple[str, ...]] = {
    "day": ("日期", "date", "day"),
    "kind": ("类型", "安排", "type", "kind"),
    "name": ("名称", "节日", "name"),
    "document_no": ("文号", "文件", "document_no", "document"),
}
NEEDED = ("day", "kind")
KINDS: Mapping[str, DayKind] = {
    **dict.fromkeys(("放假", "休", "休息", "节假日", "holiday"), DayKind.HOLIDAY),
    **dict.fromkeys(("上班", "班", "调休", "调休上班", "make_up_day", "workday"), DayKind.MAKE_UP_DAY),
}
SEARCHED = 20
LONGEST_SPAN = 30

_SPAN = re.compile(r"(.+?)(?:至|到|~|—+|–|\bto\b)(.+)")


@dataclass(frozen=True, slots=True)
class CalendarFile:
    """What a file says. `year` is that of its last day: a table may begin in the December before."""

    year: int
    document_no: str | None
    days: tuple[SpecialDay, ...]


def read_calendar_file(data: bytes) -> CalendarFile:
    """The table in a file. Raises `file_unreadable`, and `sheet_invalid` with every complaint by row and column."""
    for table in read_tables(data):
        for place, row in enumerate(table.cells[:SEARCHED]):
            columns = _columns(row)
            if all(name in columns for name in NEEDED):
                return _read(table.cells[place + 1 :], columns, first_row=place + 2)
    raise Unreadable(
        "No row has the headings 日期 (day) and 类型 (放假 off, 上班 worked).", "没有任何一行包含“日期”“类型”表头。"
    )


def _columns(row: Sequence[Cell]) -> dict[str, int]:
    fields = {comparable(alias): field for field, aliases in HEADINGS.items() for alias in aliases}
    found: dict[str, int] = {}
    for place, cell in enumerate(row):
        field = fields.get(comparable(cell))
        if field is not None:
            found.setdefault(field, place)
    return found


def _read(rows: Sequence[Sequence[Cell]], columns: Mapping[str, int], *, first_row: int) -> CalendarFile:
    days: list[SpecialDay] = []
    documents: dict[str, int] = {}
    errors: list[FieldError] = []
    for row_no, row in enumerate(rows, start=first_row):
        if not any(map(is_filled, row)):
            continue
        cells = {name: row[place] if place < len(row) else "" for name, place in columns.items()}
        span = _span(cells["day"])
        kind = KINDS.get(comparable(cells["kind"]))
        if span is None:
            sentence = (
                "is neither a day such as 2026-10-01 nor a span such as 2026-10-01至2026-10-07"
                " / 不是日期（如 2026-10-01）或区间（如 2026-10-01至2026-10-07）"
            )
            errors.append(_wrong(row_no, columns, "day", "date_unreadable", sentence, cells["day"]))
        if kind is None:
            sentence = "must be 放假 (off) or 上班 (worked) / 须为“放假”或“上班”"
            errors.append(_wrong(row_no, columns, "kind", "kind_unknown", sentence, cells["kind"]))
        if span is not None and kind is not None:
            name = _text(cells.get("name", "")) or ("放假" if kind is DayKind.HOLIDAY else "上班")
            days += [SpecialDay(day, kind, name) for day in span]
        if document_no := _text(cells.get("document_no", "")):
            documents.setdefault(document_no, row_no)
    if len(documents) > 1:
        second = list(documents.values())[1]
        sentence = "a table is taken from one notice; this row names another / 一张表只能依据一份通知，该行文号不同"
        errors.append(_wrong(second, columns, "document_no", "documents_differ", sentence, list(documents)[1]))
    if not days and not errors:
        raise Unreadable("There is no day below the headings.", "表头下没有任何日期。")
    if errors:
        raise AppError(Code.SHEET_INVALID, count=len(errors), errors=errors)
    return CalendarFile(max(special.day for special in days).year, next(iter(documents), None), tuple(days))


def _span(cell: Cell) -> list[date] | None:
    if isinstance(cell, datetime):
        return [cell.date()]
    if isinstance(cell, date):
        return [cell]
    if not isinstance(cell, str):
        return None
    text = half_width(cell).strip()
    match = _SPAN.fullmatch(text)
    first, last = (written_day(part) for part in (match.groups() if match else (text, text)))
    if first is None or last is None or not 0 <= (last - first).days < LONGEST_SPAN:
        return None
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def _text(cell: Cell) -> str:
    return "".join(filter(str.isprintable, cell)).strip() if isinstance(cell, str) else ""


def _wrong(row_no: int, columns: Mapping[str, int], field: str, code: str, sentence: str, cell: Cell) -> FieldError:
    column = f"{column_letters(columns[field] + 1)} {HEADINGS[field][0]}"
    actual = shown(cell)
    return FieldError(f"/rows/{row_no}/{field}", code, sentence, actual=actual, row=row_no, column=column)
