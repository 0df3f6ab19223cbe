"""Programme rules as a typed document: dated data, never code.

One document says all that concerns what is granted: 浙政办发〔2023〕65号 and its like fix no rate, cap or procedure, so
every programme chooses. Amounts are fen (hundredths of the unit where vouchers are in kind), rates decimal strings.
Each part is small and in a module of its own: `predicates`, `base`, `rates`, `limits`, `validity`, `budget`,
`bill_checks`, `terms`. What contradicts itself across parts is found by `checks`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from app.kernel.canonical import canonical
from app.kernel.clock import add_months, civil_date, end_of_day, fiscal_year
from app.services.rules.base import Attribution, Base, Cny, InKind, RoundingRule
from app.services.rules.bill_checks import BillChecks, UnitName
from app.services.rules.budget import Allocation, Budget, FundShare
from app.services.rules.facts import KNOWN, FactType
from app.services.rules.limits import Cap, CountCap, Floor, HolderCap, Rolling, Stacking
from app.services.rules.needs import facts_in, facts_needed
from app.services.rules.parts import Part, Slug, said
from app.services.rules.position import Kept, kept_counters
from app.services.rules.rates import Rate
from app.services.rules.terms import (
    Adjustment,
    Applying,
    DeclaredFact,
    Evidence,
    ExceptionRule,
    LegalBasis,
    Name,
    RelatedParties,
    Requirement,
    Suspension,
)
from app.services.rules.validity import Days, Extension, FixedDate, Months, Use, Validity, Window, YearEnd

Mode = Literal["post_reimburse", "deduct_at_provider", "face_value", "quota_drawdown", "auto_match", "in_kind"]
Party = Literal["firm", "provider", "operator"]


class Rules(Part):
    """What a programme grants, to whom, for what, how much at most, and until when."""

    v: Annotated[Literal[2], said("Version of the document's own format.", "文档格式版本")] = 2
    basis: Annotated[LegalBasis, said("Legal basis and assumptions.", "政策依据与假设")] = LegalBasis()
    pinned_by: Annotated[
        Literal["claim", "issue", "contract"],
        said("A claim is judged by the version in force on the day of this event.", "按此事件当日有效的版本审核"),
    ] = "claim"

    unit: Annotated[
        Cny | InKind, Field(discriminator="kind", description="Money, or units in kind. 货币或非货币单位")
    ] = Cny()
    mode: Annotated[
        Mode,
        said(
            "How the voucher is used: deducted from the provider's bill, reimbursed afterwards, and so on.",
            "使用方式：抵扣、先用后补、面值、额度支取、免审配套、实物",
        ),
    ] = "deduct_at_provider"
    side: Annotated[
        Literal["demand", "supply", "either_exclusive"],
        said("Which side is subsidised; either, but never both.", "补贴需求侧、供给侧，或二者择一"),
    ] = "demand"
    side_priority: Annotated[
        Literal["demand", "supply"] | None, said("Which side goes first where either may claim.", "二者择一时的优先侧")
    ] = None
    claimant: Annotated[Party, said("Who claims.", "申报主体")] = "provider"
    payee: Annotated[Party, said("Who is paid.", "收款主体")] = "provider"

    facts: Annotated[
        tuple[DeclaredFact, ...],
        said(
            "Facts of these rules' own that conditions may look at.", "本规则自定义的事实", max_length=100, strict=False
        ),
    ] = ()
    requirements: Annotated[
        tuple[Requirement, ...],
        said("Conditions of holder, provider, claim and lines.", "资格与准入条件", max_length=100, strict=False),
    ] = ()
    related_parties: Annotated[RelatedParties, said("Related firm and provider.", "关联方处理")] = RelatedParties()

    categories: Annotated[
        tuple[Slug, ...],
        said(
            "Service categories that are covered, each with all below it.",
            "补贴的服务类别（含下级）",
            min_length=1,
            max_length=200,
            strict=False,
        ),
    ]
    excluded_categories: Annotated[
        tuple[Slug, ...],
        said("Categories that are not, although one above them is.", "不予补贴的类别", max_length=200, strict=False),
    ] = ()
    category_parents: Annotated[
        dict[Slug, Slug], said("The tree: category → the one above it.", "类别树：类别 → 上级类别", max_length=500)
    ] = Field(default_factory=dict)
    category_names: Annotated[
        dict[Slug, Name], said("What the categories are called on pages and papers.", "类别的显示名称", max_length=500)
    ] = Field(default_factory=dict)

    category_units: Annotated[
        dict[Slug, Annotated[tuple[UnitName, ...], Field(min_length=1, max_length=50, strict=False)]],
        said(
            "In what units a category, and all below it, is billed; one that is not named here takes any unit.",
            "类别（含下级）允许的计量单位；未列出的类别不限单位",
            max_length=200,
        ),
    ] = Field(default_factory=dict)
    bill_checks: Annotated[BillChecks, said("What is checked of every bill.", "账单核验")] = BillChecks()

    base: Annotated[Base, said("From what amount the subsidy is computed.", "补贴基数")] = Base()
    floors: Annotated[
        tuple[Floor, ...], said("Below these nothing is granted.", "起补线", max_length=20, strict=False)
    ] = ()
    rate: Annotated[Rate, said("How much of the base.", "补贴比例或金额")]
    rounding: Annotated[RoundingRule, said("The exact amount is rounded once.", "取整规则")] = RoundingRule()
    caps: Annotated[tuple[Cap, ...], said("At most so much.", "各类上限", max_length=50, strict=False)] = ()
    stacking: Annotated[Stacking, said("Other subsidies for the same base.", "与其他补贴叠加")] = Stacking()
    attribution: Annotated[Attribution, said("Which year counts for caps and brackets.", "上限与分档的年度归属")] = (
        Attribution()
    )
    budget_attribution: Annotated[Attribution, said("Which year's budget pays.", "预算年度归属")] = Attribution()

    validity: Annotated[Validity, said("How long a voucher is valid.", "有效期")] = YearEnd()
    must_precede_expiry: Annotated[
        Literal["contract", "service", "invoice", "claim"],
        said("What must have happened before the voucher expires.", "须在到期前发生的事件：签约、服务、开票、申报"),
    ] = "claim"
    grace_days: Annotated[
        int,
        said(
            "Days after the end in which what happened in time may still be claimed.",
            "到期后的申报宽限天数",
            ge=0,
            le=366,
        ),
    ] = 0
    extension: Annotated[Extension, said("How far a voucher may be extended.", "延期规则")] = Extension()
    while_frozen: Annotated[
        Literal["runs", "stands"],
        said("Whether a frozen voucher's validity runs on or stands still.", "冻结期间有效期继续计算或暂停计算"),
    ] = "runs"
    reminder_days: Annotated[
        tuple[Annotated[int, Field(strict=True, ge=1, le=366)], ...],
        said(
            "How many days before its end a firm is reminded of an unused voucher.",
            "到期前提醒的天数",
            max_length=10,
            strict=False,
        ),
    ] = (30, 7, 1)
    reclaim_to: Annotated[Literal["pool", "treasury"], said("Where an unused balance goes.", "未用余额的去向")] = "pool"
    windows: Annotated[
        tuple[Window, ...], said("When one may apply or claim.", "申领与申报时段", max_length=100, strict=False)
    ] = ()
    applying: Annotated[Applying, said("How firms apply.", "申领办理")] = Applying()
    use: Annotated[Use, said("How a voucher is used up.", "使用方式限制")] = Use()

    suspension: Annotated[Suspension, said("A suspended provider's open business.", "服务机构暂停期间的在办事项")] = (
        Suspension()
    )

    fund_sources: Annotated[
        tuple[FundShare, ...], said("Who pays which share.", "资金来源与分担", min_length=1, max_length=8, strict=False)
    ] = (FundShare(source="local", share=1),)
    budget: Annotated[Budget, said("When money is promised.", "预算占用")] = Budget()
    notice_before_issue_days: Annotated[
        int | None,
        said(
            "Working days for which a grant is shown to the public before it is issued; left out: none are needed.",
            "发放前须公示的工作日数，不填则不要求公示",
            ge=1,
            le=60,
        ),
    ] = None
    allocation: Annotated[Allocation, said("Who gets what when there is not enough.", "额度分配")] = Allocation()
    evidence: Annotated[
        tuple[Evidence, ...], said("Documents to bring.", "材料清单", max_length=100, strict=False)
    ] = ()
    adjustment: Annotated[Adjustment, said("What follows a refund.", "退款与红冲处理")] = Adjustment()
    exceptions: Annotated[
        tuple[ExceptionRule, ...],
        said("Caps that special approval may lift.", "可例外审批的上限", max_length=50, strict=False),
    ] = ()

    @model_validator(mode="before")
    @classmethod
    def _lift(cls, document: Any) -> Any:
        return lifted(document) if isinstance(document, dict) else document

    def canonical(self) -> bytes:
        """The document as the bytes that are hashed and stored."""
        return canonical(self.model_dump(mode="json"))

    def valid_until(self, issued_at: datetime) -> datetime:
        """The exclusive instant at which a voucher issued at `issued_at` ends by rule."""
        issued_on = civil_date(issued_at)
        match self.validity:
            case YearEnd():
                return end_of_day(date(fiscal_year(issued_at), 12, 31))
            case FixedDate(until=until):
                return end_of_day(until)
            case Days(days=days):
                return end_of_day(issued_on + timedelta(days=days))
            case Months(months=months):
                return end_of_day(add_months(issued_on, months))

    def redeemable_until(self, valid_until: datetime) -> datetime:
        """The end of the grace, an exclusive instant."""
        return valid_until + timedelta(days=self.grace_days)

    @cached_property
    def kept(self) -> tuple[Kept, ...]:
        """The series of counters that these rules read; none for rules that look at each claim alone."""
        return kept_counters(self.caps, self.rate)

    @cached_property
    def rolling_months(self) -> int:
        """How far back the longest rolling window reaches; 0 where there is none."""
        windows = (cap.per for cap in self.caps if isinstance(cap, HolderCap | CountCap))
        return max((per.months for per in windows if isinstance(per, Rolling)), default=0)

    @cached_property
    def claim_requirements(self) -> tuple[Requirement, ...]:
        """The conditions that look at no line: of holder, provider and claim."""
        return tuple(one for one in self.requirements if not _looks_at_lines(one))

    @cached_property
    def line_requirements(self) -> tuple[Requirement, ...]:
        """The conditions that are judged line by line."""
        return tuple(one for one in self.requirements if _looks_at_lines(one))

    @cached_property
    def looks_at(self) -> frozenset[str]:
        """The names of all facts that may change what is granted; no other fact is ever stored."""
        return facts_needed(self)

    @cached_property
    def names(self) -> frozenset[str]:
        """The facts that conditions, rates, caps and floors name."""
        return frozenset(name for _, name, _ in facts_in(self))

    @cached_property
    def fact_types(self) -> dict[str, FactType]:
        """The type of every fact that may be stated under these rules: those of every programme, and their own."""
        return {name: known.type for name, known in KNOWN.items()} | {fact.name: fact.type for fact in self.facts}

    def lineage(self, category: str) -> list[str]:
        """The category and those above it, nearest first."""
        found = [category]
        while (above := self.category_parents.get(found[-1])) is not None and above not in found:
            found.append(above)
        return found

    def units_of(self, category: str) -> tuple[str, ...] | None:
        """The units a category is billed in: those of the nearest one in the tree that names any; None is any unit."""
        return next((self.category_units[one] for one in self.lineage(category) if one in self.category_units), None)

    def covers(self, category: str) -> bool:
        """Whether a category is covered: the nearest one in the tree that is named decides."""
        known = self._coverage.get(category)
        return known if known is not None else self._decides(category)

    @cached_property
    def _coverage(self) -> dict[str, bool]:
        """The answer for every category that the document names."""
        named = {*self.categories, *self.excluded_categories, *self.category_parents, *self.category_parents.values()}
        return {category: self._decides(category) for category in sorted(named)}

    def _decides(self, category: str) -> bool:
        for named in self.lineage(category):
            if named in self.excluded_categories:
                return False
            if named in self.categories:
                return True
        return False


def _looks_at_lines(requirement: Requirement) -> bool:
    return any(fact.startswith("line.") for _, fact, _ in facts_in(requirement.when))


def lifted(document: Mapping[str, Any]) -> dict[str, Any]:
    """A document of the first format in the words of this one; any other as it is.

    The first format knew one rate, one cap and one minimum, both of a bill. Published documents of it stay as they were
    hashed, and clients that still write it are understood. What mixes both formats is refused as it stands.
    """
    old = dict(document)
    if isinstance(rate := old.get("rate"), dict) and "rate" in rate and "kind" not in rate:
        old["rate"] = {"kind": "flat", **rate}
    is_first = old.get("v") == 1 or ("v" not in old and bool(_OF_THE_FIRST & old.keys()))
    if not is_first or {"caps", "floors"} & old.keys():
        return old
    old.pop("v", None)
    cap, minimum_fen = old.pop("cap", None), old.pop("minimum_bill_fen", 0)
    if isinstance(cap, dict):
        renamed = {"scope": "claim" if cap.get("kind", "bill") == "bill" else cap["kind"], "name": "bill"}
        old["caps"] = [renamed | {name: value for name, value in cap.items() if name != "kind"}]
    elif cap is not None:
        old["caps"] = [cap]
    if minimum_fen != 0 or type(minimum_fen) is not int:
        old["floors"] = [{"of": "base", "at_least_fen": minimum_fen}]
    return old


_OF_THE_FIRST = frozenset({"cap", "minimum_bill_fen"})
