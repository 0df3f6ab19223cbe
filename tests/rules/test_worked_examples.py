"""The worked examples of published schemes for one claim, one row each, to the fen: E1 to E5 and E11."""

from __future__ import annotations

from typing import Any

import pytest

from app.services.rules.assess import assess
from app.services.rules.facts import Facts, Line
from app.services.rules.model import Rules
from app.services.rules.position import Counter
from tests.rules.builders import (
    bill,
    codes,
    firm_cap,
    flat,
    granted,
    is_one_of,
    one_after_another,
    position,
    requires,
    rules,
    yuan,
)

SIGNED_FROM_SEPTEMBER_2023 = requires({"kind": "date", "fact": "claim.contract_signed_on", "from_on": "2023-09-01"})
BEIJING: dict[str, Any] = {
    "categories": ["service"],
    "category_parents": {"compute": "service", "storage": "service", "network": "service"},
    "excluded_categories": ["storage", "network"],
    "base": {"least_of": ["billed", "contracted", "paid"]},
    "caps": [firm_cap(yuan("2,000,000"))],
} | SIGNED_FROM_SEPTEMBER_2023


def contract(*lines: Line, signed_on: str = "2023-10-08", paid: str = "1,000,000") -> Facts:
    amounts_fen = {"contracted": yuan("1,000,000"), "paid": yuan(paid)}
    return bill(*lines, amounts_fen=amounts_fen, claim={"contract_signed_on": signed_on})


MIXED_CONTRACT = (
    Line("compute", yuan("900,000")),
    Line("storage", yuan("80,000")),
    Line("network", yuan("20,000")),
)


def test_e1_excluded_items_leave_the_base() -> None:
    facts = contract(*MIXED_CONTRACT)
    assessment = assess(rules("0.20", **BEIJING), facts)
    assert assessment.eligible_fen == yuan("900,000")
    assert assessment.amount_fen == yuan("180,000.00")
    assert codes(assessment) == ["NOT_ELIGIBLE_LINE"]
    assert assessment.reductions[0]["base_fen"] == yuan("100,000")


def test_e1_without_the_exclusions_everything_counts() -> None:
    assessment = assess(rules("0.20", **BEIJING | {"excluded_categories": []}), contract(*MIXED_CONTRACT))
    assert (assessment.amount_fen, codes(assessment)) == (yuan("200,000.00"), [])


@pytest.mark.parametrize(
    ("signed_on", "amount_fen", "refusal"),
    [("2023-08-31", 0, "NOT_ELIGIBLE"), ("2023-09-01", yuan("180,000"), None)],
)
def test_e1_contracts_count_from_the_first_day_on(signed_on: str, amount_fen: int, refusal: str | None) -> None:
    assessment = assess(rules("0.20", **BEIJING), contract(*MIXED_CONTRACT, signed_on=signed_on))
    assert (assessment.amount_fen, assessment.refusal) == (amount_fen, refusal)


@pytest.mark.parametrize(
    ("scope", "reason"),
    [("firm", "CAP_FIRM_PERIOD"), ("group", "CAP_GROUP")],
)
def test_e2_the_yearly_cap_pays_what_is_left_and_refuses_the_rest(scope: str, reason: str) -> None:
    capped = rules("0.20", caps=[firm_cap(yuan("2,000,000"), scope=scope)])
    so_far = granted(scope, yuan("1,900,000"), period="2026")
    first, second = one_after_another(capped, [bill(yuan("1,000,000")), bill(yuan("1,000,000"))], so_far)
    assert (first.amount_fen, codes(first)) == (yuan("100,000"), [reason])
    assert first.reductions[0]["subsidy_fen"] == yuan("100,000")
    assert (second.amount_fen, second.refusal) == (0, reason)


def test_e2_the_group_cap_counts_the_firms_of_the_group_together_and_no_firm_alone() -> None:
    capped = rules("0.20", caps=[firm_cap(yuan("2,000,000"), scope="group")])
    assert assess(capped, bill(yuan("1,000,000")), granted("firm", yuan("1,900,000"), period="2026")).amount_fen == (
        yuan("200,000")
    )


