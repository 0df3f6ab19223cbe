"""Predicate trees over facts: who may hold, who may provide, which lines count, which rate holds. D6, D7.

A predicate may be true, false or unknown (a fact was not given). Unknown never grants anything: a test says itself,
in `if_missing`, where a missing fact is as good as a passed test ("no bad credit on record").
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from app.services.rules.facts import FactType
from app.services.rules.parts import Day, FactName, NumberText, Part, said

Word = Annotated[str, StringConstraints(min_length=1, max_length=200)]
RegionPrefix = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{5}$")]
IfMissing = Annotated[
    Literal["fails", "passes"],
    said(
        "What a missing fact means here: not shown, or nothing against it.",
        "缺少该事实时：视为未证明，或视为无不利记录",
    ),
]


class AllOf(Part):
    """Every one of them holds."""

    kind: Annotated[Literal["all"], said("Every condition holds.", "同时满足")] = "all"
    of: Annotated[tuple[Predicate, ...], said("The conditions.", "条件列表", min_length=1, max_length=50, strict=False)]


class AnyOf(Part):
    """At least one of them holds."""

    kind: Annotated[Literal["any"], said("At least one condition holds.", "满足任一")] = "any"
    of: Annotated[tuple[Predicate, ...], said("The conditions.", "条件列表", min_length=1, max_length=50, strict=False)]


class Not(Part):
    """It does not hold."""

    kind: Annotated[Literal["not"], said("The condition does not hold.", "不满足")] = "not"
    of: Annotated[Predicate, said("The condition.", "条件")]


class Is(Part):
    """A fact is one of some words. Of a fact with several words (tags) one is enough."""

    kind: Annotated[Literal["is"], said("The fact is one of these words.", "取值属于")] = "is"
    fact: Annotated[FactName, said("Which fact.", "事实")]
    one_of: Annotated[tuple[Word, ...], said("The words.", "取值列表", min_length=1, max_length=1000, strict=False)]
    if_missing: IfMissing = "fails"


class InRegion(Part):
    """A region code lies in one of some regions of GB/T 2260, or below it."""

    kind: Annotated[Literal["in_region"], said("The region lies in one of these or below.", "属于下列行政区划")] = (
        "in_region"
    )
    fact: Annotated[FactName, said("Which region code.", "区划代码事实")]
    regions: Annotated[
        tuple[RegionPrefix, ...],
        said("Region codes; 330000 takes in all of 浙江.", "区划代码", min_length=1, max_length=400, strict=False),
    ]
    if_missing: IfMissing = "fails"


class Measures(Part):
    """A number lies within bounds, which count as inside."""

    kind: Annotated[Literal["number"], said("The number lies within the bounds.", "数值范围")] = "number"
    fact: Annotated[FactName, said("Which number.", "数值事实")]
    at_least: Annotated[NumberText | None, said("Lower bound, itself inside.", "下限（含）")] = None
    above: Annotated[NumberText | None, said("Lower bound, itself outside.", "下限（不含）")] = None
    at_most: Annotated[NumberText | None, said("Upper bound, itself inside.", "上限（含）")] = None
    below: Annotated[NumberText | None, said("Upper bound, itself outside.", "上限（不含）")] = None
    if_missing: IfMissing = "fails"

    @model_validator(mode="after")
    def _has_a_bound(self) -> Measures:
        if self.at_least is self.above is self.at_most is self.below is None:
            raise ValueError("give at least one of at_least, above, at_most, below / 至少给出一个界限")
        return self


class Dated(Part):
    """A day lies within a period, its ends inside."""

    kind: Annotated[Literal["date"], said("The day lies in the period.", "日期范围")] = "date"
    fact: Annotated[FactName, said("Which day.", "日期事实")]
    from_on: Annotated[Day | None, said("First day, inside.", "起始日（含）")] = None
    until_on: Annotated[Day | None, said("Last day, inside.", "截止日（含）")] = None
    if_missing: IfMissing = "fails"

    @model_validator(mode="after")
    def _has_an_end(self) -> Dated:
        if self.from_on is None and self.until_on is None:
            raise ValueError("give from_on, until_on or both / 至少给出一个日期")
        if self.from_on and self.until_on and self.from_on > self.until_on:
            raise ValueError("from_on lies after until_on / 起始日晚于截止日")
        return self


class Aged(Part):
    """So many whole years lie between a day and the day of judgement."""

    kind: Annotated[Literal["age"], said("Whole years since that day.", "距该日的整年数")] = "age"
    fact: Annotated[FactName, said("Since which day.", "起算日事实")]
    years_at_least: Annotated[int | None, said("At least so many.", "不少于", ge=0, le=200)] = None
    years_below: Annotated[int | None, said("Fewer than so many.", "少于", ge=1, le=200)] = None
    if_missing: IfMissing = "fails"

    @model_validator(mode="after")
    def _has_a_bound(self) -> Aged:
        if self.years_at_least is None and self.years_below is None:
            raise ValueError("give years_at_least, years_below or both / 至少给出一个年限")
        return self


class NotBefore(Part):
    """One day does not lie before another, such as the contract's before the application's."""

    kind: Annotated[Literal["not_before"], said("One day is not before another.", "不早于另一日期")] = "not_before"
    fact: Annotated[FactName, said("The day that must not be earlier.", "不得更早的日期")]
    other: Annotated[FactName, said("The day it is compared with.", "对照日期")]
    if_missing: IfMissing = "fails"


class IsTrue(Part):
    """A yes-or-no fact is yes."""

    kind: Annotated[Literal["true"], said("The fact is yes.", "为“是”")] = "true"
    fact: Annotated[FactName, said("Which yes-or-no fact.", "是非事实")]
    if_missing: IfMissing = "fails"


Test = Is | InRegion | Measures | Dated | Aged | NotBefore | IsTrue
Predicate = Annotated[AllOf | AnyOf | Not | Test, Field(discriminator="kind")]

AllOf.model_rebuild()
AnyOf.model_rebuild()
Not.model_rebuild()

NEEDS: dict[type[Part], FactType] = {
    Is: "words",
    InRegion: "words",
    Measures: "number",
    Dated: "date",
    Aged: "date",
    NotBefore: "date",
    IsTrue: "yes_no",
}
"""Which type of fact a test looks at."""
