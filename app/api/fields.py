"""Field types that several resources share on the wire."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from fastapi import Query
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, StringConstraints
from pydantic_core import PydanticCustomError

from app.kernel.clock import FIRST_DAY, LAST_DAY, rfc3339
from app.kernel.money import MAX_FEN
from app.kernel.regions import is_region
from app.kernel.widths import is_printable
from app.services.written_days import WrittenDay


class Wire(BaseModel):
    """A request body: unknown fields are refused, so that a typo never passes silently."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Read(BaseModel):
    """An answer: built from a record, no defaults."""

    model_config = ConfigDict(from_attributes=True, frozen=True)


def _known_region(code: str) -> str:
    if not is_region(code):
        raise ValueError("is not a region code of GB/T 2260 / 不是现行行政区划代码（GB/T 2260）")
    return code


def _aware(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("needs an offset, such as 2026-12-31T16:00:00Z / 须带时区，如 2026-12-31T16:00:00Z")
    if not FIRST_DAY.year <= at.year <= LAST_DAY.year:
        first, last = FIRST_DAY.year, LAST_DAY.year
        raise ValueError(f"must lie between the years {first} and {last} / 须在 {first} 年至 {last} 年之间")
    return at


def _written_out(given: object) -> object:
    """An instant as text. A number would be read as seconds, or as milliseconds where it is a large one."""
    if isinstance(given, datetime) or (isinstance(given, str) and given[4:5] == "-"):
        return given
    raise PydanticCustomError("datetime_parsing", "is no RFC 3339 date and time")


def _printable(text: str) -> str:
    if not is_printable(text):
        raise ValueError("has characters that cannot be printed / 包含不可打印的字符")
    return text


def wrong(code: str, field: str, *, limit: str | int, actual: str | int) -> PydanticCustomError:
    """What is wrong with one field in the light of another, for a validator of the whole to raise.

    The sentence of the code stands in `kernel/places.py`.
    """
    return PydanticCustomError(code, "{field}: {actual}, {limit}", {"field": field, "limit": limit, "actual": actual})


MAX_BILLED_FEN = 10**13
"""One bill: a hundred billion yuan. What firms come to over many bills then stays far below 2^53."""

PositiveFen = Annotated[int, Field(strict=True, gt=0, le=MAX_FEN, description="Fen (分), more than 0")]
BilledFen = Annotated[
    int, Field(strict=True, gt=0, le=MAX_BILLED_FEN, description="Fen (分), more than 0, at most 10¹³")
]
SignedFen = Annotated[int, Field(strict=True, ge=-MAX_FEN, le=MAX_FEN, description="Fen (分); negative takes back")]
Fen = Annotated[int, Field(strict=True, ge=0, le=MAX_FEN, description="Fen (分)")]
_YEARS = "^2[0-9]{3}-"
"""The contract's word for the years that are taken, 2000 to 2999: JSON Schema knows no first and no last day."""
assert (date(2000, 1, 1), date(2999, 12, 31)) == (FIRST_DAY, LAST_DAY), "what _YEARS says"

RegionCode = Annotated[
    str,
    StringConstraints(min_length=6, max_length=6),
    AfterValidator(_known_region),
    Field(json_schema_extra={"pattern": "^[1-9][0-9]{5}$"}),
]
Instant = Annotated[
    datetime, BeforeValidator(_written_out), AfterValidator(_aware), Field(json_schema_extra={"pattern": _YEARS})
]
Day = Annotated[
    date,
    WrittenDay,
    Field(ge=FIRST_DAY, le=LAST_DAY, description="A day in Asia/Shanghai", json_schema_extra={"pattern": _YEARS}),
]
ShownInstant = Annotated[datetime, PlainSerializer(rfc3339, return_type=str)]
Reference = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,64}$")]
"""A number given by somebody else: 1 to 64 visible ASCII characters."""
Printable = AfterValidator(_printable)
Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), Printable]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=2, max_length=500), Printable]
Purpose = Annotated[Reason, Query(description="What it is read for; written down with who read it")]
AnyId = Annotated[str, StringConstraints(pattern=r"^[a-z]{3}_([0-9]{6}_)?[0-9a-z]{26}$")]
