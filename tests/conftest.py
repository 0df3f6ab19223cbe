"""One embedded PostgreSQL for the run; each test that commits gets a database of its own, cloned in milliseconds.

The service runs as its own role, which owns nothing: run as a superuser the tests would prove nothing.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import hypothesis
import pytest
import uvicorn
from fastapi import FastAPI
from starlette.routing import BaseRoute

import migrations
from app.cli.protocol import GuardedProtocol
from app.database import Database
from app.embedded import databases
from app.embedded.databases import Urls
from app.embedded.server import Server, temporary
from app.main import create_app
from app.reach import EVERYWHERE
from app.services.identity.tokens import Tokens
from app.settings import Settings
from tests.past import remember
from tests.tampering.books import Books, making
from tests.world import World

hypothesis.settings.register_profile("unhurried", deadline=None)  # a busy machine is not a fault of the code
hypothesis.settings.load_profile("unhurried")

TEMPLATE = "tests_template"
START_S = 20
ROOM = 4 * 1024**3

_clones = count(1)
_routes: list[BaseRoute] = []


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The run's PostgreSQL. Nothing of it survives, so it need not wait for the disk."""
    settings = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "100"}
    with temporary(settings=settings, within=_memory()) as started:
        remember(started)
        yield started


def _memory() -> Path | None:
    """A file system in memory with room for the run's databases, where there is one: thousands are cloned."""
    memory = Path("/dev/shm")  # noqa: S108 - within it a folder of our own is made
    return memory if memory.is_dir() and shutil.disk_usage(memory).free > ROOM else None


@pytest.fixture(scope="session")
def template(server: Server) -> str:
    """A migrated database that nobody is connected to."""
    urls = databases.prepare(server, database=TEMPLATE)
    migrations.upgrade(urls.owner_url)
    return TEMPLATE


@pytest.fixture
def urls(server: Server, template: str) -> Iterator[Urls]:
    """A fresh database: addresses for its owner and for the service's role."""
    name = f"tests_{next(_clones)}"
    yield databases.clone(server, template=template, database=name)
    databases.drop(server, database=name)


def everywhere(urls: Urls) -> Database:
    """A database as the service's own role, for a test to look at all regions; also over a connection of its engine."""
    return Database(urls.app_url, pool_size=20, settings={"app.regions": "%"}, reach=EVERYWHERE)


@pytest.fixture
def database(urls: Urls) -> Iterator[Database]:
    """A fresh database as the service's own role."""
    database = everywhere(urls)
    yield database
    database.dispose()


@pytest.fixture
def sealing(urls: Urls) -> Iterator[Database]:
    """The same database as the sealer's role."""
    sealing = Database(urls.sealer_url, pool_size=5)
    yield sealing
    sealing.dispose()


@pytest.fixture
def settings(urls: Urls, tmp_path: Path) -> Settings:
    """Settings of a service on the fresh database."""
    return settings_of(urls, tmp_path)


@pytest.fixture
def world(settings: Settings, database: Database) -> Iterator[World]:
    """A running service over real HTTP on a fresh database."""
    with serving(settings) as base_url:
        world = World(base_url, database, Tokens.from_settings(settings))
        yield world
        world.close()


@pytest.fixture(scope="module")
def shared_world(server: Server, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A running service for all tests of a module that ask for it, each with a city and counters of its own."""
    name = f"shared_{next(_clones)}"
    with standing(server, template, tmp_path_factory.mktemp("shared"), database=name) as world:
        yield world
    databases.drop(server, database=name)


def settings_of(urls: Urls, folder: Path) -> Settings:
    """Settings of a service of the tests; nothing is cached for long, and nothing is swept by the way.

    Officials may sign in with a password alone; what a second factor asks of them is told in `tests/identity`.
    """
    return Settings(
        database_url=urls.app_url,
        state_dir=folder / "state",
        principal_cache_s=1,
        staff_second_factor=False,
        sweep_every_s=3600,
        reconcile_at=None,
        outbound_networks="127.0.0.0/8",
        limit_client="1000000/10",  # what the limits do is told in `tests/edges`
        limit_voucher="1000000/10",
    )


@contextmanager
def standing(server: Server, template: str, folder: Path, *, database: str, **changes: object) -> Iterator[World]:
    """A running service on a fresh database of that name, which stays, with nobody connected to it."""
    urls = databases.clone(server, template=template, database=database)
    settings, own = settings_of(urls, folder).model_copy(update=changes), everywhere(urls)
    with serving(settings) as base_url:
        world = World(base_url, own, Tokens.from_settings(settings))
        yield world
        world.close()
    own.dispose()


@pytest.fixture(scope="session")
def books(server: Server, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Books]:
    """Sealed books of two cities, made once; a test works on a copy."""
    with making(server, template, tmp_path_factory.mktemp("books"), serving) as made:
        yield made


def serving(settings: Settings, *, port: int = 0) -> Serving:
    """The service on a free port, or on this one, in a thread of its own."""
    return Serving(settings, port)


def app_of(settings: Settings) -> FastAPI:
    """The service, with the routes of the first one that was made.

    They know nothing of any service, and FastAPI makes them anew for each: a third of a second every time.
    """
    app = create_app(settings)
    _routes.extend(app.router.routes if not _routes else ())
    app.router.routes[:] = _routes
    return app


class _Server(uvicorn.Server):
    """Stops at once: uvicorn asks ten times a second whether it is to, and then gives its clients a tenth to go."""

    async def main_loop(self) -> None:
        ticks = count()
        while not await self.on_tick(next(ticks)):  # noqa: ASYNC110 - uvicorn has a flag and no event
            await asyncio.sleep(0.01)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for listening in [*self.servers, *(sockets or ())]:
            listening.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        await asyncio.sleep(0.01)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wait_tasks_to_complete(), self.config.timeout_graceful_shutdown)
        await self.lifespan.shutdown()


class Serving:
    """Starts uvicorn and stops it again; the address is what `with` gives."""

    def __init__(self, settings: Settings, port: int = 0) -> None:
        config = uvicorn.Config(
            app_of(settings),
            port=port,
            http=GuardedProtocol,
            proxy_headers=False,
            server_header=False,
            log_config=None,
            lifespan="on",
            timeout_graceful_shutdown=5,
        )
        self._server = _Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def __enter__(self) -> str:
        self._thread.start()
        deadline = time.monotonic() + START_S
        while not self._server.started:
            assert self._thread.is_alive() and time.monotonic() < deadline, "the service did not start"
            time.sleep(0.01)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=15)
        assert not self._thread.is_alive(), "the service did not stop"
