"""The facts that rules look at: the bill's lines, and what is known of holder, provider and claim.

Values are plain JSON: words are strings (or a tuple of them), numbers decimal strings or whole numbers, days ISO dates,
yes-or-no facts booleans. Amounts are fen, VAT included.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any, Literal

from app.kernel.clock import civil_date, rfc3339
from app.kernel.rates import parse_decimal

Value = str | int | bool | tuple[str, ...]
FactType = Literal["words", "number", "date", "yes_no"]


@dataclass(frozen=True, slots=True)
class KnownFact:
    """A fact of every programme: its type, and whether the claimant may state it."""

    type: FactType
    en: str
    zh: str
    stated_by: Literal["registry", "official", "claimant"] = "registry"
    values: tuple[str, ...] = ()
    """All the words there are, where that is a closed list."""


KNOWN: Mapping[str, KnownFact] = {
    "holder.region_code": KnownFact("words", "region of registration", "注册地行政区划"),
    "holder.type": KnownFact("words", "legal_person, or maker without legal personality", "主体类型：法人或创客"),
    "holder.size": KnownFact(
        "words", "micro, small, medium, large", "企业规模", values=("micro", "small", "medium", "large")
    ),
    "holder.industry": KnownFact("words", "industry", "行业"),
    "holder.tags": KnownFact(
        "words", "recognitions that hold on the day, such as 高新, 专精特新, 初创", "当日有效的企业标签"
    ),
    "holder.group": KnownFact("words", "declared group", "所属集团"),
    "holder.registered_on": KnownFact("date", "day of registration", "成立日期"),
    "holder.debarred": KnownFact("yes_no", "on the debarment list today", "当日是否在失信名单内"),
    "holder.last_debarred_on": KnownFact(
        "date", "last day on the debarment list, today while on it", "最近一次在失信名单内的日期"
    ),
    "provider.region_code": KnownFact("words", "region of registration", "供给方注册地"),
    "provider.kind": KnownFact("words", "compute or assessment", "供给方类型", values=("compute", "assessment")),
    "provider.facility_class": KnownFact(
        "words", "domestic or other", "设施类型：国产或其他", values=("domestic", "other")
    ),
    "provider.capacity_cards": KnownFact("number", "accelerator cards", "加速卡数量"),
    "provider.capacity_pflops": KnownFact("number", "PFLOPS (FP16)", "算力规模（PFLOPS）"),
    "provider.racks": KnownFact("number", "racks", "机架数"),
    "provider.debarred": KnownFact("yes_no", "on the debarment list today", "供给方当日是否在失信名单内"),
    "provider.last_debarred_on": KnownFact(
        "date", "last day on the debarment list, today while on it", "供给方最近一次在失信名单内的日期"
    ),
    "provider.id": KnownFact("words", "the provider itself, where a scheme names one", "指定供给方"),
    "line.category": KnownFact("words", "service category", "服务类别", "claimant"),
    "line.unit": KnownFact("words", "unit of the quantity", "计量单位", "claimant"),
    "line.facility_class": KnownFact("words", "facility of this line, else the provider's", "该行设施类型", "claimant"),
    "line.accelerator": KnownFact("words", "card, by its code in the published table", "加速卡代码", "claimant"),
    "line.used_on": KnownFact(
        "date", "day on which its use ended: of used_until, else of used_from", "使用结束日", "claimant"
    ),
    "claim.contract_no": KnownFact("words", "number of the contract", "合同编号", "claimant"),
    "claim.contract_fen": KnownFact("number", "amount of the whole contract in fen", "合同总额（分）", "claimant"),
    "claim.contract_signed_on": KnownFact("date", "day the contract was signed", "合同签订日", "claimant"),
    "claim.applied_on": KnownFact("date", "day of the application", "申领日", "official"),
    "claim.invoiced_on": KnownFact("date", "day of the invoice", "开票日", "claimant"),
    "claim.paid_on": KnownFact("date", "day of the firm's payment", "付款日", "claimant"),
    "claim.project_level": KnownFact("words", "such as national, provincial", "项目级别", "official"),
    "claim.tier": KnownFact("words", "tier that an assessment came to", "评定等级", "official"),
    "claim.attainment": KnownFact(
        "number", "degree to which the target was reached, 1 is all of it", "目标完成率", "official"
    ),
    "claim.approved_rate": KnownFact("number", "rate an officer approved", "核定比例", "official"),
    "claim.side": KnownFact("words", "demand or supply, whichever claims", "申报侧", "claimant"),
    "claim.other_side_claimed": KnownFact(
        "yes_no", "whether the other side has claimed for it", "另一侧是否已申报", "official"
    ),
    "claim.shareholding": KnownFact(
        "number", "share one of firm and provider holds of the other", "双方持股比例", "official"
    ),
    "claim.same_controller": KnownFact("yes_no", "whether both have one controller", "是否同一实际控制人", "official"),
    "claim.same_legal_representative": KnownFact(
        "yes_no", "whether both have one representative", "是否同一法定代表人", "official"
    ),
    "claim.same_group": KnownFact("yes_no", "whether both belong to one group", "是否同属一个集团", "official"),
    "claim.shared_contact": KnownFact("yes_no", "whether both share contacts", "是否共用联系方式", "official"),
}
"""Facts that every programme knows; a rule document may declare more."""


@dataclass(frozen=True, slots=True)
class Line:
    """A bill's line as far as the rules look at it. `amount_fen` is what was billed, VAT included."""

    category: str
    amount_fen: int
    quantity: str | None = None
    """A decimal, or a fraction where part of the line was refunded."""
    unit: str | None = None
    unit_price: str | None = None
    tax_rate: str | None = None
    used_from: datetime | None = None
    used_until: datetime | None = None
    provider_site: str | None = None
    facility_class: str | None = None
    """Of this line, where it is not simply the provider's."""
    accelerator: str | None = None
    amounts_fen: Mapping[str, int] = field(default_factory=dict)
    """What else is known of its amount: contracted, assessed, invoiced, paid, metered."""
    claimed_fen: int = 0
    """How much of it other vouchers were granted for already."""
    used_up_fen: int | None = None
    """How much of it lies on an invoice line, or a contract, of which so much is not left; None where it names none."""
    beside_fen: int = 0
    """What vouchers of other programmes were granted for the same part of its invoice line."""
    other_grants_fen: int = 0
    """What other grants paid for it."""
    facts: Mapping[str, Value] = field(default_factory=dict)

    @property
    def used_on(self) -> date | None:
        """The Shanghai day on which its use ended: until midnight is until the end of the day before."""
        if self.used_until is None:
            return civil_date(self.used_from) if self.used_from else None
        last = self.used_until - timedelta(microseconds=1)
        return civil_date(max(last, self.used_from) if self.used_from else last)


