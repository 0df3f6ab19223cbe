"""What `demo` and `replay` stand on: the embedded database, a service on it, and the province, founded once."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from app.cli.founding import found
from app.cli.local import embedded_database, state_dir
from app.cli.output import Failure, say, step
from app.cli.province import Province, read_province
from app.cli.serving import Service, serving
from app.cli.state import DemoState, load_state
from app.database import Database
from app.embedded.locks import FileLock
from app.kernel.clock import fiscal_year, utc_now

ALONE_S = 600
LOG = "service.log"
SHOWN_WITHOUT_PHONE = {"VOUCHER_STAFF_SECOND_FACTOR": "false"}
"""Whoever looks at a demonstration has no authenticator of its officials."""


@dataclass(frozen=True, slots=True)
class Own:
    """A service of ours with its database."""

    database: Database
    service: Service


@contextmanager
def own_service(listening: socket.socket) -> Iterator[Own]:
    """A service on the embedded database, ready, while inside; its output goes to a file of the state folder."""
    folder = state_dir()
    if os.environ.get("VOUCHER_DATABASE_URL"):
        say(
            "演示与回放始终使用内置数据库。", "VOUCHER_DATABASE_URL is left alone: this is always the embedded database"
        )
    with ExitStack() as stack:
        stack.enter_context(listening)
        with step(f"启动内置 PostgreSQL（{folder / 'postgres'}）", "embedded PostgreSQL, migrations"):
            urls = stack.enter_context(embedded_database())
        with step("启动服务", "the service"):
            service = stack.enter_context(
                serving(
                    urls.app_url,
                    folder,
                    listening=listening,
                    sealer_url=urls.sealer_url,
                    log_level="warning",
                    log=folder / LOG,
                    settings=SHOWN_WITHOUT_PHONE,
                )
            )
            service.wait_ready()
        database = Database(urls.app_url)
        stack.callback(database.dispose)
        yield Own(database, service)


@contextmanager
def founded(own: Own) -> Iterator[tuple[Province, DemoState]]:
    """The province, founded as far as it was not yet; while inside, no other demonstration prepares anything."""
    folder = state_dir()
    lock = FileLock(folder / "demo.lock")
    try:
        if not lock.take():
            say("另一个 voucher demo 或 replay 正在准备，等待中……", "waiting for another demo or replay to prepare")
            if not lock.wait(patience_s=ALONE_S):
                raise Failure(
                    "另一个 voucher demo 或 replay 一直未结束准备。", "another demo or replay does not finish"
                )
        province = read_province()
        state = load_state(folder, year=fiscal_year(utc_now()))
        state.save()
        found(own.database, province, state)
        yield province, state
    finally:
        lock.close()
