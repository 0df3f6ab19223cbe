"""Four eyes over HTTP: steps by amount, who may take them, in whose place, and what an approver sees."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from sqlalchemy import create_engine, insert, text, update

from app.kernel.clock import civil_date, utc_now
from app.kernel.ids import new_id
from app.kernel.vocabulary import OrganisationKind, Role
from app.models import RoleGrant
from tests.allocation import rounds
from tests.past import superuser_url
from tests.world import HANGZHOU, LONG_AGO, NINGBO, Actor, City, World, counter, ok, problem, programme_body, uscc_of

ONE_TWO_THREE = [
    {"up_to_fen": 10_000, "steps": ["checker"]},
    {"up_to_fen": 50_000, "steps": ["checker", "checker"]},
    {"up_to_fen": None, "steps": ["checker", "checker", "finance"]},
]
_numbers = count(1)


@dataclass(frozen=True)
class Office:
    """A city with a second checker, a registrar and a security administrator."""

    city: City
    second: Actor
    registrar: Actor
    security: Actor

    @property
    def world(self) -> World:
        return self.city.world

    def banded(self, kind: str = "issue_batch", bands: Any = None, **changes: Any) -> None:
        """The authority's bands, in force from now on."""
        asked = self.ask_bands(kind, bands or ONE_TWO_THREE, **changes)
        ok(self.city.approve(asked))
        ok(self.city.approve(asked, by=self.city.finance))

    def ask_bands(self, kind: str, bands: Any, *, by: Actor | None = None, **changes: Any) -> Any:
        today = civil_date(utc_now()).isoformat()
        body = {"region_code": HANGZHOU, "authority_id": self.city.authority_id, "kind": kind, "bands": bands}
        return (by or self.city.maker).http.post("/v1/approval-bands", json=body | {"effective_on": today} | changes)

    def batch(self, programme_id: str, total_fen: int) -> str:
        """A batch of one voucher, submitted; the approval's id."""
        row = {"reference_no": f"F{next(_numbers)}", "firm_id": self.world.firm(), "face_value_fen": total_fen}
        body = {"programme_id": programme_id, "declared_count": 1, "declared_total_fen": total_fen, "rows": [row]}
        approval_id: str = ok(self.city.maker.post("/v1/issuance-batches", body))["approval_id"]
        return approval_id

    def lend(self, to: Actor, *, by: Actor | None = None, hours: float = 24) -> Any:
        return (by or self.city.checker).http.post("/v1/delegations", json=self.lending(to, hours=hours))

    def lending(self, to: Actor, *, hours: float = 24) -> dict[str, Any]:
        ends_at = (datetime.now(UTC) + timedelta(hours=hours)).isoformat()
        return {
            "role": "checker",
            "region_code": HANGZHOU,
            "delegate_id": to.id,
            "ends_at": ends_at,
            "reason": "出差，委托代为审核",
        }

    def colleague(self) -> Actor:
        """Somebody of the authority who decides nothing himself."""
        return self.world.person(Role.REGISTRAR, self.city.authority_id)

    def vouchers(self, programme_id: str) -> int:
        return len(ok(self.city.maker.get("/v1/vouchers", programme_id=programme_id))["data"])


@pytest.fixture
def office(shared_world: World) -> Office:
    city = shared_world.city()
    registry = shared_world.organisation(OrganisationKind.REGISTRY)
    return Office(
        city,
        shared_world.person(Role.CHECKER, city.authority_id),
        shared_world.person(Role.REGISTRAR, registry),
        shared_world.person(Role.SECURITY_ADMIN, registry),
    )


def grant(world: World, actor: Actor, role: Role, authority_id: str | None = None) -> None:
    """A role that somebody came to over time, whatever he held."""
    row = {
        "id": new_id("grn"),
        "user_id": actor.id,
        "role": role,
        "region_code": HANGZHOU,
        "authority_id": authority_id,
        "granted_at": LONG_AGO,
        "granted_by": "test",
    }
    world.database.transact(lambda tx: tx.execute(insert(RoleGrant).values(row)))


def path(approval_id: str, act: str = "approve") -> str:
    return f"/v1/approvals/{approval_id}/{act}"


def shown(actor: Actor, approval_id: str) -> Any:
    return ok(actor.get(f"/v1/approvals/{approval_id}"))


