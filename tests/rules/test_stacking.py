"""Layers of several governments, two vouchers on one invoice, and fixed amounts with quotas, to the fen."""

from __future__ import annotations

from typing import Any

import pytest

from app.services.rules.allocation import Ask, allocate
from app.services.rules.assess import assess
from app.services.rules.facts import Line
from tests.rules.builders import (
    bill,
    codes,
    flat,
    rules,
    yuan,
)


def layer(name: str, rate: str, *, before: bool = True) -> dict[str, Any]:
    return {"name": name, "rate": flat(rate), "before": before}


@pytest.mark.parametrize(
    ("programme", "rate", "layers", "amount_yuan", "reasons"),
    [
        ("national", "0.30", [], "300,000", []),
        ("city", "0.15", [layer("national", "0.30")], "150,000", []),
        ("district", "0.20", [layer("national", "0.30"), layer("city", "0.15")], "150,000", ["STACK_CEILING"]),
        (
            "village",
            "0.10",
            [layer("national", "0.30"), layer("city", "0.15"), layer("district", "0.20")],
            "0",
            ["STACK_CEILING"],
        ),
    ],
)
def test_an_ordered_stack_of_layers_stays_under_the_public_share_ceiling(
    programme: str, rate: str, layers: list[Any], amount_yuan: str, reasons: list[str]
) -> None:
    stacking = {"base": "stackable", "layers": layers, "ceiling": "0.60"}
    assessment = assess(rules(rate, stacking=stacking), bill(yuan("1,000,000")))
    assert (assessment.amount_fen, codes(assessment)) == (yuan(amount_yuan), reasons), programme


def test_the_trace_tells_each_layer_what_the_ceiling_leaves_it() -> None:
    layers = [layer("national", "0.30"), layer("district", "0.20", before=False)]
    stacking = {"base": "stackable", "layers": layers, "ceiling": "0.60"}
    assessment = assess(rules("0.15", stacking=stacking), bill(yuan("1,000,000")))
    step = assessment.steps[-1]
    assert step["limit_fen"] == yuan("600,000")
    assert [(one["layer"], one["fen"]) for one in step["layers"]] == [
        ("national", yuan("300,000")),
        ("district", yuan("150,000")),
    ]
    assert assessment.amount_fen == yuan("150,000")


@pytest.mark.parametrize(
    ("decided", "amount_yuan"),
    [
        ({"national": yuan("100,000")}, "300,000"),  # the decision counts, not the published rate
        ({"national": yuan("500,000")}, "100,000"),
        ({"national": yuan("600,000")}, "0"),
        ({"national": yuan("700,000")}, "0"),
        ({"district": yuan("250,000")}, "50,000"),  # of a level that the rules do not name, beside the national 30 %
    ],
)
def test_what_another_level_decided_uses_the_ceiling_up(decided: dict[str, int], amount_yuan: str) -> None:
    stacking = {"base": "stackable", "layers": [layer("national", "0.30")], "ceiling": "0.60"}
    assessment = assess(rules("0.30", stacking=stacking), bill(yuan("1,000,000"), layers_fen=decided))
    assert assessment.amount_fen == yuan(amount_yuan)


def test_a_decided_layer_above_the_ceiling_leaves_the_others_nothing_and_never_less() -> None:
    stacking = {"base": "stackable", "layers": [layer("national", "0.30"), layer("city", "0.10")], "ceiling": "0.60"}
    assessment = assess(
        rules("0.30", stacking=stacking), bill(yuan("1,000,000"), layers_fen={"national": yuan("700,000")})
    )
    assert [one["fen"] for one in assessment.steps[-1]["layers"]] == [yuan("700,000"), 0]
    assert assessment.amount_fen == 0


@pytest.mark.parametrize(
    ("base", "second_yuan", "reasons"),
    [("exclusive", "200,000", ["DUP_BASE"]), ("stackable", "500,000", [])],
)
def test_two_vouchers_on_one_invoice(base: str, second_yuan: str, reasons: list[str]) -> None:
    invoice = Line("compute", yuan("1,000,000"), claimed_fen=yuan("600,000"))
    second = assess(rules("0.50", stacking={"base": base}), bill(invoice))
    assert (second.amount_fen, codes(second)) == (yuan(second_yuan), reasons)


def test_stackable_vouchers_together_stay_below_the_invoice() -> None:
    stacking = {"base": "stackable", "layers": [{"name": "first_voucher"}], "ceiling": "1.00"}
    facts = bill(yuan("1,000,000"), layers_fen={"first_voucher": yuan("600,000")})
    assessment = assess(rules("0.50", stacking=stacking), facts)
    assert (assessment.amount_fen, codes(assessment)) == (yuan("400,000"), ["STACK_CEILING"])


DONGGUAN = rules(
    {
        "kind": "fixed",
        "fact": "claim.tier",
        "amounts_fen": {"1": yuan("100,000"), "2": yuan("80,000"), "3": yuan("50,000")},
    },
    allocation={
        "method": "quota_tiers",
        "on_exhaustion": "waitlist",
        "quotas": [{"tier": "1", "share": "0.30"}, {"tier": "2", "share": "0.50"}, {"tier": "3", "share": "0.20"}],
    },
)


@pytest.mark.parametrize(
    ("tier", "amount_yuan", "reasons"),
    [("1", "100,000", []), ("2", "80,000", []), ("3", "50,000", []), ("4", "0", ["NO_RATE"])],
)
def test_a_fixed_amount_per_tier(tier: str, amount_yuan: str, reasons: list[str]) -> None:
    assessment = assess(DONGGUAN, bill(yuan("150,000"), claim={"tier": tier}))
    assert (assessment.amount_fen, codes(assessment)) == (yuan(amount_yuan), reasons)


def test_quota_shares_of_ten_places_admit_three_five_and_two() -> None:
    asks = [
        Ask(f"{tier}-{number}", assess(DONGGUAN, bill(yuan("150,000"), claim={"tier": tier})).amount_fen, tier=tier)
        for tier in ("1", "2", "3")
        for number in range(6)
    ]
    awards = allocate(DONGGUAN.allocation, asks, yuan("10,000,000"), places=10)
    admitted = [award.id for award in awards if award.granted_fen]
    assert admitted == ["1-0", "1-1", "1-2", "2-0", "2-1", "2-2", "2-3", "2-4", "3-0", "3-1"]
    assert sum(award.granted_fen for award in awards) == yuan("800,000")
    assert sum(award.waits for award in awards) == 8


def test_the_ceiling_may_differ_by_line() -> None:
    """60 % of domestic compute and 30 % of other, national money first."""
    by_facility = {"kind": "by", "fact": "line.facility_class", "rates": {"domestic": "0.60", "other": "0.30"}}
    given = rules("0.50", stacking={"layers": [{"name": "national"}], "ceiling": "1.00", "ceiling_by": by_facility})
    lines = [Line("compute", 1_000, facility_class="domestic"), Line("compute", 1_000, facility_class="other")]
    assessment = assess(given, bill(*lines, layers_fen={"national": 200}))
    assert assessment.amount_fen == 700  # 600 + 300 in all, 200 of it national
    step = next(step for step in assessment.steps if step["step"] == "ceiling")
    assert (step["share"], step["limit_fen"]) == ("0.45", 900)
    unnamed = assess(given, bill(1_000, layers_fen={"national": 200}))
    assert unnamed.amount_fen == 500  # a line without a rate of its own has the ceiling of all
