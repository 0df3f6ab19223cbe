"""The scheme around the amount: legal basis, unit, base, validity, windows, budget, evidence, what a change brings."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from app.kernel.clock import SHANGHAI
from app.kernel.rates import Rounding
from app.services.rules.parts import (
    Day,
    FactName,
    Fen,
    NumberText,
    Part,
    PositiveFen,
    RateText,
    Sentence,
    Slug,
    said,
    table_of,
)
from app.services.rules.predicates import Predicate, Word

Checkpoint = Literal["apply", "issue", "redeem", "pay"]
Event = Literal["usage", "contract", "invoice", "payment", "claim"]


class LegalBasis(Part):
    """Where the rules come from. D1."""

    documents: Annotated[
        tuple[Sentence, ...],
        said("The policy texts by number, the newest first.", "政策文号", max_length=20, strict=False),
    ] = ()
    issuer: Annotated[Sentence | None, said("Who issued them.", "发文机关")] = None
    administered_by: Annotated[Sentence | None, said("The administering bureau.", "业务主管部门")] = None
    finance_bureau: Annotated[Sentence | None, said("The finance bureau.", "财政部门")] = None
    trial_until_on: Annotated[Day | None, said("Last day of a trial.", "试行截止日")] = None
    fair_competition_review: Annotated[
        Sentence | None,
        said("Reference of the fair-competition review; named where local providers are favoured.", "公平竞争审查文号"),
    ] = None
    assumptions: Annotated[
        tuple[Sentence, ...],
        said(
            "What was chosen where the text is silent or ambiguous.",
            "政策文本未明确之处所作的选择",
            max_length=50,
            strict=False,
        ),
    ] = ()


class DeclaredFact(Part):
    """A fact of these rules' own, beside those that every programme knows."""

    name: Annotated[FactName, said("Whose fact, and its name.", "所属与名称")]
    type: Annotated[Literal["words", "number", "date", "yes_no"], said("What its value is.", "取值类型")]
    stated_by: Annotated[
        Literal["official", "claimant"],
        said("Who states it; what claimants may state counts as claimed, not as checked.", "由谁填报"),
    ] = "official"
    en: Annotated[Sentence | None, said("What it means, in English.", "英文说明")] = None
    zh: Annotated[Sentence | None, said("What it means, in Chinese.", "中文说明")] = None


class Name(Part):
    """What something is called, in one language at least."""

    zh: Annotated[Sentence | None, said("In Chinese.", "中文名称")] = None
    en: Annotated[Sentence | None, said("In English.", "英文名称")] = None


class Requirement(Part):
    """A condition of holder, provider or claim, or of each line where it looks at a line's fact. D6, D7."""

    name: Annotated[Slug, said("Its name; the trace quotes it.", "名称，计算过程引用")]
    when: Annotated[Predicate, said("What must hold.", "须满足的条件")]
    checkpoints: Annotated[
        tuple[Checkpoint, ...],
        said(
            "When it is judged: at application, issue, redemption, payment.",
            "审核环节：申领、发放、核销、拨付",
            min_length=1,
            strict=False,
        ),
    ] = ("apply", "issue", "redeem", "pay")
    en: Annotated[Sentence | None, said("The condition as a sentence, in English.", "英文表述")] = None
    zh: Annotated[Sentence | None, said("The condition as a sentence, in Chinese.", "中文表述")] = None


class RelatedParties(Part):
    """What happens where firm and provider are related. D25."""

    action: Annotated[
        Literal["block", "flag"], said("Nothing is granted, or it is only noted.", "不予补贴，或仅提示")
    ] = "block"
    shareholding_at_least: Annotated[
        RateText | None, said("Related from this share on, in either direction.", "持股比例达到此值视为关联")
    ] = "0.25"
    same_controller: Annotated[bool, said("Related by a common controller.", "同一实际控制人")] = True
    same_legal_representative: Annotated[bool, said("Related by a common legal representative.", "同一法定代表人")] = (
        True
    )
    shared_contact: Annotated[bool, said("Related by shared contacts.", "共用联系方式")] = False
    same_group: Annotated[bool, said("Related by belonging to one group.", "同属一个集团")] = False


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