def test_three_persons_one_after_another_and_only_the_last_executes(office: Office) -> None:
    city = office.city
    office.banded()
    programme_id = city.programme()
    approval_id = office.batch(programme_id, 60_000)
    waiting = shown(city.checker, approval_id)
    assert [step["role"] for step in waiting["steps"]] == ["checker", "checker", "finance"]
    assert {person["id"] for person in waiting["next_people"]} == {city.checker.id, office.second.id}
    problem(city.finance.post(path(approval_id)), 403, "forbidden")  # not his turn yet
    first = ok(city.checker.post(path(approval_id), {"note": "初审同意"}))
    assert (first["status"], first["required_role"], first["decided_by"]) == ("pending", "checker", None)
    problem(city.checker.post(path(approval_id)), 422, "step_already_decided")
    assert ok(office.second.post(path(approval_id)))["required_role"] == "finance"
    assert office.vouchers(programme_id) == 0
    problem(office.second.post(path(approval_id)), 403, "forbidden")
    done = ok(city.finance.post(path(approval_id)))
    assert (done["status"], done["decided_by"]) == ("approved", city.finance.id)
    assert [step["decided_by"] for step in done["steps"]] == [city.checker.id, office.second.id, city.finance.id]
    assert done["steps"][0]["note"] == "初审同意"
    assert office.vouchers(programme_id) == 1
    assert office.world.differences() == []


def test_a_rejection_at_a_later_step_ends_it(office: Office) -> None:
    office.banded()
    programme_id = office.city.programme()
    approval_id = office.batch(programme_id, 20_000)
    ok(office.city.checker.post(path(approval_id)))
    rejected = ok(office.second.post(path(approval_id, "reject"), {"reason": "金额有误"}))
    assert [step["outcome"] for step in rejected["steps"]] == ["approved", "rejected"]
    problem(office.city.second_finance.post(path(approval_id)), 404, "not_found")
    assert office.vouchers(programme_id) == 0
    assert office.world.differences() == []


def test_two_who_press_the_last_step_at_once_execute_it_once(office: Office) -> None:
    city = office.city
    office.banded()
    programme_id = city.programme()
    approval_id = office.batch(programme_id, 60_000)
    ok(city.checker.post(path(approval_id)))
    ok(office.second.post(path(approval_id)))
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda one: one.post(path(approval_id)), [city.finance, city.second_finance]))
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    assert office.vouchers(programme_id) == 1
    assert office.world.differences() == []


def test_an_act_that_waits_already_is_refused_for_good_under_its_key(office: Office) -> None:
    """Whoever repeats it once the way is free is told what he was told, and asks for nothing by that."""
    city, voucher = office.city, counter(office.city).voucher
    asks = f"/v1/vouchers/{voucher['id']}/freeze", {"reason": "核查"}
    first = ok(city.maker.post(*asks))
    refused = city.maker.post(*asks, key="K")
    problem(refused, 409, "approval_pending")
    ok(city.checker.post(path(first["id"], "reject"), {"reason": "再议"}))
    again = city.maker.post(*asks, key="K")
    assert (again.status_code, again.content) == (409, refused.content)
    assert again.headers["Idempotency-Replayed"] == "true"
    ok(city.maker.post(*asks, key="K2"))


def test_bands_change_under_two_persons_and_what_waits_keeps_its_steps(office: Office) -> None:
    city = office.city
    programme_id = city.programme()
    before = office.batch(programme_id, 60_000)
    problem(office.ask_bands("issue_batch", ONE_TWO_THREE, by=city.checker), 403, "forbidden")
    asked = ok(office.ask_bands("issue_batch", ONE_TWO_THREE))
    assert [step["role"] for step in asked["steps"]] == ["checker", "finance"]
    assert "其余：审核→审核→财政" in asked["in_words"]["zh"]
    assert asked["effect"]["too_few"] == []
    thrice = ok(office.ask_bands("freeze_voucher", [{"up_to_fen": None, "steps": ["checker"] * 3}]))
    assert thrice["effect"]["too_few"] == [{"role": "checker", "needed": 3, "there": 2}]
    assert thrice["in_words"]["zh"].endswith("注意：审核须 3 人，现有 2 人。")
    problem(office.ask_bands("issue_batch", ONE_TWO_THREE), 409, "approval_pending")
    ok(city.checker.post(path(asked["id"])))
    assert len(shown(city.checker, office.batch(programme_id, 60_000))["steps"]) == 1, "not yet decided"
    ok(city.finance.post(path(asked["id"])))
    assert len(shown(city.checker, office.batch(programme_id, 60_000))["steps"]) == 3
    assert len(shown(city.checker, before)["steps"]) == 1
    [table] = ok(city.maker.get("/v1/approval-bands"))["data"]
    assert (table["kind"], table["bands"]) == ("issue_batch", ONE_TWO_THREE)
    yesterday = (civil_date(utc_now()) - timedelta(days=1)).isoformat()
    refused = problem(office.ask_bands("void_voucher", ONE_TWO_THREE, effective_on=yesterday), 422, "validation_failed")
    assert [(error["pointer"], error["code"]) for error in refused["errors"]] == [("/effective_on", "in_the_past")]


