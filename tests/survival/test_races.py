"""Many clients on one voucher: the last fen, the last moment, a freeze, refunds among redemptions."""

from __future__ import annotations

import asyncio
import time
from collections import Counter as Counts
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection, create_engine, text

from app.embedded.databases import Urls
from tests.apart import run_apart
from tests.embedded.processes import within
from tests.past import end_validity_on, superuser_url
from tests.survival.checks import assert_survived, assert_whole
from tests.survival.clients import Answered, Client, redemption, refund, send_lanes
from tests.survival.histories import Operation, assert_linearizable, history_of
from tests.survival.linearizability import Event
from tests.survival.processes import Workers
from tests.world import Counter, World, counter, ok

CLIENTS = 24
LANE_LIMIT = 200
WAITING_S = 30
FACE_FEN = 1_000_000


@pytest.fixture
def two(world: World, workers: Workers) -> Workers:
    """Two workers on one address: who accepts a connection serves it."""
    workers.start()
    workers.start()
    workers.wait_ready()
    return workers


@pytest.fixture
def owner(urls: Urls) -> Iterator[Connection]:
    """A superuser, who can do what the service cannot."""
    engine = create_engine(superuser_url(urls.owner_url.rsplit("/", 1)[1]))
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def test_sixty_four_clients_draw_the_last_hundred_fen_to_the_fen(world: World, two: Workers) -> None:
    desk = counter(world.city(), face_value_fen=1_000, rate="1.00")
    before = run_apart(send_lanes(two.address, desk.machine, [[redemption(desk, 900, rate_percent=100)]]))
    lanes = [[redemption(desk, 30, rate_percent=100)] for _ in range(64)]
    answered = run_apart(send_lanes(two.address, desk.machine, lanes))
    drawn = [one.response.json["subsidy_fen"] for one in answered if one.response.status == 201]
    assert sorted(drawn) == [10, 30, 30, 30]
    partial = next(one.response.json for one in answered if one.response.json.get("subsidy_fen") == 10)
    assert (partial["bill_total_fen"], partial["firm_pays_fen"]) == (30, 20)
    refused = Counts(one.response.json["code"] for one in answered if one.response.status != 201)
    assert refused == {"insufficient_balance": 60}
    assert desk.balance_fen() == 0
    assert_survived(world, desk, [*before, *answered])
    assert_whole(world)


# -- a last moment: validity, a freeze --------------------------------------------------------------------------------


async def hammer(address: tuple[str, int], desk: Counter, act: Callable[[], object]) -> list[Answered]:
    """Redeem from all sides; `act` when the load is under way, and on until everybody has been refused for a while."""
    redeemed = refused = 0
    answered: list[Answered] = []
    under_way = asyncio.Event()

    async def send(client: Client) -> None:
        nonlocal redeemed, refused
        for _ in range(LANE_LIMIT):
            one = await client.until_answered(redemption(desk, 1_000, rate_percent=30))
            answered.append(one)
            redeemed += one.response.status == 201
            refused += one.response.status != 201
            if redeemed >= CLIENTS * 2:
                under_way.set()
            if refused >= CLIENTS * 2:
                break
        client.close()

    async def interfere() -> None:
        await under_way.wait()
        await asyncio.to_thread(act)

    await asyncio.gather(interfere(), *(send(Client(address, desk.machine)) for _ in range(CLIENTS)))
    return answered


def redeemed_of(answered: list[Answered], refusal: str) -> list[Answered]:
    """Those that were redeemed; the others were refused in this way, and there are both."""
    redeemed = [one for one in answered if one.response.status == 201]
    refused = [one for one in answered if one.response.status != 201]
    assert redeemed
    assert {one.response.json["code"] for one in refused} == {refusal}
    return redeemed


def redeemed_at(one: Answered) -> datetime:
    return datetime.fromisoformat(one.response.json["redeemed_at"])


def test_whatever_is_redeemed_is_redeemed_before_the_voucher_expires(
    world: World, two: Workers, owner: Connection
) -> None:
    desk = counter(world.city(), face_value_fen=FACE_FEN, rate="0.30")
    ends: list[datetime] = []
    answered = run_apart(hammer(two.address, desk, lambda: ends.append(let_expire(owner, desk, within_ms=100))))
    (valid_until,) = ends
    redeemed = redeemed_of(answered, "voucher_expired")
    assert all(redeemed_at(one) < valid_until for one in redeemed)
    assert all(wall(one.invoked) < valid_until for one in redeemed)
    assert all(wall(one.returned) >= valid_until for one in answered if one not in redeemed)
    assert_survived(world, desk, redeemed)
    assert_whole(world)


