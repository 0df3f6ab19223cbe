"""Sealing beside redeeming: how fast a full queue is sealed, what a running sealer costs and how far behind it is, how
long a balance takes.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from sqlalchemy import func, select, text

from app.cli.serving import Service
from app.database import Database
from app.embedded.databases import Urls
from app.kernel.vocabulary import HolderKind
from app.models import Entry, Log, Pool, SealQueue
from app.services.sealing.as_of import balances_at, balances_of_size
from app.services.sealing.keys import LogKeys
from app.services.sealing.sealer import SEALING, Sealer
from app.settings import Settings
from app.sql import now

ASKED = 60
"""Balances asked for, half of them as of an instant and half as of a size."""
EMPTIED_S = 60
"""Within which a sealer has started and sealed all that waits, with nothing coming."""

_LAGS = text(
    """
    SELECT extract(epoch FROM b.sealed_at - e.at) AS lag_s
    FROM log_batches b
    JOIN log_leaves l ON l.region_code = b.region_code AND l.leaf_index >= b.first_index AND l.leaf_index < b.size
    JOIN entries e ON e.region_code = l.region_code AND e.id = l.leaf_id
    WHERE b.sealed_at > :since
    """
)


@dataclass(slots=True)
class Sealing:
    """What was found; rates are leaves a second, the rest is milliseconds."""

    rates: list[float] = field(default_factory=list)
    leaves: int = 0
    as_of_ms: list[float] = field(default_factory=list)
    entries: int = 0
    lag_s: list[float] = field(default_factory=list)
    """Of each entry that was made beside a sealer: from its instant to the signed head that has it."""


def drain(urls: Urls, settings: Settings, found: Sealing) -> None:
    """Seal all that waits in this process, the queue filled before the clock starts."""
    database = Database(urls.sealer_url, pool_size=1, settings=SEALING)
    waiting = database.transact(lambda tx: tx.execute(select(func.count()).select_from(SealQueue)).scalar_one())
    sealer = Sealer(database, LogKeys.from_settings(settings))
    began, leaves = time.perf_counter(), 0
    while (done := sealer.look()).sealed:
        leaves += done.leaves
    found.rates.append(leaves / (time.perf_counter() - began))
    found.leaves += leaves
    database.dispose()
    assert leaves == waiting, f"{leaves} of {waiting} were sealed"


def ask_balances(database: Database, found: Sealing) -> None:
    """Ask for all accounts of the largest log's busiest pool as of moments of its whole history."""
    head = database.transact(lambda tx: tx.execute(select(Log).order_by(Log.size.desc()).limit(1)).one())
    region_code = head.region_code
    pools = database.transact(lambda tx: tx.execute(select(Pool.id).where(Pool.region_code == region_code)).scalars())
    holders = [(HolderKind.POOL, pool_id) for pool_id in pools]
    in_region = select(func.min(Entry.at), func.max(Entry.at), func.count()).where(Entry.region_code == region_code)
    first, last, found.entries = database.transact(lambda tx: tx.execute(in_region).one())
    draw = random.Random(1)
    for number in range(ASKED):
        share = draw.random()
        began = time.perf_counter()
        if number % 2:
            at = first + (last - first) * share
            database.transact(partial(balances_at, region_code=region_code, holders=holders[:1], at=at))
        else:
            size = int(head.size * share)
            database.transact(partial(balances_of_size, region_code=region_code, holders=holders[:1], size=size))
        found.as_of_ms.append((time.perf_counter() - began) * 1000)


@contextmanager
def running_sealer(urls: Urls, settings: Settings, log: Path, database: Database, found: Sealing) -> Iterator[None]:
    """`voucher seal` as a process of its own while inside, started and with nothing waiting. Adds to `found.lag_s`."""
    environment = os.environ | {
        "VOUCHER_SEALER_URL": urls.sealer_url,
        "VOUCHER_STATE_DIR": str(settings.state_dir),
        "VOUCHER_PUBLIC_URL": settings.public_url,
    }
    with log.open("ab") as output:
        command = [str(Path(sys.executable).with_name("voucher")), "seal"]
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
        try:
            _wait_for_empty_queue(database)
            since = database.transact(now)
            yield
            _wait_for_empty_queue(database)
        finally:
            process.terminate()
            process.wait()
    found.lag_s += database.transact(lambda tx: [float(lag) for lag in tx.execute(_LAGS, {"since": since}).scalars()])


def _wait_for_empty_queue(database: Database) -> None:
    waiting = select(func.count()).select_from(SealQueue)
    deadline = time.monotonic() + EMPTIED_S
    while database.transact(lambda tx: tx.execute(waiting).scalar_one()):
        assert time.monotonic() < deadline, f"the sealer has not emptied the queue within {EMPTIED_S} s"
        time.sleep(0.2)


def settings_of(urls: Urls, folder: Path, service: Service) -> Settings:
    """Those of the service that is measured."""
    return Settings(database_url=urls.app_url, state_dir=folder, public_url=service.url)
