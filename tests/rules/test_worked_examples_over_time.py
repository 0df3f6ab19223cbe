"""The worked examples of what comes after a first claim, to the fen: E7, E9, E10, E12, E14 and E15."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app.services.rules.allocation import Ask, allocate
from app.services.rules.assess import assess, split_by_source
from app.services.rules.budget import Allocation
from app.services.rules.facts import Facts, Line, VoucherTerms
from app.services.rules.model import Rules
from app.services.rules.position import Position
from tests.rules.builders import (
    bill,
    codes,
    firm_cap,
    rules,
    shanghai,
    yuan,
)

QUEUE = (Ask("A", yuan("150,000")), Ask("B", yuan("90,000")), Ask("C", yuan("20,000")))


@pytest.mark.parametrize(
    ("on_exhaustion", "granted_yuan", "left_yuan", "waiting"),
    [
        ("partial", ("150,000", "30,000", "0"), "0", []),
        ("stop", ("150,000", "0", "0"), "30,000", []),
        ("skip", ("150,000", "0", "20,000"), "10,000", []),
        ("waitlist", ("150,000", "0", "0"), "30,000", ["B", "C"]),
    ],
)
def test_e7_the_budget_runs_out(
    on_exhaustion: str, granted_yuan: tuple[str, ...], left_yuan: str, waiting: list[str]
) -> None:
    pool_fen = yuan("180,000")
    awards = allocate(Allocation.model_validate({"on_exhaustion": on_exhaustion}), QUEUE, pool_fen)
    assert [award.granted_fen for award in awards] == [yuan(one) for one in granted_yuan]
    assert pool_fen - sum(award.granted_fen for award in awards) == yuan(left_yuan)
    assert [award.id for award in awards if award.waits] == waiting
    assert [award.reason for award in awards] == [
        None if award.granted_fen == award.asked_fen else "BUDGET_EXHAUSTED" for award in awards
    ]


FACE_FEN = yuan("100,000")
USAGE = (
    Line("compute", yuan("260,000"), used_from=shanghai("2026-11-01"), used_until=shanghai("2027-01-01")),
    Line("compute", yuan("140,000"), used_from=shanghai("2027-01-01"), used_until=shanghai("2027-01-20")),
)


@pytest.mark.parametrize(
    ("event", "grace_days", "drawn_yuan", "reasons"),
    [
        ("service", 30, "78,000", ["EXPIRED"]),
        ("claim", 0, "0", ["EXPIRED"]),
        ("contract", 30, "100,000", []),
    ],
)
def test_e9_expiry_during_use(event: str, grace_days: int, drawn_yuan: str, reasons: list[str]) -> None:
    dated = rules(
        "0.30",
        validity={"kind": "date", "until": "2026-12-31"},
        must_precede_expiry=event,
        grace_days=grace_days,
    )
    valid_until = dated.valid_until(shanghai("2026-03-01"))
    voucher = VoucherTerms(valid_until, dated.redeemable_until(valid_until))
    claim = {"contract_signed_on": "2026-12-31"}
    assessment = assess(dated, bill(*USAGE, at=shanghai("2027-01-20T10:00"), voucher=voucher, claim=claim))
    assert min(assessment.amount_fen, FACE_FEN) == yuan(drawn_yuan)
    assert codes(assessment) == reasons


def test_e10_split_use_draws_what_is_left_and_a_cancelled_bill_comes_back() -> None:
    thirty = rules("0.30")
    balance_fen, drawn = yuan("300,000"), []
    for amount in ("200,000", "500,000", "400,000"):
        drawn.append(min(assess(thirty, bill(yuan(amount))).amount_fen, balance_fen))
        balance_fen -= drawn[-1]
    assert drawn == [yuan("60,000"), yuan("150,000"), yuan("90,000")]
    left_of_the_second = assess(thirty, bill()).amount_fen
    assert balance_fen + drawn[1] - left_of_the_second == yuan("150,000")


def henan(by: str) -> Rules:
    sources = [{"source": "province", "share": 1}, {"source": "city", "share": 1}]
    return rules("0.20", caps=[firm_cap(yuan("1,000,000"))], attribution={"by": by}, fund_sources=sources)


MONTHS = [
    Line("compute", yuan("2,000,000"), used_from=shanghai(first), used_until=shanghai(after))
    for first, after in (
        ("2026-10-01", "2026-11-01"),
        ("2026-11-01", "2026-12-01"),
        ("2026-12-01", "2027-01-01"),
        ("2027-01-01", "2027-02-01"),
        ("2027-02-01", "2027-03-01"),
        ("2027-03-01", "2027-04-01"),
    )
]


def test_e12_by_usage_each_year_has_its_own_cap() -> None:
    assessment = assess(henan("usage"), bill(*MONTHS, at=shanghai("2027-04-10")))
    assert assessment.years_fen == {"2026": yuan("1,000,000"), "2027": yuan("1,000,000")}
    assert assessment.amount_fen == yuan("2,000,000")
    assert codes(assessment) == ["CAP_FIRM_PERIOD", "CAP_FIRM_PERIOD"]
    assert [one["subsidy_fen"] for one in assessment.reductions] == [yuan("200,000"), yuan("200,000")]
    for fen in assessment.years_fen.values():
        assert split_by_source(henan("usage"), fen) == [("province", yuan("500,000")), ("city", yuan("500,000"))]


@pytest.mark.parametrize(
    ("by", "year"),
    [("contract", "2026"), ("claim", "2027")],
)
def test_e12_by_contract_or_claim_there_is_one_cap(by: str, year: str) -> None:
    claim = {"contract_signed_on": "2026-09-20"}
    assessment = assess(henan(by), bill(*MONTHS, at=shanghai("2027-04-10"), claim=claim))
    assert assessment.years_fen == {year: yuan("1,000,000")}
    assert assessment.reductions[-1]["subsidy_fen"] == yuan("1,400,000")


def test_e12_the_first_source_takes_the_spare_fen() -> None:
    assert split_by_source(henan("claim"), yuan("100,000.01")) == [
        ("province", yuan("50,000.01")),
        ("city", yuan("50,000.00")),
    ]


@pytest.mark.parametrize(
    ("caps", "refunds"),
    [
        ([], [("200,000", "60,000")]),
        ([firm_cap(yuan("200,000"))], [("200,000", "0"), ("500,000", "50,000")]),
        ([{"scope": "claim", "name": "bill", "limit_fen": yuan("200,000")}], [("200,000", "0"), ("500,000", "50,000")]),
    ],
)
def test_e14_a_refund_recomputes_the_whole_position(caps: list[Any], refunds: list[tuple[str, str]]) -> None:
    given = rules("0.30", caps=caps)
    whole = bill(yuan("1,000,000"))
    so_far = Position()
    paid = assess(given, whole, so_far)
    so_far.add(paid.counted)
    for refund_yuan, recover_yuan in refunds:
        left = replace(whole, lines=[Line("compute", yuan("1,000,000") - yuan(refund_yuan))])
        entitled = assess(given, left, so_far.without(paid.counted))
        assert paid.amount_fen - entitled.amount_fen == yuan(recover_yuan)


def test_e14_the_cap_that_a_refund_frees_can_be_claimed_again() -> None:
    given = rules("0.30", caps=[firm_cap(yuan("200,000"))])
    so_far = Position()
    paid = assess(given, bill(yuan("1,000,000")), so_far)
    so_far.add(paid.counted)
    restored = so_far.without(paid.counted)
    restored.add(assess(given, bill(yuan("500,000")), restored).counted)
    assert assess(given, bill(yuan("1,000,000")), restored).amount_fen == yuan("50,000")


LEAST = rules("0.30", base={"least_of": ["contracted", "invoiced", "paid", "metered"]})


def known(invoiced: str, paid: str, metered: str, *, before: str = "0") -> Facts:
    amounts_fen = {
        "contracted": yuan("1,000,000"),
        "invoiced": yuan(invoiced),
        "paid": yuan(paid),
        "metered": yuan(metered),
    }
    return bill(yuan("1,000,000"), amounts_fen=amounts_fen, granted_before_fen=yuan(before))


def test_e15_the_base_is_the_least_and_the_rest_follows_when_all_reach_it() -> None:
    first = assess(LEAST, known("700,000", "700,000", "650,000"))
    assert (first.amount_fen, codes(first)) == (yuan("195,000"), ["LEAST_OF"])
    assert first.reductions[0] == {"code": "LEAST_OF", "base_fen": yuan("350,000"), "least": "metered"}
    second = assess(LEAST, known("1,000,000", "1,000,000", "1,000,000", before="195,000"))
    assert (second.amount_fen, second.entitled_fen, codes(second)) == (yuan("105,000"), yuan("300,000"), [])


@pytest.mark.parametrize(
    ("billed_yuan", "settings", "amount_yuan", "reasons"),
    [
        ("49,999.99", {"inclusive": True}, "0", ["BELOW_MIN"]),
        ("50,000.00", {"inclusive": True}, "15,000.00", []),
        ("50,000.00", {"inclusive": False}, "0", ["BELOW_MIN"]),
        ("50,000.01", {"inclusive": False}, "15,000.00", []),
    ],
)
def test_e15_the_minimum_counts_itself_where_it_says_so(
    billed_yuan: str, settings: dict[str, Any], amount_yuan: str, reasons: list[str]
) -> None:
    floor = {"of": "base", "at_least_fen": yuan("50,000")} | settings
    assessment = assess(rules("0.30", floors=[floor]), bill(yuan(billed_yuan)))
    assert (assessment.amount_fen, codes(assessment)) == (yuan(amount_yuan), reasons)


@pytest.mark.parametrize("amount", ["0.01", "1,000,000", "9,999,999,999,999"])
def test_e15_a_related_party_earns_nothing_whatever_the_amount(amount: str) -> None:
    assessment = assess(rules("0.30"), bill(yuan(amount), claim={"same_controller": True}))
    assert (assessment.amount_fen, codes(assessment)) == (0, ["RELATED_PARTY"])