def test_a_request_that_was_split_stands_out(office: Office) -> None:
    office.banded()
    programme_id = office.city.programme()
    alone = shown(office.city.checker, office.batch(programme_id, 9_000))
    assert "splitting" not in alone["effect"]
    split = shown(office.city.checker, office.batch(programme_id, 9_000))
    assert split["effect"]["splitting"] == {
        "count": 2,
        "total_fen": 18_000,
        "steps_for_total": ["checker", "checker"],
    }
    assert "疑为拆分" in split["in_words"]["zh"]
    elsewhere = shown(office.city.checker, office.batch(office.city.programme(), 9_000))
    assert "splitting" not in elsewhere["effect"]


def test_a_waiting_list_that_is_promoted_in_parts_stands_out(office: Office) -> None:
    city = office.city
    office.banded("promote_waiting")
    programme_id = rounds.programme(city, 9_000, method="first_come", on_exhaustion="waitlist")
    rounds.frozen(city, programme_id, rounds.rows_of(office.world, 9_000, 9_000, 9_000)).execute()
    city.fund(programme_id, 18_000)
    ok(city.approve(rounds.promote(city, programme_id, limit_fen=9_000)))
    split = shown(city.checker, ok(rounds.promote(city, programme_id, limit_fen=9_000))["approval_id"])
    assert split["effect"]["splitting"]["total_fen"] == 18_000


def test_who_came_to_an_incompatible_role_decides_no_more(office: Office) -> None:
    approval_id = office.batch(office.city.programme(), 1_000)
    grant(office.world, office.second, Role.AUDITOR)
    refused = problem(office.second.post(path(approval_id)), 422, "roles_incompatible")
    assert "auditor" in refused["detail"]
    ok(office.city.checker.post(path(approval_id)))


def test_incompatible_roles_are_refused_when_asked_for_and_when_granted(office: Office) -> None:
    world, city = office.world, office.city
    wanted = {"roles": [{"role": "checker", "region_code": HANGZHOU}]}
    refused = problem(
        office.registrar.http.post(f"/v1/users/{city.maker.id}/roles", json=wanted), 422, "validation_failed"
    )
    assert [(error["pointer"], error["code"]) for error in refused["errors"]] == [
        ("/roles/0/role", "incompatible_roles")
    ]
    colleague = office.colleague()
    asked = ok(office.registrar.http.post(f"/v1/users/{colleague.id}/roles", json=wanted))
    grant(world, colleague, Role.MAKER, city.authority_id)
    problem(office.security.post(path(asked["approval_id"])), 422, "roles_incompatible")


def test_two_accounts_of_one_natural_person_are_one_person(office: Office) -> None:
    city = office.city
    problem(_joined(city.maker, city.checker, office.second), 403, "forbidden")
    programme_id = city.programme()
    office.banded()
    both = office.batch(programme_id, 20_000)
    ok(city.checker.post(path(both)))
    joined = ok(_joined(office.registrar, city.checker, office.second))
    assert ok(office.second.get(f"/v1/users/{office.second.id}"))["person_id"] == joined["person_id"] is not None
    problem(office.second.post(path(both)), 422, "step_already_decided")
    assert ok(office.second.get("/v1/approvals", mine=True))["count"] == 0
    assert shown(city.checker, both)["next_people"] == []
    ok(_joined(office.registrar, city.finance, city.second_finance))
    body = {"document_no": "财字2号", "amount_fen": 1, "fund_source": "local"}
    asked = ok(city.finance.post(f"/v1/programmes/{programme_id}/appropriations", body))
    problem(city.second_finance.post(path(asked["id"])), 422, "same_person")


def _joined(by: Actor, one: Actor, other: Actor) -> Any:
    return by.http.post(f"/v1/users/{one.id}/same-person", json={"user_id": other.id})