SHENZHEN = rules(
    {
        "kind": "cases",
        "cases": [{"when": is_one_of("holder.tags", "startup"), "rate": {"kind": "up_to", "maximum": flat("0.60")}}],
        "otherwise": {"kind": "up_to", "maximum": flat("0.50")},
    },
    caps=[firm_cap(yuan("10,000,000"))],
)


@pytest.mark.parametrize(
    ("case", "contract_yuan", "known", "amount_yuan", "reasons"),
    [
        ("start-up", "12,000,000", {"holder": {"tags": ("startup", "hightech")}}, "7,200,000", []),
        ("ordinary", "24,000,000", {"holder": {"tags": ("hightech",)}}, "10,000,000", ["CAP_FIRM_PERIOD"]),
        ("approved 40 %", "24,000,000", {"holder": {"tags": ()}, "claim": {"approved_rate": "0.40"}}, "9,600,000", []),
        (
            "approved 51 %",
            "24,000,000",
            {"holder": {"tags": ()}, "claim": {"approved_rate": "0.51"}},
            "0",
            ["RATE_ABOVE_MAXIMUM"],
        ),
        (
            "approved the maximum",
            "2,000,000",
            {"holder": {"tags": ()}, "claim": {"approved_rate": "0.5"}},
            "1,000,000",
            [],
        ),
    ],
)
def test_e3_holder_tier_hard_cap_and_discretion(
    case: str, contract_yuan: str, known: dict[str, Any], amount_yuan: str, reasons: list[str]
) -> None:
    assessment = assess(SHENZHEN, bill(yuan(contract_yuan), **known))
    assert (assessment.amount_fen, codes(assessment)) == (yuan(amount_yuan), reasons), case


def test_e4_each_line_earns_the_rate_of_its_facility() -> None:
    hangzhou = rules({"kind": "by", "fact": "line.facility_class", "rates": {"domestic": "0.30", "other": "0.20"}})
    assessment = assess(
        hangzhou,
        bill(
            Line("compute", yuan("600,000"), facility_class="domestic"),
            Line("compute", yuan("400,000"), facility_class="other"),
            Line("storage", yuan("50,000"), facility_class="domestic"),
        ),
    )
    assert assessment.amount_fen == yuan("260,000")
    assert codes(assessment) == ["NOT_ELIGIBLE_LINE"]
    rate_step = next(step for step in assessment.steps if step["step"] == "rate")
    assert [part["exact_fen"] for part in rate_step["parts"]] == ["18000000", "8000000"]


def hangzhou_sme(method: str, *, inclusive: bool = True) -> Rules:
    bands = [
        {"up_to_fen": yuan("500,000"), "inclusive": inclusive, "rate": flat("0.50")},
        {"rate": flat("0.30")},
    ]
    return rules({"kind": "bracket", "method": method, "bands": bands})


@pytest.mark.parametrize(
    ("method", "second_yuan"),
    [("cliff_recalc", "15,000"), ("cliff_prospective", "75,000"), ("marginal", "115,000")],
)
def test_e5_the_second_contract_by_each_method(method: str, second_yuan: str) -> None:
    assessments = one_after_another(hangzhou_sme(method), [bill(yuan("300,000")), bill(yuan("250,000"))])
    assert [one.amount_fen for one in assessments] == [yuan("150,000"), yuan(second_yuan)]


@pytest.mark.parametrize("method", ["cliff_recalc", "cliff_prospective", "marginal"])
@pytest.mark.parametrize("bills", [["500,000"], ["300,000", "200,000"], ["0.02", "499,999.98"]])
def test_e5_exactly_the_limit_is_still_in_the_lower_band(method: str, bills: list[str]) -> None:
    assessments = one_after_another(hangzhou_sme(method), [bill(yuan(one)) for one in bills])
    assert sum(one.amount_fen for one in assessments) == yuan("250,000")


