"""Programmes, admissions, appropriations and approvals over HTTP: two persons for every act, and only one's own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from app.kernel.vocabulary import OrganisationKind, Role
from tests.world import CIXI, NINGBO, City, World, counter, ok, problem, programme_body, rules_body


@pytest.fixture
def city(world: World) -> City:
    return world.city()


def draft(city: City, **changes: Any) -> dict[str, Any]:
    created: dict[str, Any] = ok(city.maker.post("/v1/programmes", programme_body(city, **changes)))
    return created


def test_a_programme_is_drafted_submitted_and_published_by_another_person(city: City) -> None:
    programme = draft(city)
    assert programme["status"] == "draft"
    submitted = ok(city.maker.post(f"/v1/programmes/{programme['id']}/submit"))
    assert submitted["programme"]["status"] == "submitted"
    approval = submitted["approval"]
    assert (approval["kind"], approval["required_role"], approval["status"]) == (
        "publish_programme",
        "checker",
        "pending",
    )
    done = ok(city.checker.post(f"/v1/approvals/{approval['id']}/approve"))
    assert (done["status"], done["made_by"], done["decided_by"]) == ("approved", city.maker.id, city.checker.id)
    assert ok(city.maker.get(f"/v1/programmes/{programme['id']}"))["status"] == "published"
    version = ok(city.maker.get(f"/v1/programmes/{programme['id']}/rule-versions"))[0]
    assert (version["number"], version["status"], version["rules"]["rate"]) == (
        1,
        "published",
        {"kind": "flat", "rate": "0.30"},
    )


def test_nobody_approves_what_he_made(world: World, city: City) -> None:
    submitted = ok(city.maker.post(f"/v1/programmes/{draft(city)['id']}/submit"))
    approval = f"/v1/approvals/{submitted['approval']['id']}"
    problem(city.maker.post(f"{approval}/approve"), 403, "forbidden")
    programme_id = city.programme()
    asked = ok(
        city.finance.post(f"/v1/programmes/{programme_id}/appropriations", {"document_no": "1", "amount_fen": 5})
    )
    problem(city.finance.post(f"/v1/approvals/{asked['id']}/approve"), 422, "same_person")
    problem(city.checker.post(f"/v1/approvals/{asked['id']}/approve"), 404, "not_found")
    ok(city.second_finance.post(f"/v1/approvals/{asked['id']}/approve"))
    problem(city.second_finance.post(f"/v1/approvals/{asked['id']}/approve", key="again"), 409, "wrong_state")


def test_an_approval_waits_only_for_its_own_authority(world: World, city: City) -> None:
    submitted = ok(city.maker.post(f"/v1/programmes/{draft(city)['id']}/submit"))
    approval = f"/v1/approvals/{submitted['approval']['id']}"
    same_city_other_authority = world.person(
        Role.CHECKER, world.organisation(OrganisationKind.AUTHORITY, city.region_code)
    )
    for stranger in (same_city_other_authority, world.city(NINGBO).checker):
        problem(stranger.post(f"{approval}/approve"), 404, "not_found")
        assert ok(stranger.get("/v1/approvals"))["data"] == []
    waiting = ok(city.checker.get("/v1/approvals", status="pending"))["data"]
    assert [item["id"] for item in waiting] == [submitted["approval"]["id"]]


def test_a_rejected_programme_is_a_draft_again(city: City) -> None:
    programme = draft(city)
    path = f"/v1/programmes/{programme['id']}"
    submitted = ok(city.maker.post(f"{path}/submit"))
    problem(city.maker.post(f"{path}/submit"), 409, "wrong_state")
    rejected = ok(city.checker.post(f"/v1/approvals/{submitted['approval']['id']}/reject", {"reason": "比例有误"}))
    assert (rejected["status"], rejected["decision_note"]) == ("rejected", "比例有误")
    assert ok(city.maker.get(path))["status"] == "draft"
    ok(city.approve(city.maker.post(f"{path}/submit")))


def test_a_draft_is_changed_only_by_who_has_read_it(city: City) -> None:
    programme = draft(city)
    path = f"/v1/programmes/{programme['id']}"
    body = programme_body(city, title="改名", rules=rules_body(rate="0.20"))
    problem(city.maker.http.patch(path, json=body), 428, "etag_missing")
    etag = city.maker.get(path).headers["ETag"]
    changed = city.maker.http.patch(path, json=body, headers={"If-Match": etag})
    assert ok(changed)["title"] == "改名"
    problem(city.maker.http.patch(path, json=body, headers={"If-Match": etag}), 412, "etag_stale")
    assert ok(city.maker.get(f"{path}/rule-versions"))[0]["rules"]["rate"]["rate"] == "0.20"


def test_an_approval_executes_what_was_submitted_and_drafts_are_hidden(world: World, city: City) -> None:
    programme = draft(city)
    firm = world.person(Role.FIRM, world.firm())
    problem(firm.get(f"/v1/programmes/{programme['id']}"), 404, "not_found")
    ok(city.approve(city.maker.post(f"/v1/programmes/{programme['id']}/submit")))
    assert ok(firm.get(f"/v1/programmes/{programme['id']}"))["status"] == "published"


def test_a_county_issues_under_its_own_jurisdiction(world: World, city: City) -> None:
    county = world.city(CIXI)
    county.programme()
    problem(city.maker.post("/v1/programmes", programme_body(county)), 403, "forbidden")
    wrong = programme_body(county, region_code=city.region_code)
    problem(county.maker.post("/v1/programmes", wrong), 403, "forbidden")


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"region_code": "330199"}, "/region_code"),
        ({"region_code": 330100}, "/region_code"),
        ({"opens_at": "2026-01-01T00:00:00"}, "/opens_at"),
        ({"closes_at": "2025-01-01T00:00:00Z"}, "/closes_at"),
        ({"closes_at": "9999-12-31T23:00:00-10:00"}, "/closes_at"),
        ({"opens_at": "0001-01-01T00:00:00+14:00"}, "/opens_at"),
        ({"rules": rules_body(validity={"kind": "date", "until": "9999-12-31"})}, "/rules/validity/until"),
        ({"title": " "}, "/title"),
        ({"title": "a\x00b"}, "/title"),
        ({"voucher_kind": "cash"}, "/voucher_kind"),
        ({"fiscal_year": 2026.0}, "/fiscal_year"),
        ({"rules": rules_body(rate="1.5")}, "/rules/rate/rate"),
        ({"rules": rules_body(cap={"kind": "bill", "limit_fen": -1})}, "/rules/cap/limit_fen"),
        ({"rules": rules_body() | {"discount": 1}}, "/rules/discount"),
        ({"budget": 1}, "/budget"),
    ],
)
def test_a_wrong_draft_is_refused_where_it_is_wrong(shared_world: World, change: dict[str, Any], pointer: str) -> None:
    city = shared_world.city()
    refused = problem(city.maker.post("/v1/programmes", programme_body(city, **change)), 422, "validation_failed")
    assert [place["pointer"] for place in refused["errors"]] == [pointer]
    listed = ok(city.maker.get("/v1/programmes", limit=200))["data"]
    assert [one for one in listed if one["authority_id"] == city.authority_id] == []


def test_appropriations_add_up_and_cannot_take_what_is_promised(world: World) -> None:
    city = world.city()
    desk = counter(city, face_value_fen=60_000_000)
    path = f"/v1/programmes/{desk.programme_id}"
    take_back = {"document_no": "调减1号", "amount_fen": -40_000_001}
    refused = problem(city.finance.post(f"{path}/appropriations", take_back), 409, "appropriation_below_promised")
    assert "400,000.00" in refused["detail"]
    city.fund(desk.programme_id, -40_000_000)
    pool = ok(city.finance.get(f"{path}/budget"))["pools"][0]
    assert (pool["appropriation_fen"], pool["available_fen"], pool["committed_fen"]) == (60_000_000, 0, 60_000_000)
    assert world.differences() == []


def test_a_draft_is_not_funded_because_it_may_still_change_its_year(city: City) -> None:
    path = f"/v1/programmes/{draft(city)['id']}/appropriations"
    asked = city.finance.post(path, {"document_no": "1", "amount_fen": 100})
    problem(asked, 409, "wrong_state")


def test_a_pool_never_holds_more_than_the_ledger_can_say(world: World) -> None:
    city = world.city()
    programme_id = city.programme(appropriation_fen=10**15)
    path = f"/v1/programmes/{programme_id}/appropriations"
    problem(city.finance.post(path, {"document_no": "1", "amount_fen": 1}), 422, "validation_failed")


def test_a_provider_that_was_refused_is_seen_by_officials_only(world: World) -> None:
    city = world.city()
    programme_id, provider_id = city.programme(), world.provider()
    stranger = world.machine(world.provider())
    path = f"/v1/programmes/{programme_id}/providers"
    proposed = ok(city.maker.http.put(f"{path}/{provider_id}", json={"categories": ["training"]}))
    assert ok(stranger.get(path)) == []
    problem(stranger.get(f"{path}/{provider_id}"), 404, "not_found")
    ok(city.checker.post(f"/v1/approvals/{proposed['approval']['id']}/reject", {"reason": "资质不足"}))
    assert ok(city.maker.get(path))[0]["status"] == "delisted"
    city.admit(programme_id, provider_id)
    assert ok(stranger.get(path))[0]["status"] == "listed"


def test_finance_of_a_province_sees_nothing_of_a_city(world: World, city: City) -> None:
    bureau = world.organisation(OrganisationKind.FINANCE, "330000")
    provincial = world.person(Role.FINANCE, bureau, "330000")
    programme_id = city.programme(appropriation_fen=None)
    body = {"document_no": "1", "amount_fen": 5}
    asked = ok(city.finance.post(f"/v1/programmes/{programme_id}/appropriations", body))
    assert ok(provincial.get("/v1/approvals"))["data"] == []
    problem(provincial.post(f"/v1/approvals/{asked['id']}/approve"), 404, "not_found")
    problem(provincial.post("/v1/reconciliations", {"region_code": city.region_code}), 404, "not_found")


def test_what_was_free_when_asked_may_be_gone_when_approved(world: World) -> None:
    city = world.city()
    programme_id = city.programme(appropriation_fen=1_000)
    path = f"/v1/programmes/{programme_id}/appropriations"
    asked = [ok(city.finance.post(path, {"document_no": "调减", "amount_fen": -600})) for _ in range(2)]
    ok(city.second_finance.post(f"/v1/approvals/{asked[0]['id']}/approve"))
    late = f"/v1/approvals/{asked[1]['id']}"
    problem(city.second_finance.post(f"{late}/approve"), 409, "appropriation_below_promised")
    assert ok(city.finance.get(late))["status"] == "pending"
    assert world.differences() == []


def test_one_approval_pressed_by_many_happens_once(world: World) -> None:
    city = world.city()
    programme_id = city.programme(appropriation_fen=None)
    body = {"document_no": "财字1号", "amount_fen": 1_000}
    asked = ok(city.finance.post(f"/v1/programmes/{programme_id}/appropriations", body))
    path = f"/v1/approvals/{asked['id']}/approve"
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: city.second_finance.post(path, key=f"k{n}"), range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
    pool_read = ok(city.finance.get(f"/v1/programmes/{programme_id}/budget"))["pools"][0]
    assert pool_read["appropriation_fen"] == 1_000
    assert world.differences() == []


@pytest.mark.parametrize("amount", [0, 1.5, "100", 10**16, None, True])
def test_a_wrong_amount_is_refused(shared_world: World, amount: object) -> None:
    city = shared_world.city()
    programme_id = city.programme(appropriation_fen=None)
    body = {"document_no": "1", "amount_fen": amount}
    answer = city.finance.post(f"/v1/programmes/{programme_id}/appropriations", body)
    assert problem(answer, 422, "validation_failed")["errors"][0]["pointer"] == "/amount_fen"


def test_an_unknown_fund_source_is_told_the_known_ones(world: World) -> None:
    city = world.city()
    programme_id = city.programme(appropriation_fen=None)
    body = {"document_no": "1", "amount_fen": 1, "fund_source": "province"}
    refused = problem(
        city.finance.post(f"/v1/programmes/{programme_id}/appropriations", body), 422, "fund_source_unknown"
    )
    assert "local" in refused["detail"]


def test_an_entry_leads_from_a_figure_of_the_budget_to_its_cause(world: World) -> None:
    city = world.city()
    desk = counter(city)
    redemption = ok(desk.redeem(10_000))
    pool = ok(city.auditor.get(f"/v1/programmes/{desk.programme_id}/budget"))["pools"][0]
    assert pool["obligated_fen"] == 3_000
    entries = ok(city.auditor.get("/v1/ledger/entries", pool_id=pool["pool_id"], account="obligated"))["data"]
    assert [entry["subject_id"] for entry in entries] == [redemption["id"]]
    assert entries[0]["postings"][0]["amount_fen"] == 3_000
    assert '"fen":3000' in entries[0]["leaf"]
    assert ok(city.auditor.get(f"/v1/ledger/entries/{entries[0]['id']}")) == entries[0]
    problem(world.city(NINGBO).auditor.get(f"/v1/ledger/entries/{entries[0]['id']}"), 404, "not_found")
    accounts = {row["account"]: row["balance_fen"] for row in ok(city.auditor.get("/v1/ledger/accounts"))}
    assert accounts["appropriation"] == -100_000_000
    assert sum(accounts.values()) == 0
    before = ok(city.auditor.get("/v1/ledger/accounts", at="2026-01-01T00:00:00Z"))
    assert before == []
