"""Balances as of a tree size and as of an instant equal the plain sum over the postings, wherever one asks."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from app.database import Database
from app.embedded.databases import Urls
from app.kernel.vocabulary import Account, HolderKind
from app.services.sealing.as_of import Part, added_up, balances_at, balances_of_size
from app.services.sealing.keys import LogKeys
from app.services.sealing.seal import seal
from app.settings import Settings
from tests.sealing.filling import fill
from tests.sealing.trees import one, rows
from tests.world import CIXI, HANGZHOU, World, counter, ok, problem

PAYEE_STAGES = ("obligated", "in_payment", "disbursed")


def plain(database: Database, where: str, **bound: Any) -> dict[tuple[str, str, str], int]:
    """Every posting summed, as slow as it is plain."""
    found: dict[tuple[str, str, str], int] = {}
    for row in rows(
        database,
        "SELECT p.* FROM postings p JOIN entries e ON e.id = p.entry_id"
        f" LEFT JOIN log_leaves l ON l.leaf_id = p.entry_id WHERE {where}",
        **bound,
    ):
        for account, fen in ((row.source, -row.amount_fen), (row.destination, row.amount_fen)):
            places = [("pool", row.pool_id, account)]
            if row.payee_id is not None and account in PAYEE_STAGES:
                places.append(("payee", row.payee_id, account))
            for place in places:
                found[place] = found.get(place, 0) + fen
    return found


def flat(balances: Any) -> dict[tuple[str, str, str], int]:
    return {(kind, holder_id, account): fen for ((kind, holder_id), account), fen in balances.items()}


@pytest.fixture
def history(
    world: World, database: Database, sealing: Database, urls: Urls, settings: Settings
) -> list[tuple[HolderKind, str]]:
    """Some 400 entries in batches of many sizes; some committed late, some not sealed. The holders of the accounts."""
    till = counter(world.city())
    body = ok(till.redeem(1_000))
    ok(till.machine.post(f"/v1/redemptions/{body['id']}/refunds", {"amount_fen": 1_000, "reason": "取消"}))
    keys = LogKeys.from_settings(settings)
    draw = random.Random(7)
    engine = create_engine(urls.owner_url)
    first = 1
    for _ in range(12):
        count = draw.randint(5, 40)
        fill(urls.owner_url, body["entry_id"], count, first=first)
        first += count
        if draw.random() < 0.4:  # what happened last is sealed first: whole batches and parts of batches are late
            with engine.begin() as tx:
                tx.execute(text("UPDATE seal_queue SET queue_no = 1000000 - queue_no"))
        for _ in range(draw.randint(0, 3)):
            most = draw.randint(1, 25)
            sealing.transact(partial(seal, region_code=HANGZHOU, keys=keys, most=most))
    engine.dispose()
    assert one(database, "SELECT count(*) FROM seal_queue") > 0
    assert one(database, "SELECT count(*) FROM log_batches WHERE at_max < at_max_so_far") > 0
    pools = [(HolderKind.POOL, row.id) for row in rows(database, "SELECT id FROM pools")]
    return [*pools, (HolderKind.PAYEE, till.machine.organisation_id)]


def test_any_size_and_any_instant_give_the_plain_sum(database: Database, history: list[tuple[HolderKind, str]]) -> None:
    size = one(database, "SELECT size FROM logs")
    for asked in {0, 1, 2, size - 1, size, *random.Random(3).sample(range(size), 25)}:
        expected = plain(database, "l.leaf_index < :size", size=asked)
        found = database.transact(partial(balances_of_size, region_code=HANGZHOU, holders=history, size=asked))
        assert flat(found) == expected
    instants = [row.at for row in rows(database, "SELECT at FROM entries ORDER BY at")]
    draw = random.Random(5)
    for at in [instants[0] - timedelta(seconds=1), instants[0], instants[-1], *draw.sample(instants, 40)]:
        expected = plain(database, "e.at <= :at", at=at)
        found = database.transact(partial(balances_at, region_code=HANGZHOU, holders=history, at=at))
        assert flat(found) == expected


def test_a_batch_that_spans_hours_is_looked_into(
    world: World, database: Database, sealing: Database, urls: Urls, settings: Settings
) -> None:
    till = counter(world.city())
    body = ok(till.redeem(1_000))
    engine = create_engine(urls.owner_url)
    fill(urls.owner_url, body["entry_id"], 1, first=7_200_000)  # two hours on
    engine.dispose()
    keys = LogKeys.from_settings(settings)
    sealing.transact(lambda tx: seal(tx, region_code=HANGZHOU, keys=keys))
    at = datetime.fromisoformat(body["redeemed_at"])
    payee = (HolderKind.PAYEE, till.machine.organisation_id)
    for hours, fen in ((-1, None), (0, 300), (1, 300), (3, 600)):
        when = at + timedelta(hours=hours)
        found = database.transact(partial(balances_at, region_code=HANGZHOU, holders=[payee], at=when))
        assert found.get((payee, Account.OBLIGATED)) == fen


def test_parts_add_up_per_account() -> None:
    parts = [Part("pool", "a", "held", 5), Part("pool", "a", "held", -5), Part("payee", "a", "obligated", 7)]
    assert added_up(parts) == {
        ((HolderKind.POOL, "a"), Account.HELD): 0,
        ((HolderKind.PAYEE, "a"), Account.OBLIGATED): 7,
    }


def test_accounts_over_http_as_of_an_instant_and_a_size(
    world: World, database: Database, sealing: Database, settings: Settings
) -> None:
    till = counter(world.city())
    keys = LogKeys.from_settings(settings)
    first = ok(till.redeem(1_000))
    sealing.transact(partial(seal, region_code=HANGZHOU, keys=keys))
    size = one(database, "SELECT size FROM logs")
    ok(till.redeem(2_000))
    auditor, path = till.city.auditor, "/v1/ledger/accounts"

    def obligated(**asked: Any) -> int | None:
        found = {row["account"]: row["balance_fen"] for row in ok(auditor.get(path, **asked))}
        assert found["appropriation"] == -100_000_000
        return found.get("obligated")

    assert obligated() == 900
    assert obligated(as_of=first["redeemed_at"]) == obligated(at=first["redeemed_at"]) == 300
    assert obligated(tree_size=size, region_code=HANGZHOU) == 300
    assert obligated(tree_size=size - 1, programme_id=till.programme_id) is None
    payee = f"/v1/ledger/payees/{till.machine.organisation_id}/accounts"
    now = {"region_code": HANGZHOU}
    shown = [{"region_code": HANGZHOU, "payee_id": till.machine.organisation_id, "account": "obligated"}]
    assert ok(auditor.get(payee, **now)) == [shown[0] | {"balance_fen": 900}]
    assert ok(till.machine.get(payee, **now, tree_size=size)) == [shown[0] | {"balance_fen": 300}]
    assert ok(till.machine.get(payee, **now, as_of="2020-01-01T00:00:00Z")) == []
    problem(counter(world.city(CIXI)).machine.get(payee, **now), 404, "not_found")
    refused: list[tuple[dict[str, Any], str, str]] = [
        ({"as_of": "2101-01-01T00:00:00Z"}, "/query/as_of", "in_the_future"),
        ({"as_of": "1970-01-01T00:00:00Z"}, "/query/as_of", "value_error"),
        ({"tree_size": -1, "region_code": HANGZHOU}, "/query/tree_size", "greater_than_equal"),
        ({"tree_size": size + 1, "region_code": HANGZHOU}, "/query/tree_size", "beyond_the_log"),
        ({"tree_size": 1}, "/query/region_code", "missing"),
        ({"tree_size": 1, "as_of": first["redeemed_at"]}, "/query/tree_size", "either_or"),
    ]
    for asked, pointer, code in refused:
        (place,) = problem(auditor.get(path, **asked), 422, "validation_failed")["errors"]
        assert (place["pointer"], place["code"]) == (pointer, code)
