"""An uploaded CSV file: its encoding found, its rows numbered. Pure."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator, Sequence

from app.services.sheets.refusals import Unreadable
from app.services.sheets.workbook import Cell

_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
"""How a file says its encoding. What Excel calls Unicode text is UTF-16 with tabs."""
LOOKED_AT = 10_000
"""Characters at the start of a file that show what parts its cells."""


def csv_rows(data: bytes) -> Iterator[tuple[int, Sequence[Cell]]]:
    """The rows of a CSV file, numbered from 1; tabs or semicolons may part cells. Raises AppError `file_unreadable`."""
    text = decoded(data)
    records = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    try:
        yield from enumerate(records, start=1)
    except csv.Error as error:
        raise Unreadable(
            f"From line {records.line_num} on it is not readable as CSV.",
            f"第 {records.line_num} 行起无法按 CSV 读取。",
            saved_anew=True,
        ) from error


def _delimiter(text: str) -> str:
    """What parts the cells: what most of the first lines have, a comma where that leaves a choice."""
    lines = text[:LOOKED_AT].splitlines()
    return max(",\t;", key=lambda sign: sum(sign in line for line in lines))


def decoded(data: bytes) -> str:
    """The text of UTF-8 (with or without mark), UTF-16 (with one) or GB18030. Raises AppError `file_unreadable`."""
    marked = next((encoding for mark, encoding in _MARKS if data.startswith(mark)), None)
    for encoding in (marked,) if marked else ("utf-8", "gb18030"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise Unreadable(
        "The file is no text in UTF-8, UTF-16 or GB18030.", "文件不是 UTF-8、UTF-16 或 GB18030 文本。", saved_anew=True
    )