class Suspension(Part):
    """What becomes of a provider's open business while it is suspended, or once it is delisted. D20, D25."""

    open_holds: Annotated[
        Literal["finish", "stand"],
        said("Whether what it holds may still be billed.", "已有预占可否继续核销：继续或暂停"),
    ] = "finish"
    payments: Annotated[
        Literal["go_on", "stand"],
        said("Whether what it is owed is still paid.", "应付款项是否继续支付：继续或暂停"),
    ] = "go_on"


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


class FundShare(Part):
    """A fund source and its share of every voucher. The first in the list takes a spare fen. D13."""

    source: Annotated[Slug, said("Its name.", "资金来源")]
    share: Annotated[int, said("Its share, as a number in proportion to the others'.", "份额", ge=1, le=1_000_000)]


class Budget(Part):
    """When money is promised. D13."""

    commit_at: Annotated[
        Literal["issue", "hold", "claim_accept", "claim_approve"],
        said("The moment at which the budget is committed.", "预算占用时点"),
    ] = "issue"
    paid_by: Annotated[
        Literal["programme", "home_region"],
        said("The programme's own pools, or the firm's home region.", "由本项目或企业所在地承担"),
    ] = "programme"


class TierQuota(Part):
    """A tier's share of the places or of the money."""

    tier: Annotated[Word, said("The tier.", "等级")]
    share: Annotated[RateText, said("Its share.", "占比")]


class Allocation(Part):
    """Who gets what when there is not enough. D14."""

    method: Annotated[
        Literal["first_come", "ranked", "pro_rata", "lottery", "quota_tiers", "entitlement"],
        said("How the money is given out.", "分配方式：先到先得、排序、按比例、抽签、分级名额、按项目核定"),
    ] = "first_come"
    on_exhaustion: Annotated[
        Literal["partial", "stop", "skip", "waitlist"],
        said(
            "partial: the next gets what is left; stop: nobody after the first that does not fit; skip: the next that"
            " fits; waitlist: stop, and the rest queue in their order.",
            "额度不足时：部分满足、停止、跳过、候补",
        ),
    ] = "partial"
    quotas: Annotated[
        tuple[TierQuota, ...],
        said("For quota_tiers: the share of each tier.", "分级名额占比", max_length=50, strict=False),
    ] = ()
    places: Annotated[
        int | None,
        said(
            "For quota_tiers: how many places there are. The quotas are shares of these then, else of the money.",
            "分级名额总数；填写后各级占比按名额计，否则按资金计",
            ge=1,
            le=1_000_000,
        ),
    ] = None
    entitlements_fen: Annotated[
        dict[Word, PositiveFen],
        said(
            "For entitlement: what a project of each level may get in all, in fen. Without it what is asked counts.",
            "按项目核定：各级别项目的累计最高金额（分）；不填则按申请金额",
            max_length=50,
        ),
        *table_of("limit_fen"),
    ] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _quotas_where_needed(self) -> Allocation:
        if (self.method == "quota_tiers") != bool(self.quotas):
            raise ValueError("quotas belong to quota_tiers, and it needs them / quotas 仅用于且必须用于 quota_tiers")
        if self.places is not None and self.method != "quota_tiers":
            raise ValueError("places belong to quota_tiers / places 仅用于 quota_tiers")
        if self.entitlements_fen and self.method != "entitlement":
            raise ValueError("entitlements_fen belong to entitlement / entitlements_fen 仅用于 entitlement")
        return self


