"""Rules that want a public notice before issuing: nothing goes to anybody who was not shown to the end of it."""

from __future__ import annotations

from typing import Any

from app.services.notices.blocks import rows_not_shown
from tests.allocation.rounds import faces, frozen, rows_of
from tests.applications.desk import Desk
from tests.notices.showing import Showing, load_years, showing
from tests.notices.test_left_out import submitted
from tests.world import HANGZHOU, World, ok, problem, rules_body

WANTS: dict[str, Any] = {"notice_before_issue_days": 5}


def batch(batch_id: str) -> dict[str, Any]:
    return {"kind": "batch", "batch_id": batch_id}


def test_a_batch_is_issued_when_its_notice_has_ended_and_not_before(shared_world: World) -> None:
    shown = showing(shared_world, rules=rules_body(**WANTS))
    city = shown.city
    batch_id, approval_id = shown.submitted_batch(100_000, 200_000)
    assert "for 5 working days first" in ok(city.checker.get(f"/v1/approvals/{approval_id}"))["in_words"]["en"]
    approve = f"/v1/approvals/{approval_id}/approve"
    refused = problem(city.checker.post(approve), 409, "notice_required")
    assert (refused["batch_id"], refused["working_days"]) == (batch_id, 5)
    assert [(error["row"], error["limit"]) for error in refused["errors"]] == [(1, 5), (2, 5)]

    (error,) = problem(shown.draw_up(batch(batch_id), working_days=4), 422, "validation_failed")["errors"]
    assert (error["pointer"], error["code"], error["limit"]) == ("/working_days", "shorter_than_the_rules", 5)
    taken_back = shown.publish(batch(batch_id), working_days=5)
    withdrawn = city.maker.post(f"/v1/public-notices/{taken_back}/withdraw", {"reason": "金额有误"})
    ok(city.approve(withdrawn))
    problem(city.checker.post(approve), 409, "notice_required")

    long_enough = shown.publish(batch(batch_id), working_days=5)
    problem(city.checker.post(approve), 409, "notice_running")
    shown.end(long_enough)
    ok(city.checker.post(approve))
    assert sorted(faces(city, shown.programme_id).values()) == [100_000, 200_000]
    assert shared_world.differences() == []


def test_who_was_left_out_for_an_objection_needs_no_second_notice_as_he_was_shown(shared_world: World) -> None:
    shown = showing(shared_world, rules=rules_body(**WANTS))
    city = shown.city
    firms = [shared_world.firm(), shared_world.firm()]
    rows = [{"reference_no": f"R{n}", "firm_id": firm, "face_value_fen": 100} for n, firm in enumerate(firms)]

    def asked(*chosen: dict[str, Any]) -> dict[str, Any]:
        total = sum(row["face_value_fen"] for row in chosen)
        body = {"programme_id": shown.programme_id, "declared_count": len(chosen), "declared_total_fen": total}
        submitted_batch: dict[str, Any] = ok(city.maker.post("/v1/issuance-batches", body | {"rows": list(chosen)}))
        return submitted_batch

    first = asked(*rows)
    notice_id = shown.publish(batch(first["batch_id"]), working_days=5)
    objection_id = ok(shown.object_to(notice_id, 1))["objection_id"]
    shown.end(notice_id)
    ok(city.checker.post(f"/v1/approvals/{first['approval_id']}/approve"))
    assert faces(city, shown.programme_id) == {firms[1]: 100}

    more = asked(rows[0] | {"face_value_fen": 101})["approval_id"]
    problem(city.checker.post(f"/v1/approvals/{more}/approve"), 409, "under_objection")
    ok(shown.decide(notice_id, objection_id, "dismissed"))
    problem(city.checker.post(f"/v1/approvals/{more}/approve"), 409, "notice_required")
    ok(city.checker.post(f"/v1/approvals/{more}/reject", {"reason": "与公示金额不符"}))
    ok(city.checker.post(f"/v1/approvals/{asked(rows[0])['approval_id']}/approve"))
    assert faces(city, shown.programme_id) == {firms[0]: 100, firms[1]: 100}
    assert shared_world.differences() == []


def test_a_notice_that_was_shorter_than_the_rules_of_today_ask_is_not_enough(shared_world: World) -> None:
    shown = showing(shared_world)
    batch_id, _ = shown.submitted_batch(100_000, 200_000)
    shown.end(shown.publish(batch(batch_id), working_days=4))

    def missing(working_days: int) -> list[int]:
        found = shared_world.database.transact(
            lambda tx: rows_not_shown(tx, region_code=HANGZHOU, batch_id=batch_id, working_days=working_days)
        )
        return [row.row_no for row in found]

    assert (missing(4), missing(5)) == ([], [1, 2])


def test_granted_applications_and_awards_are_shown_first_too(shared_world: World) -> None:
    load_years(shared_world)
    desk = Desk(shared_world.city())
    programme_id = desk.programme(**WANTS)
    application_id = desk.reviewed(programme_id)
    granting = ok(desk.act(application_id, "approve"))
    listed = desk.programme(appropriation_fen=1_000, allocation={"method": "first_come"}, **WANTS)
    awarding = submitted(frozen(desk.city, listed, rows_of(shared_world, 400)))
    for where, asked in ((programme_id, granting), (listed, awarding)):
        approve = f"/v1/approvals/{asked['approval_id']}/approve"
        problem(desk.city.checker.post(approve), 409, "notice_required")
        shown = Showing(desk.city, where)
        shown.end(shown.publish(batch(asked["batch_id"]), working_days=7))
        ok(desk.city.checker.post(approve))
        assert len(faces(desk.city, where)) == 1
    assert shared_world.differences() == []
