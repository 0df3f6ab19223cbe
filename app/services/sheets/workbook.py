"""An uploaded workbook, opened only after it has been looked at. Pure: bytes in, sheets out.

python-calamine is fast and lays a sheet out as one dense block from A1 to its last cell, so one stray cell in
XFD1048576 would end the process. It also shows a formula's error as an empty cell. Hence every XML part is read once
with expat, within limits, and calamine is given a plain copy of just those parts, in which errors are text.
"""

from __future__ import annotations

import lzma
import re
import zipfile
import zlib
from collections.abc import Iterator
from io import BytesIO
from xml.parsers import expat

from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from app.kernel.problems import AppError, Code

MAX_FILE_BYTES = 20 * 1024 * 1024
MAX_UNPACKED_BYTES = 100 * 1024 * 1024
MAX_PARTS = 1_000
MAX_ROWS = 100_000
"""Rows below the first."""
MAX_COLUMNS = 50
MAX_TEXT = 50_000_000
"""Characters of all cells together: shared strings are stored once and count as often as they are used."""

CONTENT_TYPES = "[Content_Types].xml"
SHARED_STRINGS = "xl/sharedstrings.xml"

_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED_PACKAGE = "EncryptedPackage".encode("utf-16-le")
_XLSX = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
_MACROS = re.compile(rb"macroEnabled|vbaProject", re.IGNORECASE)
_PLACE = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
_ERROR_CELL = re.compile(rb"(<(?:\w+:)?c\b[^<>]*?\st=)([\"'])e\2")

_BROKEN_ARCHIVE = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, NotImplementedError, EOFError, OSError, ValueError,
)  # fmt: skip
"""What `zipfile` raises, depending on where it stumbles."""

Cell = object
"""What calamine makes of a cell: float, str, bool, date, datetime, time, timedelta; '' where it is empty."""


class Unreadable(AppError):
    """The file is no workbook that can be read; says why in both languages."""

    def __init__(self, why_en: str, why_zh: str) -> None:
        super().__init__(Code.FILE_UNREADABLE, why_en=why_en, why_zh=why_zh)


def read_sheets(data: bytes) -> Iterator[list[list[Cell]]]:
    """The cells of each visible worksheet in the workbook's order, from A1 on, read when asked for.

    Raises AppError `file_unreadable` for what is no .xlsx, is encrypted, has macros, or exceeds a limit.
    """
    plain = BytesIO(_plain_copy(data))
    try:
        with CalamineWorkbook.from_filelike(plain) as workbook:
            for sheet in workbook.sheets_metadata:
                if sheet.typ == SheetTypeEnum.WorkSheet and sheet.visible == SheetVisibleEnum.Visible:
                    yield workbook.get_sheet_by_name(sheet.name).to_python(skip_empty_area=False)  # type: ignore[misc]
    except CalamineError as error:
        raise Unreadable("The workbook is damaged.", "工作簿已损坏。") from error


def _plain_copy(data: bytes) -> bytes:
    """The workbook's XML parts, each within limits and well formed, in a new archive without compression."""
    if len(data) > MAX_FILE_BYTES:
        raise Unreadable(
            f"The file has {len(data)} bytes; at most {MAX_FILE_BYTES} are read.",
            f"文件大小 {len(data)} 字节，超过上限 {MAX_FILE_BYTES} 字节。",
        )
    if data.startswith(_OLD_OFFICE):
        if _ENCRYPTED_PACKAGE in data:
            raise Unreadable("The workbook is protected by a password.", "工作簿设有密码。")
        raise Unreadable("The file is in the format of old Excel (.xls).", "文件为旧版 Excel 格式（.xls）。")
    try:
        return _copy_parts(data)
    except _BROKEN_ARCHIVE as error:
        raise Unreadable("The file is not an Excel workbook.", "文件不是 Excel 工作簿。") from error


def _copy_parts(data: bytes) -> bytes:
    copy = BytesIO()
    with zipfile.ZipFile(BytesIO(data)) as source, zipfile.ZipFile(copy, "w", zipfile.ZIP_STORED) as target:
        parts = source.infolist()
        _check_archive(parts)
        _check_content(source)
        scan = _Scan()
        # The shared strings first: the cells that use them count their length.
        for part in sorted(parts, key=lambda part: part.filename.lower() != SHARED_STRINGS):
            if part.filename.lower().endswith((".xml", ".rels")):
                content = source.read(part)
                if scan.part(content):
                    content = _ERROR_CELL.sub(rb"\1\2str\2", content)
                target.writestr(part.filename, content)
    return copy.getvalue()


