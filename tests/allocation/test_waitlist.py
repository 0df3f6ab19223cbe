"""The waiting list over HTTP: what comes back goes to who waits, in the original order, by two persons, never over."""

from __future__ import annotations

import pytest

from app.kernel.vocabulary import Role
from tests.allocation.rounds import available_fen, faces, frozen, programme, promote, rows_of, waiting
from tests.world import City, World, ok, problem


def waiting_round(world: World, city: City, pool_fen: int, *amounts_fen: int) -> tuple[str, list[str]]:
    """A round that is executed, some waiting; the programme, and the firms in their order."""
    programme_id = programme(city, pool_fen, on_exhaustion="waitlist")
    rows = rows_of(world, *amounts_fen)
    frozen(city, programme_id, rows).execute()
    return programme_id, [row["firm_id"] for row in rows]


def void(city: City, programme_id: str, firm_id: str) -> None:
    found = ok(city.maker.get("/v1/vouchers", programme_id=programme_id, firm_id=firm_id))["data"]
    ok(city.approve(city.maker.post(f"/v1/vouchers/{found[0]['id']}/void", {"reason": "企业注销"})))


def numbers(found: list[dict[str, object]]) -> list[object]:
    return [one["reference_no"] for one in found]


def test_what_comes_back_goes_to_the_first_who_waits(shared_world: World) -> None:
    city = shared_world.city()
    programme_id, firms = waiting_round(shared_world, city, 180, 150, 90, 20)
    told = problem(promote(city, programme_id), 409, "nothing_to_allocate")
    assert "0.30 yuan are available; the first in line needs 0.90" in told["detail"]

    void(city, programme_id, firms[0])
    preview = ok(promote(city, programme_id, dry_run=True))
    assert (numbers(preview["promoted"]), preview["total_fen"], preview["approval_id"]) == (["B", "C"], 110, None)
    assert numbers(waiting(city, programme_id)) == ["B", "C"]

    asked = promote(city, programme_id)
    problem(promote(city, programme_id), 409, "approval_pending")
    approval = ok(city.checker.get(f"/v1/approvals/{ok(asked)['approval_id']}"))
    assert (approval["kind"], approval["amount_fen"], approval["effect"]["count"]) == ("promote_waiting", 110, 2)
    ok(city.approve(asked))
    assert waiting(city, programme_id) == []
    assert {firm: fen for firm, fen in faces(city, programme_id).items() if firm != firms[0]} == {
        firms[1]: 90,
        firms[2]: 20,
    }
    assert available_fen(city, programme_id) == 70
    assert shared_world.differences() == []


def test_nobody_who_needs_less_overtakes_who_waits_longer(shared_world: World) -> None:
    city = shared_world.city()
    programme_id, _ = waiting_round(shared_world, city, 100, 100, 90, 20)
    city.fund(programme_id, 50)
    problem(promote(city, programme_id), 409, "nothing_to_allocate")
    city.fund(programme_id, 50)
    assert numbers(ok(promote(city, programme_id, dry_run=True))["promoted"]) == ["B"]
    problem(promote(city, programme_id, limit_fen=89, dry_run=True), 409, "nothing_to_allocate")


def test_a_rejected_promotion_leaves_the_line_as_it_was(shared_world: World) -> None:
    city = shared_world.city()
    programme_id, _ = waiting_round(shared_world, city, 100, 100, 90, 20)
    city.fund(programme_id, 100)
    asked = ok(promote(city, programme_id))
    ok(city.checker.post(f"/v1/approvals/{asked['approval_id']}/reject", {"reason": "再议"}))
    assert numbers(waiting(city, programme_id)) == ["B", "C"]
    ok(city.approve(promote(city, programme_id)))
    assert numbers(waiting(city, programme_id)) == ["C"]
    assert shared_world.differences() == []


def test_money_spent_before_the_approval_promotes_nobody(shared_world: World) -> None:
    city = shared_world.city()
    programme_id, _ = waiting_round(shared_world, city, 100, 100, 90)
    city.fund(programme_id, 90)
    asked = promote(city, programme_id)
    city.issue(programme_id, shared_world.firm(), 1)
    problem(city.approve(asked), 409, "budget_exhausted")
    assert numbers(waiting(city, programme_id)) == ["B"]
    city.fund(programme_id, 1)
    ok(city.approve(asked))
    assert (waiting(city, programme_id), available_fen(city, programme_id)) == ([], 0)
    assert shared_world.differences() == []


def test_a_round_that_finds_nothing_puts_all_on_the_list(shared_world: World) -> None:
    city = shared_world.city()
    programme_id, _ = waiting_round(shared_world, city, 1, 100, 90)
    assert numbers(waiting(city, programme_id)) == ["A", "B"]
    assert faces(city, programme_id) == {}
    assert shared_world.differences() == []


def test_a_round_in_which_nobody_gets_anything_is_not_submitted(shared_world: World) -> None:
    city = shared_world.city()
    programme_id = programme(city, 1, on_exhaustion="stop")
    problem(frozen(city, programme_id, rows_of(shared_world, 100, 90)).submit(), 409, "nothing_to_allocate")


def test_money_of_tiers_comes_back_to_its_own_tier(shared_world: World) -> None:
    city = shared_world.city()
    quotas = [{"tier": "一等", "share": "0.5"}, {"tier": "二等", "share": "0.5"}]
    programme_id = programme(city, 200, method="quota_tiers", on_exhaustion="waitlist", quotas=quotas)
    tiers = ["一等", "一等", "二等", "二等"]
    rows = rows_of(shared_world, 100, 60, 100, 60, tier=tiers, score=["4", "3", "2", "1"])
    frozen(city, programme_id, rows).execute()
    assert numbers(waiting(city, programme_id)) == ["B", "D"]
    void(city, programme_id, rows[2]["firm_id"])
    assert numbers(ok(promote(city, programme_id, dry_run=True))["promoted"]) == ["D"]


def test_a_checker_sees_that_a_batch_passes_by_those_who_wait(shared_world: World) -> None:
    city = shared_world.city()
    programme_id, _ = waiting_round(shared_world, city, 100, 100, 90)
    city.fund(programme_id, 50)
    row = {"reference_no": "X", "firm_id": shared_world.firm(), "face_value_fen": 50}
    body = {"programme_id": programme_id, "declared_count": 1, "declared_total_fen": 50, "rows": [row]}
    asked = ok(city.maker.post("/v1/issuance-batches", body))
    effect = ok(city.checker.get(f"/v1/approvals/{asked['approval_id']}"))["effect"]
    assert (effect["waiting_before"], effect["waiting_before_fen"]) == (1, 90)


@pytest.mark.parametrize(("number", "pointer"), [("C", "/reference_nos/1"), ("X", "/reference_nos/1")])
def test_who_does_not_wait_cannot_be_taken_off(shared_world: World, number: str, pointer: str) -> None:
    city = shared_world.city()
    programme_id, firms = waiting_round(shared_world, city, 100, 100, 90)
    path = f"/v1/programmes/{programme_id}/waitlist/end"
    body = {"reason": "企业放弃", "reference_nos": ["B", number]}
    refused = problem(city.maker.post(path, body), 422, "validation_failed")
    assert [error["pointer"] for error in refused["errors"]] == [pointer]
    manager = shared_world.person(Role.FIRM, firms[1])
    problem(manager.post(path, {"reason": "企业放弃"}), 403, "forbidden")
    problem(promote(city, programme_id), 409, "nothing_to_allocate")
