"""An allocation list as an .xlsx or CSV file: the bytes in; candidates, and every complaint about them, out. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from app.kernel.wording import Language
from app.services.allocation.columns import LIST
from app.services.allocation.listing import ListedRow
from app.services.issuance.sheet import Sheet, read_sheet


@dataclass(frozen=True, slots=True)
class ListSheet:
    """What a file lists, and the sheet that it was read from, with every complaint about it."""

    rows: tuple[ListedRow, ...]
    sheet: Sheet


def read_list_sheet(data: bytes, *, language: Language) -> ListSheet:
    """The candidates of a file in its order.

    Raises AppError `file_unreadable` where the file is no readable .xlsx or CSV, or has no such sheet.
    """
    sheet = read_sheet(data, language=language, form=LIST)
    rows = (
        ListedRow(grant, **{field.value: mark for field, mark in marks.items()})
        for grant, marks in zip(sheet.rows, sheet.marks, strict=True)
    )
    return ListSheet(tuple(rows), sheet)
