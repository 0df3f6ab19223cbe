"""Caps, floors and layers: what a claim earns at most, and from where on it earns at all. D11, D12, D18."""

from __future__ import annotations

from fractions import Fraction
from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field, model_validator

from app.kernel.rates import parse_rate
from app.services.rules.parts import FactName, Part, PositiveFen, RateText, Slug, said, table_of
from app.services.rules.predicates import Predicate, Word
from app.services.rules.rates import LineRate


class _AmountCap(Part):
    name: Annotated[Slug, said("Its name within these rules; exceptions quote it.", "名称，例外审批引用")]
    limit_fen: Annotated[PositiveFen | None, said("At most so much, in fen.", "上限（分）")] = None
    limit_by: Annotated[FactName | None, said("The limit follows from this fact instead.", "上限按该事实确定")] = None
    limits_fen: Annotated[
        dict[Word, PositiveFen],
        said("Limit per value of that fact, in fen.", "各取值的上限（分）", max_length=200),
        *table_of("limit_fen"),
    ] = Field(default_factory=dict)
    hard_limit_fen: Annotated[
        PositiveFen | None,
        said(
            "With an approved exception at most so much; without it no exception is possible.",
            "经例外审批的最高上限（分）；不填则不得突破",
        ),
    ] = None

    @model_validator(mode="after")
    def _has_one_limit(self) -> _AmountCap:
        if (self.limit_by is None) != (not self.limits_fen):
            raise ValueError("limit_by and limits_fen go together / limit_by 与 limits_fen 须同时填写")
        if self.limit_fen is None and self.limit_by is None:
            raise ValueError("give limit_fen, or limit_by with limits_fen / 须填写 limit_fen 或 limit_by")
        limits = [fen for fen in (self.limit_fen, *self.limits_fen.values()) if fen is not None]
        if self.hard_limit_fen is not None and self.hard_limit_fen < max(limits):
            raise ValueError("hard_limit_fen lies below the limit itself / 硬上限低于一般上限")
        return self


class ClaimCap(_AmountCap):
    """At most so much on one line, claim, contract or voucher."""

    scope: Annotated[
        Literal["line", "claim", "contract", "voucher"],
        said(
            "Of one line, one claim (a bill), one contract over all its claims, or one voucher over all its claims.",
            "单行、单笔申报（账单）、单个合同累计、单张券累计",
        ),
    ]


class Rolling(Part):
    """The last so many months, to the day."""

    months: Annotated[int, said("Months up to and including the day itself.", "滚动月数", ge=1, le=240)]


class HolderCap(_AmountCap):
    """At most so much for a firm or for its declared group in a period."""

    scope: Annotated[Literal["firm", "group"], said("Of the firm, or of all firms of its group.", "企业或集团累计")]
    per: Annotated[
        Literal["year", "lifetime"] | Rolling,
        said("Per year (see attribution), in its lifetime, or in a rolling window.", "每年度、终身或滚动期间"),
    ] = "year"
    category: Annotated[
        Slug | None, said("Counts this category only, with what lies below it.", "仅计该类别（含下级）")
    ] = None
    also_counts: Annotated[
        FactName | None,
        said(
            "A fact in fen that counts as used besides, such as aid from elsewhere.",
            "另计入已用额度的事实（分），如其他渠道补贴",
        ),
    ] = None


class CountCap(Part):
    """So many claims at most."""

    scope: Annotated[Literal["claims"], said("A number of claims.", "申报次数")]
    name: Annotated[Slug, said("Its name within these rules.", "名称")]
    holder: Annotated[Literal["firm", "group"], said("Whose claims are counted.", "按企业或集团")] = "firm"
    per: Annotated[Literal["year", "lifetime"] | Rolling, said("Over which period.", "期间")] = "lifetime"
    when: Annotated[
        Predicate | None,
        said(
            "Counts and binds only claims that fit; no fact of a line.",
            "仅对符合条件的申报计数与限制（不得引用逐行事实）",
        ),
    ] = None
    limit: Annotated[int, said("At most so many.", "最多次数", ge=1, le=1_000_000)]


Cap = Annotated[ClaimCap | HolderCap | CountCap, Field(discriminator="scope")]


class Floor(Part):
    """Below it nothing is granted; the amount itself is enough where `inclusive` says so."""

    of: Annotated[
        Literal["base", "contract", "subsidy"],
        said(
            "Of the covered base, of the contract's whole amount, or of the subsidy itself.",
            "补贴基数、合同总额或补贴额",
        ),
    ]
    at_least_fen: Annotated[PositiveFen, said("The least amount in fen.", "最低金额（分）")]
    inclusive: Annotated[bool, said("Whether exactly that amount is enough.", "是否含本数")] = True


class Layer(Part):
    """What another level of government pays for the same base."""

    name: Annotated[Slug, said("Its name, such as national, provincial, district.", "层级名称")]
    rate: Annotated[
        LineRate | None,
        said(
            "What it pays where its decision is not known yet; without it only its decision counts.",
            "尚无批复时按此比例估算；不填则仅以批复金额为准",
        ),
    ] = None
    before: Annotated[
        bool,
        said(
            "Whether it comes before this programme and so uses up the ceiling first.",
            "是否先于本项目享受（先占用合计上限）",
        ),
    ] = True


class Stacking(Part):
    """How the subsidy goes together with others for the same base."""

    base: Annotated[
        Literal["exclusive", "stackable"],
        said(
            "exclusive: what another voucher was granted for already is taken off; stackable: the same base may count"
            " again, under the ceiling.",
            "exclusive：已用于其他券的基数须剔除；stackable：同一基数可叠加，受合计上限约束",
        ),
    ] = "exclusive"
    layers: Annotated[
        tuple[Layer, ...],
        said("The other levels, in the order in which they pay.", "其他层级，按先后顺序", max_length=10, strict=False),
    ] = ()
    ceiling: Annotated[
        RateText, said("All public money together is at most this share of the base.", "各级财政合计占基数的最高比例")
    ] = "1.00"
    ceiling_by: Annotated[
        LineRate | None,
        said(
            "The ceiling where it differs by line, such as by facility; a line without a rate here has `ceiling`.",
            "上限因行而异时（如按设施类型）的比例；无对应比例的行适用 ceiling",
        ),
    ] = None

    @cached_property
    def ceiling_fraction(self) -> Fraction:
        """The ceiling, exactly."""
        return parse_rate(self.ceiling)
