"""Rows and columns that a worksheet hides, by a filter or by hand. Pure.

calamine reads them as any others and does not tell. Whoever filters a list and sends it may have meant what he sees, or
all of it: nobody knows, so it is told.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from xml.parsers import expat

from app.services.sheets.scanning import MAX_COLUMNS

_ROW = re.compile(rb"<(?:\w+:)?row\b([^<>]*)>")
_COLUMN = re.compile(rb"<(?:\w+:)?col\b([^<>]*)>")
_IS_HIDDEN = re.compile(rb"\s(?:hidden=[\"'](?:1|true)[\"']|(?:ht|width)=[\"']0(?:\.0*)?[\"'])")
_NUMBER = re.compile(rb"\sr=[\"']([0-9]{1,7})[\"']")
_FROM, _TO = (re.compile(rb"\s%b=[\"']([0-9]{1,7})[\"']" % name) for name in (b"min", b"max"))


@dataclass(frozen=True, slots=True)
class Hidden:
    """What a sheet hides; rows and columns from 0."""

    rows: frozenset[int] = frozenset()
    columns: frozenset[int] = frozenset()


NOTHING_HIDDEN = Hidden()


def hidden_in(sheet: bytes) -> Hidden:
    """What a worksheet's XML hides."""
    if _IS_HIDDEN.search(sheet) is None:
        return NOTHING_HIDDEN
    rows, row_no = set(), 0
    for row in _ROW.finditer(sheet):
        number = _NUMBER.search(row[1])
        row_no = int(number[1]) if number else row_no + 1
        if _IS_HIDDEN.search(row[1]):
            rows.add(row_no - 1)
    columns: set[int] = set()
    for column in filter(_IS_HIDDEN.search, (found[1] for found in _COLUMN.finditer(sheet))):
        first, last = _FROM.search(column), _TO.search(column)
        if first and last:
            columns |= set(range(int(first[1]) - 1, min(int(last[1]), MAX_COLUMNS)))
    return Hidden(frozenset(rows), frozenset(columns))


def sheet_parts(workbook: bytes, relations: bytes) -> Mapping[str, str]:
    """In which part, in lower case, each sheet of a well-formed `xl/workbook.xml` stands, by the sheet's name."""
    targets = {found["Id"]: found["Target"] for found in _elements(relations, "Relationship") if "Target" in found}
    parts: dict[str, str] = {}
    for sheet in _elements(workbook, "sheet"):
        relation = next((value for name, value in sheet.items() if name.rpartition(":")[2] == "id"), "")
        target = targets.get(relation, "").replace("\\", "/").lstrip("/")
        path = target if target.lower().startswith("xl/") else posixpath.join("xl", target)
        parts[sheet.get("name", "")] = posixpath.normpath(path).lower()
    return parts


def _elements(part: bytes, wanted: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        if tag.rpartition(":")[2] == wanted:
            found.append(attributes)

    parser = expat.ParserCreate("utf-8")
    parser.StartElementHandler = start
    parser.Parse(part, True)
    return found
