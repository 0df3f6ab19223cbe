"""The document itself: what is refused, what an older format means, and that it reads back to itself."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from app.services.rules.assess import assess
from app.services.rules.model import Rules
from app.services.rules.position import Kept
from tests.rules.builders import bill, codes, flat, is_one_of, rules

SENSIBLE: dict[str, Any] = {"categories": ["compute"], "rate": flat("0.30")}
BANDS: list[dict[str, Any]] = [{"up_to_fen": 100, "rate": flat("0.5")}, {"rate": flat("0.3")}]
ATTAINMENT = {"kind": "attainment", "of": flat("0.5")}
CAP = {"scope": "firm", "name": "cap", "limit_fen": 100}
AGE = {"kind": "age", "fact": "holder.registered_on"}


def bracket(bands: list[dict[str, Any]], method: str = "marginal") -> dict[str, Any]:
    return {"rate": {"kind": "bracket", "method": method, "bands": bands}}


def when(condition: dict[str, Any]) -> dict[str, Any]:
    return {"requirements": [{"name": "condition", "when": condition}]}


@pytest.mark.parametrize(
    "wrong",
    [
        {"v": 3},
        {"discount": "0.10"},
        {"rate": flat("1.01")},
        {"rate": flat("1.3")},
        {"rate": {"kind": "flat", "rate": 0.3}},
        {"rate": flat("30%")},
        {"rate": flat("0.1234567")},
        {"rate": flat("-0.1")},
        {"rate": flat(".3")},
        {"rate": flat("０.3")},
        {"rate": {"kind": "curved", "rate": "0.30"}},
        {"rate": {"kind": "by", "fact": "category", "rates": {"compute": "0.3"}}},
        {"rate": {"kind": "by", "fact": "line.category", "rates": {}}},
        {"categories": []},
        {"categories": ["Compute"]},
        {"categories": ["算力"]},
        bracket([]),
        bracket([BANDS[0]]),  # above it there would be a gap
        bracket([BANDS[1], BANDS[0]]),
        bracket([BANDS[0], BANDS[0], BANDS[1]]),
        bracket([BANDS[1], BANDS[1]]),
        {"rate": bracket(BANDS, "cliff_recalc")["rate"] | {"per": "claim"}},
        bracket([{"rate": {"kind": "by", "fact": "line.category", "rates": {"a": "0.1"}}}], "cliff_recalc"),
        bracket(BANDS, "average"),
        {"rate": ATTAINMENT | {"steps": []}},
        {"rate": ATTAINMENT | {"steps": [{"at_least": "1", "share": "1"}, {"at_least": "0.5", "share": "1"}]}},
        {"rate": ATTAINMENT | {"steps": [{"at_least": "0.5", "share": "1.5"}]}},
        {"caps": [CAP | {"limit_fen": 0}]},
        {"caps": [CAP | {"limit_fen": 10.5}]},
        {"caps": [CAP | {"limit_fen": "100"}]},
        {"caps": [CAP | {"limit_fen": 10**15 + 1}]},
        {"caps": [CAP | {"scope": "planet"}]},
        {"caps": [CAP | {"hard_limit_fen": 99}]},
        {"caps": [CAP | {"per": {"months": 0}}]},
        {"caps": [CAP | {"limit_by": "claim.project_level"}]},
        {"caps": [{"scope": "firm", "name": "cap"}]},
        {"caps": [CAP | {"scope": "claim", "per": "year"}]},
        {"floors": [{"of": "base", "at_least_fen": -1}]},
        {"base": {"least_of": []}},
        {"base": {"ceilings": [{"unit": "day"}]}},
        {"base": {"ceilings": [{"unit": "day", "unit_price": "1,100"}]}},
        {"base": {"vat": "maybe"}},
        {"rounding": {"unit_fen": 20}},
        {"validity": {"kind": "days", "days": 0}},
        {"validity": {"kind": "date", "until": "31.12.2026"}},
        {"grace_days": -1},
        {"windows": [{"of": "claim", "opens_at": "2026-10-12T17:00", "closes_at": "2026-10-12T16:59"}]},
        {"windows": [{"of": "claim", "opens_at": "2026-10-12", "closes_at": "2026-10-13"}]},
        {"fund_sources": []},
        {"fund_sources": [{"source": "local", "share": 0}]},
        {"allocation": {"method": "quota_tiers"}},
        {"allocation": {"method": "ranked", "quotas": [{"tier": "1", "share": "1"}]}},
        {"stacking": {"ceiling": "1.2"}},
        {"facts": [{"name": "weather", "type": "words"}]},
        when({"kind": "is", "fact": "holder.size", "one_of": []}),
        when({"kind": "number", "fact": "provider.racks"}),
        when({"kind": "number", "fact": "provider.racks", "at_least": 100}),
        when({"kind": "date", "fact": "claim.paid_on"}),
        when({"kind": "date", "fact": "claim.paid_on", "from_on": "2026-02-01", "until_on": "2026-01-31"}),
        when(AGE),
        when({"kind": "all", "of": []}),
        when({"kind": "in_region", "fact": "holder.region_code", "regions": ["33"]}),
        when({"kind": "sometimes"}),
    ],
)
def test_a_document_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    Rules.model_validate(SENSIBLE)
    with pytest.raises(ValidationError):
        Rules.model_validate(SENSIBLE | wrong)


@pytest.mark.parametrize("first_format", [{}, {"v": 1}])
def test_a_document_of_the_first_format_means_what_it_meant(first_format: dict[str, Any]) -> None:
    old = SENSIBLE | {"cap": {"kind": "bill", "limit_fen": 500}, "minimum_bill_fen": 1000} | first_format
    given = Rules.model_validate(old)
    assert given.v == 2
    earned = [assess(given, bill(fen)) for fen in (999, 1000, 5000)]
    assert [(one.amount_fen, codes(one)) for one in earned] == [(0, ["BELOW_MIN"]), (300, []), (500, ["CAP_CLAIM"])]


@pytest.mark.parametrize("first_format", [{"cap": None}, {"minimum_bill_fen": 0}, {"v": 1}, {"v": 1, "cap": None}])
def test_a_first_document_without_cap_or_minimum_has_neither(first_format: dict[str, Any]) -> None:
    assert Rules.model_validate(SENSIBLE | first_format) == Rules.model_validate(SENSIBLE)


@pytest.mark.parametrize(
    "wrong",
    [
        {"cap": {"kind": "bill", "limit_fen": 0}},
        {"cap": {"kind": "bill", "limit_fen": 10.5}},
        {"cap": {"kind": "bill", "limit": 10}},
        {"cap": {"kind": "moon", "limit_fen": 10}},
        {"cap": 500},
        {"minimum_bill_fen": -1},
        {"minimum_bill_fen": "1000"},
        {"v": 2, "cap": {"kind": "bill", "limit_fen": 500}},
        {"v": 2, "minimum_bill_fen": 1000},
    ],
)
def test_a_wrong_document_of_the_first_format_is_refused_too(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Rules.model_validate(SENSIBLE | wrong)


FULL = rules(
    {
        "kind": "cases",
        "cases": [
            {"when": {"kind": "not", "of": is_one_of("holder.size", "large")}, "rate": bracket(BANDS)["rate"]},
            {
                "when": AGE | {"years_below": 5},
                "rate": ATTAINMENT | {"steps": [{"at_least": "1", "share": "attained"}]},
            },
        ],
        "otherwise": {"kind": "up_to", "maximum": {"kind": "by", "fact": "line.unit", "rates": {"hour": "0.10"}}},
    },
    basis={"documents": ["浙政办发〔2023〕65号"], "trial_until_on": "2027-12-31", "assumptions": ["按申报日归属年度"]},
    category_parents={"gpu": "compute"},
    requirements=[
        {"name": "local", "when": {"kind": "in_region", "fact": "holder.region_code", "regions": ["330100"]}},
        {
            "name": "dated",
            "when": {"kind": "date", "fact": "claim.paid_on", "from_on": "2026-01-01"},
            "checkpoints": ["pay"],
        },
    ],
    caps=[CAP | {"per": {"months": 36}}, {"scope": "claims", "name": "three", "limit": 3}],
    floors=[{"of": "subsidy", "at_least_fen": 100}],
    stacking={"layers": [{"name": "national", "rate": flat("0.30")}], "ceiling": "0.60"},
    validity={"kind": "date", "until": "2027-06-30"},
    windows=[{"of": "claim", "opens_at": "2026-10-01T09:00", "closes_at": "2026-10-12T17:00"}],
    unit={"kind": "in_kind", "name": "credit"},
)


@pytest.mark.parametrize("given", [FULL, rules("0.30"), rules("0", pinned_by="contract")])
def test_the_canonical_document_reads_back_to_itself(given: Rules) -> None:
    stored = given.canonical()
    again = Rules.model_validate_json(stored)
    assert again == given
    assert again.canonical() == stored


def test_only_what_rules_read_is_kept() -> None:
    assert rules("0.3").kept == ()
    assert FULL.kept == (Kept("firm", "day"), Kept("firm", "all"), Kept("firm", "year"))
    contract = {"scope": "contract", "name": "contract", "limit_fen": 1}
    assert rules("0.3", caps=[contract, CAP | {"category": "compute"}]).kept == (
        Kept("contract", "all"),
        Kept("firm", "year", "compute"),
    )


def test_a_table_of_words_keeps_its_order_and_its_script() -> None:
    tags = {"高新": "0.30", "初创": "0.60", "a": "0.10"}
    given = rules({"kind": "by", "fact": "holder.tags", "rates": tags})
    again = Rules.model_validate_json(given.canonical())
    both = bill(1000, holder={"tags": ("a", "初创", "高新")})
    assert assess(given, both).amount_fen == assess(again, both).amount_fen == 300


def test_a_rate_without_a_kind_is_flat_as_it_always_was() -> None:
    short = Rules.model_validate({"categories": ["compute"], "rate": {"rate": "0.30"}})
    assert short == Rules.model_validate({"categories": ["compute"], "rate": {"kind": "flat", "rate": "0.30"}})


def test_a_document_that_mixes_both_formats_is_refused() -> None:
    mixed = {"categories": ["compute"], "rate": {"rate": "0.30"}, "cap": {"limit_fen": 5}, "caps": []}
    with pytest.raises(ValidationError):
        Rules.model_validate(mixed)
