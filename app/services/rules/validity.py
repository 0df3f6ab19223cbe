"""How long a voucher is valid, when one may apply or claim, and how a voucher is used up. D15 to D17."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from app.kernel.clock import SHANGHAI
from app.services.rules.parts import (
    Day,
    Fen,
    Part,
    said,
)
from app.services.rules.predicates import Predicate


class YearEnd(Part):
    """Valid to 31 December of the year of issue. D16."""

    kind: Annotated[Literal["year_end"], said("To the end of the year of issue.", "至发放当年末")] = "year_end"


class FixedDate(Part):
    """Valid to a date, that day included. D16."""

    kind: Annotated[Literal["date"], said("To a date.", "至指定日期")] = "date"
    until: Annotated[Day, said("Last valid day, Asia/Shanghai.", "有效期截止日")]


class Days(Part):
    """Valid for a number of days from issue, the last one to its end. D16."""

    kind: Annotated[Literal["days"], said("A number of days from issue.", "自发放之日起若干天")] = "days"
    days: Annotated[int, said("How many.", "天数", ge=1, le=3660)]


class Months(Part):
    """Valid for a number of months from issue, to the end of the corresponding day (民法典 §202). D16."""

    kind: Annotated[Literal["months"], said("A number of months from issue.", "自发放之日起若干月")] = "months"
    months: Annotated[int, said("How many.", "月数", ge=1, le=120)]


Validity = Annotated[YearEnd | FixedDate | Days | Months, Field(discriminator="kind")]


class Extension(Part):
    """How much longer than at first officials may let a voucher be valid; beyond it they need an exception. D16."""

    times: Annotated[int, said("How often one voucher.", "每张券可延期次数", ge=0, le=20)] = 0
    days: Annotated[int, said("By how many days in all.", "累计可延期天数", ge=0, le=3660)] = 0
    past_year_end: Annotated[
        bool, said("Also past the end of the budget year that pays.", "是否可延至资金预算年度之后")
    ] = False


LocalMinute = Annotated[
    str,
    StringConstraints(pattern=r"^2[0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]$"),
]


class Window(Part):
    """A time in which one may apply or claim, to the minute, Asia/Shanghai. D15."""

    of: Annotated[Literal["apply", "claim"], said("For applying, or for claiming.", "申领或申报")]
    opens_at: Annotated[LocalMinute, said("Local time of opening, such as 2026-10-01T09:00.", "开始时间")]
    closes_at: Annotated[LocalMinute, said("Local time of closing.", "截止时间")]
    inclusive: Annotated[bool, said("Whether the closing minute still counts, to its end.", "截止分钟是否含在内")] = (
        True
    )

    when: Annotated[
        Predicate | None,
        said(
            "Only for claims that fit, others need no window; no fact of a line.",
            "仅对符合条件的申报设限（不得引用逐行事实）",
        ),
    ] = None

    @model_validator(mode="after")
    def _opens_first(self) -> Window:
        if self.first_instant() >= self.end_instant():
            raise ValueError("closes_at does not lie after opens_at / 截止时间不晚于开始时间")
        return self

    def first_instant(self) -> datetime:
        """From when it is open."""
        return datetime.fromisoformat(self.opens_at).replace(tzinfo=SHANGHAI)

    def end_instant(self) -> datetime:
        """When it is closed, exclusive."""
        closes = datetime.fromisoformat(self.closes_at).replace(tzinfo=SHANGHAI)
        return closes + timedelta(minutes=1) if self.inclusive else closes


class Use(Part):
    """How a voucher is used up. D17."""

    divisible: Annotated[bool, said("Whether it may be used in several parts.", "是否可分次使用")] = True
    minimum_draw_fen: Annotated[Fen, said("The least that one bill may draw, in fen.", "单次最低抵扣额（分）")] = 0
    hold_days: Annotated[
        int,
        said("For how many days from now a provider may hold part of a voucher.", "预占最长天数", ge=1, le=366),
    ] = 30
    pooled_by: Annotated[
        int, said("How many firms may use their vouchers together.", "可合并使用的企业数", ge=1, le=100)
    ] = 1
    transfer: Annotated[Literal["none", "within_group"], said("Whether it may pass to another firm.", "是否可转让")] = (
        "none"
    )
