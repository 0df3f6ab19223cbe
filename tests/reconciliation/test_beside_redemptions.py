"""Reconciliation over one snapshot: what is redeemed, refunded and sealed meanwhile does not disturb it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from typing import Any

from sqlalchemy import Connection, create_engine, text

from app.database import Database
from app.services.reconciliation.checking import check
from app.services.sealing.keys import LogKeys
from app.services.sealing.seal import seal
from app.settings import Settings
from tests.past import superuser_url
from tests.sealing.trees import one
from tests.world import HANGZHOU, Counter, World, bill_body, counter, ok

RUNS = 4
CAP: Any = [{"scope": "firm", "name": "yearly", "limit_fen": 90_000_000, "per": "year"}]


def test_books_are_right_at_every_instant_while_work_goes_on(
    world: World, database: Database, sealing: Database, settings: Settings
) -> None:
    desk = counter(world.city(), face_value_fen=90_000_000, rate="1.00", caps=CAP)
    desks = [desk, desk.second_voucher(5_000_000)]
    over = threading.Event()
    with ThreadPoolExecutor(3) as threads:
        lanes = [threads.submit(_lane, each, f"L{number}", over) for number, each in enumerate(desks)]
        sealer = threads.submit(_seal, sealing, LogKeys.from_settings(settings), over)
        told, sizes = [], [0]
        try:
            for _ in range(RUNS):
                told += world.differences()
                sizes.append(one(database, "SELECT count(*) FROM entries"))
        finally:
            over.set()
        acts = sum(lane.result(60) for lane in lanes)
        sealed = sealer.result(60)
    assert told == []
    assert sizes == sorted(set(sizes)), "something was posted during every run"
    assert acts > RUNS and sealed > RUNS
    report = ok(desk.city.finance.post("/v1/reconciliations", {"region_code": HANGZHOU}))
    assert report["difference_count"] == 0


def test_what_is_changed_after_the_snapshot_is_the_next_runs_to_find(world: World, database: Database) -> None:
    """By none of its checks, on whichever connection; every stored counter of the voucher is changed meanwhile."""
    desk = counter(world.city())
    ok(desk.redeem(1_000))
    name = database.engine.url.database
    assert name is not None
    engine = create_engine(superuser_url(name))

    def work(tx: Connection) -> int:
        tx.execute(text("SELECT count(*) FROM vouchers"))  # the snapshot is taken by the first statement
        with engine.begin() as superuser:
            superuser.execute(text("SET LOCAL session_replication_role = replica"))
            for change in (
                "UPDATE vouchers SET face_fen = face_fen + 1, balance_fen = balance_fen + 1",
                "UPDATE mandates SET used_fen = used_fen + 1",
                "UPDATE entries SET principal_id = 'usr_other' WHERE kind = 'redeem'",
                "DELETE FROM order_numbers",
            ):
                assert superuser.execute(text(change)).rowcount == 1
        return check(database, tx, "", None).report(None, lambda _: True).difference_count

    assert database.snapshot(work) == 0
    engine.dispose()
    assert len({one.split()[1] for one in world.differences()}) >= 4


def _lane(desk: Counter, lane: str, over: threading.Event) -> int:
    """Bills, of each second one a part back; holds that are drawn in part. How many acts there were."""
    for turn in count(1):
        if over.is_set():
            return turn
        drawn = ok(desk.redeem(101, order_no=f"{lane}-{turn}"))
        if turn % 2:
            body = {"amount_fen": 41, "reason": "部分退款"}
            ok(desk.machine.post(f"/v1/redemptions/{drawn['id']}/refunds", body))
        else:
            asked = {"voucher_code": desk.voucher["code"], "hold_no": f"{lane}-{turn}", "bill": bill_body(57)}
            held = ok(desk.machine.post("/v1/holds", asked))
            part = {"hold_id": held["id"], "order_no": f"{lane}-{turn}-h", "bill": bill_body(31)}
            ok(desk.machine.post("/v1/redemptions", part))
    raise AssertionError


def _seal(sealing: Database, keys: LogKeys, over: threading.Event) -> int:
    """In small batches, so that heads are signed all the time. How many leaves."""
    leaves = 0
    while not over.is_set():
        done = sealing.transact(partial(seal, region_code=HANGZHOU, keys=keys, most=7))
        leaves += done.leaves if done else 0
    return leaves
