"""Twins: the same request under the same key at the same time, again and again. One effect each, one answer for all."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tests.apart import run_apart
from tests.survival.checks import assert_survived, assert_whole
from tests.survival.clients import Answered, Client, Request, redemption
from tests.survival.processes import Workers
from tests.world import Counter, World, counter

TWINS = 50
ROUNDS = 500
AT_ONCE = 12
"""Rounds that run side by side, each on connections of its own: 600 in all, below the usual limit of open files."""
FACE_FEN = 1_000_000


async def rounds_of(address: tuple[str, int], desk: Counter, requests: Sequence[Request]) -> list[Answered]:
    """One round after the other: each request from all twins at once, and the next when all have been answered."""
    twins = [Client(address, desk.machine) for _ in range(TWINS)]
    answered = []
    for request in requests:
        answers = await asyncio.gather(*(twin.until_answered(request) for twin in twins))
        assert len({(one.response.status, one.response.body) for one in answers}) == 1
        assert [one.response.replayed for one in answers].count(False) <= 1
        answered.append(min(answers, key=lambda one: one.returned))
    for twin in twins:
        twin.close()
    return answered


async def all_rounds(address: tuple[str, int], desk: Counter, requests: Sequence[Request]) -> list[Answered]:
    sides = await asyncio.gather(*(rounds_of(address, desk, requests[side::AT_ONCE]) for side in range(AT_ONCE)))
    return [answered for side in sides for answered in side]


def test_fifty_twins_have_one_effect_and_one_answer_five_hundred_times(world: World, workers: Workers) -> None:
    desk = counter(world.city(), face_value_fen=FACE_FEN, rate="0.30")
    workers.start()
    workers.start()
    workers.wait_ready()
    requests = [redemption(desk, 1_000, rate_percent=30) for _ in range(ROUNDS)]
    answered = run_apart(all_rounds(workers.address, desk, requests))
    assert [one.response.status for one in answered] == [201] * ROUNDS
    assert desk.balance_fen() == FACE_FEN - ROUNDS * 300
    assert_survived(world, desk, answered)
    assert_whole(world)
