"""An uploaded workbook, opened only after it has been looked at. Pure: bytes in, sheets out.

python-calamine is fast and lays a sheet out as one dense block from A1 to its last cell, so one stray cell in
XFD1048576 would end the process. It also shows a formula's error, or a formula without a result, as an empty cell.
Hence every XML part is looked at first (`scanning`), within limits, and calamine is given a plain copy of just those
parts, in which both are text.
"""

from __future__ import annotations

import lzma
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from app.services.sheets.hidden import NOTHING_HIDDEN, Hidden, hidden_in, sheet_parts
from app.services.sheets.looks import Styles, as_shown, unusual_styles
from app.services.sheets.places import column_letters
from app.services.sheets.refusals import Unreadable
from app.services.sheets.scanning import Scan

MAX_FILE_BYTES = 20 * 1024 * 1024
MAX_UNPACKED_BYTES = 100 * 1024 * 1024
MAX_PARTS = 1_000
MAX_MERGED = 1_000_000

CONTENT_TYPES = "[Content_Types].xml"
SHARED_STRINGS = "xl/sharedstrings.xml"
STYLES = "xl/styles.xml"
WORKBOOK, RELATIONS = "xl/workbook.xml", "xl/_rels/workbook.xml.rels"
NO_RESULT = "#NO_RESULT"
"""What stands in a cell whose formula was never computed: written by a program, and not opened in Excel since."""

_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED_PACKAGE = "EncryptedPackage".encode("utf-16-le")
_XLSX = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
_MACROS = re.compile(rb"macroEnabled|vbaProject", re.IGNORECASE)
_ERROR_CELL = re.compile(rb"(<(?:\w+:)?c\b[^<>]*?\st=)([\"'])e\2")
_FORMULA_ALONE = re.compile(
    rb"<((?:\w+:)?)c\b([^<>]*)>(\s*<\1f\b(?:[^<>]*/>|[^<>]*>[^<]*</\1f>))\s*(<\1v\s*/>|<\1v>\s*</\1v>)?\s*</\1c>"
)
_KIND = re.compile(rb"\st=([\"'])(\w*)\1")

_BROKEN_ARCHIVE = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, NotImplementedError, EOFError, OSError, ValueError,
)  # fmt: skip
"""What `zipfile` raises, depending on where it stumbles."""

Cell = object
"""What calamine makes of a cell: float, str, bool, date, datetime, time, timedelta; '' where it is empty."""


@dataclass(frozen=True)
class Worksheet:
    """One visible sheet: its cells from A1 on, row by row."""

    cells: list[list[Cell]]
    hidden: Hidden
    """Rows and columns that a filter or somebody hid."""
    _source: CalamineSheet

    @cached_property
    def merged(self) -> dict[tuple[int, int], str]:
        """The cells (row and column from 0) that a merge hides, each with its range: `B3:B5`.

        Raises AppError `file_unreadable` for more than MAX_MERGED of them.
        """
        height, width = len(self.cells), len(self.cells[0]) if self.cells else 0
        hidden: dict[tuple[int, int], str] = {}
        left_over = MAX_MERGED
        for (top, left), (bottom, right) in self._source.merged_cell_ranges or ():
            rows, columns = range(top, min(bottom + 1, height)), range(left, min(right + 1, width))
            left_over -= len(rows) * len(columns)
            if left_over < 0:
                raise Unreadable(
                    f"More than {MAX_MERGED} cells are merged. Unmerge them.",
                    f"合并单元格超过 {MAX_MERGED} 个。请取消合并。",
                )
            named = f"{column_letters(left + 1)}{top + 1}:{column_letters(right + 1)}{bottom + 1}"
            hidden |= {(row, column): named for row in rows for column in columns if (row, column) != (top, left)}
        return hidden


def read_worksheets(data: bytes, *, as_stored: bool = False) -> Iterator[Worksheet]:
    """The visible worksheets in the workbook's order, each read when it is asked for.

    A number that is shown otherwise than it is stored, as a percentage or in 万元, is the text that it shows or a mark,
    so that nobody takes it for an amount; unless the stored numbers are asked for (`as_stored`). Raises AppError
    `file_unreadable` for what is no .xlsx, is encrypted, has macros, or exceeds a limit.
    """
    copy = _plain_copy(data, as_stored=as_stored)
    try:
        with CalamineWorkbook.from_filelike(BytesIO(copy.archive)) as workbook:
            for sheet in workbook.sheets_metadata:
                if sheet.typ == SheetTypeEnum.WorkSheet and sheet.visible == SheetVisibleEnum.Visible:
                    source = workbook.get_sheet_by_name(sheet.name)
                    cells = source.to_python(skip_empty_area=False)
                    yield Worksheet(cells, copy.hidden_of(sheet.name), source)  # type: ignore[arg-type]
    except CalamineError as error:
        raise Unreadable("The workbook is damaged.", "工作簿已损坏。", saved_anew=True) from error


