"""Several processes of the service side by side: the database's row locks keep them apart."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle

import httpx
import pytest

from app.settings import Settings
from tests.conftest import serving
from tests.world import World, counter, ok, redemption_body

RACERS = 24


@pytest.fixture
def other_url(settings: Settings, world: World) -> Iterator[str]:
    """A second service on the same database and signing keys, with a desk of its own."""
    with serving(settings) as base_url:
        yield base_url


def test_two_services_spend_the_last_fen_once(world: World, other_url: str) -> None:
    desk = counter(world.city(), face_value_fen=500, rate="1.00")
    with httpx.Client(base_url=other_url, headers=desk.machine.http.headers, timeout=60, trust_env=False) as other:
        clients = cycle([desk.machine.http, other])
        requests = [
            (next(clients), redemption_body(desk.voucher["code"], 100), {"Idempotency-Key": f"k{n}"})
            for n in range(RACERS)
        ]
        with ThreadPoolExecutor(RACERS) as pool:
            answers = list(
                pool.map(lambda asked: asked[0].post("/v1/redemptions", json=asked[1], headers=asked[2]), requests)
            )
    assert sorted(answer.status_code for answer in answers) == [201] * 5 + [409] * (RACERS - 5)
    assert desk.balance_fen() == 0
    assert world.differences() == []


def test_twins_sent_to_two_services_get_one_answer(world: World, other_url: str) -> None:
    desk = counter(world.city())
    body = redemption_body(desk.voucher["code"], 1_000)
    with httpx.Client(base_url=other_url, headers=desk.machine.http.headers, timeout=60, trust_env=False) as other:
        clients = [desk.machine.http, other] * 6
        with ThreadPoolExecutor(len(clients)) as pool:
            answers = list(
                pool.map(
                    lambda http: http.post("/v1/redemptions", json=body, headers={"Idempotency-Key": "K"}), clients
                )
            )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert ok(desk.manager.get(f"/v1/vouchers/{desk.voucher['id']}"))["balance_fen"] == 1_000_000 - 300
    assert world.differences() == []


def test_two_services_never_draw_more_than_the_firms_ceiling(world: World, other_url: str) -> None:
    """Two vouchers, two services, one ceiling: the firm's counters are locked, not only the vouchers."""
    ceiling = {"scope": "firm", "name": "firm_year", "limit_fen": 1_000}
    desk = counter(world.city(), face_value_fen=100_000, rate="1.00", caps=[ceiling])
    codes = [desk.voucher["code"], desk.second_voucher(100_000).voucher["code"]]
    with httpx.Client(base_url=other_url, headers=desk.machine.http.headers, timeout=60, trust_env=False) as other:
        # One voucher at each service, so that only the firm's ceiling is common to both.
        racers = [(desk.machine.http, codes[0]), (other, codes[1])] * (RACERS // 2)
        with ThreadPoolExecutor(RACERS) as pool:
            answers = list(
                pool.map(
                    lambda n: racers[n][0].post(
                        "/v1/redemptions",
                        json=redemption_body(racers[n][1], 300),
                        headers={"Idempotency-Key": f"c{n}"},
                    ),
                    range(RACERS),
                )
            )
    drawn = [answer.json()["subsidy_fen"] for answer in answers if answer.status_code == 201]
    assert sorted(drawn) == [100, 300, 300, 300]
    refused = [answer.json()["code"] for answer in answers if answer.status_code != 201]
    assert refused == ["cap_firm_period"] * (RACERS - 4)
    assert world.differences() == []
