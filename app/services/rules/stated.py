"""Facts as somebody states them: the shape on the wire and in files, checked against what the rules know."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints, model_validator

from app.kernel.clock import FIRST_DAY, LAST_DAY
from app.kernel.money import MAX_FEN
from app.kernel.problems import FieldError
from app.services.rules.facts import KNOWN, Facts, Line, Value, VoucherTerms, fits
from app.services.rules.model import Rules
from app.services.rules.parts import Fen, NumberText, Part, PositiveFen, RateText, Slug, said
from app.services.rules.terms import Checkpoint

Text = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""A word without control characters: PostgreSQL's JSON stores no NUL."""
StatedValue = (
    Text
    | Annotated[bool, Field(strict=True)]
    | Annotated[int, Field(strict=True, ge=-(10**15), le=10**15)]
    | Annotated[tuple[Text, ...], Field(max_length=100, strict=False)]
)
FactKey = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Values = Annotated[dict[FactKey, StatedValue], Field(max_length=100)]


def _within_reach(at: datetime) -> datetime:
    if not FIRST_DAY.year <= at.year <= LAST_DAY.year:
        first, last = FIRST_DAY.year, LAST_DAY.year
        raise ValueError(f"must lie between the years {first} and {last} / 须在 {first} 年至 {last} 年之间")
    return at


Instant = Annotated[AwareDatetime, Field(strict=False), AfterValidator(_within_reach)]


class StatedLine(Part):
    """A line of a bill with what else is known of it."""

    category: Annotated[Slug, said("Service category.", "服务类别")]
    amount_fen: Annotated[PositiveFen, said("Billed, VAT included, in fen.", "账单金额（含税，分）")]
    quantity: Annotated[NumberText | None, said("How much.", "数量")] = None
    unit: Annotated[Slug | None, said("In which unit.", "计量单位")] = None
    unit_price: Annotated[NumberText | None, said("Price of one unit in 元.", "单价（元）")] = None
    tax_rate: Annotated[RateText | None, said("VAT rate.", "税率")] = None
    used_from: Annotated[Instant | None, said("When its use began.", "使用起始")] = None
    used_until: Annotated[Instant | None, said("When its use ended.", "使用截止")] = None
    facility_class: Annotated[Slug | None, said("Facility of this line.", "设施类型")] = None
    accelerator: Annotated[Slug | None, said("The card, by its code in the published table.", "加速卡代码")] = None
    amounts_fen: Annotated[
        dict[Literal["contracted", "assessed", "invoiced", "paid", "metered"], Fen],
        said("Its amount by contract, assessment, invoice, payment, meter.", "合同、核定、发票、付款、计量金额（分）"),
    ] = Field(default_factory=dict)
    claimed_fen: Annotated[Fen, said("How much of it other vouchers were granted for.", "已用于其他券的金额（分）")] = 0
    other_grants_fen: Annotated[Fen, said("What other grants paid for it.", "其他补助金额（分）")] = 0
    facts: Annotated[Values, said("Further facts of the line, without `line.`.", "该行的其他事实")] = Field(
        default_factory=dict
    )

    def line(self) -> Line:
        """The line as the rules look at it."""
        return Line(**{name: getattr(self, name) for name in StatedLine.model_fields})


class StatedVoucher(Part):
    """A voucher's end."""

    valid_until: Annotated[Instant, said("When it expires.", "到期时刻")]
    redeemable_until: Annotated[Instant, said("When the grace ends.", "宽限截止时刻")]


