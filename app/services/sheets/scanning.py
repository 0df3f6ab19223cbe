"""What would be too large once it is laid out, found before it is: far cells, texts used too often. Pure.

Every XML part is read once, with expat and a function of ours for every tag. Cells and shared strings as Excel, WPS and
the usual libraries write them are recognised by one pattern each instead, several times faster; the pattern covers
every byte of them or does not count, so it sees what any reader sees. Whatever else a part holds goes to expat, as does
a part that the pattern does not cover or that has something to be refused, which is then named exactly.
"""

from __future__ import annotations

import re
from xml.parsers import expat

from app.services.sheets.places import column_letters, column_number
from app.services.sheets.refusals import Unreadable

MAX_ROWS = 100_000
"""Rows of data in one table."""
LAST_ROW = MAX_ROWS + 100
"""Titles, headings, a total and remarks may stand around them."""
MAX_COLUMNS = 50
MAX_TEXT = 50_000_000
"""Characters of all cells together: shared strings are stored once and count as often as they are used."""

_PLACE = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")

_CELL_PATTERN = (
    rb'<c r="([A-Z]{1,3})([1-9][0-9]{0,6})"(?: s="[0-9]{1,9}")?'
    rb'(?: t="(s|n|str|b|e|d)")?(?:/>|>(?:<f(?: [^<>]*)?(?:/>|>[^<>]*</f>))?(?:<v>([^<>]*)</v>|<v ?/>)?</c>'
    rb'| t="inlineStr"><is><t(?: xml:space="preserve")?>([^<>]*)</t></is></c>)'
)
_CELL = re.compile(_CELL_PATTERN)
_ROWS = re.compile(
    rb'(?:<row r="[1-9][0-9]{0,6}"[^<>]*>|</row>|\s|' + re.sub(rb"\((?!\?)", rb"(?:", _CELL_PATTERN) + rb")*+"
)
_TOLD = frozenset((b"s", b"e"))
"""Kinds of cells that are something without a value, too: a place among the strings, an error."""
_STRING_PATTERN = rb'<si><t(?: xml:space="preserve")?>%s</t>(?:<phoneticPr [^<>]*/>)?</si>|<si><t ?/></si>'
_STRING = re.compile(_STRING_PATTERN % rb"([^<>]*)")
_STRINGS = re.compile(rb"(?:\s|" + _STRING_PATTERN % rb"[^<>]*" + rb")*+")
_NO_RESULT = re.compile(rb"(?:</f>|<f(?: [^<>]*)?/>)(?:<v>\s*</v>|<v ?/>)?</c>")


class Scan:
    """Looks at one part after the other, the shared strings first: the cells that use them count their length."""

    def __init__(self) -> None:
        self._string_lengths: list[int] = []
        self.text_left = MAX_TEXT
        self._in_string = False
        self._value_kind: str | None = None
        self._digits = ""
        self._row = self._column = 0
        self._cell_kind = "n"
        self._has_formula = self._has_value = False
        self._corrections = False

    def part(self, content: bytes) -> bool:
        """Look at a part; says whether it has formulas with errors or without a result. Raises `file_unreadable`."""
        self._row = self._column = 0
        self._corrections = False
        self._parse(self._without_usual(content))
        return self._corrections

    def _parse(self, content: bytes) -> None:
        parser = expat.ParserCreate("utf-8")  # as calamine reads it, whatever the part declares
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        try:
            parser.Parse(content, True)
        except (expat.ExpatError, ValueError) as error:
            raise Unreadable("The workbook is damaged.", "工作簿已损坏。", saved_anew=True) from error

    # -- the usual way of writing ---------------------------------------------------------------------------------

    def _without_usual(self, content: bytes) -> bytes:
        """The part without cells or strings that were counted here; all of it where one of them is unusual."""
        for begin, end, whole, count in (
            (b"<sheetData>", b"</sheetData>", _ROWS, self._count_cells),
            (b"<si>", b"</sst>", _STRINGS, self._count_strings),
        ):
            start, stop = content.find(begin), content.rfind(end)
            if start < 0 or stop < start:
                continue
            if begin == b"<sheetData>":
                start += len(begin)
            if whole.fullmatch(content, start, stop) and _is_text(content) and count(content, start, stop):
                return content[:start] + content[stop:]
        return content

    def _count_strings(self, content: bytes, start: int, stop: int) -> bool:
        strings = _STRING.findall(content, start, stop)
        self._string_lengths += map(len, strings)  # in bytes: at least as many as characters
        return True

    def _count_cells(self, content: bytes, start: int, stop: int) -> bool:
        # A cell that is only formatted, down to the last row of Excel, is no content and no reader lays it out.
        cells = [cell for cell in _CELL.findall(content, start, stop) if cell[2] in _TOLD or cell[3] or cell[4]]
        if not cells:
            return True
        columns, rows, kinds, values, inline = zip(*cells, strict=True)
        widest = max(column_number(letters.decode()) for letters in set(columns))
        if widest > MAX_COLUMNS or max(map(int, set(rows))) > LAST_ROW:
            return False
        try:
            used = [int(value) for kind, value in zip(kinds, values, strict=True) if kind == b"s"]
        except ValueError:
            return False
        if used and (min(used) < 0 or max(used) >= len(self._string_lengths)):
            return False
        text = sum(map(self._string_lengths.__getitem__, used)) + sum(map(len, inline))
        text += sum(len(value) for kind, value in zip(kinds, values, strict=True) if kind != b"s")
        if text > self.text_left:
            return False
        self.text_left -= text
        self._corrections |= b"e" in kinds or _NO_RESULT.search(content, start, stop) is not None
        return True

    # -- every other way --------------------------------------------------------------------------------------------

    def _doctype(self, *_: object) -> None:
        raise Unreadable("The workbook holds a document type declaration.", "工作簿含有文档类型声明。", saved_anew=True)

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(":")[2]
        if name == "c":
            self._cell(attributes)
        elif name in {"v", "is"}:
            self._value_kind = self._cell_kind
            self._check_place()
        elif name == "f":
            self._has_formula = True
        elif name == "row":
            self._row = int(attributes["r"]) if "r" in attributes else self._row + 1
            self._column = 0
        elif name == "si":
            self._in_string = True
            self._string_lengths.append(0)

    def _cell(self, attributes: dict[str, str]) -> None:
        self._cell_kind = attributes.get("t", "n")
        self._has_formula = self._has_value = False
        self._corrections |= self._cell_kind == "e"
        match = _PLACE.fullmatch(attributes.get("r", ""))
        if match:
            self._column, self._row = column_number(match[1]), int(match[2])
        elif "r" in attributes:
            raise ValueError("not the place of a cell")
        else:
            self._column += 1

    def _check_place(self) -> None:
        if self._row > LAST_ROW or self._column > MAX_COLUMNS:
            place = f"{column_letters(self._column)}{self._row}"
            limit = f"{column_letters(MAX_COLUMNS)}{LAST_ROW}"
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
            self._has_value |= not text.isspace()
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
            self._corrections |= self._has_formula and not self._has_value
            self._cell_kind = "n"
        elif name == "si":
            self._in_string = False

    def _take(self, characters: int) -> None:
        self.text_left -= characters
        if self.text_left < 0:
            raise Unreadable(
                f"The cells hold more than {MAX_TEXT} characters of text.", f"单元格文本合计超过 {MAX_TEXT} 个字符。"
            )


def _is_text(content: bytes) -> bool:
    """Whether it is UTF-8, as expat would find out."""
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True
