"""Whatever the rules say, the small sum adds up: rules, facts and positions by the hundred."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.portal.explanation import TELLERS, explain_assessment
from app.api.portal.texts import Words
from app.services.rules.assess import assess
from app.services.rules.facts import Facts, Line, Value, VoucherTerms
from app.services.rules.model import Rules
from app.services.rules.position import Bucket, Counter, Position

AT = datetime(2026, 6, 1, 2, tzinfo=UTC)

RATES = st.decimals("0", "1", places=3).map(str)
FLAT = RATES.map(lambda rate: {"kind": "flat", "rate": rate})
FACILITY = st.fixed_dictionaries(
    {
        "kind": st.just("by"),
        "fact": st.just("line.facility_class"),
        "rates": st.fixed_dictionaries({"domestic": RATES}),
    },
    optional={"otherwise": RATES},
)
LINE_RATE = FLAT | FACILITY
BRACKETS = st.fixed_dictionaries(
    {
        "kind": st.just("bracket"),
        "method": st.sampled_from(["marginal", "cliff_prospective", "cliff_recalc"]),
        "holder": st.sampled_from(["firm", "group"]),
        "per": st.sampled_from(["year", "lifetime"]),
        "bands": st.tuples(FLAT, FLAT).map(lambda rates: [{"up_to_fen": 10**7, "rate": rates[0]}, {"rate": rates[1]}]),
    }
)
FIXED = st.just({"kind": "fixed", "fact": "claim.tier", "amounts_fen": {"1": 777_777, "2": 1}})
UP_TO = LINE_RATE.map(lambda rate: {"kind": "up_to", "maximum": rate})
WHOLE = LINE_RATE | BRACKETS | FIXED | UP_TO
ATTAINED = st.tuples(WHOLE, st.sampled_from(["attained", "0.333333"])).map(
    lambda both: {"kind": "attainment", "steps": [{"at_least": "0.3", "share": both[1]}], "of": both[0]}
)
RATE = WHOLE | ATTAINED
LIMIT = st.integers(1, 10**8)
CAP = st.one_of(
    st.fixed_dictionaries(
        {
            "scope": st.sampled_from(["line", "claim", "contract", "voucher"]),
            "limit_fen": LIMIT,
            "hard_limit_fen": st.just(2 * 10**8),
        }
    ),
    st.fixed_dictionaries(
        {
            "scope": st.sampled_from(["firm", "group"]),
            "per": st.sampled_from(["year", "lifetime", {"months": 36}]),
            "limit_fen": LIMIT,
            "category": st.sampled_from([None, "training"]),
            "also_counts": st.sampled_from([None, "claim.other_aid_fen"]),
        }
    ),
    st.fixed_dictionaries({"scope": st.just("claims"), "limit": st.integers(1, 2)}),
    st.just({"scope": "claim", "limit_by": "claim.project_level", "limits_fen": {"national": 10**6}}),
)
CAPS = st.lists(CAP, max_size=3).map(lambda caps: [cap | {"name": f"cap_{place}"} for place, cap in enumerate(caps)])
BASE = st.fixed_dictionaries(
    {
        "least_of": st.sampled_from([["billed"], ["billed", "paid"], ["billed", "contracted", "metered"]]),
        "vat": st.sampled_from(["included", "excluded"]),
        "less_other_grants": st.booleans(),
        "ceilings": st.sampled_from([[], [{"unit": "day", "unit_price": "1100", "quantity": "30"}]]),
    },
    optional={"default_tax_rate": st.just("0.06")},
)
RULES = st.fixed_dictionaries(
    {
        "categories": st.just(["training", "model_service"]),
        "facts": st.just([{"name": "claim.other_aid_fen", "type": "number"}]),
        "rate": RATE,
        "base": BASE,
        "caps": CAPS,
        "rounding": st.fixed_dictionaries(
            {
                "unit_fen": st.sampled_from([1, 100, 1_000_000]),
                "mode": st.sampled_from(["floor", "half_up"]),
                "level": st.sampled_from(["claim", "line"]),
            }
        ),
        "floors": st.sampled_from(
            [
                [],
                [{"of": "base", "at_least_fen": 50_000, "inclusive": False}],
                [{"of": "subsidy", "at_least_fen": 50_000}],
                [{"of": "contract", "at_least_fen": 50_000}],
            ]
        ),
        "stacking": st.sampled_from(
            [
                {},
                {
                    "ceiling": "0.6",
                    "layers": [
                        {"name": "national", "rate": {"kind": "flat", "rate": "0.333"}},
                        {"name": "district", "before": False},
                    ],
                },
            ]
        ),
        "related_parties": st.sampled_from([{"action": "block"}, {"action": "flag"}]),
        "attribution": st.sampled_from([{"by": "claim"}, {"by": "usage", "year": "april"}]),
        "must_precede_expiry": st.sampled_from(["claim", "service"]),
        "requirements": st.sampled_from(
            [
                [],
                [{"name": "paid", "when": {"kind": "date", "fact": "claim.paid_on", "from_on": "2026-01-01"}}],
                [{"name": "domestic", "when": {"kind": "is", "fact": "line.facility_class", "one_of": ["domestic"]}}],
            ]
        ),
    }
)
LINE = st.builds(
    Line,
    category=st.sampled_from(["training", "model_service", "storage"]),
    amount_fen=st.integers(1, 10**8),
    quantity=st.sampled_from(["1", "7", "40"]),
    unit=st.sampled_from(["day", "card_hour"]),
    tax_rate=st.sampled_from([None, "0.13"]),
    used_until=st.sampled_from([None, datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC)]),
    facility_class=st.sampled_from([None, "domestic", "other"]),
    amounts_fen=st.fixed_dictionaries(
        {}, optional={name: st.integers(0, 10**8) for name in ("paid", "contracted", "metered")}
    ),
    claimed_fen=st.sampled_from([0, 0, 12_345]),
    other_grants_fen=st.sampled_from([0, 0, 54_321]),
)
CLAIM: st.SearchStrategy[Mapping[str, Value]] = st.fixed_dictionaries(
    {},
    optional={
        "tier": st.sampled_from(["1", "3"]),
        "attainment": st.sampled_from(["0.2", "0.777", "1.5"]),
        "approved_rate": st.sampled_from(["0.1", "0.9"]),
        "contract_no": st.just("HT-1"),
        "contract_fen": st.just(10**6),
        "project_level": st.sampled_from(["national", "local"]),
        "other_aid_fen": st.just(1000),
        "paid_on": st.sampled_from(["2025-12-31", "2026-02-01"]),
        "same_controller": st.booleans(),
    },
)
COUNTERS = st.sampled_from(
    [
        (Bucket(holder, period, category), Counter(9_000_000, 1_000_000, 900_000, 1))
        for holder in ("firm", "group", "contract", "voucher")
        for period in ("all", "2026", "2026/04", "2025/04", "2026-05-30")
        for category in ("", "training")
    ]
)


@pytest.mark.parametrize("words", [Words("zh"), Words("en")], ids=["zh", "en"])
@given(
    document=RULES,
    lines=st.lists(LINE, min_size=1, max_size=4),
    claim=CLAIM,
    counters=st.lists(COUNTERS, max_size=6),
    granted_before_fen=st.sampled_from([0, 0, 12_345]),
    layers_fen=st.sampled_from([{}, {"national": 20_000, "district": 5}]),
    exceptions_fen=st.sampled_from([{}, {"cap_0": 10**9}]),
    voucher=st.sampled_from([None, VoucherTerms(datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 9, 1, tzinfo=UTC))]),
    balance_fen=st.none() | st.integers(0, 10**7),
)
def test_the_sum_adds_up_whatever_the_rules_say(
    words: Words,
    document: dict[str, Any],
    lines: Sequence[Line],
    claim: Mapping[str, Value],
    counters: list[tuple[Bucket, Counter]],
    granted_before_fen: int,
    layers_fen: Mapping[str, int],
    exceptions_fen: Mapping[str, int],
    voucher: VoucherTerms | None,
    balance_fen: int | None,
) -> None:
    rule = Rules.model_validate(document)
    given_facts = Facts(
        lines=lines,
        at=AT,
        claim=claim,
        granted_before_fen=granted_before_fen,
        layers_fen=layers_fen,
        exceptions_fen=exceptions_fen,
        voucher=voucher,
    )
    assessment = assess(rule, given_facts, Position(counters))
    drawn_fen = assessment.amount_fen if balance_fen is None else min(assessment.amount_fen, balance_fen)
    steps: list[Any] = [{"step": "rule_version", "id": "rul_1", "number": 3}, *assessment.steps]
    reductions: list[Any] = list(assessment.reductions)
    if balance_fen is not None:
        steps.append({"step": "voucher", "balance_fen": balance_fen, "drawn_fen": drawn_fen})
    if drawn_fen < assessment.amount_fen:
        reductions.append({"code": "CAP_VOUCHER", "subsidy_fen": assessment.amount_fen - drawn_fen})
    bill_fen = sum(line.amount_fen for line in lines)
    shown = explain_assessment(steps, reductions, words, rules=rule, amount_fen=drawn_fen, bill_fen=bill_fen)

    assert all(step["step"] in TELLERS for step in steps)
    rows = list(shown.rows)
    assert [row.amount_fen for row in rows if row.kind == "result"] == [drawn_fen, bill_fen - drawn_fen]
    subtotals = [place for place, row in enumerate(rows) if row.kind == "subtotal"]
    first, rest = (rows[: subtotals[0]], rows[subtotals[0] + 1 :]) if subtotals else (rows, [])
    assert rows[0].amount_fen == bill_fen
    base_fen = rows[subtotals[0]].amount_fen if subtotals else 0
    assert sum(row.amount_fen for row in first if row.kind != "result") == base_fen
    assert sum(row.amount_fen for row in rest if row.kind != "result") == (drawn_fen if subtotals else 0)
    assert subtotals or drawn_fen == 0
    spare = [abs(row.amount_fen) for row in rows if row.label == words("calc.spare")]
    assert sum(spare) <= len(rows), "what does not fit is a few fen at most"
    assert bool(shown.cuts) == bool(reductions)
    assert words("calc.other") not in shown.cuts
