"""The bodies of old answers go; what a key stands for stays, and so does each body for its 400 days."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from app.database import Database
from app.embedded.databases import Urls
from app.reach import EVERYWHERE
from app.services.old_answers import Slice, carry_on, drop_bodies, note_regions
from app.settings import Settings
from tests.payment_codes.codes import make
from tests.world import HANGZHOU, NINGBO, World, bill_body, counter, ok, problem, redemption_body

KEEP = timedelta(days=400)


def age(urls: Urls, days: int, keys: str = "%") -> None:
    """Let answers have been given earlier than they were; nobody else may change that."""
    engine = create_engine(urls.owner_url)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE idempotency_keys DISABLE TRIGGER answer_is_final"))
        earlier = (
            "UPDATE idempotency_keys SET created_at = created_at - make_interval(days => :days) WHERE key LIKE :keys"
        )
        connection.execute(text(earlier), {"days": days, "keys": keys})
        connection.execute(text("ALTER TABLE idempotency_keys ENABLE TRIGGER answer_is_final"))
    engine.dispose()


def drop(database: Database, most: int = 1_000) -> list[Slice]:
    """One pass over everything that is due."""
    database.transact(note_regions)
    slices = []
    while (done := database.transact(lambda tx: drop_bodies(tx, keep=KEEP, most=most))) is not None:
        slices.append(done)
    return slices


def keys_with_bodies(database: Database) -> list[str]:
    asked = text("SELECT key FROM idempotency_keys WHERE body IS NOT NULL ORDER BY key")
    return list(database.transact(lambda tx: tx.execute(asked).scalars()))


def fill(database: Database, number: int, *, region: str = HANGZHOU, days: int = 401) -> None:
    """Answers of a provider that were given long ago."""
    rows = (
        "INSERT INTO idempotency_keys SELECT :region, 'cli_' || n % 3, 'POST /v1/redemptions', to_char(n, 'FM0000'),"
        " decode(repeat('00', 32), 'hex'), 'rdm_' || n, 201, 'body', clock_timestamp() - make_interval(days => :days)"
        " FROM generate_series(1, :number) n"
    )
    columns = "(region_code, principal_id, route, key, fingerprint, resource_id, status, body, created_at)"
    rows = rows.replace("idempotency_keys SELECT", f"idempotency_keys {columns} SELECT")
    database.transact(lambda tx: tx.execute(text(rows), {"region": region, "number": number, "days": days}))


def test_old_answers_lose_their_bodies_and_young_ones_stay(database: Database) -> None:
    fill(database, 7)
    fill(database, 3, region=NINGBO)
    young = text(
        "INSERT INTO idempotency_keys VALUES (:r, 'cli', 'POST', 'young', '', NULL, 201, 'b', clock_timestamp())"
    )
    database.transact(lambda tx: tx.execute(young, {"r": HANGZHOU}))
    done = drop(database, most=3)
    assert [(one.region_code, one.seen, one.dropped) for one in done] == [
        (HANGZHOU, 3, 2),  # the young one comes first, by its principal
        (HANGZHOU, 3, 3),
        (HANGZHOU, 2, 2),
        (NINGBO, 3, 3),
        (NINGBO, 0, 0),
    ]
    assert keys_with_bodies(database) == ["young"]


def test_a_pass_begins_once_a_day_and_goes_on_where_it_stood(database: Database, urls: Urls) -> None:
    fill(database, 4)
    database.transact(note_regions)
    database.transact(lambda tx: drop_bodies(tx, keep=KEEP, most=3))
    assert [one.seen for one in drop(database)] == [1]
    fill(database, 1, region=NINGBO)
    assert [(one.region_code, one.dropped) for one in drop(database)] == [(NINGBO, 1)]
    assert drop(database) == []
    yesterday = text("UPDATE answer_passes SET began_at = began_at - interval '1 day' WHERE region_code = :region")
    database.transact(lambda tx: tx.execute(yesterday, {"region": HANGZHOU}))
    assert [(one.region_code, one.seen, one.dropped) for one in drop(database)] == [(HANGZHOU, 4, 0)]


def test_of_two_processes_each_takes_up_another_region(database: Database, urls: Urls) -> None:
    fill(database, 2)
    fill(database, 2, region=NINGBO)
    database.transact(note_regions)
    other = Database(urls.app_url, pool_size=2, reach=EVERYWHERE)

    def beside(tx: Any) -> list[Slice | None]:
        first = drop_bodies(tx, keep=KEEP)
        return [first, *(other.transact(lambda tx: drop_bodies(tx, keep=KEEP)) for _ in range(2))]

    assert database.transact(beside) == [Slice(HANGZHOU, 2, 2), Slice(NINGBO, 2, 2), None]
    other.dispose()


def test_the_passes_are_carried_to_their_end(database: Database) -> None:
    fill(database, 5)
    carry_on(database, threading.Event(), keep=KEEP)
    assert keys_with_bodies(database) == []


def test_every_way_to_ask_again_is_told_the_resource(world: World, urls: Urls) -> None:
    """The desk, a batch's row, a hold, a refund, a payment code; and a refusal, which has none."""
    desk = counter(world.city(), rate="1.00")
    hold = {"voucher_code": desk.voucher["code"], "hold_no": "H", "bill": bill_body(100)}
    code = {"provider_id": desk.machine.organisation_id, "limit_fen": 500}
    codes = f"/v1/vouchers/{desk.voucher['id']}/payment-codes"
    drawn = ok(desk.redeem(1_000, key="K-redeem", order_no="A"))
    held = ok(desk.machine.post("/v1/holds", hold, key="K-hold"))
    made = make(desk, key="K-code", limit_fen=500)
    cancelled = {"amount_fen": 10, "reason": "取消"}
    refund_path = f"/v1/redemptions/{drawn['id']}/refunds"
    refunded = ok(desk.machine.post(refund_path, cancelled, key="K-refund"))["refund"]
    rows = {"redemptions": [redemption_body(desk.voucher["code"], 10, order_no="B")]}
    batch = ok(desk.machine.post("/v1/redemptions:batch", rows, key="K-batch"))["data"][0]["body"]
    problem(desk.redeem(1_000, key="K-refused", order_no="A"), 409, "order_no_already_used")

    age(urls, 399, "K-%")
    assert sum(one.dropped for one in drop(world.database)) == 0
    again = desk.redeem(1_000, key="K-redeem", order_no="A")
    assert (again.status_code, again.json()) == (201, drawn)
    age(urls, 1, "K-%")
    world.database.transact(
        lambda tx: tx.execute(text("UPDATE answer_passes SET began_at = began_at - interval '2 days'"))
    )
    assert sum(one.dropped for one in drop(world.database)) == 6

    asked = {
        drawn["id"]: desk.redeem(1_000, key="K-redeem", order_no="A"),
        held["id"]: desk.machine.post("/v1/holds", hold, key="K-hold"),
        made["id"]: desk.manager.post(codes, code, key="K-code"),
        refunded["id"]: desk.machine.post(refund_path, cancelled, key="K-refund"),
    }
    for resource_id, answer in asked.items():
        told = problem(answer, 409, "replay_expired")
        assert (told["resource_id"], told["answered_with"]) == (resource_id, 201)
        assert resource_id in told["detail"]
    row = ok(desk.machine.post("/v1/redemptions:batch", rows, key="K-batch"))["data"][0]
    assert (row["status"], row["body"]["code"], row["body"]["resource_id"]) == (409, "replay_expired", batch["id"])
    refused = problem(desk.redeem(1_000, key="K-refused", order_no="A"), 409, "replay_expired")
    assert (refused.get("resource_id"), refused["answered_with"]) == (None, 409)
    problem(desk.redeem(1_001, key="K-redeem", order_no="A"), 422, "idempotency_key_reused")
    assert world.differences() == []


def test_no_body_goes_before_its_time_whoever_asks(world: World, urls: Urls) -> None:
    ok(counter(world.city()).redeem(1_000, key="K"))
    change = text("UPDATE idempotency_keys SET body = NULL WHERE key = 'K'")
    age(urls, 399, "K")
    with pytest.raises(DBAPIError, match="is refused"):
        world.database.transact(lambda tx: tx.execute(change))
    age(urls, 1, "K")
    world.database.transact(lambda tx: tx.execute(change))
    with pytest.raises(ValidationError, match="greater than or equal to 400"):
        Settings(database_url="x", keep_answers_days=399)
