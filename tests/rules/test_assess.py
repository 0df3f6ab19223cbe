"""The worked examples, one row each; the expected amounts are the policy's, not the code's."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from app.services.rules.assess import Line, assess
from app.services.rules.model import Rules

WAN = 1_000_000  # 1 万元 in fen
EVERYTHING = ("training", "inference", "storage", "network")


def rules(rate: str, **others: Any) -> Rules:
    return Rules.model_validate(
        {"categories": ["training", "inference"], "rate": {"kind": "flat", "rate": rate}, **others}
    )


def cap(limit_fen: int) -> dict[str, Any]:
    return {"kind": "bill", "limit_fen": limit_fen}


FLOOR_YUAN = {"unit_fen": 100, "mode": "floor"}
FLOOR_100 = {"unit_fen": 10_000, "mode": "floor"}
FLOOR_FEN = {"unit_fen": 1, "mode": "floor"}
HALF_UP_WAN = {"unit_fen": 1_000_000, "mode": "half_up"}


@pytest.mark.parametrize(
    ("name", "given_rules", "lines", "subsidy_fen", "codes"),
    [
        (
            "E1 excluded storage and network",
            rules("0.20", cap=cap(200 * WAN)),
            [Line("training", 90 * WAN), Line("storage", 8 * WAN), Line("network", 2 * WAN)],
            18 * WAN,
            ["NOT_ELIGIBLE_LINE"],
        ),
        ("E1 nothing excluded", rules("0.20", cap=cap(200 * WAN)), [Line("training", 100 * WAN)], 20 * WAN, []),
        ("E2 cap", rules("0.20", cap=cap(10 * WAN)), [Line("training", 100 * WAN)], 10 * WAN, ["CAP_CLAIM"]),
        ("E3 start-up", rules("0.60", cap=cap(1000 * WAN)), [Line("training", 1200 * WAN)], 720 * WAN, []),
        (
            "E3 hard cap",
            rules("0.50", cap=cap(1000 * WAN)),
            [Line("training", 2400 * WAN)],
            1000 * WAN,
            ["CAP_CLAIM"],
        ),
        ("E10 first bill", rules("0.30"), [Line("training", 20 * WAN)], 6 * WAN, []),
        ("E11 half up", rules("0.30"), [Line("training", 12_345_678)], 3_703_703, []),
        ("E11 floor to 1 yuan", rules("0.30", rounding=FLOOR_YUAN), [Line("training", 12_345_678)], 3_703_700, []),
        ("E11 floor to 100 yuan", rules("0.30", rounding=FLOOR_100), [Line("training", 12_345_678)], 3_700_000, []),
        (
            "never more than the bill, however coarse the unit",
            rules("0.60", rounding=HALF_UP_WAN),
            [Line("training", 900_000)],
            900_000,
            ["STACK_CEILING"],
        ),
        ("E11 10.005 half up", rules("0.30"), [Line("training", 3335)], 1001, []),
        ("E11 10.005 floor", rules("0.30", rounding=FLOOR_FEN), [Line("training", 3335)], 1000, []),
        ("E11 three lines, rounded once", rules("0.30"), [Line("training", 3335)] * 3, 3002, []),
        (
            "E15 one fen below the minimum",
            rules("0.30", minimum_bill_fen=5 * WAN),
            [Line("training", 5 * WAN - 1)],
            0,
            ["BELOW_MIN"],
        ),
        ("E15 the minimum itself", rules("0.30", minimum_bill_fen=5 * WAN), [Line("training", 5 * WAN)], 1_500_000, []),
    ],
)
def test_worked_examples(name: str, given_rules: Rules, lines: list[Line], subsidy_fen: int, codes: list[str]) -> None:
    assessment = assess(given_rules, lines, EVERYTHING)
    assert assessment.amount_fen == subsidy_fen
    assert [reduction["code"] for reduction in assessment.reductions] == codes


def test_a_line_counts_only_where_the_provider_is_admitted_for_it() -> None:
    lines = [Line("training", 1000), Line("inference", 500)]
    assert assess(rules("0.50"), lines, ("inference",)).amount_fen == 250


def test_the_trace_shows_each_step_with_its_numbers() -> None:
    steps = assess(rules("0.30", cap=cap(900)), [Line("training", 3335), Line("storage", 65)], EVERYTHING).steps
    assert [step["step"] for step in steps] == ["eligible_lines", "base", "rate", "rounding", "cap"]
    assert steps[0] == {
        "step": "eligible_lines",
        "bill_fen": 3400,
        "eligible_fen": 3335,
        "left_out": [{"line": 2, "category": "storage", "amount_fen": 65}],
    }
    assert steps[2]["exact_fen"] == "2001/2"
    assert steps[3]["subsidy_fen"] == 1001
    assert steps[4] == {"step": "cap", "scope": "bill", "limit_fen": 900, "subsidy_fen": 900}


amounts = st.integers(1, 10**12)


@given(st.lists(amounts, min_size=1, max_size=5), st.integers(1, 10**6), st.integers(1, 10**12))
def test_a_subsidy_never_exceeds_bill_rate_or_cap(line_fens: list[int], rate_ppm: int, cap_fen: int) -> None:
    given_rules = rules(f"{rate_ppm // 10**6}.{rate_ppm % 10**6:06d}", cap=cap(cap_fen))
    subsidy_fen = assess(given_rules, [Line("training", fen) for fen in line_fens], EVERYTHING).amount_fen
    assert 0 <= subsidy_fen <= min(sum(line_fens), cap_fen)
    assert abs(subsidy_fen * 10**6 - sum(line_fens) * rate_ppm) * 2 <= 10**6 or subsidy_fen == cap_fen


@given(amounts, amounts)
def test_a_smaller_bill_never_earns_more(one_fen: int, other_fen: int) -> None:
    given_rules = rules("0.30", cap=cap(10**9), minimum_bill_fen=10**5)
    low, high = sorted((one_fen, other_fen))
    low_fen = assess(given_rules, [Line("training", low)], EVERYTHING).amount_fen
    assert low_fen <= assess(given_rules, [Line("training", high)], EVERYTHING).amount_fen


@pytest.mark.parametrize(
    "wrong",
    [
        {"rate": {"kind": "flat", "rate": "0"}},
        {"rate": {"kind": "flat", "rate": "1.01"}},
        {"rate": {"kind": "flat", "rate": 0.3}},
        {"rate": {"kind": "flat", "rate": "30%"}},
        {"rate": {"kind": "curved", "rate": "0.30"}},
        {"categories": []},
        {"categories": ["training", "training"]},
        {"categories": ["Training"]},
        {"cap": {"kind": "bill", "limit_fen": 0}},
        {"cap": {"kind": "bill", "limit_fen": 10.5}},
        {"rounding": {"unit_fen": 100, "mode": "floor"}, "cap": {"kind": "bill", "limit_fen": 99}},
        {"minimum_bill_fen": -1},
        {"validity": {"kind": "days", "days": 0}},
        {"fund_sources": []},
        {"fund_sources": [{"source": "local", "share": 1}, {"source": "local", "share": 1}]},
        {"discount": "0.10"},
    ],
)
def test_rules_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    sensible = {"categories": ["training"], "rate": {"kind": "flat", "rate": "0.30"}}
    Rules.model_validate(sensible)
    with pytest.raises(ValidationError):
        Rules.model_validate(sensible | wrong)


def test_the_canonical_document_reads_back_to_itself() -> None:
    document = rules("0.30", cap=cap(500), validity={"kind": "date", "until": "2027-06-30"}).canonical()
    assert Rules.model_validate_json(document).canonical() == document
