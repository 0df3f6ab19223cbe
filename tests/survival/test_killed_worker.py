"""kill -9 of a worker at named points of its transaction: all of it happened or none, and the retry finds out."""

from __future__ import annotations

import asyncio
from multiprocessing.context import ForkServerProcess

import pytest

from tests.apart import run_apart
from tests.payment_codes.codes import make
from tests.survival.checks import assert_replays, assert_survived, assert_whole
from tests.survival.clients import (
    Answered,
    Client,
    Request,
    address_of,
    batch,
    hold,
    redemption,
    redemption_from,
    refund,
    rows_of,
    send_lanes,
)
from tests.survival.faults import CODE_POINTS, HOLD_POINTS, POINTS, REFUND_POINTS, Kill
from tests.survival.processes import Workers, assert_killed
from tests.world import Counter, World, counter, ok

FACE_FEN = 1_000_000
CEILING = {"scope": "firm", "name": "firm_year", "limit_fen": 10 * FACE_FEN}
"""Never reached: it makes the rules cumulative, so that positions are locked and written."""


async def through_a_death(
    workers: Workers, doomed: ForkServerProcess, point: str, desk: Counter, lanes: list[list[Request]]
) -> list[Answered]:
    """Send while the worker dies; another one takes its place, and everything is answered."""
    sending = asyncio.create_task(send_lanes(workers.address, desk.machine, lanes))
    await asyncio.to_thread(assert_killed, doomed, point)
    await asyncio.to_thread(assert_whole, desk.city.world)
    workers.start()
    answered = await sending
    await assert_replays(Client(workers.address, desk.machine), answered)
    return answered


@pytest.mark.parametrize("point", POINTS)
def test_a_worker_killed_in_a_batch_did_all_of_it_or_nothing(world: World, workers: Workers, point: str) -> None:
    first = counter(world.city(), face_value_fen=FACE_FEN, rate="0.30", caps=[CEILING])
    second = first.second_voucher(FACE_FEN)
    lanes = [[redemption(desk, 1_000, rate_percent=30) for _ in range(3)] for desk in (first, second) for _ in range(3)]
    lanes += [lanes[0], lanes[3]]  # twins
    doomed = workers.start(Kill(point, nth=2))
    answered = run_apart(through_a_death(workers, doomed, point, first, lanes))
    for desk in (first, second):
        of_desk = [one for one in answered if one.request.voucher_id == desk.voucher["id"]]
        assert {(one.response.status, one.response.json.get("subsidy_fen")) for one in of_desk} == {(201, 300)}
        assert desk.balance_fen() == FACE_FEN - 9 * 300
        assert_survived(world, desk, of_desk)
    assert_whole(world)
    assert max(one.tries for one in answered) > 1, "somebody was cut off"


@pytest.mark.parametrize("point", ["all written", "committed"])
def test_a_batch_cut_between_its_transactions_goes_on_where_it_stopped(
    world: World, workers: Workers, point: str
) -> None:
    """Sixty rows in three transactions or more; the worker dies in the second, or before it can tell of it."""
    desk = counter(world.city(), face_value_fen=FACE_FEN, rate="0.30")
    doomed = workers.start(Kill(point, nth=2), VOUCHER_DESK_BATCH_LIMIT="20")
    lanes = [[batch(desk, 1_000, count=60)]]
    (answered,) = run_apart(through_a_death(workers, doomed, point, desk, lanes))
    assert answered.tries > 1
    rows = rows_of(answered, 300)
    assert {(row.response.status, row.response.json["subsidy_fen"]) for row in rows} == {(201, 300)}
    assert desk.balance_fen() == FACE_FEN - 60 * 300
    assert_survived(world, desk, rows)
    assert_whole(world)


