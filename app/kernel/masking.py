"""What is not shown of people: numbers of phones, identity cards and accounts. Pure."""

from __future__ import annotations

import re

LEAST_DIGITS = 7
"""So many digits in one number, spaces and hyphens between them or not, and it may be somebody's."""

_NUMBER = re.compile(r"(?<![0-9A-Za-z])\+?[0-9](?:[ \-]?[0-9]){5,}[0-9Xx]?(?![0-9A-Za-z])")


def mask_numbers(text: str) -> str:
    """The text with every long number masked: `联系 138****8000`."""
    return _NUMBER.sub(_masked_if_long, text)


def masked(value: str) -> str:
    """A quarter of it at each end (four characters at most), stars between."""
    kept = min(4, len(value) // 4)
    return value[:kept] + "*" * (len(value) - 2 * kept) + value[len(value) - kept :]


def _masked_if_long(found: re.Match[str]) -> str:
    number = found[0]
    return masked(number) if sum(map(str.isdigit, number)) >= LEAST_DIGITS else number
