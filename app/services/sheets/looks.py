"""Numbers that a workbook shows otherwise than it stores them: what somebody reads as 50% is stored as 0.5. Pure.

calamine tells a cell's value and not how it is shown, so 50% would be read as an amount of half a yuan, and 1.5 in the
format `0.0"万元"` as one and a half. A cell in such a style is written as the text that it shows, where that is
certain, and as a mark that every reader refuses, where it is not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import Enum, auto
from xml.parsers import expat

SHOWN_OTHERWISE = "#SHOWN_OTHERWISE"
"""What stands before the number in a cell whose format adds words or a unit to it, scales it, or hides it."""
EXACT = 10**15
"""Below it a number of Excel is what was typed, but for zeros in front."""


class Look(Enum):
    """How a style shows a number otherwise than it is."""

    PERCENTAGE = auto()
    PADDED = auto()
    OTHERWISE = auto()


@dataclass(frozen=True, slots=True)
class Style:
    """The look of a cell style; `digits` is how many a padded one shows at least."""

    look: Look
    digits: int = 0


Styles = Mapping[int, Style]
"""The cell styles that show a number otherwise, by their place (from 0) in `xl/styles.xml`."""

_BUILT_IN: Mapping[int, str] = {9: "0%", 10: "0.00%"}
"""The formats of percentages that stand in no list."""
_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"?|\\(?P<escaped>.)|!(?P<marked>.)|_.|\*.|\[(?:\$(?P<currency>[^\]-]*)[^\]]*|[^\]]*)\]'
    r"|(?P<general>G/通用格式|General)|(?P<exponent>E[+-])|(?P<other>.)",
    re.IGNORECASE | re.DOTALL,
)
_SYNTAX = frozenset("0#?.,%@/ +-():")
_DAY_OR_TIME = re.compile("[ymdhs]", re.IGNORECASE)
_HARMLESS = re.compile(r"(?:[\s()+:'¥￥元圆整-]|RMB|CNY|人民币)*", re.IGNORECASE)
"""Words that change nothing about an amount in yuan; a point or a comma among them would seem to be the number's."""
_BETWEEN = re.compile(r"[0#?]x+[0#?.]")
_SCALED = re.compile(r"[0#?],+(?:\.|[^0#?]*$)")
_PADDED = re.compile("0{2,}")
_NUMBER = re.compile(
    rb'<((?:\w+:)?)c\b(?![^<>]{0,99}\st="s")([^<>]{0,99}?\ss=["\']([0-9]{1,9})["\'][^<>]{0,99})>'
    rb"(\s*(?:<\1f\b(?:[^<>]*/>|[^<>]*>[^<]*</\1f>)\s*)?)<\1v>\s*([0-9.eE+-]{1,40})\s*</\1v>\s*</\1c>"
)
"""A cell with a number, or the result of a formula that is one. Bounded, so that no part of a file takes long."""
_KIND = re.compile(rb"\st=([\"'])(\w*)\1")
_DIGITS = 400
"""Of no number that a workbook can hold more are written out."""


def unusual_styles(styles: bytes) -> Styles:
    """The styles of a well-formed `xl/styles.xml` that show a number otherwise than it is stored."""
    reader = _StylesReader()
    looks = {number: look_of(code) for number, code in {**_BUILT_IN, **reader.read(styles)}.items()}
    found = ((place, looks.get(number)) for place, number in enumerate(reader.used))
    return {place: style for place, style in found if style is not None}


def look_of(code: str) -> Style | None:
    """How a number format shows a number, or None where as it is, with a day's or an amount's usual signs besides."""
    if _PADDED.fullmatch(code):
        return Style(Look.PADDED, len(code))
    sections = [_section(section) for section in _sections(code)[:3]]
    if any("%" in skeleton for skeleton, _ in sections):
        return Style(Look.PERCENTAGE)
    if any("d" in skeleton for skeleton, _ in sections):
        return None  # calamine makes a day of it
    shows_nothing = not re.search("[0#?@]", sections[0][0])
    if shows_nothing or any(_is_otherwise(skeleton, words) for skeleton, words in sections):
        return Style(Look.OTHERWISE)
    return None


