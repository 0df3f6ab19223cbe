"""Rate functions: how much of the base is subsidised. D10.

*Line rates* (`flat`, `by`, `cases`) give each line its rate. `bracket`, `fixed`, `attainment` and `up_to` look at the
claim as a whole and stand outermost, or within the `cases` of one another.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, model_validator

from app.kernel.rates import parse_decimal, parse_rate
from app.services.rules.parts import FactName, NumberText, Part, PositiveFen, RateText, said, table_of
from app.services.rules.predicates import Predicate, Word

MAX_BANDS = 50


class Flat(Part):
    """One rate for everything covered."""

    kind: Annotated[Literal["flat"], said("One rate for everything covered.", "单一比例")] = "flat"
    rate: Annotated[RateText, said('Share of the base that is subsidised, such as "0.30".', "补贴比例")]

    @cached_property
    def fraction(self) -> Fraction:
        """The rate, exactly."""
        return parse_rate(self.rate)


class By(Part):
    """The rate follows from one fact: the category, the facility, a tag, the project's level."""

    kind: Annotated[Literal["by"], said("The rate follows from one fact.", "按某一事实确定比例")] = "by"
    fact: Annotated[
        FactName,
        said(
            "The fact: line.category (a category's own rate or its nearest parent's), line.facility_class, holder.tags"
            " (of several the first in the list below), claim.project_level and so on.",
            "事实：服务类别、设施类型、企业标签（取列表中排在最前者）、项目级别等",
        ),
    ]
    rates: Annotated[
        dict[Word, RateText],
        said("Rate per value, the first that fits counts.", "各取值的比例，依次匹配", min_length=1, max_length=200),
        *table_of("rate"),
    ]
    otherwise: Annotated[
        RateText | None,
        said(
            "Rate for any other value, or none known; without it such a line earns nothing.",
            "其他取值（含未知）的比例；不填则不补贴",
        ),
    ] = None

    @cached_property
    def fractions(self) -> dict[str, Fraction]:
        """The rates, exactly, in their order."""
        return {value: parse_rate(rate) for value, rate in self.rates.items()}


class LineCase(Part):
    """A rate for the lines that fit."""

    when: Annotated[Predicate, said("Which lines.", "适用条件")]
    rate: Annotated[LineRate, said("Their rate.", "适用比例")]


class LineCases(Part):
    """The first case that fits a line gives its rate."""

    kind: Annotated[
        Literal["line_cases"], said("The first case that fits a line gives its rate.", "逐行按首个符合的情形")
    ] = "line_cases"
    cases: Annotated[
        tuple[LineCase, ...], said("In order.", "依次判断", min_length=1, max_length=MAX_BANDS, strict=False)
    ]
    otherwise: Annotated[
        LineRate | None, said("Where none fits; without it such a line earns nothing.", "均不符合时；不填则不补贴")
    ] = None


LineRate = Annotated[Flat | By | LineCases, Field(discriminator="kind")]


class Band(Part):
    """A stretch of the cumulative base and its rate."""

    up_to_fen: Annotated[
        PositiveFen | None, said("End of the band in fen; the last band has none.", "档位上限（分），末档不填")
    ] = None
    inclusive: Annotated[bool, said("Whether exactly that amount is still in the band.", "上限是否含本数")] = True
    rate: Annotated[LineRate, said("The rate in the band.", "本档比例")]


class Bracket(Part):
    """The rate depends on the base so far in the period, this claim included; or on this claim's base alone."""

    kind: Annotated[Literal["bracket"], said("The rate depends on the cumulative base.", "按累计基数分档")] = "bracket"
    method: Annotated[
        Literal["cliff_recalc", "cliff_prospective", "marginal"],
        said(
            "cliff_recalc: the band reached holds for everything, earlier claims too, which are set off; "
            "cliff_prospective: the band reached holds for this claim; marginal: each part at its own band's rate.",
            "cliff_recalc：按所达档位对全部累计基数重新计算并扣除已计金额；cliff_prospective：所达档位仅适用本次；"
            "marginal：分段计算",
        ),
    ]
    holder: Annotated[
        Literal["firm", "group", "contract"], said("Whose base is added up.", "按企业、集团或合同累计")
    ] = "firm"
    per: Annotated[
        Literal["year", "lifetime", "claim"],
        said("Over which period; or each claim by itself, whoever claims.", "累计期间；claim 为每笔申报单独分档"),
    ] = "year"
    bands: Annotated[
        tuple[Band, ...],
        said("From the lowest up, without gaps.", "自低至高", min_length=1, max_length=MAX_BANDS, strict=False),
    ]

    @model_validator(mode="after")
    def _bands_follow(self) -> Bracket:
        ends = [band.up_to_fen for band in self.bands]
        if ends[-1] is not None:
            raise ValueError(
                "the last band needs no up_to_fen: above it there would be a gap / 末档不得设上限，否则存在空档"
            )
        closed = [end for end in ends[:-1] if end is not None]
        if len(closed) < len(ends) - 1:
            raise ValueError("only the last band may be without up_to_fen / 仅末档可不设上限")
        if any(low >= high for low, high in pairwise(closed)):
            raise ValueError(
                "the bands overlap: each up_to_fen must lie above the one before / 档位重叠：上限须逐档递增"
            )
        if self.method == "cliff_recalc" and self.per == "claim":
            raise ValueError(
                "nothing comes before a claim alone: use cliff_prospective / 单笔分档请用 cliff_prospective"
            )
        if self.method == "cliff_recalc" and not all(isinstance(band.rate, Flat) for band in self.bands):
            raise ValueError(
                "cliff_recalc computes earlier claims anew, so its bands need flat rates / 重新计算法的各档须为单一比例"
            )
        return self


