"""What the calculator asks under a programme's rules, and what it makes of what was typed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from app.api.portal.calculator_form import MAX_LINES, CalculatorForm, Purchase, read_purchase
from app.api.portal.calculator_questions import Questions, questions_of
from app.api.portal.naming import Names
from app.api.portal.texts import Words
from app.kernel.clock import SHANGHAI
from app.services.rules.model import Rules

ZH, EN = Words("zh"), Words("en")


def rules(**changes: Any) -> Rules:
    return Rules.model_validate({"categories": ["training"], "rate": {"kind": "flat", "rate": "0.30"}} | changes)


def asked(rule: Rules, words: Words = EN) -> Questions:
    return questions_of(rule, Names(words, rule))


def read(rule: Rules, words: Words = ZH, **typed: str) -> Purchase | CalculatorForm:
    fields = {name.replace("__", "-"): value for name, value in typed.items()}
    return read_purchase(CalculatorForm.read(fields), rule, asked(rule, words), words)


def purchase(rule: Rules, **typed: str) -> Purchase:
    found = read(rule, ZH, **typed)
    assert isinstance(found, Purchase), found.errors
    return found


def errors(rule: Rules, words: Words = ZH, **typed: str) -> dict[str, str]:
    found = read(rule, words, **typed)
    assert isinstance(found, CalculatorForm)
    assert found.labels.keys() == found.errors.keys()
    return dict(found.errors)


def test_plain_rules_ask_for_nothing_but_service_and_amount() -> None:
    questions = asked(rules())
    assert (questions.of_claim, questions.of_line) == ((), ())
    assert questions.services == (("training", "Training"),)
    assert questions.other_services == (("other_service", "Another service"),)


def test_services_are_offered_with_what_lies_below_them_and_apart_from_what_is_excluded() -> None:
    tree = {"training": "compute", "storage": "compute", "moon_rock": "training"}
    questions = asked(rules(categories=["compute"], excluded_categories=["storage"], category_parents=tree))
    assert [slug for slug, _ in questions.services] == ["compute", "training", "moon_rock"]
    assert [slug for slug, _ in questions.other_services] == ["storage", "other_service"]


def test_only_facts_that_a_claimant_may_state_are_asked_for() -> None:
    declared = [
        {"name": "claim.purpose", "type": "words", "stated_by": "claimant", "en": "what it is for", "zh": "用途"},
        {"name": "claim.checked", "type": "yes_no", "en": "whether it was checked"},
        {"name": "claim.unused", "type": "number", "stated_by": "claimant"},
    ]
    signed = {"kind": "not_before", "fact": "claim.contract_signed_on", "other": "claim.applied_on"}
    purpose = {"kind": "is", "fact": "claim.purpose", "one_of": ["research", "teaching"]}
    size = {"kind": "is", "fact": "holder.size", "one_of": ["small"]}
    checked = {"kind": "true", "fact": "claim.checked"}
    conditions = [signed, purpose, size, checked, {"kind": "is", "fact": "claim.tier", "one_of": ["1"]}]
    rule = rules(
        facts=declared,
        requirements=[{"name": f"r{place}", "when": when} for place, when in enumerate(conditions)],
    )
    found = {one.name: one for one in asked(rule).of_claim}
    assert found.keys() == {"claim-contract_signed_on", "claim-purpose"}
    assert found["claim-contract_signed_on"].kind == "date"
    assert found["claim-purpose"].label == "What it is for"
    assert [word for word, _ in found["claim-purpose"].options] == ["research", "teaching", "none_of_these"]
    assert {one.name: one.label for one in asked(rule, ZH).of_claim}["claim-purpose"] == "用途"


def test_who_may_claim_for_either_side_says_for_which() -> None:
    (side,) = asked(rules(side="either_exclusive", side_priority="supply")).of_claim
    assert (side.name, side.options) == ("claim-side", (("demand", "demand side"), ("supply", "supply side")))


def test_what_a_setting_needs_is_asked_for_as_well() -> None:
    rule = rules(
        base={"least_of": ["billed", "paid"], "vat": "excluded", "default_tax_rate": "0.06"},
        floors=[{"of": "contract", "at_least_fen": 100}],
        caps=[{"scope": "firm", "name": "yearly", "limit_fen": 100}],
        attribution={"by": "invoice"},
    )
    found = {one.name: (one.label, one.kind, one.hint) for one in asked(rule).of_claim}
    assert found == {
        "claim-contract_fen": ("Amount of the whole contract (yuan)", "yuan", ""),
        "claim-invoiced_on": ("Invoiced on", "date", ""),
        "amounts-paid": ("Amount paid (yuan)", "yuan", "If left empty, the bill's amount is taken"),
        "tax": ("VAT rate (%)", "percent", "If left empty, 6% is taken"),
    }
    by_use = rules(caps=[{"scope": "firm", "name": "yearly", "limit_fen": 100}], attribution={"by": "usage"})
    assert [one.name for one in asked(by_use).of_line] == ["used_until"]


def test_amounts_are_read_as_people_type_them() -> None:
    found = purchase(rules(), category__1="training", amount__1="１２，３４５．６")
    assert [(line.category, line.amount_fen) for line in found.lines] == [("training", 1_234_560)]


@pytest.mark.parametrize("typed", ["", "0", "-1", "abc", "1.234", "1e3", "12,34"])
def test_an_amount_that_cannot_be_read_is_marked_at_its_field(typed: str) -> None:
    assert errors(rules(), category__1="training", amount__1=typed) == {
        "amount-1": "请填写大于 0 的金额，如 10000 或 10000.50，最多两位小数。"
    }


def test_a_service_from_nowhere_is_marked() -> None:
    assert errors(rules(), EN, category__1="x; drop table", amount__1="1") == {"category-1": "Choose a service."}


def test_lines_left_empty_do_not_count_and_there_are_five_at_most() -> None:
    lines = {f"category__{number}": "training" for number in range(1, 8)} | {
        f"amount__{number}": "" for number in range(1, 8)
    }
    found = purchase(rules(), **lines | {"amount__1": "1", "amount__4": "2", "amount__6": "3"})
    assert [line.amount_fen for line in found.lines] == [100, 200]
    typed = {name.replace("__", "-"): value for name, value in lines.items()}
    assert CalculatorForm.read(typed | {"act": "add_line"}).lines == MAX_LINES
    assert CalculatorForm.read({"amount-1": "", "act": "add_line"}).lines == 2
    assert CalculatorForm.read({}).lines == 1


def test_answers_become_facts_of_their_types() -> None:
    declared = [
        {"name": f"claim.{name}", "type": kind, "stated_by": "claimant"}
        for name, kind in {"aid_fen": "number", "staff": "number", "new": "yes_no"}.items()
    ]
    bounds = [
        {"kind": "number", "fact": "claim.aid_fen", "at_most": "1"},
        {"kind": "number", "fact": "claim.staff", "at_most": "1"},
        {"kind": "true", "fact": "claim.new"},
        {"kind": "date", "fact": "claim.paid_on", "from_on": "2026-01-01"},
    ]
    rule = rules(
        facts=declared,
        requirements=[{"name": f"r{place}", "when": when} for place, when in enumerate(bounds)],
        caps=[{"scope": "contract", "name": "contract", "limit_fen": 1}],
    )
    typed = {
        "category__1": "training",
        "amount__1": "1",
        "claim__aid_fen": "1,000.5",
        "claim__staff": "１２",
        "claim__new": "no",
        "claim__paid_on": "2026-03-01",
        "claim__contract_no": " 合同（1）号 ",
    }
    assert purchase(rule, **typed).claim == {
        "aid_fen": 100_050,
        "staff": "12",
        "new": False,
        "paid_on": "2026-03-01",
        "contract_no": "合同（1）号",
    }
    wrong = {"claim__aid_fen": "x", "claim__staff": "-1", "claim__new": "maybe", "claim__paid_on": "2026-02-30"}
    assert errors(rule, EN, **typed | wrong).keys() == {
        "claim-aid_fen",
        "claim-staff",
        "claim-new",
        "claim-paid_on",
    }


def test_an_amount_that_nobody_gave_is_taken_from_the_bill_and_told() -> None:
    rule = rules(base={"least_of": ["billed", "paid", "invoiced"]})
    found = purchase(rule, category__1="training", amount__1="10", amounts__paid="8")
    assert found.amounts_fen == {"paid": 800}
    assert found.assumed == ("invoiced",)
    assert found.lines[0].amounts_fen == {"invoiced": 1000}


def test_a_tax_rate_is_typed_as_per_cent() -> None:
    rule = rules(base={"vat": "excluded"})
    rates = {
        typed: purchase(rule, category__1="training", amount__1="1", tax=typed).lines[0].tax_rate
        for typed in ("6", "１３％", "0.5%")
    }
    assert rates == {"6": "0.060000", "１３％": "0.130000", "0.5%": "0.005000"}
    assert errors(rule, EN, category__1="training", amount__1="1", tax="101").keys() == {"tax"}


def test_a_quantity_is_asked_for_only_where_the_rules_limit_price_or_quantity() -> None:
    rule = rules(base={"ceilings": [{"unit": "day", "unit_price": "1100", "quantity": "30"}]})
    assert [one.name for one in asked(rule).of_line] == ["quantity", "unit"]
    line = {"category__1": "training", "amount__1": "1"}
    assert errors(rule, EN, **line, unit__1="day") == {
        "quantity-1": "The rules limit price or quantity, so give the quantity."
    }
    assert purchase(rule, **line, unit__1="none_of_these").lines[0].unit is None
    found = purchase(rule, **line, unit__1="day", quantity__1="12.5").lines[0]
    assert (found.quantity, found.unit) == ("12.5", "day")


def test_service_until_a_day_is_until_its_end() -> None:
    rule = rules(must_precede_expiry="service")
    found = purchase(rule, category__1="training", amount__1="1", used_until__1="2026-12-31")
    assert found.lines[0].used_until == datetime(2027, 1, 1, tzinfo=SHANGHAI)