class Evidence(Part):
    """A document that belongs to a step. D19."""

    document: Annotated[Slug, said("Its kind, such as contract, invoice, payment_proof, usage_record.", "材料种类")]
    checkpoints: Annotated[tuple[Checkpoint, ...], said("When it is due.", "提交环节", min_length=1, strict=False)] = (
        "redeem",
    )
    mandatory: Annotated[bool, said("Whether nothing goes on without it.", "是否必需")] = True
    verified_by: Annotated[
        Literal["manual", "tax_check", "metering", "third_party"], said("How it is checked.", "核验方式")
    ] = "manual"
    en: Annotated[Sentence | None, said("What it must show, in English.", "英文说明")] = None
    zh: Annotated[Sentence | None, said("What it must show, in Chinese.", "中文说明")] = None


class Applying(Part):
    """How firms apply, and how long officials and firms have. D15, D20."""

    at_once: Annotated[
        int, said("Applications of one firm that may be under way together.", "单个企业同时在办的申领数", ge=1, le=1000)
    ] = 1
    in_all: Annotated[
        int | None,
        said(
            "Applications of one firm, those granted counted too; left out: any number.",
            "单个企业在办与已通过的申领总数，不填则不限",
            ge=1,
            le=1000,
        ),
    ] = None
    minimum_fen: Annotated[PositiveFen | None, said("The least one may apply for, in fen.", "最低申领金额（分）")] = (
        None
    )
    maximum_fen: Annotated[PositiveFen | None, said("The most one may apply for, in fen.", "最高申领金额（分）")] = None
    firm_names_validity: Annotated[
        bool, said("Whether the firm may ask for a last day of its own.", "企业可否自行申请有效期截止日")
    ] = False
    first_review: Annotated[
        Literal["none", "county"],
        said("Whether the firm's county reviews before the city does.", "是否先由企业所在区县初审"),
    ] = "none"
    accept_working_days: Annotated[
        int,
        said("Working days within which an application is accepted or returned.", "受理时限（工作日）", ge=1, le=90),
    ] = 5
    decide_working_days: Annotated[
        int, said("Working days from acceptance to the decision.", "审核时限（工作日）", ge=1, le=180)
    ] = 20
    correct_working_days: Annotated[
        int, said("Working days for a correction, unless the official sets others.", "补正时限（工作日）", ge=1, le=90)
    ] = 10

    @model_validator(mode="after")
    def _in_order(self) -> Applying:
        if self.minimum_fen is not None and self.maximum_fen is not None and self.minimum_fen > self.maximum_fen:
            raise ValueError("minimum_fen lies above maximum_fen / 最低申领金额高于最高申领金额")
        if self.in_all is not None and self.in_all < self.at_once:
            raise ValueError("in_all lies below at_once / 申领总数少于同时在办数")
        return self


class Adjustment(Part):
    """What follows a refund or a red-letter invoice: the whole position is recomputed. D24."""

    restores_cap: Annotated[
        bool, said("Whether what is given back may be claimed again under the caps.", "退回后是否恢复申报额度")
    ] = True
    restores_budget: Annotated[
        Literal["same_year", "never"],
        said("Whether money returned in the same year goes back to the pool.", "当年退回是否恢复预算"),
    ] = "same_year"
    penalty: Annotated[RateText, said("Fine as a share of what was obtained wrongly.", "罚款比例")] = "0"
    debarred_months: Annotated[int, said("Months without new vouchers.", "取消资格月数", ge=0, le=240)] = 0


class ExceptionRule(Part):
    """A cap that may be exceeded with special approval. D28."""

    cap: Annotated[Slug, said("The cap's name; its hard_limit_fen is the end.", "可突破的上限名称")]
    needs: Annotated[
        tuple[Literal["reason", "document", "second_approver"], ...],
        said("What an exception needs.", "例外审批要件", min_length=1, strict=False),
    ] = ("reason", "document", "second_approver")


def add_months(on: date, months: int) -> date:
    """The same day so many months on, or the month's last day where that day does not exist."""
    year, month = divmod(on.year * 12 + on.month - 1 + months, 12)
    return date(year, month + 1, min(on.day, monthrange(year, month + 1)[1]))
