"""Movements with running balance, worked out by hand: of a voucher, its firm, its provider, its pool."""

from __future__ import annotations

from typing import Any

from sqlalchemy import create_engine, text

from tests.past import superuser_url
from tests.world import CIXI, HANGZHOU, World, counter, ok, problem

PATH = "/v1/ledger/movements"


def told(answer: Any) -> list[tuple[str, int, int]]:
    return [(row["kind"], row["change_fen"], row["balance_fen"]) for row in ok(answer)["data"]]


def test_each_movement_has_the_balance_after_it(world: World) -> None:
    till = counter(world.city(), face_value_fen=10_000, rate="0.30")
    first = ok(till.redeem(10_000))
    ok(till.redeem(1_000))
    refund = {"amount_fen": 10_000, "reason": "取消"}
    ok(till.machine.post(f"/v1/redemptions/{first['id']}/refunds", refund))
    other = till.second_voucher(5_000)
    voucher, firm, provider = till.voucher["id"], till.voucher["firm_id"], till.machine.organisation_id
    auditor, region = till.city.auditor, {"region_code": HANGZHOU}
    of_voucher = [
        ("refund", 3_000, 9_700),
        ("redeem", -300, 6_700),
        ("redeem", -3_000, 7_000),
        ("issue", 10_000, 10_000),
    ]
    assert told(auditor.get(PATH, voucher_id=voucher)) == of_voucher
    assert told(till.manager.get(PATH, voucher_id=voucher)) == of_voucher
    issued_too = [("issue", 5_000, 14_700)]
    assert told(till.manager.get(PATH, firm_id=firm, **region)) == issued_too + of_voucher
    owed = [("refund", -3_000, 300), ("redeem", 300, 3_300), ("redeem", 3_000, 3_000)]
    assert told(till.machine.get(PATH, provider_id=provider, **region)) == owed
    pool = ok(auditor.get("/v1/ledger/accounts"))[0]["pool_id"]
    granted = ("appropriate", 100_000_000, 100_000_000)
    promised = [("issue", -5_000, 99_985_000), ("issue", -10_000, 99_990_000), granted]
    assert told(auditor.get(PATH, pool_id=pool)) == promised
    assert told(auditor.get(PATH, pool_id=pool, account="obligated")) == owed

    pages: list[tuple[str, int, int]] = []
    cursor: str | None = None
    while True:
        page = auditor.get(PATH, voucher_id=voucher, limit=1, **({"cursor": cursor} if cursor else {}))
        pages += told(page)
        cursor = page.json()["next_cursor"]
        if cursor is None:
            break
    assert pages == of_voucher

    stranger = counter(world.city(CIXI))
    for actor in (stranger.manager, stranger.machine, stranger.city.auditor):
        problem(actor.get(PATH, voucher_id=voucher), 404, "not_found")
        problem(actor.get(PATH, provider_id=provider, **region), 404, "not_found")
    problem(till.machine.get(PATH, pool_id=pool), 404, "not_found")
    refused: list[tuple[dict[str, Any], str]] = [({}, "/query/voucher_id"), ({"firm_id": firm}, "/query/region_code")]
    for asked, pointer in refused:
        (place,) = problem(auditor.get(PATH, **asked), 422, "validation_failed")["errors"]
        assert place["pointer"] == pointer
    problem(auditor.get(PATH, voucher_id=voucher, pool_id=pool), 422, "validation_failed")
    assert told(auditor.get(PATH, voucher_id=other.voucher["id"])) == [("issue", 5_000, 5_000)]


def test_a_vouchers_movements_stand_in_its_own_order_whatever_the_machines_clocks_say(world: World) -> None:
    """Two machines wrote; the clock of the second is behind, and so the id of its entry, made later, sorts before."""
    till = counter(world.city(), face_value_fen=10_000, rate="0.30")
    first, second = ok(till.redeem(10_000)), ok(till.redeem(20_000))
    name = world.database.engine.url.database
    assert name is not None
    engine = create_engine(superuser_url(name))
    with engine.begin() as tx:
        tx.execute(text("SET LOCAL session_replication_role = replica"))
        for was, becomes in (
            (first["entry_id"], "ent_swap"),
            (second["entry_id"], first["entry_id"]),
            ("ent_swap", second["entry_id"]),
        ):
            ids = {"was": was, "becomes": becomes}
            tx.execute(text("UPDATE entries SET id = :becomes WHERE id = :was"), ids)
            tx.execute(text("UPDATE postings SET entry_id = :becomes WHERE entry_id = :was"), ids)
    engine.dispose()
    auditor, asked = till.city.auditor, {"voucher_id": till.voucher["id"]}
    issued = ("issue", 10_000, 10_000)
    assert told(auditor.get(PATH, **asked)) == [("redeem", -6_000, 1_000), ("redeem", -3_000, 7_000), issued]
    page = auditor.get(PATH, limit=1, **asked)
    assert told(page) == [("redeem", -6_000, 1_000)]
    assert told(auditor.get(PATH, cursor=page.json()["next_cursor"], **asked)) == [("redeem", -3_000, 7_000), issued]
