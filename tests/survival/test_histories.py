"""Histories of real vouchers under load are linearizable; a lost update is found, whether injected or written in."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import replace
from typing import Any

import pytest

from tests.apart import run_apart
from tests.survival.clients import Answered, Client, address_of, redemption, send_lanes
from tests.survival.faults import Fault, RememberedBalance
from tests.survival.histories import DONE, Operation, Voucher, history_of, judge, operation_of, step
from tests.survival.linearizability import Event
from tests.survival.processes import Workers
from tests.world import Counter, World, counter

VOUCHERS = 3
CLIENTS = 8
"""For each voucher."""
BILLS = 12
FACE_FEN = 6_000

History = list[Event[Operation]]


async def reading(address: tuple[str, int], desk: Counter, still: asyncio.Event) -> History:
    """What the firm sees of its voucher meanwhile, again and again."""
    client = Client(address, desk.manager)
    history = []
    while not still.is_set():
        invoked = time.monotonic()
        response = await client.get(f"/v1/vouchers/{desk.voucher['id']}")
        history.append(Event(invoked, time.monotonic(), operation_of("read", 0, response)))
        await asyncio.sleep(0.02)
    client.close()
    return history


async def under_load(workers: Workers, desks: list[Counter], draws: random.Random) -> list[History]:
    """A history for each voucher: bills of all sizes until long after it is empty, and reads."""
    still = asyncio.Event()
    reads = [asyncio.create_task(reading(address_of(desk.city.world), desk, still)) for desk in desks]

    async def spend(desk: Counter) -> list[Answered]:
        bills = [[draws.randint(1, 200) for _ in range(BILLS)] for _ in range(CLIENTS)]
        lanes = [[redemption(desk, fen, rate_percent=100) for fen in lane] for lane in bills]
        return await send_lanes(workers.address, desk.machine, lanes)

    answered = await asyncio.gather(*map(spend, desks))
    still.set()
    return [history_of(of_desk) + await read for of_desk, read in zip(answered, reads, strict=True)]


def histories(world: World, workers: Workers, fault: Fault | None, seed: int) -> list[History]:
    first = counter(world.city(), face_value_fen=FACE_FEN, rate="1.00")
    desks = [first, *(first.second_voucher(FACE_FEN) for _ in range(VOUCHERS - 1))]
    for _ in range(2):
        workers.start(fault)
    workers.wait_ready()
    return run_apart(under_load(workers, desks, random.Random(seed)))


def test_every_vouchers_history_is_linearizable(world: World, workers: Workers, seed: int) -> None:
    for history in histories(world, workers, None, seed):
        outcomes = {event.operation.outcome for event in history}
        assert outcomes == {DONE, "insufficient_balance"}, "the balance ran out within the load"
        verdict = judge(history, FACE_FEN)
        assert verdict.linearizable, verdict.stuck
    assert world.differences() == []


def test_a_lost_update_is_found(world: World, workers: Workers, seed: int) -> None:
    """The workers remember a balance from one batch to the next: the books still add up, the answers no longer do."""
    found = histories(world, workers, RememberedBalance(), seed)
    assert world.differences() == []
    for history in found:
        answers = [event for event in history if event.operation.outcome != "internal_error"]  # nothing came of these
        assert not judge(answers, FACE_FEN).linearizable


@pytest.fixture
def recorded() -> History:
    """What a voucher of 1,000 fen answered to twelve clients, three at a time."""
    voucher: Voucher | None = Voucher(1_000)
    history = []
    for n in range(12):
        assert voucher
        moved_fen = min(90, voucher.balance_fen)
        operation = Operation("redeem", 90, DONE, moved_fen, voucher.balance_fen)
        if voucher.balance_fen == 0:
            operation = Operation("redeem", 90, "insufficient_balance")
        history.append(Event(n - 1.5, n + 1.5, operation))
        voucher = step(voucher, operation)
    assert judge(history, 1_000).linearizable
    return history


@pytest.mark.parametrize(
    ("place", "told"),
    [
        (4, {"seen_fen": 730}),  # as if the draw before it had not been
        (4, {"moved_fen": 80}),
        (4, {"outcome": "insufficient_balance"}),
        (11, {"moved_fen": 90}),
        (11, {"outcome": "insufficient_balance"}),
    ],
)
def test_one_answer_written_otherwise_is_found(recorded: History, place: int, told: dict[str, Any]) -> None:
    tampered = list(recorded)
    tampered[place] = replace(recorded[place], operation=recorded[place].operation._replace(**told))
    assert not judge(tampered, 1_000).linearizable


def test_an_answer_that_is_missing_is_found(recorded: History) -> None:
    assert not judge([*recorded[:4], *recorded[5:]], 1_000).linearizable


def test_an_answer_given_twice_is_found(recorded: History) -> None:
    assert not judge([*recorded, recorded[4]], 1_000).linearizable