def test_accounts_whose_roles_do_not_go_together_are_not_joined(office: Office) -> None:
    city = office.city
    refused = office.registrar.http.post(f"/v1/users/{city.maker.id}/same-person", json={"user_id": city.checker.id})
    problem(refused, 422, "roles_incompatible")


def test_a_colleague_decides_in_the_checkers_place_until_it_is_revoked(office: Office) -> None:
    city, colleague = office.city, office.colleague()
    programme_id = city.programme()
    approval_id, later = office.batch(programme_id, 1_000), office.batch(programme_id, 2_000)
    problem(colleague.post(path(approval_id)), 403, "forbidden")
    asked = ok(office.lend(colleague))
    assert asked["required_role"] == "security_admin"
    problem(city.finance.post(path(asked["id"])), 404, "not_found")
    ok(office.security.post(path(asked["id"])))
    [lent] = ok(colleague.get("/v1/delegations"))["data"]
    assert [one["id"] for one in ok(colleague.get("/v1/approvals", mine=True))["data"]] == [later, approval_id]
    done = ok(colleague.post(path(approval_id), {"on_behalf_of": city.checker.id}))
    assert done["steps"][0]["on_behalf_of"] == city.checker.id
    assert done["decided_by"] == colleague.id
    problem(city.maker.http.post(f"/v1/delegations/{lent['id']}/revoke"), 404, "not_found")
    assert ok(city.checker.http.post(f"/v1/delegations/{lent['id']}/revoke"))["revoked_by"] == city.checker.id
    problem(colleague.post(path(later)), 403, "forbidden")
    problem(city.checker.http.post(f"/v1/delegations/{lent['id']}/revoke"), 409, "wrong_state")
    assert office.world.differences() == []


def test_a_colleague_can_do_all_that_the_checker_could(office: Office) -> None:
    city, colleague = office.city, office.colleague()
    desk = counter(city)
    redemption = ok(desk.redeem(10_000))
    ok(office.security.post(path(ok(office.lend(colleague))["id"])))
    entry_id = next(
        one["id"] for one in ok(city.finance.get("/v1/ledger/entries"))["data"] if one["subject_id"] == redemption["id"]
    )
    asked = ok(city.maker.post(f"/v1/ledger/entries/{entry_id}/reverse", {"reason": "重复核销"}))
    assert ok(colleague.post(path(asked["id"])))["steps"][0]["on_behalf_of"] == city.checker.id
    assert office.world.differences() == []


def test_a_lent_power_is_not_lent_on_nor_to_a_maker_nor_used_by_both(office: Office) -> None:
    city, colleague = office.city, office.colleague()
    problem(office.lend(city.maker), 422, "roles_incompatible")
    problem(office.lend(city.finance), 404, "not_found")
    problem(office.lend(city.checker), 422, "same_person")
    problem(office.lend(colleague, hours=24 * 93), 422, "validation_failed")
    ok(office.security.post(path(ok(office.lend(colleague))["id"])))
    problem(office.lend(office.colleague(), by=colleague), 403, "forbidden")
    office.banded()
    approval_id = office.batch(city.programme(), 20_000)
    ok(city.checker.post(path(approval_id)))
    problem(colleague.post(path(approval_id)), 422, "same_person")  # the lender has had his step
    ok(office.second.post(path(approval_id)))


def test_a_delegation_ends_by_itself_and_with_the_lenders_own_role(office: Office) -> None:
    world, city, colleague = office.world, office.city, office.colleague()
    approval_id = office.batch(city.programme(), 1_000)
    ok(office.security.post(path(ok(office.lend(colleague))["id"])))
    revoked = update(RoleGrant).where(RoleGrant.user_id == city.checker.id)
    world.database.transact(lambda tx: tx.execute(revoked.values(revoked_at=utc_now())))
    problem(colleague.post(path(approval_id)), 403, "forbidden")
    world.database.transact(lambda tx: tx.execute(revoked.values(revoked_at=None)))
    assert ok(colleague.get("/v1/approvals", mine=True))["count"] == 1
    [lent] = ok(colleague.get("/v1/delegations"))["data"]
    past = {"starts_at": "2026-01-01T00:00:00Z", "ends_at": "2026-01-02T00:00:00Z"}
    late = office.colleague()
    forged = copied(world, "delegations", lent["id"], id=new_id("dlg", HANGZHOU), delegate_id=late.id, **past)
    problem(late.post(path(approval_id)), 403, "forbidden")
    as_superuser(office, "DELETE FROM delegations WHERE id = :id", id=forged)