def test_a_bill_that_waits_for_its_voucher_is_judged_when_its_turn_comes(
    world: World, two: Workers, owner: Connection
) -> None:
    """It is sent while the voucher is valid and gets the lock when it no longer is: the clock is read after locks."""
    desk = counter(world.city(), face_value_fen=FACE_FEN, rate="0.30")
    lanes = [[redemption(desk, 1_000, rate_percent=30)]]
    with ThreadPoolExecutor(1) as pool:
        owner.execute(text("SELECT 1 FROM vouchers WHERE id = :id FOR NO KEY UPDATE"), {"id": desk.voucher["id"]})
        waiting = pool.submit(asyncio.run, send_lanes(two.address, desk.machine, lanes))
        assert within(WAITING_S, lambda: owner.execute(_SOMEBODY_WAITS).scalar_one()), "nobody waits for the voucher"
        valid_until = let_expire(owner, desk, within_ms=0)
        (answered,) = waiting.result()
    assert wall(answered.invoked) < valid_until
    assert answered.response.json.get("code") == "voucher_expired"
    assert desk.balance_fen() == FACE_FEN
    assert_whole(world)


def test_nothing_is_redeemed_once_a_freeze_is_in_force(world: World, two: Workers) -> None:
    city = world.city()
    desk = counter(city, face_value_fen=FACE_FEN, rate="0.30")
    asked = city.maker.post(f"/v1/vouchers/{desk.voucher['id']}/freeze", {"reason": "核查"})
    frozen: list[Event[Operation]] = []

    def freeze() -> None:
        invoked = time.monotonic()
        ok(city.approve(asked))
        frozen.append(Event(invoked, time.monotonic(), Operation("freeze")))

    answered = run_apart(hammer(two.address, desk, freeze))
    redeemed = redeemed_of(answered, "voucher_frozen")
    frozen_at = world.database.transact(lambda tx: tx.execute(_FROZEN_AT, {"id": desk.voucher["id"]}).scalar_one())
    assert all(redeemed_at(one) < frozen_at for one in redeemed)
    assert_linearizable([*history_of(answered), *frozen], FACE_FEN)
    assert_survived(world, desk, redeemed)
    assert_whole(world)


def let_expire(owner: Connection, desk: Counter, *, within_ms: int) -> datetime:
    """Move the end of the voucher's validity close, by the database's clock; only a superuser can."""
    soon = f"clock_timestamp() + {within_ms} * interval '1 millisecond'"
    changes = f"valid_until = {soon}, redeemable_until = clock_timestamp() + interval '1 day'"
    end_validity_on(owner, changes, desk.voucher["id"])
    end: datetime = owner.execute(_VALID_UNTIL, {"id": desk.voucher["id"]}).scalar_one()
    owner.commit()
    return end


def wall(moment: float) -> datetime:
    """A monotonic instant of this process by the clock that it shares with the database."""
    return datetime.fromtimestamp(time.time() - time.monotonic() + moment, tz=UTC)


_VALID_UNTIL = text("SELECT valid_until FROM vouchers WHERE id = :id")
_SOMEBODY_WAITS = text("SELECT EXISTS (SELECT 1 FROM pg_locks WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid)))")
_FROZEN_AT = text("SELECT frozen_at FROM vouchers WHERE id = :id")


# -- refunds --------------------------------------------------------------------------------------------------------


def test_partial_refunds_among_redemptions_keep_one_balance(world: World, two: Workers) -> None:
    """The voucher is nearly empty, so that what is given back is drawn again at once, in whole or in part."""
    desk = counter(world.city(), face_value_fen=12_000, rate="1.00")
    opening = [[redemption(desk, 3_000, rate_percent=100)] for _ in range(4)]
    opened = run_apart(send_lanes(two.address, desk.machine, opening))
    ids = [one.response.json["id"] for one in opened]
    refunds = [[refund(desk, id_, 250, rate_percent=100) for _ in range(6)] for id_ in (*ids, *ids)]
    redemptions = [[redemption(desk, 700, rate_percent=100) for _ in range(5)] for _ in range(8)]
    answered = run_apart(send_lanes(two.address, desk.machine, [*refunds, *redemptions]))
    answered += run_apart(send_lanes(two.address, desk.machine, [[redemption(desk, 700, rate_percent=100)]]))
    given_back = [one for one in answered if one.request.kind == "refund"]
    assert [one.response.json["refund"]["subsidy_refund_fen"] for one in given_back] == [250] * 48
    drawn_fen = sum(one.response.json.get("subsidy_fen", 0) for one in answered)
    assert drawn_fen > 0
    assert desk.balance_fen() == 48 * 250 - drawn_fen
    assert_survived(world, desk, [*opened, *answered])
    assert_whole(world)