@pytest.mark.parametrize(
    ("method", "amount_yuan"),
    [("cliff_recalc", "150,000.30"), ("cliff_prospective", "150,000.30"), ("marginal", "250,000.30")],
)
def test_e5_one_yuan_more_falls_off_the_cliff(method: str, amount_yuan: str) -> None:
    assert assess(hangzhou_sme(method), bill(yuan("500,001"))).amount_fen == yuan(amount_yuan)


@pytest.mark.parametrize(("method", "amount_yuan"), [("cliff_recalc", "150,000"), ("marginal", "250,000")])
def test_e5_an_exclusive_limit_belongs_to_the_next_band(method: str, amount_yuan: str) -> None:
    assert assess(hangzhou_sme(method, inclusive=False), bill(yuan("500,000"))).amount_fen == yuan(amount_yuan)


def test_e5_recomputing_never_takes_back_what_was_paid() -> None:
    paid, over = one_after_another(hangzhou_sme("cliff_recalc"), [bill(yuan("500,000")), bill(yuan("1,000"))])
    assert (paid.amount_fen, over.amount_fen) == (yuan("250,000"), 0)  # 501,000 × 30 % is less than was paid


def test_a_base_before_the_claim_is_read_from_the_position() -> None:
    so_far = position({("firm", "2026"): Counter(base_fen=yuan("300,000"), gross_fen=yuan("150,000"))})
    assert assess(hangzhou_sme("cliff_recalc"), bill(yuan("250,000")), so_far).amount_fen == yuan("15,000")


def rounding(unit_fen: int, mode: str, level: str = "claim") -> dict[str, Any]:
    return {"rounding": {"unit_fen": unit_fen, "mode": mode, "level": level}}


@pytest.mark.parametrize(
    ("lines", "settings", "amount_yuan"),
    [
        (["123,456.78"], rounding(1, "half_up"), "37,037.03"),
        (["123,456.78"], rounding(100, "floor"), "37,037"),
        (["123,456.78"], rounding(10_000, "floor"), "37,000"),
        (["123,456.78"], rounding(1_000_000, "half_up"), "40,000"),
        (["33.35"], rounding(1, "half_up"), "10.01"),
        (["33.35"], rounding(1, "floor"), "10.00"),
        (["33.35"] * 3, rounding(1, "half_up", "line"), "30.03"),
        (["33.35"] * 3, rounding(1, "half_up", "claim"), "30.02"),
        (["33.35"] * 3, rounding(1, "floor", "line"), "30.00"),
        (["33.35"] * 3, rounding(1, "floor", "claim"), "30.01"),
    ],
)
def test_e11_rounded_once(lines: list[str], settings: dict[str, Any], amount_yuan: str) -> None:
    assert assess(rules("0.30", **settings), bill(*map(yuan, lines))).amount_fen == yuan(amount_yuan)


@pytest.mark.parametrize(
    ("billed_yuan", "base", "amount_yuan", "base_step"),
    [
        ("1,060,000", {"vat": "excluded"}, "300,000", {"base_fen": yuan("1,000,000")}),
        ("1,060,000", {"vat": "included"}, "318,000", {"base_fen": yuan("1,060,000")}),
        (
            "500,000",
            {"vat": "excluded"},
            "141,509.43",
            {"base_fen": yuan("471,698.11"), "exact_fen": "2500000000/53"},
        ),
    ],
)
def test_e11_vat_in_or_out(billed_yuan: str, base: dict[str, Any], amount_yuan: str, base_step: dict[str, Any]) -> None:
    assessment = assess(rules("0.30", base=base), bill(Line("compute", yuan(billed_yuan), tax_rate="0.06")))
    assert assessment.amount_fen == yuan(amount_yuan)
    assert base_step.items() <= next(step for step in assessment.steps if step["step"] == "base").items()