def read_sheets(data: bytes, *, as_stored: bool = False) -> Iterator[list[list[Cell]]]:
    """The cells alone of each visible worksheet. Raises as `read_worksheets`."""
    for sheet in read_worksheets(data, as_stored=as_stored):
        yield sheet.cells


@dataclass(frozen=True, slots=True)
class _Copy:
    """The workbook's parts as they are read."""

    archive: bytes
    hidden: Mapping[str, Hidden]
    """What is hidden, by the part of the sheet; parts that hide nothing are left out."""
    parts: Mapping[str, str]

    def hidden_of(self, sheet: str) -> Hidden:
        return self.hidden.get(self.parts.get(sheet, ""), NOTHING_HIDDEN)


def _plain_copy(data: bytes, *, as_stored: bool) -> _Copy:
    """The workbook's XML parts, each within limits and well formed, in a new archive without compression."""
    if len(data) > MAX_FILE_BYTES:
        raise Unreadable(
            f"The file has {len(data)} bytes; at most {MAX_FILE_BYTES} are read.",
            f"文件大小 {len(data)} 字节，超过上限 {MAX_FILE_BYTES} 字节。",
        )
    if data.startswith(_OLD_OFFICE):
        if _ENCRYPTED_PACKAGE in data:
            raise Unreadable(
                "The workbook is protected by a password. Remove it (File, Info, Protect Workbook).",
                "工作簿设有密码。请先取消密码（文件—信息—保护工作簿）。",
            )
        raise Unreadable(
            "The file is in the format of old Excel (.xls).", "文件为旧版 Excel 格式（.xls）。", saved_anew=True
        )
    try:
        return _copy_parts(data, as_stored=as_stored)
    except _BROKEN_ARCHIVE as error:
        raise Unreadable("The file is not an Excel workbook.", "文件不是 Excel 工作簿。", saved_anew=True) from error


def _copy_parts(data: bytes, *, as_stored: bool) -> _Copy:
    copy = BytesIO()
    hidden: dict[str, Hidden] = {}
    about = {WORKBOOK: b"", RELATIONS: b""}
    with zipfile.ZipFile(BytesIO(data)) as source, zipfile.ZipFile(copy, "w", zipfile.ZIP_STORED) as target:
        members = source.infolist()
        _check_archive(members)
        _check_content(source)
        scan = Scan()
        styles: Styles = {}
        # The shared strings first: the cells that use them count their length. The styles say how cells are shown.
        first = (SHARED_STRINGS, STYLES)
        for part in sorted(members, key=lambda part: part.filename.lower() not in first):
            if part.filename.lower().endswith((".xml", ".rels")):
                content = source.read(part)
                if scan.part(content):
                    content = _FORMULA_ALONE.sub(_without_result, _ERROR_CELL.sub(rb"\1\2str\2", content))
                name = part.filename.lower()
                if name in about:
                    about[name] = content
                elif (found := hidden_in(content)) != NOTHING_HIDDEN:
                    hidden[name] = found
                if name == STYLES and not as_stored:
                    styles = unusual_styles(content)
                target.writestr(part.filename, as_shown(content, styles))
    parts = sheet_parts(*about.values()) if hidden and all(about.values()) else {}
    return _Copy(copy.getvalue(), hidden, parts)


def _without_result(cell: re.Match[bytes]) -> bytes:
    prefix, attributes, formula, value = cell.groups()
    kind = _KIND.search(attributes)
    if value is not None and kind is not None and kind[2] == b"str":
        return cell[0]  # the result is an empty text
    told = (prefix, _KIND.sub(b"", attributes), formula, prefix, NO_RESULT.encode(), prefix, prefix)
    return b'<%bc%b t="str">%b<%bv>%b</%bv></%bc>' % told


def _check_archive(parts: list[zipfile.ZipInfo]) -> None:
    if len(parts) > MAX_PARTS or sum(part.file_size for part in parts) > MAX_UNPACKED_BYTES:
        raise Unreadable(
            f"Unpacked, the workbook exceeds {MAX_UNPACKED_BYTES} bytes or {MAX_PARTS} parts.",
            f"工作簿解压后超过 {MAX_UNPACKED_BYTES} 字节或 {MAX_PARTS} 个部件。",
        )
    if any(part.flag_bits & 0x1 for part in parts):
        raise Unreadable("The workbook is protected by a password. Remove it.", "工作簿设有密码。请先取消密码。")
    if len({part.filename.lower() for part in parts}) < len(parts):
        raise Unreadable("The workbook holds a part twice.", "工作簿内部件重复。", saved_anew=True)


def _check_content(source: zipfile.ZipFile) -> None:
    """What it is follows from the declared content types, never from the file's name."""
    types = source.read(CONTENT_TYPES) if CONTENT_TYPES in source.namelist() else b""
    if _MACROS.search(types):
        raise Unreadable("The workbook has macros (.xlsm, .xlsb).", "工作簿含有宏（.xlsm、.xlsb）。", saved_anew=True)
    if _XLSX not in types:
        raise Unreadable("The file is not an Excel workbook.", "文件不是 Excel 工作簿。", saved_anew=True)