class Fixed(Part):
    """A fixed amount, by one fact such as the tier that the assessment came to. Never more than the base."""

    kind: Annotated[Literal["fixed"], said("A fixed amount per value of a fact.", "按等级定额")] = "fixed"
    fact: Annotated[FactName, said("The fact, such as claim.tier.", "事实，如评定等级")]
    amounts_fen: Annotated[
        dict[Word, PositiveFen],
        said("Amount per value in fen.", "各等级金额（分）", min_length=1, max_length=200),
        *table_of("amount_fen"),
    ]


class Step(Part):
    """What is paid from a degree of attainment on."""

    at_least: Annotated[NumberText, said('Degree of attainment, 1 is the full target ("0.50").', "完成率下限（含）")]
    share: Annotated[
        RateText | Literal["attained"],
        said('Share of the amount that is paid, or "attained": the degree itself, at most 1.', "兑付比例，或按完成率"),
    ]

    @cached_property
    def threshold(self) -> Fraction:
        """The degree, exactly."""
        return parse_decimal(self.at_least, max_decimals=8, max_digits=18)

    @property
    def most(self) -> Fraction:
        """The share that is paid at most."""
        return Fraction(1) if self.share == "attained" else Fraction(self.share)


class Attainment(Part):
    """Part of an amount, by how far the agreed target was reached."""

    kind: Annotated[Literal["attainment"], said("By how far the target was reached.", "按目标完成情况")] = "attainment"
    fact: Annotated[FactName, said("The degree of attainment; 1 is the full target.", "完成率事实")] = (
        "claim.attainment"
    )
    steps: Annotated[
        tuple[Step, ...],
        said(
            "From the lowest up; below the first nothing is paid.",
            "自低至高；低于首档不予补贴",
            min_length=1,
            max_length=MAX_BANDS,
            strict=False,
        ),
    ]
    of: Annotated[Rate, said("The amount for the full target.", "全额完成时的补贴")]

    @model_validator(mode="after")
    def _rises(self) -> Attainment:
        degrees = [step.threshold for step in self.steps]
        if any(low >= high for low, high in pairwise(degrees)):
            raise ValueError(
                "the steps overlap: each at_least must lie above the one before / 档位重叠：下限须逐档递增"
            )
        return self


class UpTo(Part):
    """An officer sets the rate, at most this one ("不超过")."""

    kind: Annotated[
        Literal["up_to"], said("An officer sets the rate, up to a maximum.", "不超过某比例，由经办核定")
    ] = "up_to"
    maximum: Annotated[Rate, said("The maximum.", "最高比例")]
    fact: Annotated[FactName, said("Where the approved rate stands.", "核定比例所在事实")] = "claim.approved_rate"
    if_missing: Annotated[
        Literal["maximum", "nothing"], said("What holds where no rate was approved.", "未核定时：按最高比例或不予补贴")
    ] = "maximum"


class Case(Part):
    """A rate for the claims that fit."""

    when: Annotated[Predicate, said("Which claims; no fact of a line.", "适用条件（不得引用逐行事实）")]
    rate: Annotated[Rate, said("Their rate.", "适用补贴方式")]


class Cases(Part):
    """The first case that fits the claim gives its rate."""

    kind: Annotated[Literal["cases"], said("The first case that fits the claim.", "按首个符合的情形")] = "cases"
    cases: Annotated[tuple[Case, ...], said("In order.", "依次判断", min_length=1, max_length=MAX_BANDS, strict=False)]
    otherwise: Annotated[
        Rate | None, said("Where none fits; without it the claim earns nothing.", "均不符合时；不填则不补贴")
    ] = None


Rate = Annotated[
    Flat | By | LineCases | Bracket | Fixed | Attainment | UpTo | Cases,
    Field(discriminator="kind"),
]

LineCase.model_rebuild()
LineCases.model_rebuild()
Band.model_rebuild()
Attainment.model_rebuild()
UpTo.model_rebuild()
Case.model_rebuild()
Cases.model_rebuild()


def highest(rate: Rate) -> Fraction | None:
    """The highest share of the base that a rate can come to; None where it is an amount and no share."""
    shares: list[Fraction] = []
    match rate:
        case Flat():
            return rate.fraction
        case By():
            shares = [*rate.fractions.values(), Fraction(rate.otherwise or "0")]
        case UpTo():
            return highest(rate.maximum)
        case Bracket():
            shares = [highest(band.rate) or Fraction(0) for band in rate.bands]
        case Fixed():
            return None
        case Attainment():
            full = highest(rate.of)
            return None if full is None else full * max(step.most for step in rate.steps)
        case LineCases() | Cases():
            branches: list[Rate] = [case.rate for case in rate.cases]
            known = [highest(branch) for branch in [*branches, *([rate.otherwise] if rate.otherwise else [])]]
            shares = [share for share in known if share is not None]
            if len(shares) < len(known):
                return None
    return max(shares, default=Fraction(0))
