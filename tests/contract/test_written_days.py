"""A day on the wire is text such as 2026-12-31, as the contract says; a number is no day, in quotes or without."""

from __future__ import annotations

from typing import Any

import pytest

from app.kernel.vocabulary import OrganisationKind, Role
from tests.world import HANGZHOU, World, problem, rules_body, uscc_of

NO_DAYS: list[Any] = [946684800, "946684800", 0, "20260101", "2026-01-01T00:00:00", "٢٠٢٦-٠١-٠١"]


@pytest.mark.parametrize("given", NO_DAYS)
def test_what_is_no_day_is_refused_where_it_stands(shared_world: World, given: Any) -> None:
    registry = shared_world.organisation(OrganisationKind.REGISTRY)
    registrar = shared_world.person(Role.REGISTRAR, registry)
    body = {
        "kind": "firm",
        "identifier": {"type": "uscc", "value": uscc_of(770_001)},
        "name": "某企业",
        "region_code": HANGZHOU,
        "profile": {"registered_on": given, "tags": [{"name": "高新", "since_on": given}]},
    }
    told = problem(registrar.post("/v1/organisations", body), 422, "validation_failed")
    pointers = {error["pointer"] for error in told["errors"]}
    assert pointers == {"/profile/registered_on", "/profile/tags/0/since_on"}
    end = {"ended_on": given, "reason": "已终止"}
    path = f"/v1/organisations/{registry}/relations/rel_01m85r7edwejb9kg3szhzhwwdp/end"
    assert problem(registrar.post(path, end), 422, "validation_failed")["errors"][0]["pointer"] == "/ended_on"


@pytest.mark.parametrize("given", NO_DAYS)
def test_the_same_in_a_rule_document(shared_world: World, given: Any) -> None:
    rules = rules_body(validity={"kind": "date", "until": given})
    maker = shared_world.person(Role.MAKER, shared_world.organisation(OrganisationKind.AUTHORITY))
    told = problem(maker.post("/v1/rules/check", {"rules": rules}), 422, "validation_failed")
    assert {error["pointer"] for error in told["errors"]} == {"/rules/validity/until"}