class StatedFacts(Part):
    """All the facts of one claim."""

    lines: Annotated[
        tuple[StatedLine, ...], said("The bill's lines.", "账单明细", min_length=1, max_length=1000, strict=False)
    ]
    at: Annotated[Instant | None, said("When it is claimed; now where it is left out.", "申报时刻，默认为当前")] = None
    checkpoint: Annotated[Checkpoint, said("At which step it is judged.", "审核环节")] = "redeem"
    holder: Annotated[Values, said("Facts of the holder, without `holder.`.", "企业事实")] = Field(default_factory=dict)
    provider: Annotated[Values, said("Facts of the provider.", "供给方事实")] = Field(default_factory=dict)
    provider_categories: Annotated[
        tuple[Slug, ...] | None,
        said(
            "What the provider is admitted for; left out: everything.", "供给方准入类别", max_length=100, strict=False
        ),
    ] = None
    claim: Annotated[Values, said("Facts of the claim: contract, project, tier and so on.", "申报事实")] = Field(
        default_factory=dict
    )
    amounts_fen: Annotated[
        dict[Literal["contracted", "assessed", "invoiced", "paid", "metered"], Fen],
        said("Amounts of the covered lines together.", "补贴范围内的各项合计金额（分）"),
    ] = Field(default_factory=dict)
    voucher: Annotated[StatedVoucher | None, said("The voucher's end.", "券的有效期")] = None
    layers_fen: Annotated[dict[Slug, Fen], said("What other levels decided to pay.", "其他层级已批金额（分）")] = Field(
        default_factory=dict
    )
    exceptions_fen: Annotated[
        dict[Slug, PositiveFen], said("Approved exceptions: cap → limit.", "已批例外：上限名称 → 金额（分）")
    ] = Field(default_factory=dict)
    granted_before_fen: Annotated[Fen, said("What this purchase was granted before.", "该笔已获补贴（分）")] = 0

    @model_validator(mode="after")
    def _is_an_amount(self) -> StatedFacts:
        if sum(line.amount_fen for line in self.lines) > MAX_FEN:
            raise ValueError(f"the lines together may come to at most {MAX_FEN} fen / 各行合计不得超过 {MAX_FEN} 分")
        return self

    def facts(self, *, at: datetime) -> Facts:
        """The facts as assess() takes them; `at` is the claim's instant where none was stated."""
        voucher = self.voucher
        return Facts(
            lines=[line.line() for line in self.lines],
            at=self.at or at,
            checkpoint=self.checkpoint,
            holder=self.holder,
            provider=self.provider,
            provider_categories=self.provider_categories,
            claim=self.claim,
            amounts_fen={str(name): fen for name, fen in self.amounts_fen.items()},
            voucher=VoucherTerms(voucher.valid_until, voucher.redeemable_until) if voucher else None,
            layers_fen=self.layers_fen,
            exceptions_fen=self.exceptions_fen,
            granted_before_fen=self.granted_before_fen,
        )


def fact_problems(rules: Rules, stated: StatedFacts) -> list[FieldError]:
    """What is wrong with stated facts: a name that nobody knows, a value of the wrong type. Empty if all is well."""
    groups: list[tuple[str, str, Mapping[str, Value]]] = [
        ("/holder", "holder", stated.holder),
        ("/provider", "provider", stated.provider),
        ("/claim", "claim", stated.claim),
    ]
    groups += [(f"/lines/{place}/facts", "line", line.facts) for place, line in enumerate(stated.lines)]
    return [
        problem
        for pointer, subject, values in groups
        for key, value in values.items()
        if (problem := value_problem(rules, f"{pointer}/{key}", f"{subject}.{key}", value)) is not None
    ]


def value_problem(rules: Rules, pointer: str, name: str, value: Value) -> FieldError | None:
    """What is wrong with one stated fact, None if nothing is."""
    expected = rules.fact_types.get(name)
    if expected is None:
        subject = name.partition(".")[0]
        known = ", ".join(sorted(one for one in rules.fact_types if one.startswith(f"{subject}.")))
        return FieldError(pointer, "unknown_fact", limit=known, actual=name)
    if not fits(expected, value):
        return FieldError(pointer, "wrong_fact_type", limit=expected, actual=str(value)[:100])
    possible = KNOWN[name].values if name in KNOWN else ()
    if possible and value not in possible:
        return FieldError(pointer, "unknown_value", limit=", ".join(possible), actual=str(value)[:100])
    return None
