"""What officials fix with a grant goes before what anybody states, and only within the rules."""

from __future__ import annotations

from typing import Any

import pytest

from app.kernel.vocabulary import Role
from tests.world import Counter, World, counter, ok, problem, rules_body

CAP = {"scope": "firm", "name": "firm_year", "limit_fen": 1_000, "hard_limit_fen": 2_000}
RULES = rules_body() | {
    "rate": {"kind": "up_to", "maximum": {"kind": "flat", "rate": "0.50"}},
    "caps": [CAP],
    "exceptions": [{"cap": "firm_year"}],
    "stacking": {"layers": [{"name": "national"}], "ceiling": "0.60"},
}


def desk_with(world: World, terms: dict[str, Any] | None) -> Counter:
    city = world.city()
    programme_id = city.programme(rules=RULES)
    base = counter(city)
    city.admit(programme_id, base.machine.organisation_id)
    firm_id = world.firm()
    voucher = city.issue(programme_id, firm_id, 1_000_000, **({"terms": terms} if terms else {}))
    manager = world.person(Role.FIRM, firm_id)
    body = {"provider_id": base.machine.organisation_id, "limit_fen": 1_000_000}
    ok(manager.post(f"/v1/vouchers/{voucher['id']}/mandates", body))
    return Counter(city, programme_id, voucher, manager, base.machine, {})


def test_the_approved_rate_of_a_grant_holds(world: World) -> None:
    assert ok(desk_with(world, None).redeem(1_000))["subsidy_fen"] == 500
    answer = ok(desk_with(world, {"claim": {"approved_rate": "0.40"}}).redeem(1_000))
    assert answer["subsidy_fen"] == 400
    rate = next(step for step in answer["trace"]["steps"] if step["step"] == "rate")
    assert rate["approved_rate"] == "0.4"


def test_an_exception_raises_the_cap_and_shows_in_the_trace(world: World) -> None:
    answer = ok(desk_with(world, {"exceptions_fen": {"firm_year": 1_500}}).redeem(10_000))
    assert answer["subsidy_fen"] == 1_500
    exception = next(step for step in answer["trace"]["steps"] if step["step"] == "exception")
    assert (exception["limit_fen"], exception["raised_to_fen"]) == (1_000, 1_500)


def test_what_another_level_decided_uses_up_the_ceiling(world: World) -> None:
    answer = ok(desk_with(world, {"layers_fen": {"national": 300}}).redeem(1_000))
    assert answer["subsidy_fen"] == 300
    assert answer["trace"]["reductions"] == [{"code": "STACK_CEILING", "subsidy_fen": 200}]


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({"claim": {"approved_rate": "0.51"}}, "terms_rate_above_maximum"),
        ({"claim": {"aproved_rate": "0.40"}}, "terms_unknown_fact"),
        ({"claim": {"approved_rate": "high"}}, "terms_wrong_fact_type"),
        ({"exceptions_fen": {"firm_year": 2_001}}, "terms_above_hard_limit"),
        ({"exceptions_fen": {"group_year": 500}}, "terms_no_exception"),
        ({"layers_fen": {"district": 1}}, "terms_unknown_layer"),
    ],
)
def test_terms_that_the_rules_do_not_allow_are_refused(shared_world: World, terms: dict[str, Any], code: str) -> None:
    city = shared_world.city()
    row = {"reference_no": "R1", "firm_id": shared_world.firm(), "face_value_fen": 100, "terms": terms}
    body = {"programme_id": city.programme(rules=RULES), "declared_count": 1, "declared_total_fen": 100, "rows": [row]}
    refusal = problem(city.maker.post("/v1/issuance-batches", body), 422, "validation_failed")
    assert [(place["pointer"], place["code"]) for place in refusal["errors"]] == [("/rows/0/terms", code)]
    assert refusal["errors"][0]["detail"]
    assert ok(city.maker.get("/v1/issuance-batches"))["data"] == []


def test_the_checker_sees_the_terms_that_he_approves(world: World) -> None:
    city = world.city()
    terms = {"claim": {"approved_rate": "0.40"}}
    row = {"reference_no": "R1", "firm_id": world.firm(), "face_value_fen": 100, "terms": terms}
    body = {"programme_id": city.programme(rules=RULES), "declared_count": 1, "declared_total_fen": 100, "rows": [row]}
    batch = ok(city.maker.post("/v1/issuance-batches", body))
    assert ok(city.checker.get(f"/v1/approvals/{batch['approval_id']}"))["effect"]["rows_with_terms"] == 1
    rows = ok(city.checker.get(f"/v1/issuance-batches/{batch['batch_id']}/rows"))["data"]
    assert rows[0]["terms"] == {"claim": {"approved_rate": "0.40"}, "exceptions_fen": {}, "layers_fen": {}}
