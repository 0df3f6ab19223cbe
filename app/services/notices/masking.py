"""How organisations are named to everybody: a person's numbers are masked. Pure."""

from __future__ import annotations

from app.kernel.masking import mask_numbers, masked
from app.kernel.vocabulary import IdentifierType


def shown_identifier(kind: str, value: str) -> str:
    """A 统一社会信用代码 as it is; of any other identifier the ends only: it may be a person's."""
    return value if kind == IdentifierType.USCC else masked(value)


def shown_name(kind: str, name: str) -> str:
    """A name as registered; of a team without legal personality without any number of a person."""
    return name if kind == IdentifierType.USCC else mask_numbers(name)
