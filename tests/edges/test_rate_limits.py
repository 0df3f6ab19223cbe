"""Rate limits hold over all processes and restarts, are told in headers, and one client's burst is his own affair."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from sqlalchemy import text

from app.database import Database
from app.kernel.vocabulary import RateScope
from app.services.identity.tokens import Tokens
from app.services.limits.blocks import Asked, granted, sweep, take_blocks
from app.services.limits.limiter import Limiter
from app.services.limits.policies import Policy, Standing, limit_header, network_of, policy_header
from app.settings import Settings
from tests.conftest import serving
from tests.world import City, Counter, World, counter, ok, problem, redemption_body

CLIENT = Policy(RateScope.CLIENT, quota=20, window_s=3600)


@contextmanager
def standing(settings: Settings, database: Database, **limits: str) -> Iterator[World]:
    limited = settings.model_copy(update=limits | {"principal_cache_s": 60})
    with serving(limited) as base_url:
        world = World(base_url, database, Tokens.from_settings(settings))
        yield world
        world.close()


def test_what_a_process_gets_is_a_block_or_what_it_needs_and_never_more_than_is_left() -> None:
    policy = Policy(RateScope.CLIENT, quota=1_000, window_s=10)
    assert granted(policy, used=0, need=1) == 50  # a twentieth
    assert granted(policy, used=800, need=1) == 25  # an eighth of what is left
    assert granted(policy, used=995, need=1) == 1
    assert granted(policy, used=990, need=40) == 10
    assert granted(policy, used=1_000, need=1) == 0
    assert granted(policy, used=100, need=200) == 200


def test_limits_are_written_as_requests_and_seconds() -> None:
    assert Policy.read(RateScope.CLIENT, "600/60") == Policy(RateScope.CLIENT, 600, 60)
    assert Policy.read(RateScope.VOUCHER, "64/10") == Policy(RateScope.VOUCHER, 64, 10, unasked=4)
    assert Policy.read(RateScope.SOURCE, "") is None
    for wrong in ("600", "600/", "0/10", "ten/1", "-1/5", "1/90000", "1.5/2"):
        with pytest.raises(ValueError, match="limit"):
            Settings(database_url="postgresql://", limit_client=wrong)


def test_an_address_of_ipv6_stands_for_its_network() -> None:
    assert network_of("192.0.2.7") == "192.0.2.7"
    assert network_of("2001:db8:1:2:3:4:5:6") == network_of("2001:db8:1:2::9") == "2001:db8:1:2::/64"
    assert network_of("::ffff:192.0.2.7") == "192.0.2.7/32"
    assert network_of("unknown") == "unknown"


def test_the_headers_are_structured_fields() -> None:
    standings = [Standing(CLIENT, True, 7, 30), Standing(Policy(RateScope.VOUCHER, 5, 10), False, -1, 2)]
    assert policy_header(standings) == '"client";q=20;w=3600, "voucher";q=5;w=10'
    assert limit_header(standings) == '"client";r=7;t=30, "voucher";r=0;t=2'


def test_two_processes_that_start_anew_never_give_more_than_the_quota(database: Database) -> None:
    async def one_life() -> int:
        limiters = [Limiter(database), Limiter(database)]
        try:
            standings = await asyncio.gather(*(limiters[n % 2].take(CLIENT, "cli_1") for n in range(14)))
            return sum(one.allowed for one in standings)
        finally:
            for limiter in limiters:
                limiter.close()

    lives = [asyncio.run(one_life()) for _ in range(3)]
    assert lives == [14, 6, 0]
    assert asyncio.run(Limiter(database).take(CLIENT, "cli_2")).allowed  # another's quota is untouched
    assert database.transact(lambda tx: tx.execute(text("SELECT given FROM rate_uses ORDER BY 1")).scalars().all()) == [
        1,
        20,
    ]


def test_most_requests_touch_memory_alone(database: Database) -> None:
    policy = Policy(RateScope.CLIENT, quota=10_000, window_s=3600)
    asked: list[int] = []

    class Counted(Database):
        def transact(self, work):  # type: ignore[no-untyped-def]
            asked.append(1)
            return super().transact(work)

    async def burst() -> int:
        counted = Counted(str(database.engine.url.render_as_string(hide_password=False)), pool_size=1)
        limiter = Limiter(counted)
        done = [await limiter.take(policy, "cli_1") for _ in range(2_000)]
        over = [await limiter.take(Policy(RateScope.CLIENT, 3, 3600), "cli_9") for _ in range(500)]
        limiter.close()
        counted.dispose()
        assert sum(one.allowed for one in over) == 3
        return sum(one.allowed for one in done)

    assert asyncio.run(burst()) == 2_000
    assert len(asked) == 2_000 // 500 + 3  # blocks of a twentieth; three of one; 497 refusals from memory


def test_a_voucher_that_is_used_once_never_asks_and_one_used_often_is_counted_from_the_first(
    database: Database,
) -> None:
    policy = Policy(RateScope.VOUCHER, quota=32, window_s=3600, unasked=2)

    async def use(subject: str, times: int) -> int:
        limiter = Limiter(database)
        standings = [await limiter.take(policy, subject) for _ in range(times)]
        limiter.close()
        return sum(one.allowed for one in standings)

    assert asyncio.run(use("A", 2)) == 2
    assert database.transact(lambda tx: tx.execute(text("SELECT count(*) FROM rate_uses")).scalar_one()) == 0
    assert asyncio.run(use("B", 40)) == 32
    assert database.transact(lambda tx: tx.execute(text("SELECT given FROM rate_uses")).scalar_one()) == 32


def test_a_window_that_is_over_is_forgotten_and_its_rows_are_deleted(database: Database) -> None:
    asked = [Asked(CLIENT, "cli_1", 20)]
    assert database.transact(lambda tx: take_blocks(tx, asked))[0].given == 20
    assert database.transact(lambda tx: take_blocks(tx, asked))[0].given == 0
    database.transact(sweep)
    assert database.transact(lambda tx: tx.execute(text("SELECT count(*) FROM rate_uses")).scalar_one()) == 1
    ago = "UPDATE rate_uses SET window_no = window_no - 1, ends_at = ends_at - interval '1 day'"
    database.transact(lambda tx: tx.execute(text(ago)))
    assert database.transact(lambda tx: take_blocks(tx, asked))[0].given == 20
    database.transact(lambda tx: tx.execute(text(ago)))
    database.transact(sweep)
    assert database.transact(lambda tx: tx.execute(text("SELECT count(*) FROM rate_uses")).scalar_one()) == 0


def test_without_a_database_nobody_is_refused_by_a_limit() -> None:
    async def take() -> Standing:
        away = Database("postgresql+psycopg://nobody@127.0.0.1:1/none", pool_size=1)
        limiter = Limiter(away)
        try:
            return await limiter.take(CLIENT, "cli_1")
        finally:
            limiter.close()
            away.dispose()

    assert asyncio.run(take()).allowed


def test_a_client_over_its_quota_waits_and_nobody_else_over_two_processes(
    settings: Settings, database: Database
) -> None:
    with ExitStack() as stack:
        first = stack.enter_context(standing(settings, database, limit_client="20/3600"))
        second = stack.enter_context(standing(settings, database, limit_client="20/3600"))
        provider_id = first.provider()
        busy, other = first.machine(provider_id), first.machine(provider_id)
        assert busy.get("/v1/redemptions").status_code == 200  # counted for the address: nobody knows the token yet
        answers = [busy.get("/v1/redemptions") for _ in range(12)]
        busy.http.base_url = second.base_url
        assert busy.get("/v1/redemptions").status_code == 200
        answers += [busy.get("/v1/redemptions") for _ in range(12)]
        assert [answer.status_code for answer in answers] == [200] * 20 + [429] * 4
        told = answers[0].headers
        assert told["RateLimit-Policy"] == '"client";q=20;w=3600'
        assert told["RateLimit"].startswith('"client";r=19;t=')
        refused = answers[-1]
        body = problem(refused, 429, "rate_limited")
        assert "all of the 20 requests" in body["detail"] and "3600 seconds" in body["detail"]
        assert 1 <= int(refused.headers["Retry-After"]) <= 3600
        assert refused.headers["RateLimit"] == f'"client";r=0;t={refused.headers["Retry-After"]}'
        chinese = busy.http.get("/v1/redemptions", headers={"Accept-Language": "zh-CN"}).json()
        assert "该调用方在 3600 秒内允许的 20 次请求已用完" in chinese["detail"]
        assert [other.get("/v1/redemptions").status_code for _ in range(3)] == [200] * 3


def test_strangers_are_counted_by_address_and_known_clients_are_not(settings: Settings, database: Database) -> None:
    with standing(settings, database, limit_source="6/3600") as world:
        known, stranger = world.machine(world.provider()), world.anonymous()
        assert known.get("/v1/redemptions").status_code == 200
        wrong = {"Authorization": "Bearer not.a.token"}
        statuses = [stranger.get("/v1/redemptions", headers=wrong).status_code for _ in range(7)]
        assert statuses == [401] * 5 + [429] * 2
        assert "该网络地址" in stranger.get("/v1/notices").json()["detail"]
        page = stranger.get("/portal/sign-in", headers={"Accept-Language": "zh-CN"})
        assert page.status_code == 429 and "<html" in page.text and "请求过于频繁" in page.text
        assert page.headers["Retry-After"]
        assert known.get("/v1/redemptions").status_code == 200
        assert stranger.get("/healthz").status_code == 200 and "RateLimit" not in stranger.get("/readyz").headers


def test_a_voucher_has_a_quota_whoever_asks_for_it(settings: Settings, database: Database) -> None:
    with standing(settings, database, limit_voucher="4/3600") as world:
        desk: Counter = counter(world.city())
        assert [desk.redeem(100, order_no=f"A{n}").status_code for n in range(2)] == [201] * 2
        code = desk.voucher["code"]
        bill = redemption_body(code, 100)["bill"]
        ok(desk.machine.post("/v1/holds", {"voucher_code": code, "hold_no": "H1", "bill": bill}))
        ok(desk.machine.http.post("/v1/vouchers/check", json={"voucher_code": code.lower()}))
        refused = desk.redeem(100, order_no="A9", key="again")
        assert "This voucher has made all of the 4" in problem(refused, 429, "rate_limited")["detail"]
        assert '"client"' in refused.headers["RateLimit"] and '"voucher";r=0' in refused.headers["RateLimit"]
        rows = [redemption_body(code, 100), redemption_body(desk.second_voucher(100_000).voucher["code"], 100)]
        answer = ok(desk.machine.post("/v1/redemptions:batch", {"redemptions": rows}))
        assert [row["status"] for row in answer["data"]] == [429, 201]


def test_a_stranger_uses_up_nothing_of_a_voucher_whose_id_he_knows(settings: Settings, database: Database) -> None:
    with standing(settings, database, limit_voucher="4/3600") as world:
        city: City = world.city()
        desk: Counter = counter(city)
        path = f"/v1/vouchers/{desk.voucher['id']}"
        other = world.machine(world.provider())
        assert city.maker.get("/v1/programmes").status_code == other.get("/v1/redemptions").status_code == 200
        stranger = world.anonymous()
        assert {stranger.get(path).status_code for _ in range(6)} == {401, 429}
        assert [other.get(path).status_code for _ in range(5)] == [403] * 4 + [429]
        shown = city.maker.get(path)
        assert shown.status_code == 200 and '"voucher";r=3;' in shown.headers["RateLimit"]


def test_the_rows_of_a_batch_count_as_requests(settings: Settings, database: Database) -> None:
    with standing(settings, database, limit_client="40/3600") as world:
        city: City = world.city()
        desk = counter(city)
        assert desk.machine.get("/v1/redemptions").status_code == 200
        rows = {"redemptions": [redemption_body(desk.voucher["code"], 100) for _ in range(30)]}
        answer = desk.machine.post("/v1/redemptions:batch", rows)
        assert answer.status_code == 200 and answer.headers["RateLimit"].startswith('"client";r=10;')
        problem(desk.machine.post("/v1/redemptions:batch", rows), 429, "rate_limited")
