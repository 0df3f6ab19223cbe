"""Numbers that a workbook shows as percentages: what somebody reads as 50% is stored as 0.5. Pure.

calamine tells a cell's value and not how it is shown, so 50% would be read as an amount of half a yuan. A cell in
such a style is written as the text that it shows, which nobody takes for an amount.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

_BUILT_IN = frozenset((9, 10))
"""The formats 0% and 0.00%, which stand in no list."""
_FORMAT = re.compile(rb'<(?:\w+:)?numFmt\b[^<>]{0,99}?\snumFmtId="([0-9]{1,9})"[^<>]{0,99}?\sformatCode="([^"<>]*)"')
_LITERAL = re.compile(rb"&quot;.*?(?:&quot;|$)|\\.")
_CELL_STYLES = re.compile(rb"<((?:\w+:)?)cellXfs\b[^<>]*>(.*?)</\1cellXfs>", re.DOTALL)
_STYLE = re.compile(rb"<(?:\w+:)?xf\b([^<>]*)")
_FORMAT_OF = re.compile(rb'\snumFmtId="([0-9]{1,9})"')
_NUMBER = re.compile(
    rb'<((?:\w+:)?)c\b(?![^<>]{0,99}\st="s")([^<>]{0,99}?\ss=["\']([0-9]{1,9})["\'][^<>]{0,99})>'
    rb"(\s*(?:<\1f\b(?:[^<>]*/>|[^<>]*>[^<]*</\1f>)\s*)?)<\1v>\s*([0-9.eE+-]{1,40})\s*</\1v>\s*</\1c>"
)
"""A cell with a number, or the result of a formula that is one. Bounded, so that no part of a file takes long."""
_KIND = re.compile(rb"\st=([\"'])(\w*)\1")
_DIGITS = 400
"""Of no number that a workbook can hold more are written out."""


def percent_styles(styles: bytes) -> frozenset[int]:
    """The places (from 0) of the cell styles of `xl/styles.xml` that show a percentage."""
    formats = set(_BUILT_IN)
    for number, code in _FORMAT.findall(styles):
        (formats.add if b"%" in _LITERAL.sub(b"", code) else formats.discard)(int(number))
    found = _CELL_STYLES.search(styles)
    numbers = [_FORMAT_OF.search(style) for style in _STYLE.findall(found[2])] if found else []
    return frozenset(place for place, number in enumerate(numbers) if number and int(number[1]) in formats)


def as_shown(part: bytes, styles: frozenset[int]) -> bytes:
    """A worksheet's XML in which each number of one of these styles is the text that it shows: `50%`."""

    def shown(cell: re.Match[bytes]) -> bytes:
        return _percentage(cell) if int(cell[3]) in styles else cell[0]

    return _NUMBER.sub(shown, part) if styles else part


def _percentage(cell: re.Match[bytes]) -> bytes:
    prefix, attributes, _, formula, number = cell.groups()
    kind = _KIND.search(attributes)
    try:
        hundredths = Decimal(number.decode()) * 100
    except InvalidOperation:
        return cell[0]
    if (kind is not None and kind[2] != b"n") or abs(hundredths.adjusted()) > _DIGITS:
        return cell[0]
    shown = format(hundredths.normalize(), "f").encode()
    told = (prefix, _KIND.sub(b"", attributes), formula, prefix, shown, prefix, prefix)
    return b'<%bc%b t="str">%b<%bv>%b%%</%bv></%bc>' % told
