"""What the registry keeps of an organisation beyond name and identifier: one shape per kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    ValidationError,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

from app.kernel.places import field_errors
from app.kernel.problems import AppError, Code
from app.kernel.rates import decimal_text
from app.kernel.regions import is_region
from app.kernel.vocabulary import OrganisationKind
from app.services.rules.facts import KNOWN
from app.services.written_days import WrittenDay


def _known_region(code: str) -> str:
    if not is_region(code):
        raise ValueError("is not a region code of GB/T 2260 (六位行政区划代码)")
    return code


Line = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")
]
"""One line of text, without control characters (PostgreSQL stores no NUL)."""

Day = Annotated[date, WrittenDay]

SiteCode = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$")]


class _Profile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Tag(_Profile):
    """A recognition with its dates, such as 高新 or 专精特新; `until_on` is the last day."""

    name: Line
    since_on: Day
    until_on: Day | None = None
    evidence: Annotated[Line | None, Field(description="Document and number that grant it. 认定文号或依据")] = None

    @model_serializer(mode="wrap")
    def _without_nothing(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """As it was stored before there was evidence, where there is none."""
        written: dict[str, Any] = write(self)
        return {name: value for name, value in written.items() if name != "evidence" or value is not None}

    @model_validator(mode="after")
    def _in_order(self) -> Tag:
        if self.until_on is not None and self.until_on < self.since_on:
            raise ValueError("until_on lies before since_on")
        return self


FactKey = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
FactValue = (
    Annotated[bool, Field(strict=True)]
    | Annotated[int, Field(strict=True, ge=0, le=10**15)]
    | Annotated[str, StringConstraints(strict=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
    | Annotated[tuple[Line, ...], Field(min_length=1, max_length=100)]
)


def _not_known(facts: dict[str, object]) -> dict[str, object]:
    """The registry's own facts are told by its fields, and by nothing else."""
    known = {name.partition(".")[2] for name in KNOWN if name.startswith(("holder.", "provider."))}
    if taken := sorted(known & facts.keys()):
        raise ValueError(f"{', '.join(taken)}: the registry tells this itself; correct the field of the profile")
    return facts


Facts = Annotated[
    dict[FactKey, FactValue],
    Field(max_length=100, description="Further facts that programmes' rules declare: words, numbers, days, yes or no"),
    AfterValidator(_not_known),
]


def _credible(text: str) -> str:
    if Fraction(text) > MAX_PFLOPS:
        raise PydanticCustomError("less_than_equal", "at most {le}", {"le": MAX_PFLOPS})
    return text


Decimal = Annotated[str, StringConstraints(pattern=r"^(0|[1-9][0-9]{0,9})(\.[0-9]{1,6})?$"), AfterValidator(_credible)]


MAX_TAGS = 100
MAX_CARDS = 10_000_000
MAX_PFLOPS = 10_000_000
MAX_RACKS = 10_000_000
"""More than all the world has: who declares it mistook the unit."""


class FirmProfile(_Profile):
    """What eligibility may depend on. D6."""

    size: Annotated[
        Literal["micro", "small", "medium", "large"] | None, Field(description="微型 / 小型 / 中型 / 大型")
    ] = None
    industry: Line | None = None
    tags: Annotated[tuple[Tag, ...], Field(max_length=MAX_TAGS)] = ()
    group: Annotated[Line | None, Field(description="The declared group, for caps that count all its firms. 集团")] = (
        None
    )
    registered_on: Annotated[Day | None, Field(description="Day of registration. 成立日期")] = None
    facts: Facts = Field(default_factory=dict)


class Site(_Profile):
    """One place of a provider; bills name it by its code."""

    code: SiteCode
    name: Line
    region_code: Annotated[str, AfterValidator(_known_region)]
    facility_class: Annotated[
        Literal["domestic", "other"] | None, Field(description="Where it differs from the provider's. 国产 / 其他")
    ] = None
    capacity_cards: Annotated[
        int, Field(strict=True, ge=0, le=MAX_CARDS, description="Accelerator cards of this site. 加速卡数量")
    ] = 0
    capacity_pflops: Annotated[
        Decimal | None, Field(description="PFLOPS of this site, FP16, dense. 该机房算力规模")
    ] = None


class ProviderProfile(_Profile):
    """What a provider offers and where. D7."""

    provider_kind: Literal["compute", "assessment"]
    facility_class: Annotated[Literal["domestic", "other"] | None, Field(description="国产 / 其他")] = None
    capacity_cards: Annotated[int, Field(strict=True, ge=0, le=MAX_CARDS)] = 0
    capacity_pflops: Annotated[Decimal | None, Field(description="PFLOPS, FP16. 算力规模")] = None
    racks: Annotated[int, Field(strict=True, ge=0, le=MAX_RACKS, description="Racks. 机架数")] = 0
    facts: Facts = Field(default_factory=dict)
    sites: Annotated[tuple[Site, ...], Field(max_length=200)] = ()

    @model_validator(mode="after")
    def _codes_differ(self) -> ProviderProfile:
        if len({site.code for site in self.sites}) < len(self.sites):
            raise ValueError("two sites have one code")
        return self

    @model_validator(mode="after")
    def _sites_add_up(self) -> ProviderProfile:
        """The sites have no more than the provider, where it says what it has."""
        cards = sum(site.capacity_cards for site in self.sites)
        if self.capacity_cards and cards > self.capacity_cards:
            told = {"field": "capacity_cards", "limit": cards, "actual": self.capacity_cards}
            raise PydanticCustomError("less_than_its_sites", "{actual}, {limit}", told)
        pflops = sum((Fraction(site.capacity_pflops or 0) for site in self.sites), Fraction(0))
        declared = Fraction(self.capacity_pflops or 0)
        if declared and pflops > declared:
            told = {"field": "capacity_pflops", "limit": decimal_text(pflops), "actual": decimal_text(declared)}
            raise PydanticCustomError("less_than_its_sites", "{actual}, {limit}", told)
        return self


class PlainProfile(_Profile):
    """Authorities, finance bureaus, auditors and the registry need none."""


Profile = FirmProfile | ProviderProfile | PlainProfile

_SHAPES: Mapping[OrganisationKind, type[Profile]] = {
    OrganisationKind.FIRM: FirmProfile,
    OrganisationKind.PROVIDER: ProviderProfile,
    OrganisationKind.AUTHORITY: PlainProfile,
    OrganisationKind.FINANCE: PlainProfile,
    OrganisationKind.AUDIT: PlainProfile,
    OrganisationKind.REGISTRY: PlainProfile,
}
assert set(_SHAPES) == set(OrganisationKind), "every kind has its shape"


def checked_profile(kind: OrganisationKind, given: object) -> dict[str, Any]:
    """The profile as it is stored: complete, plain JSON. Raises `validation_failed` with pointers below `/profile`."""
    try:
        return _SHAPES[kind].model_validate(given).model_dump(mode="json")
    except ValidationError as error:
        found = error.errors(include_url=False)
        places = [replace(one, pointer=f"/profile{one.pointer}") for one in field_errors(found, given)]
        raise AppError(Code.VALIDATION_FAILED, count=len(places), errors=places) from error
