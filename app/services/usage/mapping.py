"""What a usage file's columns mean and what a card-hour costs: a small TOML file, so another trace needs no code."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from app.kernel.rates import parse_decimal
from app.services.redemption.bills import UNIT_PRICE_DECIMALS

ColumnName = Annotated[str, StringConstraints(min_length=1)]


class MappingError(ValueError):
    """The mapping file cannot be used; the message names every key that is wrong."""


def _parse_unit_price(text: str) -> Fraction:
    return parse_decimal(text, max_decimals=UNIT_PRICE_DECIMALS, max_digits=18)


def _positive(text: str) -> str:
    if _parse_unit_price(text) == 0:
        raise ValueError("a unit price must be above zero")
    return text


UnitPrice = Annotated[str, AfterValidator(_positive)]
"""元 per card-hour, a decimal string."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class FileFormat(_Part):
    """How the file is written. UTF-8 is read with or without a byte order mark."""

    encoding: Literal["utf-8", "gb18030"] = "utf-8"
    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=1)] = ","
    empty: Annotated[tuple[str, ...], Field(strict=False)] = ("",)
    """What stands in a cell that has no value, such as `nan` or `-1`."""


class Columns(_Part):
    """Which column holds what. A job uses `cards` × `card_share` ÷ `parts_per_card` cards."""

    job_id: ColumnName
    cards: ColumnName
    started_at: ColumnName
    ended_at: ColumnName
    card_share: ColumnName | None = None
    """The part of each card that the job may use; absent where jobs take whole cards."""
    parts_per_card: Annotated[int, Field(ge=1)] = 1000
    share_above_a_card: bool = False
    """Whether a share may be more than a whole card, as where 200 per cent mean two cards; else it is refused."""
    gpu_model: ColumnName | None = None

    def names(self) -> Iterator[str]:
        """Every column that the file must have."""
        wanted = (self.job_id, self.cards, self.started_at, self.ended_at, self.card_share, self.gpu_model)
        return (name for name in wanted if name is not None)


class Times(_Part):
    """How instants are written: numbers counted from `epoch`, or ISO 8601 (without an offset, Asia/Shanghai time).

    Many published traces hide the date on which they begin. Without an `epoch` their bills carry no dates.
    """

    unit: Literal["s", "ms", "us", "iso8601"] = "s"
    epoch: AwareDatetime | None = None


class PriceList(_Part):
    """The category under which jobs are billed, and the price of a card-hour by GPU model."""

    category: ColumnName
    unit: Literal["card_hour"] = "card_hour"
    default: UnitPrice
    by_gpu_model: dict[str, UnitPrice] = Field(default_factory=dict)

    def unit_price(self, gpu_model: str | None) -> str:
        """元 per card-hour as written; `default` for a model that is not listed, or not known."""
        return self.by_gpu_model.get(gpu_model or "", self.default)

    def unit_price_fen(self, gpu_model: str | None) -> Fraction:
        """Fen per card-hour, exactly."""
        return 100 * _parse_unit_price(self.unit_price(gpu_model))


class Mapping(_Part):
    """All that is to be known about a usage file."""

    v: Literal[1]
    file: FileFormat = FileFormat()
    columns: Columns
    time: Times = Times()
    prices: PriceList


def load_mapping(path: Path) -> Mapping:
    """Read a mapping file. Raises MappingError that names each wrong key, OSError where there is no file."""
    try:
        return Mapping.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as refusal:
        wrong = "; ".join(_sentence(error) for error in refusal.errors(include_url=False))
        raise MappingError(f"{path.name}: {wrong}.") from refusal
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as refusal:
        raise MappingError(f"{path.name} is not readable as TOML: {refusal}.") from refusal


def _sentence(error: Any) -> str:
    return f"{'.'.join(map(str, error['loc']))}: {error['msg']}"
