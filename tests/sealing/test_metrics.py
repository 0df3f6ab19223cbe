"""The metrics say what waits and for how long, in the form that Prometheus reads."""

from __future__ import annotations

import re
import time

from app.database import Database
from app.services.sealing.keys import LogKeys
from app.services.sealing.seal import seal
from app.settings import Settings
from tests.sealing.trees import one
from tests.world import HANGZHOU, World, counter, ok

_SAMPLE = re.compile(r'([a-z_]+)\{([a-z]+)="([0-9]+)"\} ([0-9.e+-]+)')


def metrics(world: World) -> dict[str, float]:
    answer = world.anonymous().get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    samples = [_SAMPLE.fullmatch(line) for line in lines]
    return {found[1]: float(found[4]) for found in samples if found} if all(samples) else {}


def test_lag_queue_and_size_follow_the_sealer(
    world: World, database: Database, sealing: Database, settings: Settings
) -> None:
    till = counter(world.city())
    waiting = one(database, "SELECT count(*) FROM seal_queue")
    time.sleep(0.2)
    before = metrics(world)
    assert before["voucher_seal_queue"] == waiting
    assert before["voucher_seal_lag_seconds"] >= 0.2
    assert (before["voucher_log_size"], before["voucher_desk_answered_total"]) == (0, 0)
    keys = LogKeys.from_settings(settings)
    sealing.transact(lambda tx: seal(tx, region_code=HANGZHOU, keys=keys))
    ok(till.redeem(1_000))
    after = metrics(world)
    assert (after["voucher_log_size"], after["voucher_seal_queue"]) == (waiting, 1)
    assert (after["voucher_desk_waiting"], after["voucher_desk_answered_total"]) == (0, 1)
    assert after["voucher_seal_lag_seconds"] < before["voucher_seal_lag_seconds"]
