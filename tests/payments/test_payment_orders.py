"""From owed to paid and back: the ledger side of payment."""

from __future__ import annotations

from tests.payments.paying import Paying
from tests.world import World, counter, ok, problem

WAN = 1_000_000


def test_what_is_owed_is_ordered_and_confirmed(world: World) -> None:
    paying = Paying(counter(world.city(), face_value_fen=50 * WAN))
    first, second = (ok(paying.desk.redeem(fen))["id"] for fen in (100_000, 50_000))
    proposed = ok(paying.propose(first, second))
    assert proposed["payment_order"]["total_fen"] == 45_000
    assert paying.pool()["obligated"] == 45_000
    ok(paying.approve(proposed))
    order_id = proposed["payment_order"]["id"]
    assert paying.pool()["in_payment"] == 45_000
    assert [paying.redemption(one)["status"] for one in (first, second)] == ["in_settlement"] * 2
    done = ok(paying.confirm(order_id))
    assert (done["confirmed_fen"], done["in_payment_fen"]) == (45_000, 0)
    assert [paying.redemption(one)["status"] for one in (first, second)] == ["paid"] * 2
    assert paying.pool()["disbursed"] == 45_000
    assert world.differences() == []
    problem(paying.propose(first), 409, "already_in_payment")