def test_one_approves_what_one_has_seen(office: Office) -> None:
    city = office.city
    office.banded()
    approval_id = office.batch(city.programme(), 20_000)
    response = city.checker.get(f"/v1/approvals/{approval_id}")
    seen = {"If-Match": response.headers["ETag"]}
    problem(city.checker.post(path(approval_id), {"command_sha256": "0" * 64}), 409, "command_differs")
    ok(city.checker.post(path(approval_id), {"command_sha256": response.json()["command_sha256"]}, headers=dict(seen)))
    problem(office.second.post(path(approval_id), headers=dict(seen)), 412, "etag_stale")
    seen = {"If-Match": office.second.get(f"/v1/approvals/{approval_id}").headers["ETag"]}
    assert ok(office.second.post(path(approval_id), headers=seen))["status"] == "approved"


def test_the_maker_withdraws_his_own_request_and_asks_again(office: Office) -> None:
    city = office.city
    other = ok(city.maker.post("/v1/programmes", programme_body(city)))["id"]
    asked = ok(city.maker.post(f"/v1/programmes/{other}/submit"))["approval"]
    problem(city.checker.post(path(asked["id"], "withdraw")), 404, "not_found")
    gone = ok(city.maker.post(path(asked["id"], "withdraw"), {"note": "规则写错"}))
    assert (gone["status"], gone["decided_by"]) == ("withdrawn", city.maker.id)
    assert ok(city.maker.get(f"/v1/programmes/{other}"))["status"] == "draft"
    problem(city.checker.post(path(asked["id"])), 409, "wrong_state")
    problem(city.maker.post(path(asked["id"], "withdraw")), 409, "wrong_state")
    ok(city.approve(city.maker.post(f"/v1/programmes/{other}/submit")))
    assert office.world.differences() == []


def test_a_stale_request_can_only_be_rejected_or_withdrawn(office: Office) -> None:
    city = office.city
    office.banded(expires_after_days=1)
    approval_id, stale = (office.batch(city.programme(), 1_000) for _ in range(2))
    assert shown(city.checker, approval_id)["expires_at"] is not None
    expiring = "UPDATE approvals SET expires_at = {} WHERE id = :id"
    as_superuser(office, expiring.format("'2026-01-01'"), id=stale)
    problem(city.checker.post(path(stale)), 409, "approval_expired")
    assert [one["id"] for one in ok(city.checker.get("/v1/approvals", mine=True))["data"]] == [approval_id]
    ok(city.checker.post(path(stale, "reject"), {"reason": "已逾期"}))
    as_superuser(office, expiring.format("made_at + interval '1 day'"), id=stale)


def as_superuser(office: Office, statement: str, **bound: str) -> None:
    """What no role of the service may do."""
    engine = create_engine(superuser_url(str(office.world.database.engine.url.database)))
    with engine.begin() as superuser:
        superuser.execute(text("SET LOCAL session_replication_role = replica"))
        superuser.execute(text(statement), bound)
    engine.dispose()


def copied(world: World, table: str, like: str, **changes: str) -> str:
    """A row like another one, as no route would write it; its id."""
    statement = text(
        f"INSERT INTO {table} SELECT (jsonb_populate_record(o, CAST(:changes AS jsonb))).* FROM {table} o"
        " WHERE id = :like"
    )
    world.database.transact(lambda tx: tx.execute(statement, {"changes": json.dumps(changes), "like": like}))
    return changes["id"]


def test_the_list_is_filtered_and_totalled_beyond_its_page(office: Office) -> None:
    city = office.city
    programme_id = city.programme()
    ids = [office.batch(programme_id, amount) for amount in (1_000, 2_000, 4_000)]
    firms = ok(city.checker.get("/v1/approvals", kind="issue_batch", status="pending", limit=1))
    assert (len(firms["data"]), firms["count"], firms["amount_fen"]) == (1, 3, 7_000)
    assert firms["totals"] == [{"kind": "issue_batch", "count": 3, "amount_fen": 7_000}]
    between = ok(city.checker.get("/v1/approvals", amount_from_fen=1_500, amount_to_fen=2_500, mine=True))
    assert [one["id"] for one in between["data"]] == [ids[1]]
    assert ok(city.maker.get("/v1/approvals", mine=True))["count"] == 0
    assert ok(city.maker.get("/v1/approvals", asked_by_me=True, status="pending"))["count"] == 3
    assert ok(city.checker.get("/v1/approvals", authority_id=office.world.firm()))["count"] == 0
    assert ok(office.world.city().checker.get("/v1/approvals"))["count"] == 0
    told = firms["data"][0]["in_words"]
    assert told["zh"].startswith("按项目“AI算力券”向 1 家企业发放 1 张券，面值合计 40.00 元；")
    assert told["en"].startswith("Issue 1 voucher(s) to 1 firm(s) under “AI算力券”, 40.00 yuan in all;")


