"""Many applications are rejected, or let wait, by one act of two persons: all of them or none, each with its reason."""

from __future__ import annotations

from typing import Any

import httpx

from tests.applications.desk import Desk, assessment
from tests.world import NINGBO, Actor, ok, problem


def act(
    desk: Desk, act: str, applications: dict[str, str | None], *, by: Actor | None = None, **body: Any
) -> httpx.Response:
    """Ask for one act on these applications, each with its reason or none of its own."""
    listed = [{"application_id": one} | ({"reason": why} if why else {}) for one, why in applications.items()]
    return (by or desk.city.maker).post("/v1/application-acts", {"act": act, "applications": listed} | body)


def statuses(desk: Desk, ids: list[str]) -> list[str]:
    return [desk.read(one)["status"] for one in ids]


def test_each_firm_is_told_its_own_reason_once_a_checker_approves_them_all(desk: Desk) -> None:
    programme_id = desk.programme()
    firms = [desk.firm() for _ in range(3)]
    ids = [desk.reviewed(programme_id, firm, fen=100_000) for firm in firms[:2]]
    ids.append(desk.accepted(programme_id, firms[2]))
    asked = act(desk, "reject", {ids[0]: "不符合方向", ids[1]: None, ids[2]: None}, reason="材料不实")
    approval = ok(asked)
    assert (asked.status_code, approval["kind"], approval["amount_fen"]) == (202, "reject_application", 700_000)
    assert approval["in_words"]["zh"].startswith("不予通过对项目") and "3 份申领" in approval["in_words"]["zh"]
    assert [one["reason"] for one in approval["effect"]["applications"]] == ["不符合方向", "材料不实", "材料不实"]
    assert statuses(desk, ids) == ["reviewed", "reviewed", "accepted"]
    problem(desk.city.approve(asked, by=desk.city.maker), 403, "forbidden")

    # Nothing else is done to any of them meanwhile, alone or among others.
    again = {"reason": "再驳"}
    crossing = {"assess": assessment(1), "approve": None, "reject": again, "return": {"items": ["合同"]} | again}
    for name, body in crossing.items():
        assert problem(desk.act(ids[0], name, body), 409, "approval_pending")["approval_id"] == approval["id"]
    other = desk.reviewed(programme_id, fen=1)
    unfit = problem(act(desk, "reject", {other: None, ids[1]: None}, reason="再驳"), 409, "applications_unfit")
    assert [(one["pointer"], one["code"], one["actual"]) for one in unfit["errors"]] == [
        ("/applications/1/application_id", "approval_pending", ids[1])
    ]

    ok(desk.city.approve(asked))
    seen = [desk.read(one, by=firm) for one, firm in zip(ids, firms, strict=True)]
    assert [(one["status"], one["decision_reason"]) for one in seen] == [
        ("rejected", "不符合方向"),
        ("rejected", "材料不实"),
        ("rejected", "材料不实"),
    ]
    for one in ids:
        event = desk.events(one)[-1]
        assert (event["act"], event["principal_id"]) == ("reject", desk.city.checker.id)
        assert event["details"] == {"approval": approval["id"], "maker": desk.city.maker.id}
    assert desk.city.world.differences() == []


def test_what_changed_meanwhile_is_named_and_nothing_is_done(desk: Desk) -> None:
    programme_id = desk.programme()
    firms = [desk.firm() for _ in range(3)]
    ids = [desk.reviewed(programme_id, firm, fen=100_000) for firm in firms]
    asked = act(desk, "reject", dict.fromkeys(ids), reason="不符合方向")
    for one, firm in list(zip(ids, firms, strict=True))[1:]:
        ok(desk.act(one, "withdraw", {"reason": "自行撤回"}, by=firm))
    refused = problem(desk.city.approve(asked), 409, "applications_unfit")
    assert [(one["pointer"], one["code"], one["actual"]) for one in refused["errors"]] == [
        ("/applications/1/application_id", "application_changed", ids[1]),
        ("/applications/2/application_id", "application_changed", ids[2]),
    ]
    assert statuses(desk, ids) == ["reviewed", "withdrawn", "withdrawn"]
    ok(desk.city.checker.post(f"/v1/approvals/{ok(asked)['id']}/reject", {"reason": "已有变化"}))
    ok(desk.city.approve(act(desk, "reject", {ids[0]: "不符合方向"})))
    assert statuses(desk, ids[:1]) == ["rejected"]


