"""Rejecting an application and letting it wait take two persons, and the firm hears of it from the decision on."""

from __future__ import annotations

from app.kernel.vocabulary import Role
from tests.applications.desk import Desk, assessment
from tests.world import NINGBO, ok, problem

WHY = {"reason": "不符合政策方向"}


def test_a_rejection_waits_for_a_checker_and_the_firm_hears_nothing_before(desk: Desk) -> None:
    firm = desk.firm()
    application_id = desk.reviewed(desk.programme(), firm, fen=100_000)
    due_on = desk.read(application_id)["due_on"]
    asked = desk.act(application_id, "reject", WHY)
    approval = ok(asked)
    assert (asked.status_code, approval["kind"], approval["amount_fen"]) == (202, "reject_application", 100_000)
    assert approval["in_words"]["zh"].endswith("并告知企业理由：不符合政策方向")
    seen = desk.read(application_id, by=firm)
    assert (seen["status"], seen["decision_reason"], seen["due_on"]) == ("reviewed", None, due_on)
    assert [one["act"] for one in ok(firm.get(f"/v1/applications/{application_id}/events"))][-1] == "assess"
    problem(desk.city.maker.post(f"/v1/approvals/{approval['id']}/approve"), 403, "forbidden")

    crossing = {"return": {"items": ["合同"], **WHY}, "assess": assessment(1), "approve": None, "reject": WHY}
    for act, body in crossing.items():
        assert problem(desk.act(application_id, act, body), 409, "approval_pending")["approval_id"] == approval["id"]
    ok(desk.city.approve(asked))
    seen = desk.read(application_id, by=firm)
    assert (seen["status"], seen["decision_reason"]) == ("rejected", WHY["reason"])
    event = desk.events(application_id)[-1]
    assert (event["act"], event["principal_id"]) == ("reject", desk.city.checker.id)
    assert event["details"] == {"approval": approval["id"], "maker": desk.city.maker.id}
    assert desk.city.world.differences() == []


def test_what_a_checker_refuses_or_its_maker_takes_back_goes_on_as_before(desk: Desk) -> None:
    application_id = desk.reviewed(desk.programme(), fen=100_000)
    asked = ok(desk.act(application_id, "reject", WHY))["id"]
    ok(desk.city.checker.post(f"/v1/approvals/{asked}/reject", {"reason": "再议"}))
    asked = ok(desk.act(application_id, "reject", WHY))["id"]
    ok(desk.city.maker.post(f"/v1/approvals/{asked}/withdraw"))
    assert [one["act"] for one in desk.events(application_id)][-1] == "assess"
    ok(desk.city.approve(desk.act(application_id, "approve")))


def test_a_correction_that_came_meanwhile_is_not_rejected_unread(desk: Desk) -> None:
    firm = desk.firm()
    application_id = desk.accepted(desk.programme(), firm)
    ok(desk.act(application_id, "return", {"items": ["合同"], **WHY}))
    asked = desk.act(application_id, "reject", {"reason": "逾期未补正"})
    ok(firm.post(f"/v1/applications/{application_id}/submit"))
    refused = problem(desk.city.approve(asked), 409, "application_changed")
    assert "accepted" in refused["detail"]
    ok(desk.city.checker.post(f"/v1/approvals/{ok(asked)['id']}/reject", {"reason": "已补正"}))
    ok(desk.act(application_id, "assess", assessment(100_000)))


def test_a_withdrawn_application_is_not_rejected_besides(desk: Desk) -> None:
    firm = desk.firm()
    application_id = desk.reviewed(desk.programme(), firm)
    asked = desk.act(application_id, "reject", WHY)
    ok(desk.act(application_id, "withdraw", {"reason": "自行撤回"}, by=firm))
    problem(desk.city.approve(asked), 409, "application_changed")
    assert desk.read(application_id)["status"] == "withdrawn"


def test_waiting_is_judged_again_when_it_is_approved(desk: Desk) -> None:
    programme_id = desk.programme(appropriation_fen=100_000)
    application_id = desk.reviewed(programme_id, fen=150_000)
    asked = desk.act(application_id, "waitlist", {"reason": "额度不足"})
    effect = ok(asked)["effect"]
    assert (effect["assessed_fen"], effect["free_fen"]) == (150_000, 100_000)
    assert (desk.read(application_id)["status"], desk.read(application_id)["overdue"]) == ("reviewed", False)
    problem(desk.act(application_id, "reject", WHY), 409, "approval_pending")
    desk.city.fund(programme_id, 50_000)
    problem(desk.city.approve(asked), 409, "pool_suffices")
    ok(desk.city.checker.post(f"/v1/approvals/{ok(asked)['id']}/reject", {"reason": "额度已追加"}))
    ok(desk.city.approve(desk.act(application_id, "approve")))
    assert desk.city.world.differences() == []


def test_a_countys_rejection_is_decided_by_its_own_checker(desk: Desk) -> None:
    programme_id = desk.programme(applying={"first_review": "county"})
    world, county = desk.city.world, desk.city.world.city("330106")
    application_id = ok(desk.apply(programme_id, desk.firm("330106")))["id"]
    asked = desk.act(application_id, "reject", WHY, by=county.maker)
    approval_id = ok(asked)["id"]
    for stranger in (desk.city.checker, world.city("330108").checker, world.city(NINGBO).checker):
        problem(stranger.post(f"/v1/approvals/{approval_id}/approve"), 404, "not_found")
    colleague = world.person(Role.CHECKER, county.authority_id, "330106")
    ok(desk.city.approve(asked, by=colleague))
    assert desk.read(application_id)["status"] == "rejected"
