"""kill -9 of all of PostgreSQL under load: it comes back, clients retry, nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

import migrations
from app.database import Database
from app.embedded import databases
from app.embedded.server import Server, temporary
from app.reach import EVERYWHERE
from app.services.identity.tokens import Tokens
from app.settings import Settings
from tests.apart import run_apart
from tests.conftest import serving
from tests.survival.checks import assert_replays, assert_survived, assert_whole
from tests.survival.clients import Answered, Client, Request, redemption, send_lanes
from tests.survival.processes import Workers, workers_of
from tests.world import Counter, World, counter

CLIENTS = 32
BILLS = 30
DEATHS = 2
FACE_FEN = 1_000_000


@pytest.fixture
def throwaway() -> Iterator[Server]:
    """A server to kill. Processes die here, not the machine: the disk need not be waited for, each commit is."""
    with temporary(settings={"fsync": "off"}) as server:
        yield server


@pytest.fixture
def fragile(throwaway: Server, tmp_path: Path) -> Iterator[tuple[World, Workers]]:
    """A world on the server that is going to die, and a worker of the service."""
    urls = databases.prepare(throwaway, database="voucher")
    migrations.upgrade(urls.owner_url)
    settings = Settings(database_url=urls.app_url, state_dir=tmp_path / "state")
    database = Database(urls.app_url, reach=EVERYWHERE)
    with serving(settings) as base_url, workers_of(settings, tmp_path) as workers:
        world = World(base_url, database, Tokens.from_settings(settings))
        yield world, workers
        world.close()
    database.dispose()


def kill_all(server: Server) -> None:
    """SIGKILL to the postmaster and every process of its own."""
    postmaster = psutil.Process(int((server.data / "postmaster.pid").read_text().split()[0]))
    victims = [postmaster, *postmaster.children(recursive=True)]
    for victim in victims:
        with suppress(psutil.NoSuchProcess):  # a session that has just ended
            victim.kill()


async def through_the_deaths(
    server: Server, workers: Workers, desk: Counter, lanes: list[list[Request]]
) -> tuple[list[Answered], list[int]]:
    """Send, and kill the server each time that another third of the bills has been answered.

    Gives all answers, and how many had been heard at each death.
    """
    heard = 0
    due = [death * CLIENTS * BILLS // (DEATHS + 1) for death in range(1, DEATHS + 1)]
    reached = [asyncio.Event() for _ in due]

    def count(_: Answered) -> None:
        nonlocal heard
        heard += 1
        for event, enough in zip(reached, due, strict=True):
            if heard >= enough:
                event.set()

    sending = asyncio.create_task(send_lanes(workers.address, desk.machine, lanes, heard=count))
    at_death = []
    for event in reached:
        await event.wait()
        at_death.append(heard)
        await asyncio.to_thread(kill_all, server)
    return await sending, at_death


def test_a_database_killed_under_load_keeps_all_that_was_acknowledged(
    throwaway: Server, fragile: tuple[World, Workers]
) -> None:
    world, workers = fragile
    desk = counter(world.city(), face_value_fen=FACE_FEN, rate="0.30")
    lanes = [[redemption(desk, 1_000, rate_percent=30) for _ in range(BILLS)] for _ in range(CLIENTS)]
    workers.start()
    workers.wait_ready()
    answered, at_death = run_apart(through_the_deaths(throwaway, workers, desk, lanes))
    assert all(0 < count < CLIENTS * BILLS for count in at_death), "it died in the middle"
    assert {one.response.status for one in answered} == {201}
    assert desk.balance_fen() == FACE_FEN - CLIENTS * BILLS * 300
    assert_survived(world, desk, answered)
    assert_whole(world)
    run_apart(assert_replays(Client(workers.address, desk.machine), answered))
    assert throwaway.log.read_text().count("database system was not properly shut down") == DEATHS
