"""From what the subsidy is computed: unit, base and its ceilings, rounding, the year of a line. D2, D9, D22, D23."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Literal

from pydantic import model_validator

from app.kernel.rates import Rounding
from app.services.rules.parts import (
    Day,
    NumberText,
    Part,
    RateText,
    Slug,
    said,
)

Event = Literal["usage", "contract", "invoice", "payment", "claim"]


class Cny(Part):
    """Vouchers in yuan."""

    kind: Annotated[Literal["cny"], said("Money: amounts are fen.", "人民币，金额单位为分")] = "cny"


class Exchange(Part):
    """What a unit of a resource costs in the programme's own unit, from a day on."""

    category: Annotated[Slug, said("The resource.", "资源类别")]
    unit: Annotated[Slug, said("The unit it is billed in, such as node_hour.", "计量单位")]
    price: Annotated[NumberText, said("Price of one such unit in the programme's unit.", "每单位折算额")]
    from_on: Annotated[Day, said("First day of this price.", "起始日")]


class InKind(Part):
    """Vouchers in credits or hours. Every field that ends in `_fen` then counts hundredths of the unit. D2."""

    kind: Annotated[
        Literal["in_kind"],
        said(
            "Units instead of money: `_fen` fields count hundredths of the unit.",
            "非货币单位，金额字段为该单位的百分之一",
        ),
    ]
    name: Annotated[Slug, said("The unit, such as credit or gpu_hour.", "单位名称")]
    exchange: Annotated[
        tuple[Exchange, ...], said("The dated table of prices.", "分期折算表", max_length=500, strict=False)
    ] = ()


class PriceCeiling(Part):
    """A price or a quantity above this does not count."""

    unit: Annotated[Slug, said("Lines billed in this unit.", "计量单位")]
    categories: Annotated[
        tuple[Slug, ...],
        said("Of these categories; none named: of all.", "适用类别，不填为全部", max_length=100, strict=False),
    ] = ()
    unit_price: Annotated[NumberText | None, said("At most this price in 元.", "单价上限（元）")] = None
    quantity: Annotated[NumberText | None, said("At most this quantity in one claim.", "单次申报数量上限")] = None
    other_units: Annotated[
        Literal["left_out", "unlimited"],
        said(
            "A line of these categories billed in a unit without a ceiling does not count, or counts unlimited.",
            "这些类别中以其他单位计费的行：不予计入，或不受限制",
        ),
    ] = "left_out"

    @model_validator(mode="after")
    def _limits_something(self) -> PriceCeiling:
        if self.unit_price is None and self.quantity is None:
            raise ValueError("give unit_price, quantity or both / 须填写单价上限或数量上限")
        return self


Amount = Literal["billed", "contracted", "assessed", "invoiced", "paid", "metered"]


class Base(Part):
    """From what amount the subsidy is computed. D9."""

    least_of: Annotated[
        tuple[Amount, ...],
        said(
            "The base is the least of these amounts; one that is not known earns nothing.",
            "补贴基数取下列金额的最小值；缺少任一金额则不予补贴：账单、合同、核定、发票、付款、计量",
            min_length=1,
            max_length=6,
            strict=False,
        ),
    ] = ("billed",)
    vat: Annotated[Literal["included", "excluded"], said("With VAT or without.", "含税或不含税")] = "included"
    default_tax_rate: Annotated[
        RateText | None, said("VAT rate of a line that names none, where VAT is excluded.", "未注明税率时适用的税率")
    ] = None
    ceilings: Annotated[
        tuple[PriceCeiling, ...],
        said("Unit prices and quantities that count at most.", "单价与数量上限", max_length=50, strict=False),
    ] = ()
    less_other_grants: Annotated[
        bool, said("Whether other grants for a line are taken off its base.", "是否扣除该行已获的其他补助")
    ] = False


class RoundingRule(Part):
    """The exact product is rounded once, to a multiple of the unit. D22."""

    unit_fen: Annotated[
        Literal[1, 10, 100, 1_000, 10_000, 100_000, 1_000_000],
        said("1 分, 1 角, 1 元, 10 元, 100 元, 1,000 元 or 10,000 元, in fen.", "取整单位（分）"),
    ] = 1
    mode: Annotated[Literal["floor", "half_up"], said("Down, or half up.", "向下取整或四舍五入")] = "half_up"
    level: Annotated[
        Literal["claim", "line"], said("Once for the claim, or once for each line.", "按整单或逐行取整")
    ] = "claim"

    @cached_property
    def rounding(self) -> Rounding:
        """The mode as the kernel's enum."""
        return Rounding(self.mode)


class Attribution(Part):
    """Which year a line belongs to. D23."""

    by: Annotated[Event, said("The day of this event decides.", "按此事件的日期归属")] = "claim"
    year: Annotated[
        Literal["calendar", "april"], said("The calendar year, or April to March.", "自然年或四月至次年三月")
    ] = "calendar"