def test_those_for_whom_the_pool_is_short_wait_in_the_order_of_their_submission(desk: Desk) -> None:
    programme_id = desk.programme(appropriation_fen=100_000)
    ids = [desk.reviewed(programme_id, fen=fen) for fen in (60_000, 60_000, 60_000)]
    # The first of all fits; listed or not, it is not for the waiting list, and the others come after it.
    unfit = problem(act(desk, "waitlist", dict.fromkeys(reversed(ids)), reason="额度不足"), 409, "applications_unfit")
    assert [(one["pointer"], one["code"]) for one in unfit["errors"]] == [
        ("/applications/0/application_id", "pool_suffices"),
        ("/applications/1/application_id", "pool_suffices"),
        ("/applications/2/application_id", "pool_suffices"),
    ]
    ok(desk.city.approve(desk.act(ids[0], "approve")))
    asked = act(desk, "waitlist", dict.fromkeys(reversed(ids[1:])), reason="额度不足")
    assert [one["free_fen"] for one in ok(asked)["effect"]["applications"]] == [
        0,
        40_000,
    ]  # the later one is listed first
    desk.city.fund(programme_id, 20_000)
    refused = problem(desk.city.approve(asked), 409, "applications_unfit")
    assert [one["actual"] for one in refused["errors"]] == ids[:0:-1]
    ok(desk.city.checker.post(f"/v1/approvals/{ok(asked)['id']}/reject", {"reason": "额度已追加"}))
    ok(desk.city.approve(desk.act(ids[1], "approve")))
    ok(desk.city.approve(act(desk, "waitlist", {ids[2]: None}, reason="额度不足")))
    assert statuses(desk, ids) == ["approved", "approved", "waitlisted"]
    assert desk.city.world.differences() == []


def test_one_act_is_of_one_programme_one_desk_and_one_authoritys_maker(desk: Desk) -> None:
    mine, other = desk.reviewed(desk.programme(), fen=1), desk.reviewed(desk.programme(), fen=1)
    refused = problem(act(desk, "reject", {mine: None, other: None}, reason="不符"), 422, "validation_failed")
    assert [(one["pointer"], one["code"]) for one in refused["errors"]] == [
        ("/applications/1/application_id", "of_another_programme")
    ]
    for by in (desk.city.checker, desk.city.finance, desk.city.auditor, desk.firm()):
        problem(act(desk, "reject", {mine: None}, by=by, reason="不符"), 403, "forbidden")
    world = desk.city.world
    for stranger in (world.city().maker, world.city(NINGBO).maker):
        missing = problem(act(desk, "reject", {mine: None}, by=stranger, reason="不符"), 404, "not_found")
        assert [one["pointer"] for one in missing["errors"]] == ["/applications/0/application_id"]
    one = {"application_id": mine}
    sound: dict[str, Any] = {"act": "reject", "applications": [one], "reason": "不符"}
    unsound: list[dict[str, Any]] = [
        {"applications": []},
        {"reason": None},
        {"act": "approve"},
        {"applications": [one, one]},
    ]
    for wrong in unsound:
        problem(desk.city.maker.post("/v1/application-acts", sound | wrong), 422, "validation_failed")
    assert statuses(desk, [mine, other]) == ["reviewed", "reviewed"]


def test_a_countys_many_are_decided_by_its_own_checker(desk: Desk) -> None:
    programme_id = desk.programme(applying={"first_review": "county"})
    county = desk.city.world.city("330106")
    ids = [ok(desk.apply(programme_id, desk.firm("330106")))["id"] for _ in range(2)]
    asked = act(desk, "reject", dict.fromkeys(ids), by=county.maker, reason="材料不实")
    problem(desk.city.checker.post(f"/v1/approvals/{ok(asked)['id']}/approve"), 404, "not_found")
    ok(desk.city.approve(asked, by=county.checker))
    assert statuses(desk, ids) == ["rejected", "rejected"]


def test_those_on_two_desks_are_two_acts(desk: Desk) -> None:
    """Each has checkers of its own, even where one person is a maker at both."""
    programme_id = desk.programme(applying={"first_review": "county"})
    here, there = desk.city.world.city("330106"), desk.city.world.city("330108")
    ids = [ok(desk.apply(programme_id, desk.firm(district)))["id"] for district in ("330106", "330108")]
    desk.city.world.also_maker(here.maker, there.authority_id, "330108")
    refused = problem(
        act(desk, "reject", dict.fromkeys(ids), by=here.maker, reason="材料不实"), 422, "validation_failed"
    )
    assert [(one["pointer"], one["code"], one["limit"], one["actual"]) for one in refused["errors"]] == [
        ("/applications/1/application_id", "on_another_desk", ids[0], ids[1])
    ]
    for one in ids:
        ok(act(desk, "reject", {one: "材料不实"}, by=here.maker))
