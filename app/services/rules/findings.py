"""What the checks of a rule document can say: one sentence per finding, in English and Chinese.

Amounts in the sentences are 元, or the unit of vouchers in kind. Errors are refused; warnings are told and may stand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from app.kernel.money import format_yuan
from app.kernel.places import joined

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """A contradiction (error) or something to think about (warning) at one place of a rule document."""

    pointer: str
    code: str
    severity: Severity
    en: str
    zh: str


@dataclass(frozen=True, slots=True)
class Amount:
    """Fen, or hundredths of a unit in kind, as a sentence shows them: `{limit:en}`, `{limit:zh}`."""

    fen: int
    unit: str | None = None

    def __format__(self, language: str) -> str:
        money = "yuan" if language == "en" else "元"
        return f"{format_yuan(self.fen)} {self.unit or money}"


def finding(code: str, place: Sequence[str | int], **values: Any) -> Finding:
    """The finding of that code at a place, its sentences filled."""
    severity, en, zh = SENTENCES[code]
    return Finding(joined(place), code, severity, en.format_map(values), zh.format_map(values))


SENTENCES: Mapping[str, tuple[Severity, str, str]] = {
    # -- names
    "named_twice": (
        "error",
        "“{name}” is named twice. Take one of them out, or give it another name.",
        "“{name}”重复出现。请删除其一或改名。",
    ),
    "begins_anew": (
        "warning",
        (
            "Nothing was counted for this so far ({name}): claims made before this version is published do not count"
            " under it."
        ),
        "此前未就此计数（{name}）：本版本发布之前的申报不计入。",
    ),
    "value_unknown": (
        "warning",
        "The registry writes {fact} as one of {values}; “{name}” is never met.",
        "登记信息中 {fact} 的取值为 {values}；“{name}”永远不会满足。",
    ),
    "category_in_both": (
        "error",
        "“{name}” is both covered and excluded. Decide for one list.",
        "“{name}”同时列为补贴类别和不予补贴类别，请只保留其一。",
    ),
    "category_unknown": (
        "error",
        (
            "No list of these rules knows the category “{name}”. Add it to categories or to category_parents, or"
            " correct its spelling."
        ),
        "本规则未定义类别“{name}”。请将其列入 categories 或 category_parents，或更正拼写。",
    ),
    "unit_not_published": (
        "warning",
        "The unit “{name}” is not in the published list of units. Correct its spelling, or tell providers what it is.",
        "计量单位“{name}”不在公布的单位表中。请更正拼写，或向供给方说明其含义。",
    ),
    "unit_never_billed": (
        "warning",
        "category_units knows no “{name}” for these categories, so this ceiling never holds for a line.",
        "category_units 未允许这些类别使用“{name}”，因此该上限不会对任何行生效。",
    ),
    "category_cycle": (
        "error",
        "The category “{name}” stands above itself: {cycle}. Take one of these links out.",
        "类别“{name}”构成循环：{cycle}。请去掉其中一个上级关系。",
    ),
    "fact_unknown": (
        "error",
        "Nobody declares the fact “{name}”. Declare it in facts, or correct its spelling.",
        "未定义事实“{name}”。请在 facts 中声明，或更正拼写。",
    ),
    "fact_wrong_type": (
        "error",
        "The fact “{name}” is of type {actual}, and {expected} is needed here.",
        "事实“{name}”的类型为 {actual}，此处需要 {expected}。",
    ),
    "fact_known_otherwise": (
        "error",
        "Every programme knows “{name}” as {expected}; it cannot be declared as {actual}. Take another name.",
        "“{name}”是通用事实，类型为 {expected}，不能声明为 {actual}。请改用其他名称。",
    ),
    "fact_of_a_line": (
        "error",
        (
            "“{name}” is a fact of a single line, but here the claim is judged as a whole. Use line_cases or by, or a"
            " fact of the claim."
        ),
        "“{name}”是逐行事实，而此处按整笔申报判断。请改用 line_cases、by，或使用申报层面的事实。",
    ),
    "exception_unknown_cap": (
        "error",
        "There is no cap named “{name}” that special approval could lift.",
        "没有名为“{name}”的上限可供例外审批。",
    ),
    "exception_without_hard_limit": (
        "error",
        "The cap “{name}” has no hard_limit_fen, so no exception is possible. Set one, or take the exception out.",
        "上限“{name}”未设硬上限（hard_limit_fen），无法例外突破。请设置硬上限或删除该例外。",
    ),
    # -- amounts
    "rate_never_grants": (
        "error",
        "A rate of 0 never grants anything. Give a rate above 0.",
        "比例为 0，永远不会产生补贴。请填写大于 0 的比例。",
    ),
    "ceiling_never_grants": (
        "error",
        "A ceiling of 0 for all public money leaves nothing to grant.",
        "各级财政合计比例为 0，无法给予任何补贴。",
    ),
    "cap_below_floor": (
        "error",
        "The cap “{name}” of {limit:en} lies below the least subsidy of {floor:en}, so nothing is ever granted.",
        "上限“{name}”为 {limit:zh}，低于补贴起补额 {floor:zh}，永远不会产生补贴。",
    ),
    "amount_below_floor": (
        "error",
        "The amount of {limit:en} for “{name}” lies below the least subsidy of {floor:en}, so it is never paid.",
        "“{name}”的定额 {limit:zh} 低于补贴起补额 {floor:zh}，永远不会支付。",
    ),
    "cap_below_rounding": (
        "error",
        "The cap “{name}” of {limit:en} is below the rounding unit of {unit:en}. Raise it, or round more finely.",
        "上限“{name}”为 {limit:zh}，低于取整单位 {unit:zh}。请提高上限或采用更细的取整单位。",
    ),
    "rounding_above_floor": (
        "warning",
        (
            "Amounts are rounded to {unit:en}, which is more than the least amount of {floor:en}: just above it a claim"
            " may be rounded to nothing."
        ),
        "金额按 {unit:zh} 取整，大于起补额 {floor:zh}：略高于起补额的申报可能取整为零。",
    ),
    "layers_above_ceiling": (
        "warning",
        (
            "The other levels pay up to {others} and this programme up to {own}, together {total}; the ceiling is"
            " {ceiling}. What is above it is cut from this programme's part."
        ),
        "其他层级最高 {others}，本项目最高 {own}，合计 {total}，超过合计上限 {ceiling}，超出部分将从本项目补贴中扣减。",
    ),
    "cliff": (
        "warning",
        (
            "More spending earns less here: a cumulative base of {at:en} earns {earned:en} in all, {more:en} earns only"
            " {earned_more:en}. If the text does not demand it, take the method marginal."
        ),
        (
            "支出增加反而补贴减少：累计基数 {at:zh} 时补贴共 {earned:zh}，{more:zh} 时仅 {earned_more:zh}。"
            "若政策文本未作此要求，建议采用 marginal（分段计算）。"
        ),
    ),
    "cliff_for_the_claim": (
        "warning",
        (
            "One claim for {at:en} earns {earned:en}, one for {more:en} only {earned_more:en}: the claim that crosses"
            " the limit is paid at the lower rate as a whole. If the text does not demand it, take the method marginal."
        ),
        (
            "单笔申报 {at:zh} 补贴 {earned:zh}，{more:zh} 仅补贴 {earned_more:zh}：跨档申报整笔按较低比例计算。"
            "若政策文本未作此要求，建议采用 marginal（分段计算）。"
        ),
    ),
    "attainment_falls": (
        "warning",
        "From an attainment of {degree} on the share falls from {before} to {after}: who reaches more is paid less.",
        "完成率达到 {degree} 后，兑付比例由 {before} 降为 {after}：完成得越多反而补贴越少。",
    ),
    "line_fact_of_official": (
        "warning",
        (
            "Nobody can state “{name}”: officials state facts of holders and grants, not of lines. Let the claimant"
            " state it (stated_by)."
        ),
        "无人可以填报“{name}”：主管部门填报企业与券的事实，不填报账单各行。请改由申报方填报（stated_by）。",
    ),
    "never_holds": (
        "error",
        "Nothing is {low} and {high} at once, so this never holds. Turn the bounds round, or take one out.",
        "没有数值同时满足 {low} 与 {high}，该条件永远不会满足。请调换上下限，或去掉其一。",
    ),
    "region_unknown": (
        "warning",
        "“{name}” is no region of GB/T 2260 in use today. Unless it is a code of before, correct it.",
        "“{name}”不是现行行政区划代码（GB/T 2260）。如非旧代码，请更正。",
    ),
    "share_as_percent": (
        "warning",
        'Here 1 is all of it, so “{value}” is many times all. Half is "0.5", not "50".',
        "此处 1 表示全部，“{value}”为其若干倍。50% 应写作 “0.5”，而非 “50”。",
    ),
    "case_never_reached": (
        "warning",
        "Whatever fits case {number} fits an earlier one, and the first counts. Put it before, or take it out.",
        "符合第 {number} 种情形的均已符合在先情形，以首个符合者为准。请提前该情形，或将其删除。",
    ),
    "category_without_rate": (
        "warning",
        "The category “{name}” is covered but has no rate, so it earns nothing. Give it one, or set otherwise.",
        "类别“{name}”在补贴范围内但未设比例，将得不到补贴。请设置比例或填写 otherwise。",
    ),
    "quotas_not_whole": (
        "error",
        "The quotas add up to {total}, not to 1.",
        "各等级占比合计为 {total}，应为 1。",
    ),
    # -- the scheme
    "unit_without_exchange": (
        "error",
        "Vouchers in kind need a table that says what each resource costs in {unit}. Fill in exchange.",
        "非货币券须有折算表，说明每类资源折合多少 {unit}。请填写 exchange。",
    ),
    "mode_and_unit": (
        "error",
        "The mode in_kind and a unit in kind belong together: the mode is {mode}, the unit is {unit}.",
        "in_kind 方式与非货币单位须同时使用：当前方式为 {mode}，单位为 {unit}。",
    ),
    "priority_without_choice": (
        "error",
        "side_priority only means something where either side may claim (side: either_exclusive); the side is {side}.",
        "仅当 side 为 either_exclusive 时才可设置 side_priority，当前为 {side}。",
    ),
    "ends_before_window": (
        "error",
        "Vouchers are valid until {until}, but the window opens at {opens} only.",
        "券有效期至 {until}，而申报时段 {opens} 才开始。",
    ),
    "ends_before_opening": (
        "error",
        "Vouchers are valid until {until}, but the programme opens on {opens} only.",
        "券有效期至 {until}，而项目 {opens} 才开始。",
    ),
    "window_before_opening": (
        "error",
        "The window closes at {closes}, before the programme opens on {opens}.",
        "该时段于 {closes} 结束，早于项目开始日 {opens}。",
    ),
    "window_after_closing": (
        "warning",
        "The window opens at {opens}, when the programme has closed already ({closes}).",
        "该时段于 {opens} 开始，项目已于 {closes} 结束。",
    ),
    "trial_over": (
        "error",
        "The trial ends on {until}, before the programme opens on {opens}.",
        "试行于 {until} 截止，早于项目开始日 {opens}。",
    ),
    "event_not_known": (
        "warning",
        (
            "The bill is deducted at the provider, before there is a day of {event}. A claim without that day earns"
            " nothing, unless the provider can state it."
        ),
        "账单在供给方处直接抵扣，此时通常尚无{event_zh}日期。缺少该日期将不予补贴，除非供给方能够填报。",
    ),
    "amount_not_known": (
        "warning",
        "The bill is deducted at the provider, before the amount “{name}” is known; without it nothing is granted.",
        "账单在供给方处直接抵扣，此时尚无“{name}”金额；缺少该金额将不予补贴。",
    ),
    "local_providers": (
        "warning",
        (
            "This favours providers by where they are registered. The fair-competition rules want a legal basis: name"
            " the review in basis.fair_competition_review."
        ),
        "此处按注册地限定供给方。依公平竞争审查要求须有依据，请在 basis.fair_competition_review 填写审查文号。",
    ),
    "not_redeemed_by_provider": (
        "warning",
        "The {claimant} claims here: redemption by the provider will be refused; only quotes and simulations.",
        "由 {claimant} 申报：供给方核销将被拒绝，目前仅支持试算与模拟。",
    ),
    "invoice_in_kind": (
        "error",
        "An invoice is in money, these vouchers count {unit}: leave it out.",
        "发票以金额计，本规则的券以 {unit} 计，不能要求填写发票或合同金额。",
    ),
    "redeemed_as_deduction": (
        "warning",
        (
            "The mode {mode} has no procedure in this service yet: where the provider claims, its bills are redeemed as"
            " deductions. If the firm claims afterwards, set claimant to firm."
        ),
        "本服务尚无 {mode} 办理流程：由供给方申报时，账单按直接抵扣核销。如由企业申报，请将 claimant 设为 firm。",
    ),
    "not_carried_out": (
        "warning",
        (
            "{field}: {value} is written down and published, but this service does not carry it out yet; only quotes"
            " and simulations look at these rules as they are written."
        ),
        "{field} 取值 {value} 可记录和发布，但本服务尚不能执行；仅试算与模拟按规则计算。",
    ),
}