def test_the_approver_sees_what_it_would_do_now(office: Office) -> None:
    city = office.city
    programme_id = city.programme(appropriation_fen=100_000)
    first, second = office.batch(programme_id, 30_000), office.batch(programme_id, 20_000)
    assert shown(city.checker, second)["has_moved"] is False
    ok(city.checker.post(path(first)))
    now = shown(city.checker, second)
    assert now["has_moved"] is True
    [asked], [moved] = now["effect"]["pools"], now["effect_now"]["pools"]
    assert (asked["available_before_fen"], asked["available_after_fen"]) == (100_000, 80_000)
    assert (moved["available_before_fen"], moved["available_after_fen"]) == (70_000, 50_000)


def test_an_approver_does_not_admit_whom_he_registered(office: Office) -> None:
    world, city = office.world, office.city
    programme_id, provider_id = city.programme(), world.provider()
    mine = copied(
        world,
        "organisations",
        provider_id,
        id=new_id("org"),
        identifier_value=uscc_of(90_000_000),
        created_by=city.checker.id,
    )
    asked = ok(
        city.maker.http.put(f"/v1/programmes/{programme_id}/providers/{mine}", json={"categories": ["training"]})
    )
    problem(city.checker.post(path(asked["approval"]["id"])), 422, "same_person")
    ok(office.second.post(path(asked["approval"]["id"])))


def test_a_paused_programme_goes_on_by_two_persons(office: Office) -> None:
    city = office.city
    desk = counter(city)
    ok(city.maker.post(f"/v1/programmes/{desk.programme_id}/pause"))
    asked = ok(city.maker.post(f"/v1/programmes/{desk.programme_id}/resume"))
    problem(desk.redeem(1_000), 409, "programme_paused")
    ok(city.checker.post(path(asked["id"])))
    assert desk.redeem(1_000).status_code == 201


def test_a_regions_bands_hold_for_acts_of_finance_and_where_an_authority_has_none(shared_world: World) -> None:
    city = shared_world.city(NINGBO)
    third = shared_world.person(Role.FINANCE, city.finance.organisation_id, NINGBO)
    programme_id = city.programme()
    two: list[dict[str, Any]] = [
        {"up_to_fen": 100, "steps": ["finance"]},
        {"up_to_fen": None, "steps": ["checker", "finance"]},
    ]
    for kind, bands in (
        ("appropriate", two),
        ("freeze_voucher", [{"up_to_fen": None, "steps": ["checker", "finance"]}]),
    ):
        body = {"region_code": NINGBO, "kind": kind, "bands": bands, "effective_on": civil_date(utc_now()).isoformat()}
        problem(city.maker.http.post("/v1/approval-bands", json=body), 403, "forbidden")
        ok(city.approve(city.finance.http.post("/v1/approval-bands", json=body), by=city.second_finance))
    less = {"document_no": "财字2号", "amount_fen": -101, "fund_source": "local"}
    asked = ok(city.finance.post(f"/v1/programmes/{programme_id}/appropriations", less))
    assert [step["role"] for step in asked["steps"]] == ["finance", "finance"]
    assert ok(city.second_finance.post(path(asked["id"])))["status"] == "pending"
    problem(city.second_finance.post(path(asked["id"])), 422, "step_already_decided")
    assert ok(third.post(path(asked["id"])))["status"] == "approved"
    voucher = city.issue(programme_id, shared_world.firm(NINGBO), 1_000)
    frozen = ok(city.maker.post(f"/v1/vouchers/{voucher['id']}/freeze", {"reason": "核查中"}))
    assert [step["role"] for step in frozen["steps"]] == ["checker", "finance"], "no amount: the highest band"
    ok(city.checker.post(path(frozen["id"])))
    ok(third.post(path(frozen["id"])))
    assert ok(city.maker.get(f"/v1/vouchers/{voucher['id']}"))["status"] == "frozen"
