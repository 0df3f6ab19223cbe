"""Where an unused balance goes when its voucher expires: to the pool, or, by the rules, to the treasury."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from app.services.redemption.holds.ending import sweep
from app.services.vouchers.expiry import expire_vouchers, find_expired
from tests.past import end_validity
from tests.payments.paying import Paying
from tests.world import World, bill_body, counter, ok


@pytest.mark.parametrize(
    ("reclaim_to", "available_fen", "lapsed_fen"), [("pool", 99_997_000, 0), ("treasury", 99_000_000, 997_000)]
)
def test_what_is_left_and_held_goes_where_the_rules_say(
    world: World, reclaim_to: str, available_fen: int, lapsed_fen: int
) -> None:
    """Of 1,000,000.00 granted 10,000.00 are promised; 30.00 are drawn, 300.00 held, 9,670.00 free when it expires."""
    desk = counter(world.city(), reclaim_to=reclaim_to)
    drawn = ok(desk.redeem(10_000))
    ok(
        desk.machine.post(
            "/v1/holds", {"voucher_code": desk.voucher["code"], "hold_no": "H1", "bill": bill_body(100_000)}
        )
    )
    end_validity(world.database)
    ends = text("UPDATE holds SET expires_at = (SELECT redeemable_until FROM vouchers)")
    world.database.transact(lambda tx: tx.execute(ends))
    assert world.database.transact(lambda tx: sweep(tx, most=9)) == 1
    assert world.database.transact(lambda tx: expire_vouchers(tx, find_expired(tx, most=9))) == 1
    pool = Paying(desk).pool()
    assert (pool["available"], pool.get("lapsed", 0)) == (available_fen, lapsed_fen)
    ok(desk.machine.post(f"/v1/redemptions/{drawn['id']}/refunds", {"amount_fen": 10_000, "reason": "退单"}))
    assert Paying(desk).pool()["available"] == available_fen + 3_000
    assert world.differences() == []
