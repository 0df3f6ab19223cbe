"""Vouchers whose time is over give their balance back: late, twice or side by side without harm."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy import text

from app.services.redemption.holds.ending import sweep
from app.services.vouchers.expiry import expire_vouchers, find_expired
from tests.past import end_validity
from tests.payments.paying import Paying
from tests.world import World, bill_body, counter, ok, problem

WAN = 1_000_000


def let_expire(world: World, voucher_id: str) -> None:
    """The voucher is over from now on."""
    end_validity(world.database, voucher_id=voucher_id)


def expire(world: World) -> int:
    return world.database.transact(lambda tx: expire_vouchers(tx, find_expired(tx, most=100)))


def test_an_expired_vouchers_balance_is_the_pools_again(world: World) -> None:
    desk = counter(world.city(), face_value_fen=50 * WAN)
    ok(desk.redeem(100 * WAN))
    other = desk.second_voucher(10 * WAN)
    let_expire(world, desk.voucher["id"])
    problem(desk.redeem(100), 409, "voucher_expired")
    assert [expire(world), expire(world)] == [1, 0]
    shown = ok(desk.manager.get(f"/v1/vouchers/{desk.voucher['id']}"))
    assert {name: shown[name] for name in ("status", "balance_fen", "redeemed_fen", "expired_fen")} == {
        "status": "expired",
        "balance_fen": 0,
        "redeemed_fen": 30 * WAN,
        "expired_fen": 20 * WAN,
    }
    assert Paying(desk).pool()["available"] == 100 * WAN - 30 * WAN - 10 * WAN
    assert other.balance_fen() == 10 * WAN
    assert world.differences() == []


def test_what_is_held_is_given_back_first(world: World) -> None:
    desk = counter(world.city(), face_value_fen=50 * WAN)
    body = {"voucher_code": desk.voucher["code"], "hold_no": "H1", "bill": bill_body(100 * WAN)}
    ok(desk.machine.post("/v1/holds", body))
    let_expire(world, desk.voucher["id"])
    world.database.transact(
        lambda tx: tx.execute(text("UPDATE holds SET expires_at = (SELECT redeemable_until FROM vouchers)"))
    )
    assert expire(world) == 0
    assert world.database.transact(lambda tx: sweep(tx, most=10)) == 1
    assert expire(world) == 1
    assert Paying(desk).pool()["available"] == 100 * WAN
    assert world.differences() == []


def test_sweeps_side_by_side_move_the_money_once(world: World) -> None:
    desk = counter(world.city(), face_value_fen=10 * WAN)
    desks = [desk, *(desk.second_voucher(10 * WAN) for _ in range(5))]
    for one in desks:
        let_expire(world, one.voucher["id"])

    def run(_: Any) -> int:
        return expire(world)

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(run, range(4))) == 6
    assert Paying(desk).pool()["available"] == 100 * WAN
    assert world.differences() == []
