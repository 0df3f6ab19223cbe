"""An application's course from the firm's desk to a voucher."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from app.kernel.canonical import sha256_hex
from app.kernel.vocabulary import Role
from tests.applications.desk import Desk, application_body, assessment
from tests.world import NINGBO, World, ok, problem


def test_a_firm_applies_and_becomes_a_voucher_that_names_its_application(desk: Desk) -> None:
    programme_id, firm = desk.programme(), desk.firm()
    sent = ok(desk.apply(programme_id, firm, amount_fen=500_000))
    assert (sent["status"], sent["stage"], sent["judgement"]["eligible"]) == ("submitted", "city", True)
    assert sent["judgement"]["maximum_fen"] == 500_000
    assert ok(desk.act(sent["id"], "accept"))["status"] == "accepted"
    reviewed = ok(desk.act(sent["id"], "assess", assessment(300_000)))
    assert (reviewed["status"], reviewed["assessed_fen"]) == ("reviewed", 300_000)
    proposed = ok(desk.act(sent["id"], "approve"))
    assert (proposed["count"], proposed["total_fen"]) == (1, 300_000)
    assert desk.read(sent["id"])["status"] == "reviewed"
    approval = ok(desk.city.checker.get(f"/v1/approvals/{proposed['approval_id']}"))
    assert approval["kind"] == "grant_applications"
    assert (approval["amount_fen"], approval["effect"]["applications"][0]["assessed_fen"]) == (300_000, 300_000)
    problem(desk.city.maker.post(f"/v1/approvals/{proposed['approval_id']}/approve"), 403, "forbidden")
    ok(desk.city.checker.post(f"/v1/approvals/{proposed['approval_id']}/approve"))

    granted = desk.read(sent["id"])
    assert (granted["status"], granted["stage"]) == ("approved", "passed")
    voucher = ok(firm.get(f"/v1/vouchers/{granted['voucher_id']}"))
    assert (voucher["face_value_fen"], voucher["firm_id"]) == (300_000, firm.organisation_id)
    assert voucher["application_id"] == sent["id"]
    entries = ok(desk.city.auditor.get("/v1/ledger/entries", voucher_id=voucher["id"]))["data"]
    assert [entry["kind"] for entry in entries] == ["issue"]
    assert entries[0]["details"]["application"] == sent["id"]
    acts = [(event["act"], event["to_status"]) for event in desk.events(sent["id"])]
    assert acts == [
        ("create", "draft"),
        ("submit", "submitted"),
        ("accept", "accepted"),
        ("assess", "reviewed"),
        ("propose", "reviewed"),
        ("approve", "approved"),
    ]
    assert desk.city.world.differences() == []


def test_each_decision_keeps_the_facts_it_was_made_from_under_a_sealed_hash(desk: Desk) -> None:
    application = desk.granted(desk.programme())
    judged = [event for event in desk.events(application["id"]) if event["facts"] is not None]
    assert [event["act"] for event in judged] == ["submit", "assess", "approve"]
    for event in judged:
        where = "application_id = %s AND seq = %s"
        facts = desk.stored(f"SELECT facts FROM application_events WHERE {where}", application["id"], event["seq"])
        assert sha256_hex(facts.encode()) == event["facts_sha256"]
        where = "object_id = %s AND action = %s"
        action = f"application.{event['act']}"
        details = desk.stored(f"SELECT details FROM audit_events WHERE {where}", application["id"], action)
        assert json.loads(details)["facts_sha256"] == event["facts_sha256"]


def test_a_correction_goes_to_the_firm_and_comes_back_to_where_it_was(desk: Desk) -> None:
    programme_id, firm = desk.programme(), desk.firm()
    application_id = desk.accepted(programme_id, firm)
    body = {"reason": "合同缺少盖章页", "items": ["合同盖章页", "营业执照"], "working_days": 5}
    returned = ok(desk.act(application_id, "return", body))
    assert (returned["status"], returned["stage"]) == ("correction", "correction")
    assert returned["correction_items"] == ["合同盖章页", "营业执照"] and returned["due_on"] is not None
    problem(desk.act(application_id, "assess", assessment(1)), 409, "wrong_state")
    seen = firm.http.get(f"/v1/applications/{application_id}")
    changed = firm.http.put(
        f"/v1/applications/{application_id}",
        json=application_body(programme_id, amount_fen=400_000),
        headers={"If-Match": seen.headers["ETag"]},
    )
    assert ok(changed)["amount_fen"] == 400_000
    stale = firm.http.put(
        f"/v1/applications/{application_id}",
        json=application_body(programme_id),
        headers={"If-Match": seen.headers["ETag"]},
    )
    problem(stale, 412, "etag_stale")
    again = ok(firm.post(f"/v1/applications/{application_id}/submit"))
    assert (again["status"], again["amount_fen"]) == ("accepted", 400_000)
    assert again["submitted_at"] == returned["submitted_at"], "it keeps its place"


def test_what_is_returned_before_acceptance_comes_back_to_be_accepted(desk: Desk) -> None:
    firm = desk.firm()
    application_id = ok(desk.apply(desk.programme(), firm))["id"]
    ok(desk.act(application_id, "return", {"reason": "材料不全", "items": ["营业执照"]}))
    assert ok(firm.post(f"/v1/applications/{application_id}/submit"))["status"] == "submitted"


@pytest.mark.parametrize("act", ["accept", "assess", "waitlist", "approve"])
def test_acts_out_of_their_order_are_refused(desk: Desk, act: str) -> None:
    application_id = desk.accepted(desk.programme())
    ok(desk.city.approve(desk.act(application_id, "reject", {"reason": "不符合政策方向"})))
    bodies = {"assess": assessment(1), "waitlist": {"reason": "额度不足"}}
    problem(desk.act(application_id, act, bodies.get(act)), 409, "wrong_state")


def test_a_draft_is_the_firms_alone_until_it_is_submitted(desk: Desk) -> None:
    firm = desk.firm()
    draft = ok(desk.apply(desk.programme(), firm, draft=True))
    assert (draft["status"], draft["judgement"]) == ("draft", None)
    path = f"/v1/applications/{draft['id']}"
    for other in (desk.city.maker, desk.city.auditor, desk.firm()):
        problem(other.get(path), 404, "not_found")
    assert ok(firm.post(f"{path}/submit"))["status"] == "submitted"
    assert desk.read(draft["id"])["status"] == "submitted"


def test_a_firm_takes_its_application_back_and_may_apply_anew(desk: Desk) -> None:
    programme_id, firm = desk.programme(), desk.firm()
    application_id = desk.reviewed(programme_id, firm)
    problem(desk.apply(programme_id, firm), 409, "application_limit_reached")
    withdrawn = ok(desk.act(application_id, "withdraw", {"reason": "改用自有资金"}, by=firm))
    assert (withdrawn["status"], withdrawn["decision_reason"]) == ("withdrawn", "改用自有资金")
    ok(desk.apply(programme_id, firm))


def test_a_checker_sends_a_proposal_back_and_it_may_be_proposed_again(desk: Desk) -> None:
    application_id = desk.reviewed(desk.programme())
    proposed = ok(desk.act(application_id, "approve"))
    problem(desk.act(application_id, "approve"), 409, "approval_pending")
    problem(desk.act(application_id, "reject", {"reason": "不予支持"}), 409, "approval_pending")
    ok(desk.city.checker.post(f"/v1/approvals/{proposed['approval_id']}/reject", {"reason": "金额偏高"}))
    assert desk.read(application_id)["batch_id"] is None
    ok(desk.act(application_id, "assess", assessment(100_000)))
    ok(desk.city.approve(desk.act(application_id, "approve")))
    assert desk.read(application_id)["status"] == "approved"


def test_a_withdrawn_application_cannot_be_granted_any_more(desk: Desk) -> None:
    firm = desk.firm()
    application_id = desk.reviewed(desk.programme(), firm)
    proposed = ok(desk.act(application_id, "approve"))
    ok(desk.act(application_id, "withdraw", {"reason": "项目取消"}, by=firm))
    problem(desk.city.checker.post(f"/v1/approvals/{proposed['approval_id']}/approve"), 409, "wrong_state")
    ok(desk.city.checker.post(f"/v1/approvals/{proposed['approval_id']}/reject", {"reason": "企业已撤回"}))
    assert desk.city.world.differences() == []


def test_several_are_granted_together_or_not_at_all(desk: Desk) -> None:
    programme_id = desk.programme(appropriation_fen=900_000)
    first, second = desk.reviewed(programme_id), desk.reviewed(programme_id)
    body = {"application_ids": [first, second]}
    refused = problem(desk.city.maker.post("/v1/applications/grants", body), 409, "budget_exhausted")
    assert (refused["errors"] or [{}])[0].get("limit", 900_000) == 900_000
    assert desk.read(first)["batch_id"] is None
    ok(desk.act(second, "assess", assessment(400_000)))
    proposed = ok(desk.city.maker.post("/v1/applications/grants", body))
    assert (proposed["count"], proposed["total_fen"]) == (2, 900_000)
    ok(desk.city.checker.post(f"/v1/approvals/{proposed['approval_id']}/approve"))
    assert [desk.read(one)["status"] for one in (first, second)] == ["approved", "approved"]


def test_a_repeated_request_applies_once(desk: Desk) -> None:
    programme_id, firm = desk.programme(), desk.firm()
    body = application_body(programme_id)
    first, again = (firm.post("/v1/applications", body, key="once") for _ in range(2))
    assert (first.status_code, first.content, again.headers["Idempotency-Replayed"]) == (201, again.content, "true")
    problem(firm.post("/v1/applications", body | {"amount_fen": 1}, key="once"), 422, "idempotency_key_reused")


def test_strangers_see_nothing_and_roles_do_no_more_than_theirs(desk: Desk, shared_world: World) -> None:
    firm = desk.firm()
    application_id = ok(desk.apply(desk.programme(), firm))["id"]
    path = f"/v1/applications/{application_id}"
    elsewhere = shared_world.city(NINGBO)
    other_authority = shared_world.city()
    for stranger in (elsewhere.maker, elsewhere.finance, other_authority.maker, desk.firm()):
        problem(stranger.get(path), 404, "not_found")
        problem(stranger.get(f"{path}/events"), 404, "not_found")
    for maker in (elsewhere.maker, other_authority.maker):
        problem(maker.post(f"{path}/accept"), 404, "not_found")
    for official in (desk.city.checker, desk.city.finance, desk.city.auditor, firm):
        problem(official.post(f"{path}/accept"), 403, "forbidden")
    problem(desk.act(application_id, "withdraw", {"reason": "代为撤回"}, by=desk.firm()), 404, "not_found")
    problem(desk.act(application_id, "withdraw", {"reason": "代为撤回"}), 403, "forbidden")
    problem(desk.city.maker.post("/v1/applications", application_body(desk.programme())), 403, "forbidden")
    assert desk.read(application_id, by=desk.city.finance)["id"] == application_id
    assert shared_world.person(Role.AUDITOR, desk.city.authority_id, "330000").get(path).status_code == 200


def test_twins_of_one_firm_apply_once(desk: Desk) -> None:
    programme_id, firm = desk.programme(), desk.firm()
    drafts = [ok(desk.apply(programme_id, firm, draft=True))["id"] for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda one: firm.post(f"/v1/applications/{one}/submit"), drafts))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409, 409, 409]


def test_a_withdrawal_and_its_grant_at_once_end_in_one_of_both(desk: Desk) -> None:
    programme_id, firm = desk.programme(), desk.firm()
    application_id = desk.reviewed(programme_id, firm)
    proposed = ok(desk.act(application_id, "approve"))
    with ThreadPoolExecutor(2) as pool:
        approving = pool.submit(desk.city.checker.post, f"/v1/approvals/{proposed['approval_id']}/approve")
        withdrawing = pool.submit(desk.act, application_id, "withdraw", {"reason": "改变主意"}, by=firm)
    codes = sorted([approving.result().status_code, withdrawing.result().status_code])
    vouchers = ok(desk.city.maker.get("/v1/vouchers", programme_id=programme_id))["data"]
    status = desk.read(application_id)["status"]
    assert (codes, (status, len(vouchers)) in {("approved", 1), ("withdrawn", 0)}) == ([200, 409], True)
    assert desk.city.world.differences() == []


def execute(statement: str, tx: Connection) -> None:
    tx.execute(text(statement))


def test_below_the_code_history_and_decisions_never_change(desk: Desk) -> None:
    application = desk.granted(desk.programme())
    database = desk.city.world.database
    for statement in (
        "UPDATE application_events SET reason = 'x'",
        "DELETE FROM application_events",
        "UPDATE uploads SET sha256 = sha256",
        "DELETE FROM applications",
        "UPDATE applications SET firm_id = firm_id",
        f"UPDATE applications SET purpose = 'x' WHERE id = '{application['id']}'",
    ):
        with pytest.raises(DBAPIError):
            database.transact(partial(execute, statement))
