"""What is left of an invoice line, and what a bill claims of it: pure, worked out by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.services.redemption.bills import Bill, BillLine
from app.services.redemption.invoice_bases import (
    BaseState,
    Contract,
    InvoiceGrounds,
    Layer,
    base_claims,
    base_uses,
    bounded,
    contract_of,
)
from app.services.redemption.invoice_checks import refuse_invoices
from app.services.redemption.invoices import InvoiceLine
from app.services.redemption.red_letters import left_after
from app.services.rules.assess import assess
from app.services.rules.facts import Facts
from app.services.rules.model import Rules

AT = datetime(2026, 11, 26, tzinfo=UTC)
KEY = InvoiceLine("25332000000000000001", 1, 100).key
OTHER = InvoiceLine("25332000000000000002", 1, 100).key


def rules(**changes: Any) -> Rules:
    return Rules.model_validate({"categories": ["training"], "rate": {"kind": "flat", "rate": "0.50"}} | changes)


def bill(*amounts: int, category: str = "training") -> Bill:
    invoice = InvoiceLine("25332000000000000001", 1, 100)
    lines = tuple(BillLine(category, "1", "day", str(fen), fen, invoice=invoice) for fen in amounts)
    return Bill(sum(amounts), lines)


@pytest.mark.parametrize(
    ("layer", "left"),
    [("", 30), ("prg_1", 60), ("prg_2", 100)],
)
def test_a_layer_has_what_its_rule_leaves(layer: str, left: int) -> None:
    state = BaseState(100, 100, {"": Layer(30, 9), "prg_1": Layer(40, 20)})
    assert state.left_fen(layer, limit_fen=999) == left
    assert state.beside_fen("prg_2") == 29


def test_the_amount_stands_as_long_as_anything_is_claimed_or_red() -> None:
    assert BaseState(100, 100, {"": Layer()}).left_fen("", limit_fen=70) == 70
    assert BaseState(100, 100, {"": Layer(1)}).left_fen("", limit_fen=170) == 99
    assert BaseState(100, 60, {"": Layer()}).left_fen("", limit_fen=170) == 60


def test_lines_of_one_bill_take_one_after_the_other() -> None:
    grounds = InvoiceGrounds({KEY: BaseState(100, 100, {"": Layer(30)})}, contract=Contract(("c", 0), 65))
    claims = base_claims(bill(40, 40, 40), rules(), grounds, "")
    assert [claim.left_fen for claim in claims] == [40, 25, 0]  # 70 of the invoice, 65 of the contract
    assert base_claims(bill(40, category="storage"), rules(), grounds, "") == ()


@pytest.mark.parametrize(("drawn_fen", "due_fen", "bases"), [(50, 50, [60, 40]), (20, 50, [24, 16]), (0, 0, [60, 40])])
def test_a_bill_claims_what_counted_in_proportion_to_what_was_drawn(
    drawn_fen: int, due_fen: int, bases: list[int]
) -> None:
    claims = base_claims(bill(60, 60), rules(), InvoiceGrounds(), "")
    assessment = assess(rules(), Facts(bounded(bill(60, 60).assessed_lines(), claims), AT))
    assert (assessment.amount_fen, assessment.bases_fen) == (50, ((1, 60), (2, 40)))
    uses = base_uses(claims, assessment, "", drawn_fen=drawn_fen, due_fen=due_fen)
    assert [use.base_fen for use in uses] == bases


def test_ceilings_come_before_what_is_used_up() -> None:
    ceiling = {"unit": "day", "unit_price": "0.5"}  # of the 60 billed 50 count
    given_rules = rules(base={"ceilings": [ceiling]})
    grounds = InvoiceGrounds({KEY: BaseState(100, 100, {"": Layer(80)})})
    claims = base_claims(bill(60), given_rules, grounds, "")
    assessment = assess(given_rules, Facts(bounded(bill(60).assessed_lines(), claims), AT))
    # 40 of the 60 are used up: of the 50 that count the other 10 are left.
    assert assessment.bases_fen == ((1, 10),)


@given(
    used=st.integers(0, 100),
    amounts=st.lists(st.integers(1, 100), min_size=1, max_size=5),
    contract_fen=st.none() | st.integers(0, 200),
    share=st.integers(0, 50),
)
def test_a_bill_never_claims_more_than_is_left(
    used: int, amounts: list[int], contract_fen: int | None, share: int
) -> None:
    contract = None if contract_fen is None else Contract(("c", 0), contract_fen)
    grounds = InvoiceGrounds({KEY: BaseState(100, 100, {"": Layer(used)})}, contract=contract)
    claims = base_claims(bill(*amounts), rules(), grounds, "")
    assessment = assess(rules(), Facts(bounded(bill(*amounts).assessed_lines(), claims), AT))
    uses = base_uses(claims, assessment, "", drawn_fen=min(share, assessment.amount_fen), due_fen=assessment.amount_fen)
    for key, left in ((KEY, 100 - used), (("c", 0), contract_fen)):
        assert left is None or sum(use.base_fen for use in uses if use.key == key) <= left


def test_a_red_letter_leaves_the_first_lines_what_there_is() -> None:
    lines = [(KEY, 50, 50), (OTHER, 10, 5), (KEY, 50, 30), (KEY, 5, 5)]
    assert left_after(lines, {KEY: 70}) == [50, 10, 20, 0]
    assert left_after(lines, {KEY: -5}) == [0, 10, 0, 0]


@pytest.mark.parametrize(
    ("claim", "amount_fen"),
    [
        ({"contract_no": "A", "contract_fen": 5}, 5),
        ({"contract_no": "A", "contract_fen": "5.9"}, 5),
        ({"contract_no": "A"}, None),
        ({"contract_fen": 5}, None),
        ({"contract_no": "A", "contract_fen": True}, None),
        ({"contract_no": "A", "contract_fen": "much"}, None),
    ],
)
def test_a_contract_counts_where_its_number_and_amount_are_stated(
    claim: dict[str, Any], amount_fen: int | None
) -> None:
    found = contract_of(claim, firm_id="org_1", provider_id="org_2")
    assert (None if found is None else found.amount_fen) == amount_fen


def test_a_programme_in_kind_takes_no_invoice() -> None:
    price = {"category": "training", "unit": "day", "price": "2", "from_on": "2026-01-01"}
    in_kind = rules(unit={"kind": "in_kind", "name": "credit", "exchange": [price]}, mode="in_kind")
    refused = refuse_invoices(bill(10), in_kind, {}, InvoiceGrounds(), at=AT)
    assert refused is not None
    assert [error.code for error in refused.errors] == ["not_in_kind"]
