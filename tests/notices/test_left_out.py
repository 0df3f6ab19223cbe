"""Whom an objection keeps back gets nothing from a grant, a round or a promotion, and the others get theirs."""

from __future__ import annotations

from tests.allocation.rounds import Round, faces, frozen, programme, promote, rows_of, waiting
from tests.applications.desk import Desk
from tests.notices.showing import Showing, load_years
from tests.world import City, World, ok, problem


def decided(city: City, programme_id: str, asked: dict[str, str]) -> None:
    """Show the batch, object to its first row, let the period end, and approve."""
    showing = Showing(city, programme_id)
    notice_id = showing.publish({"kind": "batch", "batch_id": asked["batch_id"]})
    approve = f"/v1/approvals/{asked['approval_id']}/approve"
    problem(city.checker.post(approve), 409, "notice_running")
    ok(showing.object_to(notice_id, 1))
    showing.end(notice_id)
    ok(city.checker.post(approve))


def test_an_application_under_objection_goes_back_and_the_others_are_granted(shared_world: World) -> None:
    load_years(shared_world)
    desk = Desk(shared_world.city())
    programme_id = desk.programme()
    ids = [desk.reviewed(programme_id), desk.reviewed(programme_id)]
    asked = ok(desk.city.maker.post("/v1/applications/grants", {"application_ids": ids}))
    decided(desk.city, programme_id, asked)
    kept_back, granted = (desk.read(one) for one in ids)
    assert (kept_back["status"], kept_back["voucher_id"], granted["status"]) == ("reviewed", None, "approved")
    assert [event["act"] for event in desk.events(ids[0])][-2:] == ["propose", "decline"]
    assert shared_world.differences() == []
    ok(desk.city.approve(desk.act(ids[0], "approve")))
    assert desk.read(ids[0])["status"] == "approved"
    assert shared_world.differences() == []


def test_an_award_under_objection_gets_nothing_and_its_money_goes_to_who_waits(shared_world: World) -> None:
    load_years(shared_world)
    city = shared_world.city()
    programme_id = programme(city, 1_000, method="first_come", on_exhaustion="waitlist")
    rows = rows_of(shared_world, 400, 400, 400)
    round_ = frozen(city, programme_id, rows)
    decided(city, programme_id, submitted(round_))
    assert faces(city, programme_id) == {rows[1]["firm_id"]: 400}
    shown = {one["reference_no"]: (one["granted_fen"], one["reason"]) for one in round_.candidates()}
    assert shown == {"A": (0, "LEFT_OUT"), "B": (400, None), "C": (0, "BUDGET_EXHAUSTED")}
    with shared_world.anonymous() as anybody:
        record = round_.record(anybody)
    assert (record["left_out"], round_.read()["granted_total_fen"]) == ([1], 400)
    assert shared_world.differences() == []
    ok(city.approve(promote(city, programme_id)))
    assert faces(city, programme_id) == {rows[1]["firm_id"]: 400, rows[2]["firm_id"]: 400}
    assert shared_world.differences() == []


def test_an_applicant_in_a_round_goes_back_too(shared_world: World) -> None:
    load_years(shared_world)
    desk = Desk(shared_world.city())
    programme_id = desk.programme()
    ids = [desk.reviewed(programme_id, fen=300), desk.reviewed(programme_id, fen=200)]
    body = {"title": "第一轮", "applications": {}}
    proposed = ok(desk.city.maker.post(f"/v1/programmes/{programme_id}/allocation-rounds", body))
    decided(desk.city, programme_id, submitted(Round(desk.city, proposed["id"], programme_id, proposed)))
    assert [desk.read(one)["status"] for one in ids] == ["reviewed", "approved"]
    assert sorted(faces(desk.city, programme_id).values()) == [200]
    assert shared_world.differences() == []


def test_who_is_promoted_under_objection_waits_on(shared_world: World) -> None:
    load_years(shared_world)
    city = shared_world.city()
    programme_id = programme(city, 400, method="first_come", on_exhaustion="waitlist")
    rows = rows_of(shared_world, 400, 400, 400)
    frozen(city, programme_id, rows).execute()
    city.fund(programme_id, 800)
    decided(city, programme_id, ok(promote(city, programme_id)))
    assert faces(city, programme_id) == {rows[0]["firm_id"]: 400, rows[2]["firm_id"]: 400}
    assert [(one["reference_no"], one["batch_id"]) for one in waiting(city, programme_id)] == [("B", None)]
    assert shared_world.differences() == []
    ok(city.approve(promote(city, programme_id)))
    assert (len(faces(city, programme_id)), waiting(city, programme_id)) == (3, [])
    assert shared_world.differences() == []


def submitted(round_: Round) -> dict[str, str]:
    """What asks for the awards of a round."""
    asked = ok(round_.submit())
    return {"approval_id": asked["id"], "batch_id": asked["subject_id"]}
