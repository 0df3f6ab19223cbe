"""Writing .xlsx: the one place where a workbook is begun, so that no text becomes a formula, a link or a number."""

from __future__ import annotations

from typing import IO

import xlsxwriter  # type: ignore[import-untyped]


def new_workbook(file: IO[bytes], *, row_by_row: bool = False) -> xlsxwriter.Workbook:
    """A workbook that is written when it is closed; `row_by_row` needs rows in order, and no memory for them."""
    memory = "constant_memory" if row_by_row else "in_memory"
    return xlsxwriter.Workbook(
        file, {memory: True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    )
