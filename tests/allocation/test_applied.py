"""Rounds over what firms applied for: each application follows what is decided about it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from app.settings import Settings
from tests.allocation.rounds import Round, faces, promote, waiting
from tests.applications.desk import Desk, assessment
from tests.embedded.processes import within
from tests.world import World, ok, problem

WAITING_S = 30


@pytest.fixture
def desk(shared_world: World) -> Desk:
    return Desk(shared_world.city())


def applied(desk: Desk, programme_id: str, *amounts_fen: int, **claim: list[Any]) -> list[str]:
    """Reviewed applications, first submitted in this order; `claim` is what officials fix with each."""
    ids = []
    for n, fen in enumerate(amounts_fen):
        application_id = desk.accepted(programme_id, amount_fen=fen)
        terms = {"terms": {"claim": {name: values[n] for name, values in claim.items()}}} if claim else {}
        ok(desk.act(application_id, "assess", assessment(fen, **terms)))
        ids.append(application_id)
    return ids


def begun(desk: Desk, programme_id: str, **bounds: Any) -> Round:
    body = {"title": "第一轮", "applications": bounds}
    proposed = ok(desk.city.maker.post(f"/v1/programmes/{programme_id}/allocation-rounds", body))
    return Round(desk.city, proposed["id"], programme_id, proposed)


def statuses(desk: Desk, ids: list[str]) -> list[str]:
    return [desk.read(one)["status"] for one in ids]


def test_applications_are_granted_in_part_in_full_or_wait_in_the_order_of_their_submission(desk: Desk) -> None:
    programme_id = desk.programme(
        appropriation_fen=180_000, allocation={"method": "first_come", "on_exhaustion": "waitlist"}
    )
    ids = applied(desk, programme_id, 150_000, 90_000, 20_000)
    round_ = begun(desk, programme_id)
    assert [one["reference_no"] for one in round_.proposed["awards"]] == ids
    asked = round_.submit()
    ok(asked)
    problem(desk.act(ids[0], "approve"), 409, "approval_pending")
    ok(desk.city.approve(asked))
    assert statuses(desk, ids) == ["approved", "waitlisted", "waitlisted"]
    assert [event["act"] for event in desk.events(ids[0])][-2:] == ["propose", "approve"]
    assert [one["reference_no"] for one in waiting(desk.city, programme_id)] == ids[1:]

    # Who waits in a round's order is promoted in it, and not besides.
    problem(desk.act(ids[2], "approve"), 409, "wrong_state")
    desk.city.fund(programme_id, 60_000)
    ok(desk.city.approve(promote(desk.city, programme_id)))
    assert statuses(desk, ids) == ["approved", "approved", "waitlisted"]
    assert sorted(faces(desk.city, programme_id).values()) == [90_000, 150_000]
    assert desk.city.world.differences() == []


def test_a_partial_grant_stands_in_the_history_with_its_amount(desk: Desk) -> None:
    programme_id = desk.programme(appropriation_fen=100, allocation={"method": "pro_rata"})
    ids = applied(desk, programme_id, 100, 200, 400)
    begun(desk, programme_id).execute()
    assert sorted(faces(desk.city, programme_id).values()) == [14, 29, 57]
    assert [desk.events(one)[-1]["details"]["amount_fen"] for one in ids] == [14, 29, 57]
    assert desk.city.world.differences() == []


def test_who_withdraws_after_the_list_was_frozen_keeps_his_turn_and_gets_nothing(desk: Desk) -> None:
    programme_id = desk.programme(
        appropriation_fen=200,
        allocation={"method": "ranked", "on_exhaustion": "stop"},
        facts=[{"name": "claim.score", "type": "number"}],
    )
    ids = applied(desk, programme_id, 100, 100, 100, score=["70", "90", "80"])
    round_ = begun(desk, programme_id)
    assert [one["reference_no"] for one in round_.proposed["awards"]] == [ids[1], ids[2], ids[0]]
    ok(desk.city.approve(desk.act(ids[1], "reject", {"reason": "材料不实"})))
    round_.execute()
    candidates = {one["reference_no"]: one for one in round_.candidates()}
    assert [(candidates[one]["granted_fen"], candidates[one]["reason"]) for one in ids] == [
        (0, "BUDGET_EXHAUSTED"),
        (0, "LEFT_OUT"),
        (100, None),
    ]
    assert statuses(desk, ids) == ["reviewed", "rejected", "approved"]
    with desk.city.world.anonymous() as anybody:
        assert round_.record(anybody)["left_out"] == [2]
    assert desk.city.world.differences() == []


def test_rejected_awards_give_the_applications_back(desk: Desk) -> None:
    programme_id = desk.programme(appropriation_fen=100)
    ids = applied(desk, programme_id, 100)
    round_ = begun(desk, programme_id)
    asked = ok(round_.submit())
    ok(desk.city.checker.post(f"/v1/approvals/{asked['id']}/reject", {"reason": "请复核"}))
    assert [event["act"] for event in desk.events(ids[0])][-2:] == ["propose", "decline"]
    round_.execute()
    assert statuses(desk, ids) == ["approved"]


def test_who_takes_his_application_back_waits_no_more(desk: Desk) -> None:
    programme_id = desk.programme(
        appropriation_fen=100, allocation={"method": "first_come", "on_exhaustion": "waitlist"}
    )
    ids = applied(desk, programme_id, 100, 90, 20)
    begun(desk, programme_id).execute()
    ok(desk.city.approve(desk.act(ids[1], "reject", {"reason": "企业已注销"})))
    assert [(one["position"], one["reference_no"]) for one in waiting(desk.city, programme_id)] == [(1, ids[2])]
    desk.city.fund(programme_id, 20)
    ok(desk.city.approve(promote(desk.city, programme_id)))
    assert statuses(desk, ids) == ["approved", "rejected", "approved"]
    assert desk.city.world.differences() == []


def test_whose_waiting_is_ended_is_reviewed_again_and_holds_nobody_up(desk: Desk) -> None:
    programme_id = desk.programme(
        appropriation_fen=100, allocation={"method": "first_come", "on_exhaustion": "waitlist"}
    )
    ids = applied(desk, programme_id, 100, 90)
    begun(desk, programme_id).execute()
    path = f"/v1/programmes/{programme_id}/waitlist/end"
    ok(desk.city.approve(desk.city.maker.post(path, {"reason": "企业放弃", "reference_nos": [ids[1]]})))
    assert statuses(desk, ids) == ["approved", "reviewed"]
    last = desk.events(ids[1])[-1]
    assert (last["act"], last["from_status"], last["to_status"]) == ("end_waiting", "waitlisted", "reviewed")
    desk.city.fund(programme_id, 50)
    (later,) = applied(desk, programme_id, 50)
    ok(desk.city.approve(desk.act(later, "approve")))
    assert statuses(desk, [ids[1], later]) == ["reviewed", "approved"]
    assert desk.city.world.differences() == []


def test_a_window_without_reviewed_applications_is_no_list(desk: Desk) -> None:
    programme_id = desk.programme()
    applied(desk, programme_id, 100)
    body = {"title": "一", "applications": {"submitted_from": "2099-01-01T00:00:00Z"}}
    refused = problem(
        desk.city.maker.post(f"/v1/programmes/{programme_id}/allocation-rounds", body), 422, "validation_failed"
    )
    assert [error["code"] for error in refused["errors"]] == ["none_reviewed"]
    both = body | {"rows": [{"reference_no": "A", "firm_id": desk.firm().organisation_id, "asked_fen": 1}]}
    problem(desk.city.maker.post(f"/v1/programmes/{programme_id}/allocation-rounds", both), 422, "validation_failed")


def test_a_promotion_beside_the_round_that_makes_the_list_is_done_when_it_is_repeated(
    world: World, settings: Settings
) -> None:
    """Who waits is known once the round is executed: the promotion looked before, and waited for the programme."""
    desk = Desk(world.city())
    programme_id = desk.programme(appropriation_fen=100, allocation={"on_exhaustion": "waitlist"})
    ids = applied(desk, programme_id, 100, 90)
    asked = begun(desk, programme_id).submit()
    ok(asked)
    desk.city.fund(programme_id, 90)
    promoting = f"/v1/programmes/{programme_id}/waitlist/promote"
    beside = create_engine(settings.database_url, connect_args={"options": "-c app.regions=%"})
    with ThreadPoolExecutor(2) as pool, beside.connect() as lock:
        lock.execute(_PROGRAMME, {"id": programme_id})
        executed = pool.submit(desk.city.approve, asked)
        assert within(WAITING_S, lambda: lock.execute(_WAIT).scalar_one() == 1)
        promoted = pool.submit(desk.city.maker.post, promoting, {}, key="P")
        assert within(WAITING_S, lambda: lock.execute(_WAIT).scalar_one() == 2)
        lock.rollback()
        ok(executed.result())
        assert problem(promoted.result(), 503, "busy")
        assert promoted.result().headers["Retry-After"] == "1"
    beside.dispose()
    ok(desk.city.approve(desk.city.maker.post(promoting, {}, key="P")))
    assert statuses(desk, ids) == ["approved", "approved"]
    assert world.differences() == []


_PROGRAMME = text("SELECT 1 FROM programmes WHERE id = :id FOR NO KEY UPDATE")
_WAIT = text("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted")
