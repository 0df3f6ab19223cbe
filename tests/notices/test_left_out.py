"""Whom an objection keeps back gets nothing from a grant, a round or a promotion, and the others get theirs."""

from __future__ import annotations

from tests.allocation.rounds import Round, faces, frozen, programme, promote, rows_of, waiting
from tests.applications.desk import Desk
from tests.notices.showing import Showing, load_years, showing
from tests.world import City, World, ok, problem


def decided(city: City, programme_id: str, asked: dict[str, str]) -> tuple[str, str]:
    """Show the batch, object to its first row, let the period end, and approve; the notice and the objection."""
    shown = Showing(city, programme_id)
    notice_id = shown.publish({"kind": "batch", "batch_id": asked["batch_id"]})
    approve = f"/v1/approvals/{asked['approval_id']}/approve"
    problem(city.checker.post(approve), 409, "notice_running")
    objection_id: str = ok(shown.object_to(notice_id, 1))["objection_id"]
    shown.end(notice_id)
    ok(city.checker.post(approve))
    return notice_id, objection_id


def test_an_application_under_objection_goes_back_and_the_others_are_granted(shared_world: World) -> None:
    load_years(shared_world)
    desk = Desk(shared_world.city())
    programme_id = desk.programme()
    ids = [desk.reviewed(programme_id), desk.reviewed(programme_id)]
    asked = ok(desk.city.maker.post("/v1/applications/grants", {"application_ids": ids}))
    objection = decided(desk.city, programme_id, asked)
    kept_back, granted = (desk.read(one) for one in ids)
    assert (kept_back["status"], kept_back["voucher_id"], granted["status"]) == ("reviewed", None, "approved")
    assert [event["act"] for event in desk.events(ids[0])][-2:] == ["propose", "decline"]
    assert shared_world.differences() == []
    again = desk.act(ids[0], "approve")
    refused = problem(desk.city.approve(again), 409, "under_objection")
    assert (refused["subject_id"], refused["item_no"]) == (ids[0], 1)
    ok(Showing(desk.city, programme_id).decide(*objection, "dismissed"))
    ok(desk.city.approve(again))
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
    objection = decided(city, programme_id, ok(promote(city, programme_id)))
    assert faces(city, programme_id) == {rows[0]["firm_id"]: 400, rows[2]["firm_id"]: 400}
    assert [(one["reference_no"], one["batch_id"]) for one in waiting(city, programme_id)] == [("B", None)]
    assert shared_world.differences() == []
    ok(Showing(city, programme_id).decide(*objection, "dismissed"))
    ok(city.approve(promote(city, programme_id)))
    assert (len(faces(city, programme_id)), waiting(city, programme_id)) == (3, [])
    assert shared_world.differences() == []


def test_another_batch_is_no_way_around_the_period_nor_what_an_objection_removed(shared_world: World) -> None:
    showing_ = showing(shared_world)
    city = showing_.city
    batch_id, approval_id = showing_.submitted_batch(1_000, 2_000)
    notice_id = showing_.publish({"kind": "batch", "batch_id": batch_id})
    ok(showing_.decide(notice_id, ok(showing_.object_to(notice_id, 1))["objection_id"], "upheld"))
    ok(city.maker.post(f"/v1/approvals/{approval_id}/withdraw"))
    rows = ok(city.maker.get(f"/v1/issuance-batches/{batch_id}/rows"))["data"]
    again = [{name: row[name] for name in ("reference_no", "firm_id", "face_value_fen")} for row in rows]
    body = {"programme_id": showing_.programme_id, "declared_count": 2, "declared_total_fen": 3_000, "rows": again}
    second = city.maker.post("/v1/issuance-batches", body)
    assert problem(city.approve(second), 409, "notice_running")["notice_id"] == notice_id
    city.issue(showing_.programme_id, shared_world.firm(), 500)
    showing_.end(notice_id)
    ok(city.approve(second))
    assert sorted(faces(city, showing_.programme_id).values()) == [500, 2_000]
    alone = body | {"declared_count": 1, "declared_total_fen": 1_000, "rows": again[:1]}
    asked = city.maker.post("/v1/issuance-batches", alone)
    problem(city.approve(asked), 409, "under_objection")
    anew = showing_.publish({"kind": "batch", "batch_id": ok(asked)["batch_id"]})
    showing_.end(anew)
    ok(city.approve(asked))
    assert sorted(faces(city, showing_.programme_id).values()) == [500, 1_000, 2_000]
    assert shared_world.differences() == []


def submitted(round_: Round) -> dict[str, str]:
    """What asks for the awards of a round."""
    asked = ok(round_.submit())
    return {"approval_id": asked["id"], "batch_id": asked["subject_id"]}
