"""Every kind of step is told in plain words, and the small sum adds up: traces as assess() writes them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from app.api.portal.explanation import Explanation, explain_assessment
from app.api.portal.telling import exact, percent
from app.api.portal.texts import Words
from app.services.rules.assess import Assessment, assess
from app.services.rules.facts import Facts, Line
from app.services.rules.model import Rules
from app.services.rules.position import Bucket, Counter, Position

ZH, EN = Words("zh"), Words("en")
AT = datetime(2026, 6, 1, 2, tzinfo=UTC)
YUAN = 100
WAN = 10_000 * YUAN


def rules(**changes: Any) -> Rules:
    return Rules.model_validate(
        {"categories": ["training", "model_service"], "rate": {"kind": "flat", "rate": "0.30"}} | changes
    )


def facts(*lines: Line | tuple[str, int], **changes: Any) -> Facts:
    given_lines = [one if isinstance(one, Line) else Line(*one) for one in lines]
    return Facts(lines=given_lines, at=AT, **changes)


def told(rule: Rules, given_facts: Facts, words: Words = ZH, position: Position | None = None) -> Explanation:
    """The explanation of what the rules grant."""
    return explained(assess(rule, given_facts, position or Position()), rule, given_facts, words)


def explained(assessment: Assessment, rule: Rules, given_facts: Facts, words: Words) -> Explanation:
    return explain_assessment(
        ({"step": "rule_version", "id": "rul_1", "number": 3}, *assessment.steps),
        assessment.reductions,
        words,
        rules=rule,
        amount_fen=assessment.amount_fen,
        bill_fen=sum(line.amount_fen for line in given_facts.lines),
    )


def figures(explanation: Explanation) -> list[tuple[str, int]]:
    return [(row.label, row.amount_fen) for row in explanation.rows]


BRACKET = {
    "kind": "bracket",
    "bands": [
        {"up_to_fen": 50 * WAN, "rate": {"kind": "flat", "rate": "0.50"}},
        {"rate": {"kind": "flat", "rate": "0.30"}},
    ],
}
BEFORE = Position([(Bucket("firm", "2026"), Counter(30 * WAN, 15 * WAN, 15 * WAN, 1))])


@pytest.mark.parametrize(
    ("method", "rows", "sentence"),
    [
        (
            "marginal",
            [("按比例计算", 10 * WAN), ("按比例计算", 15_000 * YUAN), ("可补贴", 115_000 * YUAN)],
            "按规则第 3 版分别计算：200,000.00 × 50% = 100,000.00；50,000.00 × 30% = 15,000.00 元。",
        ),
        (
            "cliff_recalc",
            [("按比例计算", 165_000 * YUAN), ("扣除此前已计", -15 * WAN), ("可补贴", 15_000 * YUAN)],
            "扣除此前已计的 150,000.00 元，本次为 15,000.00 元。",
        ),
        (
            "cliff_prospective",
            [("按比例计算", 75_000 * YUAN), ("可补贴", 75_000 * YUAN)],
            "加上本次达到“最高一档”这一档，本次全部按该档比例计算。",
        ),
    ],
)
def test_the_three_methods_of_a_bracket_are_told(method: str, rows: list[tuple[str, int]], sentence: str) -> None:
    shown = told(rules(rate=BRACKET | {"method": method}), facts(("training", 25 * WAN)), position=BEFORE)
    assert figures(shown)[2:-1] == rows
    assert any(sentence in one for one in shown.sentences), shown.sentences


def test_each_rate_of_a_mixed_bill_has_its_row() -> None:
    by_facility = {"kind": "by", "fact": "line.facility_class", "rates": {"domestic": "0.30", "other": "0.20"}}
    shown = told(
        rules(rate=by_facility),
        facts(
            Line("training", 60 * WAN, facility_class="domestic"),
            Line("training", 40 * WAN, facility_class="other"),
            Line("storage", 5 * WAN),
        ),
    )
    assert figures(shown) == [
        ("账单金额", 105 * WAN),
        ("不在补贴范围", -5 * WAN),
        ("补贴基数", 100 * WAN),
        ("按比例计算", 18 * WAN),
        ("按比例计算", 8 * WAN),
        ("可补贴", 26 * WAN),
        ("企业自付", 79 * WAN),
    ]
    assert shown.advice == ("把不在补贴范围的服务另行结算；同一份合同中的其他服务不受影响。",)


def test_the_base_is_told_from_the_least_amount_vat_and_other_grants() -> None:
    rule = rules(base={"least_of": ["billed", "paid"], "vat": "excluded", "less_other_grants": True})
    line = Line("training", 1_060_000, tax_rate="0.06", amounts_fen={"paid": 530_000}, other_grants_fen=100_000)
    shown = told(rule, facts(line))
    assert figures(shown)[:5] == [
        ("账单金额", 1_060_000),
        ("取最小金额", -530_000),
        ("扣除增值税", -30_000),
        ("已获其他补助", -100_000),
        ("补贴基数", 400_000),
    ]
    assert "补贴基数取下列金额中最小的一项：账单金额 10,600.00、已付金额 5,300.00；最小为已付金额。" in shown.sentences
    assert "补贴基数为 4,000.00 元（不含增值税）。" in shown.sentences


def test_a_cap_of_the_firm_says_what_was_asked_what_was_left_and_what_one_can_do() -> None:
    cap = {"scope": "firm", "name": "firm_year", "limit_fen": 200 * WAN}
    used = Position([(Bucket("firm", "2026"), Counter(950 * WAN, 190 * WAN, 190 * WAN, 3))])
    rule = rules(rate={"kind": "flat", "rate": "0.20"}, caps=[cap])
    shown = told(rule, facts(("training", 100 * WAN)), EN, used)
    assert shown.cuts == ("Cap of the firm",)
    assert (
        "This bill earns 200,000.00 yuan; under the firm's cap (2026) of 2,000,000.00 yuan, 100,000.00 yuan were left, "
        "so 100,000.00 yuan were cut." in shown.sentences
    )
    assert shown.advice == ("What lies above the cap is not carried over; a yearly cap starts anew with the year.",)
    assert figures(shown)[-2:] == [("Subsidy", 10 * WAN), ("You pay", 90 * WAN)]


def test_the_layers_of_public_money_are_told_with_their_ceiling() -> None:
    layers = [{"name": "national", "rate": {"kind": "flat", "rate": "0.30"}}, {"name": "district", "before": False}]
    rule = rules(rate={"kind": "flat", "rate": "0.50"}, stacking={"layers": layers, "ceiling": "0.60"})
    shown = told(rule, facts(("training", 100 * WAN), layers_fen={"district": 1 * WAN}))
    assert "同一基数的其他财政补贴：国家预计 300,000.00、区县已批 10,000.00。" in shown.sentences
    assert (
        "各级财政补贴合计不超过基数的 60%，即 600,000.00 元；其他层级占 300,000.00 元，本项目只剩 300,000.00 元，"
        "因此少补 200,000.00 元。" in shown.sentences
    )


def test_a_fixed_amount_a_target_and_an_approved_rate_are_told() -> None:
    fixed = rules(rate={"kind": "fixed", "fact": "claim.tier", "amounts_fen": {"1": 10 * WAN}})
    shown = told(fixed, facts(("training", 50 * WAN), claim={"tier": "1"}))
    assert "按规则第 3 版，等级“1”定额补贴 100,000.00 元。" in shown.sentences
    steps = [{"at_least": "0.50", "share": "attained"}]
    target = rules(rate={"kind": "attainment", "steps": steps, "of": {"kind": "flat", "rate": "0.30"}})
    shown = told(target, facts(("training", 100 * WAN), claim={"attainment": "0.8"}))
    assert ("按完成率兑付", -6 * WAN) in figures(shown)
    shown = told(target, facts(("training", 100 * WAN), claim={"attainment": "0.4"}))
    assert "目标完成率为 40%，未达到最低档 50%，不予补贴。" in shown.sentences
    up_to = rules(rate={"kind": "up_to", "maximum": {"kind": "flat", "rate": "0.50"}})
    shown = told(up_to, facts(("training", 100 * WAN), claim={"approved_rate": "0.40"}))
    assert "经办人员核定的比例为 40%。" in shown.sentences
    shown = told(up_to, facts(("training", 100 * WAN), claim={"approved_rate": "0.51"}))
    assert "核定比例 51% 高于规则的最高比例 50%，不予补贴。" in shown.sentences


def test_what_was_granted_before_is_set_off() -> None:
    shown = told(rules(), facts(("training", 100 * WAN), granted_before_fen=195_000 * YUAN))
    assert "该笔采购应补合计 300,000.00 元，此前已补 195,000.00 元，本次应补 105,000.00 元。" in shown.sentences
    assert figures(shown)[-3:-1] == [("此前已补", -195_000 * YUAN), ("可补贴", 105_000 * YUAN)]


def test_a_refusal_quotes_the_condition_and_the_whole_bill_stays_with_the_firm() -> None:
    signed = {
        "name": "signed_in_time",
        "when": {"kind": "date", "fact": "claim.contract_signed_on", "from_on": "2023-09-01"},
        "zh": "合同于2023年9月1日及以后签订",
    }
    rule = rules(requirements=[signed])
    shown = told(rule, facts(("training", 100 * WAN), claim={"contract_signed_on": "2023-08-31"}))
    assert "不符合条件“合同于2023年9月1日及以后签订”，不予补贴。" in shown.sentences
    assert figures(shown) == [
        ("账单金额", 100 * WAN),
        ("不符合条件", -100 * WAN),
        ("可补贴", 0),
        ("企业自付", 100 * WAN),
    ]
    unknown = told(rule, facts(("training", 100 * WAN)), EN)
    assert "Not known is “contract signed on”; what the rules grant by it cannot be granted." in unknown.sentences
    assert unknown.cuts == ("Not known",)


def test_amounts_in_kind_are_told_in_their_unit() -> None:
    rule = rules(
        unit={
            "kind": "in_kind",
            "name": "gpu_hour",
            "exchange": [{"category": "training", "unit": "card_hour", "price": "1", "from_on": "2026-01-01"}],
        },
        rate={"kind": "flat", "rate": "1.00"},
    )
    shown = told(rule, facts(Line("training", 500, quantity="5", unit="card_hour")), EN)
    assert shown.unit == "GPU hours"
    assert not any("yuan" in sentence for sentence in shown.sentences)


def test_exact_figures_are_shown_whole_where_they_end_and_shortened_where_they_do_not() -> None:
    assert [exact(fen) for fen in ("123", "7407/2", "2001/2", "100/3", "123456789000")] == [
        "1.23",
        "37.035",
        "10.005",
        "0.3333…",
        "1,234,567,890.00",
    ]
    assert [percent(rate) for rate in ("0.3", "1", "0.125", "0.000001", "0")] == [
        "30%",
        "100%",
        "12.5%",
        "0.0001%",
        "0%",
    ]


def test_what_is_noted_of_a_bill_is_said_and_changes_no_figure() -> None:
    rule, given = rules(), facts(("training", 10_000))
    assessment = assess(rule, given, Position())
    flags = [
        {"code": "usage_already_billed", "line": 1, "limit": "rdm_330100_1", "actual": "job"},
        {"code": "capacity_not_declared", "line": 1, "limit": None, "actual": "card_hour"},
        {"code": "of_a_later_version", "line": 1, "limit": None, "actual": None},
    ]
    steps = [{"step": "evidence", "flags": flags}, *assessment.steps]
    noted = explain_assessment(steps, assessment.reductions, EN, rules=rule, amount_fen=3_000, bill_fen=10_000)
    plain = explain_assessment(
        assessment.steps, assessment.reductions, EN, rules=rule, amount_fen=3_000, bill_fen=10_000
    )
    assert noted.rows == plain.rows
    assert [sentence for sentence in noted.sentences if sentence not in plain.sentences] == [
        "Noted: the usage job of line 1 was billed before, in rdm_330100_1. It will be looked into; the amount stays.",
        "Noted: the provider has not declared the capacity for line 1.",
    ]
