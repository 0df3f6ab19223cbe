"""The trace: each step with its numbers, the same bytes for the same input, and facts that read back to themselves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from app.kernel.canonical import canonical
from app.services.rules.assess import assess, split_by_source
from app.services.rules.facts import Facts, Line, VoucherTerms
from app.services.rules.stated import StatedFacts, fact_problems
from tests.rules.builders import NOON, bill, firm_cap, flat, granted, rules, shanghai


def test_the_trace_shows_each_step_with_its_numbers() -> None:
    given = rules("0.30", caps=[{"scope": "claim", "name": "bill", "limit_fen": 900}])
    steps = assess(given, bill(3335, Line("storage", 65))).steps
    assert [step["step"] for step in steps] == ["eligible_lines", "base", "rate", "rounding", "cap"]
    assert steps[0] == {
        "step": "eligible_lines",
        "bill_fen": 3400,
        "eligible_fen": 3335,
        "left_out": [{"line": 2, "category": "storage", "amount_fen": 65, "code": "NOT_ELIGIBLE_LINE"}],
    }
    assert steps[1] == {"step": "base", "vat": "included", "base_fen": 3335}
    assert steps[2]["exact_fen"] == "2001/2"
    assert steps[2]["parts"] == [{"rate": "0.3", "base": "3335", "exact_fen": "2001/2"}]
    assert steps[3]["subsidy_fen"] == 1001
    assert steps[4] == {"step": "cap", "scope": "claim", "name": "bill", "limit_fen": 900, "subsidy_fen": 900}


def test_a_top_up_shows_what_was_granted_before_and_what_was_too_much() -> None:
    less = assess(rules("0.30"), bill(1000, granted_before_fen=400))
    assert (less.amount_fen, less.entitled_fen, less.refusal) == (0, 300, None)
    assert less.steps[-1] == {
        "step": "granted_before",
        "entitled_fen": 300,
        "granted_before_fen": 400,
        "subsidy_fen": 0,
        "overpaid_fen": 100,
    }


RICH = rules(
    {
        "kind": "bracket",
        "method": "marginal",
        "bands": [{"up_to_fen": 999, "rate": flat("0.5")}, {"rate": flat("0.3")}],
    },
    base={"vat": "excluded", "least_of": ["billed", "paid"], "less_other_grants": True},
    caps=[
        firm_cap(700),
        {"scope": "line", "name": "line", "limit_fen": 333},
        firm_cap(600, name="part", category="compute"),
    ],
    attribution={"by": "usage"},
    stacking={"layers": [{"name": "national", "rate": flat("0.1")}], "ceiling": "0.5"},
    rounding={"level": "line"},
)
RICH_BILL = bill(
    Line("compute", 1000, tax_rate="0.06", used_until=shanghai("2026-12-31T10:00"), claimed_fen=10),
    Line("compute", 1777, tax_rate="0.13", used_until=shanghai("2027-01-02T10:00"), other_grants_fen=5),
    Line("food", 9),
    amounts_fen={"paid": 2500},
    holder={"tags": ("高新", "初创"), "size": "small"},
    provider={"region_code": "330100"},
    claim={"contract_no": "合同-1", "shared_contact": True},
    voucher=VoucherTerms(shanghai("2027-06-01"), shanghai("2027-07-01")),
    layers_fen={"district": 7},
    exceptions_fen={"yearly": 800},
    granted_before_fen=3,
)


def trace_bytes(facts: Facts) -> bytes:
    assessment = assess(RICH, facts, granted("firm", 10, period="2026"))
    return canonical(
        {"steps": assessment.steps, "reductions": assessment.reductions, "amount_fen": assessment.amount_fen}
    )


def test_the_same_input_gives_the_same_bytes() -> None:
    assert trace_bytes(RICH_BILL) == trace_bytes(replace(RICH_BILL))


def test_stored_facts_read_back_to_themselves_and_give_the_same_bytes() -> None:
    stored = RICH_BILL.given()
    canonical(stored)
    again = Facts.read(stored, RICH_BILL.lines, None)
    assert again == RICH_BILL
    assert trace_bytes(again) == trace_bytes(RICH_BILL)


def test_shares_of_the_sources_add_up_and_the_declared_order_takes_the_spare_fen() -> None:
    given = rules(
        "0.3", fund_sources=[{"source": name, "share": share} for name, share in (("a", 1), ("b", 1), ("c", 1))]
    )
    assert split_by_source(given, 100) == [("a", 34), ("b", 33), ("c", 33)]
    assert split_by_source(given, 101) == [("a", 34), ("b", 34), ("c", 33)]


STATED: dict[str, Any] = {"lines": [{"category": "compute", "amount_fen": 1000}]}


def test_facts_as_they_are_stated_become_facts() -> None:
    stated = StatedFacts.model_validate(
        STATED | {"holder": {"tags": ["a", "b"]}, "claim": {"tier": "1"}, "layers_fen": {"national": 5}}
    )
    facts = stated.facts(at=NOON)
    assert (facts.at, facts.holder, facts.layers_fen) == (NOON, {"tags": ("a", "b")}, {"national": 5})
    assert facts.lines == [Line("compute", 1000)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"lines": []},
        {"lines": [{"category": "compute", "amount_fen": 0}]},
        {"lines": [{"category": "compute", "amount_fen": 10.0}]},
        {"lines": [{"category": "compute", "amount_fen": "10"}]},
        {"lines": [{"category": "compute", "amount_fen": 10**15}] * 2},
        {"lines": [{"category": "compute", "amount_fen": 1, "price": 1}]},
        {"claim": {"attainment": 0.5}},
        {"holder": {"Size": "small"}},
        {"amounts_fen": {"guessed": 5}},
        {"at": "2026-06-30T12:00:00"},
        {"at": "1999-12-31T12:00:00Z"},
        {"checkpoint": "lunch"},
    ],
)
def test_facts_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        StatedFacts.model_validate(STATED | wrong)


@pytest.mark.parametrize(
    ("stated", "pointer", "code"),
    [
        ({"holder": {"sise": "small"}}, "/holder/sise", "unknown_fact"),
        ({"holder": {"registered_on": "2026-02-30"}}, "/holder/registered_on", "wrong_fact_type"),
        ({"holder": {"registered_on": "20260228"}}, "/holder/registered_on", "wrong_fact_type"),
        ({"claim": {"approved_rate": "40%"}}, "/claim/approved_rate", "wrong_fact_type"),
        ({"claim": {"approved_rate": True}}, "/claim/approved_rate", "wrong_fact_type"),
        ({"claim": {"same_controller": "yes"}}, "/claim/same_controller", "wrong_fact_type"),
        ({"claim": {"tier": 1}}, "/claim/tier", "wrong_fact_type"),
        ({"claim": {"contract_fen": -5}}, "/claim/contract_fen", "wrong_fact_type"),
    ],
)
def test_a_fact_that_nobody_knows_or_of_another_type_is_named(stated: dict[str, Any], pointer: str, code: str) -> None:
    problems = fact_problems(rules("0.3"), StatedFacts.model_validate(STATED | stated))
    assert [(problem.pointer, problem.code) for problem in problems] == [(pointer, code)]


def test_a_document_declares_facts_of_its_own() -> None:
    stated = StatedFacts.model_validate(
        {
            "lines": [{"category": "compute", "amount_fen": 1000, "facts": {"package": "basic"}}],
            "holder": {"turnover_fen": 10**12},
        }
    )
    declared = [
        {"name": "holder.turnover_fen", "type": "number"},
        {"name": "line.package", "type": "words", "stated_by": "claimant"},
    ]
    assert fact_problems(rules("0.3", facts=declared), stated) == []
    assert len(fact_problems(rules("0.3"), stated)) == 2
