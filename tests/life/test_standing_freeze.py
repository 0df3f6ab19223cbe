"""Where the rules say so a frozen voucher's validity stands: it does not expire meanwhile, and gets the time back."""

from __future__ import annotations

from datetime import date, timedelta

from app.services.redemption.holds.ending import sweep
from app.services.vouchers.expiry import expire_vouchers, find_expired
from tests.past import end_validity
from tests.world import Counter, World, bill_body, counter, ok, problem

WHY = {"reason": "核查"}
FROZEN_LONG_AGO = "frozen_at = clock_timestamp() - interval '10 days'"
OVER_SINCE = (
    "valid_from = valid_from - interval '90 days', valid_until = clock_timestamp() - interval '3 days',"
    " redeemable_until = clock_timestamp() - interval '3 days'"
)


def act(desk: Counter, name: str) -> None:
    ok(desk.city.approve(desk.city.maker.post(f"/v1/vouchers/{desk.voucher['id']}/{name}", WHY)))


def status(desk: Counter) -> str:
    told: str = ok(desk.manager.get(f"/v1/vouchers/{desk.voucher['id']}"))["status"]
    return told


def swept(world: World) -> tuple[int, int]:
    holds = world.database.transact(lambda tx: sweep(tx, most=10))
    return holds, world.database.transact(lambda tx: expire_vouchers(tx, find_expired(tx, most=10)))


def test_frozen_it_does_not_expire_and_gets_back_the_days_for_which_it_stood(world: World) -> None:
    """Frozen ten days ago with seven left, which ended three days ago: lifted, seven are left and today's rest."""
    desk = counter(world.city(), while_frozen="stands")
    act(desk, "freeze")
    end_validity(world.database, f"{OVER_SINCE}, {FROZEN_LONG_AGO}")
    assert status(desk) == "frozen"
    problem(desk.redeem(10_000), 409, "voucher_frozen")
    assert swept(world) == (0, 0)
    act(desk, "unfreeze")
    assert status(desk) == "active"
    (one,) = ok(desk.manager.get(f"/v1/vouchers/{desk.voucher['id']}/extensions"))
    before, after = (date.fromisoformat(one[name][:10]) for name in ("valid_until_before", "valid_until"))
    assert one["ground"] == "freeze"
    assert timedelta(days=10) <= after - before <= timedelta(days=11)
    ok(desk.redeem(10_000))
    assert world.differences() == []


def test_what_is_held_on_it_is_held_as_long_as_it_stands(world: World) -> None:
    desk = counter(world.city(), while_frozen="stands")
    hold = {"voucher_code": desk.voucher["code"], "hold_no": "H1", "bill": bill_body(100_000)}
    held = ok(desk.machine.post("/v1/holds", hold))
    act(desk, "freeze")
    end_validity(world.database, f"{OVER_SINCE}, {FROZEN_LONG_AGO}")
    assert swept(world) == (0, 0)
    assert ok(desk.machine.get(f"/v1/holds/{held['id']}"))["status"] == "open"
    act(desk, "unfreeze")
    redeemed = {"hold_id": held["id"], "order_no": "P1", "bill": bill_body(50_000)}
    ok(desk.machine.post("/v1/redemptions", redeemed))


def test_by_default_it_expires_while_it_is_frozen(world: World) -> None:
    desk = counter(world.city())
    act(desk, "freeze")
    end_validity(world.database, f"{OVER_SINCE}, {FROZEN_LONG_AGO}")
    assert status(desk) == "expired"
    problem(desk.city.maker.post(f"/v1/vouchers/{desk.voucher['id']}/unfreeze", WHY), 409, "wrong_state")
    assert swept(world) == (0, 1)
    assert world.differences() == []


def test_a_freeze_after_the_end_revives_nothing(world: World) -> None:
    desk = counter(world.city(), while_frozen="stands")
    act(desk, "freeze")
    end_validity(world.database, f"{OVER_SINCE}, frozen_at = clock_timestamp() - interval '1 day'")
    assert status(desk) == "expired"
    assert swept(world) == (0, 1)
    assert world.differences() == []