def _check_archive(parts: list[zipfile.ZipInfo]) -> None:
    if len(parts) > MAX_PARTS or sum(part.file_size for part in parts) > MAX_UNPACKED_BYTES:
        raise Unreadable(
            f"Unpacked, the workbook exceeds {MAX_UNPACKED_BYTES} bytes or {MAX_PARTS} parts.",
            f"工作簿解压后超过 {MAX_UNPACKED_BYTES} 字节或 {MAX_PARTS} 个部件。",
        )
    if any(part.flag_bits & 0x1 for part in parts):
        raise Unreadable("The workbook is protected by a password.", "工作簿设有密码。")
    if len({part.filename.lower() for part in parts}) < len(parts):
        raise Unreadable("The workbook holds a part twice.", "工作簿内部件重复。")


def _check_content(source: zipfile.ZipFile) -> None:
    """What it is follows from the declared content types, never from the file's name."""
    types = source.read(CONTENT_TYPES) if CONTENT_TYPES in source.namelist() else b""
    if _MACROS.search(types):
        raise Unreadable("The workbook has macros (.xlsm, .xlsb).", "工作簿含有宏（.xlsm、.xlsb）。")
    if _XLSX not in types:
        raise Unreadable("The file is not an Excel workbook.", "文件不是 Excel 工作簿。")


class _Scan:
    """Reads parts and refuses what would be too large once it is laid out: far cells, texts used too often."""

    def __init__(self) -> None:
        self._string_lengths: list[int] = []
        self._text_left = MAX_TEXT
        self._in_string = False
        self._value_kind: str | None = None
        self._digits = ""
        self._row = self._column = 0
        self._cell_kind = "n"
        self._errors_seen = False

    def part(self, content: bytes) -> bool:
        """Look at one part; says whether it has cells with formula errors."""
        self._row = self._column = 0
        self._errors_seen = False
        parser = expat.ParserCreate("utf-8")  # as calamine reads it, whatever the part declares
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        try:
            parser.Parse(content, True)
        except (expat.ExpatError, ValueError) as error:
            raise Unreadable("The workbook is damaged.", "工作簿已损坏。") from error
        return self._errors_seen

    def _doctype(self, *_: object) -> None:
        raise Unreadable("The workbook holds a document type declaration.", "工作簿含有文档类型声明。")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(":")[2]
        if name == "c":
            self._cell(attributes)
        elif name in {"v", "is"}:
            self._value_kind = self._cell_kind
            self._check_place()
        elif name == "row":
            self._row = int(attributes["r"]) if "r" in attributes else self._row + 1
            self._column = 0
        elif name == "si":
            self._in_string = True
            self._string_lengths.append(0)

    def _cell(self, attributes: dict[str, str]) -> None:
        self._cell_kind = attributes.get("t", "n")
        self._errors_seen |= self._cell_kind == "e"
        match = _PLACE.fullmatch(attributes.get("r", ""))
        if match:
            self._column, self._row = column_number(match[1]), int(match[2])
        elif "r" in attributes:
            raise ValueError("not the place of a cell")
        else:
            self._column += 1

    def _check_place(self) -> None:
        if self._row > MAX_ROWS + 1 or self._column > MAX_COLUMNS:
            place = f"{column_letters(self._column)}{self._row}"
            limit = f"{column_letters(MAX_COLUMNS)}{MAX_ROWS + 1}"
            raise Unreadable(
                f"Cell {place} holds something, and nothing is read beyond {limit}. Clear it, or split the sheet.",
                f"单元格 {place} 有内容，读取范围以 {limit} 为限。请清除该单元格或拆分表格。",
            )

    def _text(self, text: str) -> None:
        if self._in_string:
            self._string_lengths[-1] += len(text)
        elif self._value_kind == "s":
            self._digits += text
        elif self._value_kind:
            self._take(len(text))

    def _end(self, tag: str) -> None:
        name = tag.rpartition(":")[2]
        if name in {"v", "is"}:
            if self._value_kind == "s":
                place = int(self._digits)
                if not 0 <= place < len(self._string_lengths):
                    raise ValueError("not the place of a string")
                self._take(self._string_lengths[place])
            self._value_kind, self._digits = None, ""
        elif name == "c":
            self._cell_kind = "n"
        elif name == "si":
            self._in_string = False

    def _take(self, characters: int) -> None:
        self._text_left -= characters
        if self._text_left < 0:
            raise Unreadable(
                f"The cells hold more than {MAX_TEXT} characters of text.", f"单元格文本合计超过 {MAX_TEXT} 个字符。"
            )


def column_letters(number: int) -> str:
    """The letters of a column counted from 1: A, Z, AA."""
    letters = ""
    while number:
        number, place = divmod(number - 1, 26)
        letters = chr(ord("A") + place) + letters
    return letters


def column_number(letters: str) -> int:
    """The column, counted from 1, that these letters name."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number
