"""A year is closed in the midst of redemptions, holds and refunds by two processes: nothing is lost or spent late."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import httpx
import pytest

from tests.budgets.closes import propose, standing
from tests.survival.processes import Workers
from tests.world import Counter, World, bill_body, counter, ok, redemption_body

VOUCHERS, LANES, TURNS = 3, 2, 14
FACE_FEN = 100_000
PATIENCE_S = 60

Told = list[tuple[str, dict[str, Any]]]
Ask = Callable[[str, dict[str, Any]], httpx.Response]


def asking(client: httpx.Client, lane: str) -> Ask:
    """Send commands to the workers, each under a key of its own, again until it is decided."""
    number = iter(range(10**6))

    def ask(path: str, body: dict[str, Any]) -> httpx.Response:
        headers = {"Idempotency-Key": f"{lane}-{next(number)}"}
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            answer = client.post(path, json=body, headers=headers)
            if answer.status_code not in {429, 503}:
                return answer
            time.sleep(0.05)
        raise AssertionError(f"{path} was not decided")

    return ask


def one_lane(workers: Workers, desk: Counter, lane: str, half: threading.Barrier) -> Told:
    """Bills, holds, what is drawn on them or given back, refunds; what was done, and what was refused for the year."""
    host, port = workers.address
    headers = desk.machine.http.headers
    with httpx.Client(base_url=f"http://{host}:{port}", timeout=60, trust_env=False, headers=headers) as client:
        return turns(asking(client, lane), desk, lane, half)


def turns(ask: Ask, desk: Counter, lane: str, half: threading.Barrier) -> Told:
    told: Told = []

    def note(kind: str, answer: httpx.Response) -> dict[str, Any] | None:
        body: dict[str, Any] = answer.json()
        if answer.status_code == 409:
            assert body["code"] == "year_closed", body
            told.append(("refused", {}))
            return None
        assert answer.is_success, answer.text
        told.append((kind, body))
        return body

    for turn in range(TURNS):
        if turn == TURNS // 3:
            half.wait(PATIENCE_S)
        bill = redemption_body(desk.voucher["code"], 101, order_no=f"{lane}-{turn}")
        drawn = note("redeem", ask("/v1/redemptions", bill))
        if turn % 3 == 0:
            body = {"voucher_code": desk.voucher["code"], "hold_no": f"{lane}-{turn}", "bill": bill_body(57)}
            if held := note("hold", ask("/v1/holds", body)):
                if turn % 2:
                    note("release", ask(f"/v1/holds/{held['id']}/release", {}))
                else:
                    part = {"hold_id": held["id"], "order_no": f"{lane}-{turn}-h", "bill": bill_body(31)}
                    note("redeem", ask("/v1/redemptions", part))
        if turn % 4 == 1 and drawn:
            back = {"amount_fen": 41, "reason": "部分退款"}
            note("refund", ask(f"/v1/redemptions/{drawn['id']}/refunds", back))
    return told


@pytest.mark.parametrize("carries_promises", [True, False])
def test_a_year_closed_among_redemptions(world: World, workers: Workers, *, carries_promises: bool) -> None:
    city = world.city()
    sources: Any = {"fund_sources": [{"source": "province", "share": 1}, {"source": "city", "share": 2}]}
    first = counter(city, face_value_fen=FACE_FEN, rate="1.00", **sources)
    desks = [first, *(first.second_voucher(FACE_FEN) for _ in range(VOUCHERS - 1))]
    asked = propose(city, first.programme_id, carries_promises=carries_promises)
    for _ in range(2):
        workers.start()
    workers.wait_ready()
    half = threading.Barrier(VOUCHERS * LANES + 1)
    with ThreadPoolExecutor(VOUCHERS * LANES) as threads:
        running = [
            threads.submit(one_lane, workers, desk, lane, half)
            for n, desk in enumerate(desks)
            for lane in (f"{n}-{m}" for m in range(LANES))
        ]
        half.wait(PATIENCE_S)
        ok(city.approve(asked, by=city.second_finance))
        told = [one for lane in running for one in lane.result()]

    assert world.differences() == []
    (done,) = ok(city.auditor.get("/v1/year-closes"))["data"]
    sums = standing(city)
    drawn_fen = sum(body["subsidy_fen"] for kind, body in told if kind == "redeem")
    returned_fen = sum(body["refund"]["subsidy_refund_fen"] for kind, body in told if kind == "refund")
    assert sum(pool.get("obligated", 0) for pool in sums.values()) == drawn_fen - returned_fen
    late = [body for kind, body in told if kind == "redeem" and _at(body["redeemed_at"]) >= _at(done["closed_at"])]
    early = len([1 for kind, _ in told if kind == "redeem"]) - len(late)
    assert early, "some bills were drawn before the close"
    refused = [kind for kind, _ in told if kind == "refused"]
    if carries_promises:
        assert late and not refused
        for source in ("province", "city"):
            assert set(sums[2026, source]) == {"appropriation", "lapsed"}
    else:
        assert refused and not late


def _at(instant: str) -> datetime:
    return datetime.fromisoformat(instant)
