"""A text as a QR code, drawn as one path of an SVG: no picture to load, no script, no style. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import segno

QUIET = 4
"""Modules of white around a code, as ISO/IEC 18004 asks."""


@dataclass(frozen=True, slots=True)
class Qr:
    """Width and height in modules, the white around it included, and the black modules as the data of a path."""

    size: int
    path: str


def qr_of(text: str) -> Qr:
    """The smallest QR code of the text; error correction is what fits into it without making it larger."""
    matrix = segno.make_qr(text, error="l", boost_error=True).matrix
    return Qr(len(matrix) + 2 * QUIET, "".join(_bars(matrix)))


def _bars(matrix: Sequence[Sequence[int]]) -> Iterator[str]:
    """Each row's runs of black modules as rectangles of height one."""
    for y, row in enumerate(matrix, start=QUIET):
        x = QUIET
        for black, run in groupby(row):
            width = len(list(run))
            if black:
                yield f"M{x} {y}h{width}v1h-{width}z"
            x += width