@pytest.mark.parametrize("point", HOLD_POINTS)
def test_a_worker_killed_among_holds_reserved_and_drew_once(world: World, workers: Workers, point: str) -> None:
    """Three holds are there to be used up by three bills each, while three more are made."""
    desk = counter(world.city(), face_value_fen=FACE_FEN, rate="0.30", caps=[CEILING])
    made = [[hold(desk, 3_000, rate_percent=30)] for _ in range(3)]
    held = [one.response.json for one in run_apart(send_lanes(address_of(world), desk.machine, made))]
    lanes = [[redemption_from(desk, one["id"], 1_000, rate_percent=30) for _ in range(3)] for one in held]
    lanes += [[hold(desk, 2_000, rate_percent=30)] for _ in range(3)]
    lanes += [lanes[0], lanes[3]]  # twins
    doomed = workers.start(Kill(point, nth=1))
    answered = run_apart(through_a_death(workers, doomed, point, desk, lanes))
    assert {one.response.status for one in answered} == {201}
    drawn = {one.response.json["order_no"]: one.response.json for one in answered if one.request.kind == "part"}
    assert [one["subsidy_fen"] for one in drawn.values()] == [300] * 9
    found = ok(desk.manager.get(f"/v1/vouchers/{desk.voucher['id']}"))
    assert (found["balance_fen"], found["held_fen"], found["redeemed_fen"]) == (FACE_FEN - 4_500, 1_800, 2_700)
    assert [ok(desk.machine.get(f"/v1/holds/{one['id']}"))["status"] for one in held] == ["redeemed"] * 3
    assert_whole(world)


@pytest.mark.parametrize("point", CODE_POINTS)
def test_a_worker_killed_among_payment_codes_used_each_once_or_not_at_all(
    world: World, workers: Workers, point: str
) -> None:
    """Three codes, each shown by three tills at once under keys and order numbers of their own; one asks twice."""
    desk = counter(world.city(), face_value_fen=FACE_FEN, rate="0.30")
    ok(desk.manager.http.delete(f"/v1/vouchers/{desk.voucher['id']}/mandates/{desk.mandate['id']}"))
    codes = [make(desk, limit_fen=300) for _ in range(3)]
    lanes = [
        [redemption(desk, 1_000, rate_percent=30, payment_code=code[sent])]
        for code in codes
        for sent in ("token", "digits", "token")
    ]
    lanes += [lanes[0]]
    doomed = workers.start(Kill(point, nth=1))
    answered = run_apart(through_a_death(workers, doomed, point, desk, lanes))
    drawn = {one.response.json["payment_code_id"]: one.response.json for one in answered if one.response.status == 201}
    assert {code_id: one["subsidy_fen"] for code_id, one in drawn.items()} == {code["id"]: 300 for code in codes}
    refused = [one.response.json for one in answered if one.response.status != 201]
    assert {one["code"] for one in refused} == {"payment_code_used"}
    assert {one["used_by"] for one in refused} == {one["id"] for one in drawn.values()}
    assert len({one.request.key for one in answered if one.response.status == 201}) == 3
    listed = ok(desk.manager.get(f"/v1/vouchers/{desk.voucher['id']}/payment-codes"))["data"]
    assert {code["id"]: code["used_by"] for code in listed} == {key: one["id"] for key, one in drawn.items()}
    assert desk.balance_fen() == FACE_FEN - 900
    assert_whole(world)
    assert max(one.tries for one in answered) > 1, "somebody was cut off"


@pytest.mark.parametrize("point", REFUND_POINTS)
def test_a_worker_killed_in_a_refund_gave_back_once(world: World, workers: Workers, point: str) -> None:
    desk = counter(world.city(), face_value_fen=FACE_FEN, rate="0.30", caps=[CEILING])
    opened = run_apart(send_lanes(address_of(world), desk.machine, [[redemption(desk, 100_000, rate_percent=30)]]))
    redemption_id = opened[0].response.json["id"]
    lanes = [[refund(desk, redemption_id, 10_000, rate_percent=30) for _ in range(2)] for _ in range(3)]
    lanes += [lanes[0]]
    doomed = workers.start(Kill(point, nth=2))
    answered = run_apart(through_a_death(workers, doomed, point, desk, lanes))
    assert {one.response.status for one in answered} == {201}
    assert {one.response.json["refund"]["subsidy_refund_fen"] for one in answered} == {3_000}
    assert desk.balance_fen() == FACE_FEN - 30_000 + 6 * 3_000
    assert_survived(world, desk, [*opened, *answered])
    assert_whole(world)
