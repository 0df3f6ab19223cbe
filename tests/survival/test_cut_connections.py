"""Connections cut at random moments: between client and service, between service and database, and at COMMIT."""

from __future__ import annotations

from collections import Counter as Counts
from itertools import product

import pytest
from sqlalchemy.engine import make_url

from tests.apart import run_apart
from tests.survival.checks import assert_replays, assert_survived, assert_whole
from tests.survival.clients import Answered, Client, redemption, send_lanes
from tests.survival.processes import Workers
from tests.survival.proxy import DOWN, UP, CommitCuts, Cut, RandomCuts, proxying
from tests.world import Counter, World, counter

CLIENTS = 24
BILLS = 8
FACE_FEN = 1_000_000


@pytest.fixture
def desk(world: World) -> Counter:
    return counter(world.city(), face_value_fen=FACE_FEN, rate="0.30")


def send_through(address: tuple[str, int], desk: Counter) -> list[Answered]:
    lanes = [[redemption(desk, 1_000, rate_percent=30) for _ in range(BILLS)] for _ in range(CLIENTS)]
    return run_apart(send_lanes(address, desk.machine, lanes))


def assert_each_bill_was_redeemed_once(world: World, workers: Workers, desk: Counter, answered: list[Answered]) -> None:
    assert {one.response.status for one in answered} == {201}
    assert desk.balance_fen() == FACE_FEN - CLIENTS * BILLS * 300
    assert_survived(world, desk, answered)
    assert_whole(world)
    run_apart(assert_replays(Client(workers.address, desk.machine), answered))


def test_requests_and_answers_that_get_lost_are_repeated_without_effect(
    world: World, workers: Workers, desk: Counter, seed: int
) -> None:
    workers.start()
    workers.wait_ready()
    cuts = RandomCuts(seed, longest_gap=9)
    with proxying(workers.address, cuts) as proxy:
        proxy.on.set()
        answered = send_through(proxy.address, desk)
    assert set(cuts.made) == set(product((UP, DOWN), Cut)), "every kind of loss occurred"
    assert any(one.response.replayed for one in answered), "some were done and their answer was lost"
    assert_each_bill_was_redeemed_once(world, workers, desk, answered)


def test_a_database_connection_cut_anywhere_leaves_nothing_half_done(
    world: World, workers: Workers, desk: Counter, seed: int
) -> None:
    cuts = RandomCuts(seed, longest_gap=90)
    answered = _send_over_cut_database(workers, desk, cuts)
    assert {direction for direction, _ in cuts.made} == {UP, DOWN}
    assert_each_bill_was_redeemed_once(world, workers, desk, answered)


def test_a_database_connection_cut_at_commit_is_cleared_up_by_the_keys(
    world: World, workers: Workers, desk: Counter, seed: int
) -> None:
    cuts = CommitCuts(seed)
    answered = _send_over_cut_database(workers, desk, cuts)
    assert set(cuts.made) == {"committed", "not committed"}, "COMMIT was lost on its way there and on its way back"
    assert_each_bill_was_redeemed_once(world, workers, desk, answered)
    assert Counts(one.response.replayed for one in answered)[True], "what had been committed was found by its key"


def _send_over_cut_database(workers: Workers, desk: Counter, cuts: RandomCuts | CommitCuts) -> list[Answered]:
    url = make_url(workers.database_url)
    with proxying((str(url.host), int(url.port or 0)), cuts) as proxy:
        through = url.set(host=proxy.address[0], port=proxy.address[1]).render_as_string(hide_password=False)
        worker = workers.start(VOUCHER_DATABASE_URL=through)
        workers.wait_ready()
        proxy.on.set()
        answered = send_through(workers.address, desk)
        worker.terminate()
        worker.join()
    workers.start()
    return answered