def _is_otherwise(skeleton: str, words: str) -> bool:
    """Whether words beside or among the digits, or a scale, make another number of it for whoever looks at it."""
    return (
        _HARMLESS.fullmatch(words) is None
        or _BETWEEN.search(skeleton) is not None
        or _SCALED.search(skeleton) is not None
    )


def _sections(code: str) -> list[str]:
    """What a format says of numbers above, below and at 0, and of text."""
    parts, begin = [], 0
    for token in _TOKEN.finditer(code):
        if token[0] == ";":
            parts.append(code[begin : token.start()])
            begin = token.end()
    return [*parts, code[begin:]]


def _section(section: str) -> tuple[str, str]:
    """Its digits and signs, with `x` for each word among them and `d` for parts of a day; and the words themselves."""
    skeleton, words = "", ""
    for token in _TOKEN.finditer(section):
        word = next((token[name] for name in ("quoted", "escaped", "marked", "currency") if token[name]), "")
        if token["general"]:
            skeleton += "0"
        elif token["other"] and (token["other"] in _SYNTAX or _DAY_OR_TIME.fullmatch(token["other"])):
            skeleton += token["other"] if token["other"] in _SYNTAX else "d"
        else:
            word += token["other"] or ""
            words += word
            skeleton += "x" if word.strip() else ""
    return skeleton, words


class _StylesReader:
    """Takes the number formats and the cell styles out of `xl/styles.xml`, in whatever order they are written."""

    def __init__(self) -> None:
        self._formats: dict[int, str] = {}
        self.used: list[int] = []
        """The number format of each cell style."""
        self._in_cell_styles = False

    def read(self, styles: bytes) -> Mapping[int, str]:
        """The code of each number format by its number."""
        parser = expat.ParserCreate("utf-8")
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.Parse(styles, True)
        return self._formats

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(":")[2]
        if name == "numFmt":
            self._formats[int(attributes.get("numFmtId", "0"))] = attributes.get("formatCode", "")
        elif name == "cellXfs":
            self._in_cell_styles = True
        elif name == "xf" and self._in_cell_styles:
            self.used.append(int(attributes.get("numFmtId", "0")))

    def _end(self, tag: str) -> None:
        if tag.rpartition(":")[2] == "cellXfs":
            self._in_cell_styles = False


def as_shown(part: bytes, styles: Styles) -> bytes:
    """A worksheet's XML in which each number of one of these styles is the text that it shows, or the mark."""

    def shown(cell: re.Match[bytes]) -> bytes:
        style = styles.get(int(cell[3]))
        return cell[0] if style is None else _as_text(cell, style)

    return _NUMBER.sub(shown, part) if styles else part


def _as_text(cell: re.Match[bytes], style: Style) -> bytes:
    prefix, attributes, _, formula, number = cell.groups()
    kind = _KIND.search(attributes)
    try:
        stored = Decimal(number.decode())
    except InvalidOperation:
        return cell[0]
    if (kind is not None and kind[2] != b"n") or abs(stored.adjusted()) > _DIGITS:
        return cell[0]
    text = _text(stored, style)
    if text is None:
        return cell[0]
    told = (prefix, _KIND.sub(b"", attributes), formula, prefix, text.encode(), prefix, prefix)
    return b'<%bc%b t="str">%b<%bv>%b</%bv></%bc>' % told


def _text(stored: Decimal, style: Style) -> str | None:
    """What such a style shows of a number; None where it is the number itself."""
    if style.look is Look.OTHERWISE:
        return f"{SHOWN_OTHERWISE} {format(stored, 'f')}"
    if style.look is Look.PERCENTAGE:
        return f"{format((stored * 100).normalize(), 'f')}%"
    is_exact = 0 <= stored < EXACT and stored == stored.to_integral_value()
    return format(stored.to_integral_value(), "f").zfill(style.digits) if is_exact else None
