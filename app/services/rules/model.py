"""Programme rules as a typed document: dated data, never code.

Each part is a discriminated union, so that a further rate function, cap or validity is a further member.
Amounts are fen, rates decimal strings. Source of the dimensions: 浙政办发〔2023〕65号 fixes none of them, so
every programme chooses.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from app.kernel.canonical import canonical
from app.kernel.clock import FIRST_DAY, LAST_DAY, civil_date, end_of_day, fiscal_year
from app.kernel.money import MAX_FEN
from app.kernel.rates import Rounding, parse_rate

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
"""A word of a programme's own lists: category, fund source."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class FlatRate(_Part):
    """One rate for everything covered. D10."""

    kind: Literal["flat"] = "flat"
    rate: Annotated[str, Field(description='Share of the base that is subsidised, such as "0.30". 补贴比例')]

    @model_validator(mode="after")
    def _rate_is_a_share(self) -> FlatRate:
        parse_rate(self.rate)
        return self

    @property
    def fraction(self) -> Fraction:
        """The rate, exactly."""
        return parse_rate(self.rate)


class BillCap(_Part):
    """At most so much on one bill. D11."""

    kind: Literal["bill"] = "bill"
    limit_fen: Annotated[int, Field(gt=0, le=MAX_FEN, description="Cap of one bill in fen. 单笔上限（分）")]


class RoundingRule(_Part):
    """The exact product is rounded once, to a multiple of the unit. D22."""

    unit_fen: Annotated[Literal[1, 100, 10_000, 1_000_000], Field(description="1 分, 1 元, 100 元 or 10,000 元")] = 1
    mode: Annotated[Literal["floor", "half_up"], Field(description="向下取整 / 四舍五入")] = "half_up"

    @property
    def rounding(self) -> Rounding:
        """The mode as the kernel's enum."""
        return Rounding(self.mode)


class YearEnd(_Part):
    """Valid to 31 December of the year of issue. D16."""

    kind: Literal["year_end"] = "year_end"


class FixedDate(_Part):
    """Valid to a date, that day included. D16."""

    kind: Literal["date"] = "date"
    until: Annotated[
        date,
        Field(strict=False, ge=FIRST_DAY, le=LAST_DAY, description="Last valid day, Asia/Shanghai. 有效期截止日"),
    ]


class Days(_Part):
    """Valid for a number of days from issue, the last one to its end. D16."""

    kind: Literal["days"] = "days"
    days: Annotated[int, Field(ge=1, le=3660)]


class FundShare(_Part):
    """A fund source and its share of every voucher. The first in the list takes a spare fen. D13."""

    source: Slug
    share: Annotated[int, Field(ge=1, le=1_000_000)]


class Rules(_Part):
    """What a programme grants, as far as this version of the document can say it."""

    v: Annotated[Literal[1], Field(description="Version of the document's own format")] = 1
    categories: Annotated[tuple[Slug, ...], Field(min_length=1, max_length=100, strict=False)]
    rate: FlatRate
    cap: BillCap | None = None
    minimum_bill_fen: Annotated[int, Field(ge=0, le=MAX_FEN, description="Covered part below this earns nothing")] = 0
    rounding: RoundingRule = RoundingRule()
    validity: Annotated[YearEnd | FixedDate | Days, Field(discriminator="kind")] = YearEnd()
    grace_days: Annotated[int, Field(ge=0, le=366)] = 0
    """Days after the end in which what happened in time may still be redeemed."""
    fund_sources: Annotated[tuple[FundShare, ...], Field(min_length=1, max_length=8, strict=False)] = (
        FundShare(source="local", share=1),
    )

    @model_validator(mode="after")
    def _makes_sense(self) -> Rules:
        if len(set(self.categories)) != len(self.categories):
            raise ValueError("a category stands twice")
        if len({share.source for share in self.fund_sources}) != len(self.fund_sources):
            raise ValueError("a fund source stands twice")
        if self.rate.fraction == 0:
            raise ValueError("a rate of 0 would never grant anything")
        if self.cap is not None and self.cap.limit_fen < self.rounding.unit_fen:
            raise ValueError("the cap is below one rounding unit")
        return self

    def canonical(self) -> bytes:
        """The document as the bytes that are hashed and stored."""
        return canonical(self.model_dump(mode="json"))

    def valid_until(self, issued_at: datetime) -> datetime:
        """The exclusive instant at which a voucher issued at `issued_at` ends by rule."""
        match self.validity:
            case YearEnd():
                return end_of_day(date(fiscal_year(issued_at), 12, 31))
            case FixedDate(until=until):
                return end_of_day(until)
            case Days(days=days):
                return end_of_day(civil_date(issued_at) + timedelta(days=days))

    def redeemable_until(self, valid_until: datetime) -> datetime:
        """The end of the grace, an exclusive instant."""
        return valid_until + timedelta(days=self.grace_days)