@dataclass(frozen=True, slots=True)
class VoucherTerms:
    """The voucher's own end, where there is one."""

    valid_until: datetime
    redeemable_until: datetime


@dataclass(frozen=True)
class Facts:
    """Everything that one assessment looks at, besides the rules and the position so far."""

    lines: Sequence[Line]
    at: datetime
    checkpoint: Literal["apply", "issue", "redeem", "pay"] = "redeem"
    holder: Mapping[str, Value] = field(default_factory=dict)
    provider: Mapping[str, Value] = field(default_factory=dict)
    provider_categories: Collection[str] | None = None
    """What the provider is admitted for; None where that is not looked at."""
    claim: Mapping[str, Value] = field(default_factory=dict)
    amounts_fen: Mapping[str, int] = field(default_factory=dict)
    """Amounts of the covered lines together, where they are known only so."""
    voucher: VoucherTerms | None = None
    layers_fen: Mapping[str, int] = field(default_factory=dict)
    """What other levels of government have decided to pay."""
    exceptions_fen: Mapping[str, int] = field(default_factory=dict)
    """Approved exceptions: cap → the limit that was approved instead."""
    granted_before_fen: int = 0
    """What this same purchase was granted already; only the difference is due."""

    @cached_property
    def on(self) -> date:
        """The Shanghai day of the claim."""
        return civil_date(self.at)

    def given(self) -> dict[str, Any]:
        """All but the lines as plain values, as they are stored with a redemption."""
        voucher = self.voucher
        return {
            "at": rfc3339(self.at),
            "checkpoint": self.checkpoint,
            "holder": plain_values(self.holder),
            "provider": plain_values(self.provider),
            "claim": plain_values(self.claim),
            "amounts_fen": dict(self.amounts_fen),
            "voucher": {
                "valid_until": rfc3339(voucher.valid_until),
                "redeemable_until": rfc3339(voucher.redeemable_until),
            }
            if voucher
            else None,
            "layers_fen": dict(self.layers_fen),
            "exceptions_fen": dict(self.exceptions_fen),
            "granted_before_fen": self.granted_before_fen,
        }

    @staticmethod
    def read(given: Mapping[str, Any], lines: Sequence[Line], provider_categories: Collection[str] | None) -> Facts:
        """The facts of `given()` again, with their lines."""
        voucher = given["voucher"]
        return Facts(
            lines=lines,
            at=datetime.fromisoformat(given["at"]),
            checkpoint=given["checkpoint"],
            holder=read_values(given["holder"]),
            provider=read_values(given["provider"]),
            provider_categories=provider_categories,
            claim=read_values(given["claim"]),
            amounts_fen=given["amounts_fen"],
            voucher=VoucherTerms(
                datetime.fromisoformat(voucher["valid_until"]), datetime.fromisoformat(voucher["redeemable_until"])
            )
            if voucher
            else None,
            layers_fen=given["layers_fen"],
            exceptions_fen=given["exceptions_fen"],
            granted_before_fen=given["granted_before_fen"],
        )


def plain_values(values: Mapping[str, Value]) -> dict[str, Any]:
    """Facts as they are stored."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def read_values(plain: Mapping[str, Any]) -> dict[str, Value]:
    """Stored facts again."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in plain.items()}


def fits(expected: FactType, value: Value) -> bool:
    """Whether a value is of that type."""
    match expected:
        case "yes_no":
            return isinstance(value, bool)
        case "words":
            return isinstance(value, str | tuple)
        case "number":
            return _is_number(value)
        case "date":
            return isinstance(value, str) and _is_day(value)


def _is_number(value: Value) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return False
    try:
        parse_decimal(str(value), max_decimals=8, max_digits=18)
    except ValueError:
        return False
    return True


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
