"""A programme is closed, a provider suspended: what stops, what goes on, and who decides."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from app.kernel.vocabulary import Role
from tests.payments.paying import Paying
from tests.world import NINGBO, Counter, World, bill_body, counter, ok, problem

WHY = {"reason": "年度任务已完成"}


def close(desk: Counter) -> httpx.Response:
    return desk.city.maker.post(f"/v1/programmes/{desk.programme_id}/close", WHY)


def step(desk: Counter, name: str) -> httpx.Response:
    path = f"/v1/programmes/{desk.programme_id}/providers/{desk.machine.organisation_id}"
    return desk.city.maker.post(f"{path}/{name}", WHY)


def do(desk: Counter, name: str) -> None:
    ok(desk.city.approve(step(desk, name)))


def hold(desk: Counter, hold_no: str = "H1") -> httpx.Response:
    body = {"voucher_code": desk.voucher["code"], "hold_no": hold_no, "bill": bill_body(100_000)}
    return desk.machine.post("/v1/holds", body)


def bill_on(desk: Counter, held: Any) -> httpx.Response:
    return desk.machine.post("/v1/redemptions", {"hold_id": held["id"], "order_no": "P1", "bill": bill_body(50_000)})


def test_closed_nothing_more_is_issued_and_what_is_out_lives_on(world: World) -> None:
    city = world.city()
    desk = counter(city)
    firm = desk.voucher["firm_id"]
    row = {"reference_no": "LATE-1", "firm_id": firm, "face_value_fen": 100}
    batch = {"programme_id": desk.programme_id, "declared_count": 1, "declared_total_fen": 100, "rows": [row]}
    waiting = city.maker.post("/v1/issuance-batches", batch)
    asked = close(desk)
    assert ok(asked)["effect"] == {
        "title": "AI算力券",
        "fiscal_year": ok(city.maker.get(f"/v1/programmes/{desk.programme_id}"))["fiscal_year"],
        "status": "closed",
        "vouchers": 1,
        "promised_fen": 1_000_000,
        "waiting_batches": 1,
    }
    problem(city.maker.post(f"/v1/approvals/{ok(asked)['id']}/approve"), 403, "forbidden")
    ok(city.approve(asked))
    assert ok(desk.manager.get(f"/v1/programmes/{desk.programme_id}"))["status"] == "closed"
    problem(city.approve(waiting), 409, "programme_closed")
    again = batch | {"rows": [row | {"reference_no": "LATE-2"}]}
    problem(city.maker.post("/v1/issuance-batches", again), 409, "programme_closed")
    held = ok(hold(desk))
    ok(bill_on(desk, held))
    ok(desk.redeem(10_000))
    ok(desk.machine.http.post("/v1/vouchers/check", json={"voucher_code": desk.voucher["code"]}))
    for late in ("pause", "resume"):
        problem(city.maker.post(f"/v1/programmes/{desk.programme_id}/{late}"), 409, "wrong_state")
    problem(close(desk), 409, "wrong_state")
    assert world.differences() == []


def test_what_a_closed_programme_has_left_is_taken_back_and_nothing_given(world: World) -> None:
    city = world.city()
    desk = counter(city)
    ok(city.approve(close(desk)))
    path = f"/v1/programmes/{desk.programme_id}/appropriations"
    body = {"document_no": "财字2号", "amount_fen": 1}
    problem(city.finance.post(path, body), 409, "wrong_state")
    ok(city.approve(city.finance.post(path, body | {"amount_fen": -99_000_000}), by=city.second_finance))
    pool = ok(city.finance.get(f"/v1/programmes/{desk.programme_id}/budget"))["pools"][0]
    assert (pool["appropriation_fen"], pool["available_fen"]) == (1_000_000, 0)
    assert world.differences() == []


def test_a_paused_programme_may_be_closed_and_a_draft_not(world: World) -> None:
    city = world.city()
    desk = counter(city)
    ok(city.maker.post(f"/v1/programmes/{desk.programme_id}/pause"))
    problem(desk.redeem(10_000), 409, "programme_paused")
    waiting = close(desk)
    ok(city.approve(city.maker.post(f"/v1/programmes/{desk.programme_id}/resume")))
    ok(city.maker.post(f"/v1/programmes/{desk.programme_id}/pause"))
    ok(city.approve(waiting))
    ok(desk.redeem(10_000))


def test_who_may_not_ask(world: World) -> None:
    desk = counter(world.city())
    path = f"/v1/programmes/{desk.programme_id}"
    for part in ("close", f"providers/{desk.machine.organisation_id}/suspend"):
        problem(desk.city.checker.post(f"{path}/{part}", WHY), 403, "forbidden")
        problem(desk.manager.post(f"{path}/{part}", WHY), 403, "forbidden")
        problem(world.city(NINGBO).maker.post(f"{path}/{part}", WHY), 404, "not_found")
        problem(desk.city.maker.post(f"{path}/{part}", {}), 422, "validation_failed")
    unknown = f"{path}/providers/{world.provider()}/suspend"
    problem(desk.city.maker.post(unknown, WHY), 404, "not_found")


def test_suspended_it_begins_nothing_new_and_bills_what_it_holds(world: World) -> None:
    desk = counter(world.city())
    held = ok(hold(desk))
    ok(desk.redeem(10_000))
    effect = ok(asked := step(desk, "suspend"))["effect"]
    assert (effect["open_holds"], effect["held_fen"], effect["owed_fen"]) == (1, 30_000, 3_000)
    ok(desk.city.approve(asked))
    problem(hold(desk, "H2"), 422, "provider_not_admitted")
    problem(desk.redeem(10_000), 422, "provider_not_admitted")
    problem(step(desk, "suspend"), 409, "wrong_state")
    ok(bill_on(desk, held))
    do(desk, "resume")
    ok(desk.redeem(10_000))
    do(desk, "suspend")
    do(desk, "delist")
    for late in ("resume", "suspend", "delist"):
        problem(step(desk, late), 409, "wrong_state")
    problem(desk.redeem(10_000), 422, "provider_not_admitted")
    desk.city.admit(desk.programme_id, desk.machine.organisation_id)
    ok(desk.redeem(10_000))
    assert world.differences() == []


def test_where_the_rules_say_so_holds_and_payments_stand(world: World) -> None:
    desk = counter(world.city(), suspension={"open_holds": "stand", "payments": "stand"})
    held = ok(hold(desk))
    drawn = ok(desk.redeem(10_000))
    paying = Paying(desk)
    proposed = desk.city.maker.post("/v1/payment-orders", {"redemption_ids": [drawn["id"]]})
    do(desk, "suspend")
    problem(bill_on(desk, held), 422, "provider_not_admitted")
    refused = desk.city.approve(proposed, by=desk.city.finance)
    assert "AI算力券" in problem(refused, 409, "payee_suspended")["detail"]
    do(desk, "resume")
    ok(bill_on(desk, held))
    ok(desk.city.approve(proposed, by=desk.city.finance))
    assert paying.pool()["in_payment"] == 3_000
    assert world.differences() == []


@pytest.mark.parametrize("step_name", ["suspend", "resume", "delist"])
def test_a_provider_does_not_decide_about_itself(world: World, step_name: str) -> None:
    desk = counter(world.city())
    person = world.person(Role.PROVIDER, desk.machine.organisation_id)
    path = f"/v1/programmes/{desk.programme_id}/providers/{desk.machine.organisation_id}/{step_name}"
    problem(person.post(path, WHY), 403, "forbidden")
