"""What every part of a rule document is made of: strict, frozen, and described in English and Chinese."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, StringConstraints

from app.kernel.clock import FIRST_DAY, LAST_DAY
from app.kernel.money import MAX_FEN
from app.kernel.rates import parse_decimal, parse_rate
from app.services.written_days import WrittenDay

NUMBER_DECIMALS = 8


class Part(BaseModel):
    """A part of the document: an unknown field, a wrong type and a float are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def said(en: str, zh: str, **bounds: Any) -> Any:
    """A field's description in both languages, with the bounds of its values."""
    return Field(description=f"{en} {zh}", **bounds)


def _rate(text: str) -> str:
    parse_rate(text)
    return text


def _number(text: str) -> str:
    parse_decimal(text, max_decimals=NUMBER_DECIMALS, max_digits=18)
    return text


Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
"""A word of a programme's own lists: category, fund source, cap, layer."""

Sentence = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]
RateText = Annotated[
    str,
    StringConstraints(pattern=r"^(0(\.[0-9]{1,6})?|1(\.0{1,6})?)$"),
    AfterValidator(_rate),
]
"""A share from 0 to 1 as a decimal string: 30 % is `"0.30"`."""

NumberText = Annotated[
    str,
    StringConstraints(pattern=r"^(0|[1-9][0-9]*)(\.[0-9]{1,8})?$"),
    AfterValidator(_number),
]
"""A quantity, a unit price in 元 or another measure as a decimal string."""

Fen = Annotated[int, Field(ge=0, le=MAX_FEN)]
PositiveFen = Annotated[int, Field(gt=0, le=MAX_FEN)]
Day = Annotated[date, WrittenDay, Field(strict=False, ge=FIRST_DAY, le=LAST_DAY)]

FactName = Annotated[str, StringConstraints(pattern=r"^(holder|provider|line|claim)\.[a-z][a-z0-9_]{0,62}$")]
"""Whose fact, and which: `holder.size`, `provider.facility_class`, `line.category`, `claim.contract_signed_on`."""


def table_of(column: str) -> tuple[BeforeValidator, PlainSerializer]:
    """How a table of values is written: an object, stored as a list of `{value, <column>}` in the same order.

    The canonical form sorts an object's keys and takes ASCII ones only, while here the order may decide and the values
    are words in any script. Both forms are read. It stands after the bounds of its field: what is bound after a
    validator is bound as a length, and the published schema would say `maxLength` of an object.
    """

    def read(given: Any) -> Any:
        if not isinstance(given, list | tuple):
            return given
        rows = [row for row in given if isinstance(row, dict) and row.keys() == {"value", column}]
        values = {row["value"]: row[column] for row in rows if isinstance(row["value"], str)}
        if len(values) != len(given):
            raise ValueError(
                f"a list here has rows of value and {column}, each value once"
                f" / 每行须含 value 与 {column}，取值不得重复"
            )
        return values

    def written(values: dict[str, Any]) -> list[dict[str, Any]]:
        return [{"value": value, column: of} for value, of in values.items()]

    return BeforeValidator(read), PlainSerializer(written)
