"""Firms are reminded before a balance expires: each reminder once, the most urgent one after a rest."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy import text

from app.services.vouchers import reminders
from app.services.vouchers.reminders import find_programmes_to_remind, remind
from tests.past import end_validity
from tests.world import Counter, World, counter, ok, problem


def left(world: World, desk: Counter, interval: str) -> None:
    """So much of the validity is left; it was issued long ago."""
    until = f"clock_timestamp() + interval '{interval}'"
    changes = (
        f"issued_at = issued_at - interval '1 year', valid_from = valid_from - interval '1 year', valid_until = {until}"
    )
    end_validity(world.database, f"{changes}, redeemable_until = {until}", desk.voucher["id"])


def pass_hours(world: World, interval: str = "1 hour") -> None:
    changed = text(f"UPDATE reminder_marks SET looked_at = looked_at - interval '{interval}' WHERE until IS NULL")
    world.database.transact(lambda tx: tx.execute(changed))


def look(world: World) -> int:
    looked = 0
    while found := world.database.transact(lambda tx: find_programmes_to_remind(tx, most=100)):
        looked += world.database.transact(lambda tx: remind(tx, found))
    return looked


def told(desk: Counter) -> list[int]:
    events: list[dict[str, Any]] = ok(desk.manager.get("/v1/events"))["data"]
    return [one["data"]["days_before"] for one in events if one["kind"] == "voucher.expiring"]


def test_each_reminder_is_made_once(world: World) -> None:
    desk = counter(world.city())
    assert look(world) == 1
    assert told(desk) == []
    for interval, so_far in (
        ("31 days", []),
        ("29 days 23 hours 30 minutes", [30]),
        ("8 days", [30]),
        ("6 days 23 hours 30 minutes", [30, 7]),
        ("23 hours 30 minutes", [30, 7, 1]),
    ):
        left(world, desk, interval)
        pass_hours(world)
        assert look(world) == 1
        assert told(desk) == so_far
        assert look(world) == 0  # within the hour nobody looks again
    (first, *_) = ok(desk.manager.get("/v1/events"))["data"]
    assert (first["subject_id"], first["data"]["balance_fen"]) == (desk.voucher["id"], 1_000_000)
    (found,) = world.differences()
    assert found.startswith("6 records: holder of vch_"), "it was issued today, whatever the test says"


def test_after_a_rest_the_most_urgent_one_is_made(world: World) -> None:
    desk = counter(world.city(), reminder_days=[60, 10, 3])
    assert look(world) == 1
    left(world, desk, "2 days")
    pass_hours(world, "70 days")
    assert look(world) == 1
    assert told(desk) == [3]


def test_nothing_is_told_of_what_is_used_up_over_or_was_issued_short(world: World) -> None:
    city = world.city()
    used, over, short = (counter(city, rate="1.00", face_value_fen=1_000) for _ in range(3))
    ok(used.redeem(1_000))
    left(world, used, "5 days")
    left(world, over, "-1 seconds")
    end_validity(world.database, "valid_until = clock_timestamp() + interval '20 days'", short.voucher["id"])
    look(world)
    assert (told(used), told(over), told(short)) == ([], [], [])


def test_two_at_once_and_portions_tell_each_firm_once(world: World, monkeypatch: Any) -> None:
    monkeypatch.setattr(reminders, "AT_ONCE", 2)
    desk = counter(world.city())
    desks = [desk, *(desk.second_voucher(1_000) for _ in range(4))]
    for one in desks:
        left(world, one, "5 days")
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: look(world), range(3)))
    look(world)
    events = ok(desk.manager.get("/v1/events"))["data"]
    assert sorted(one["subject_id"] for one in events) == sorted(one.voucher["id"] for one in desks)


def test_what_expires_soon_can_be_listed(world: World) -> None:
    desk = counter(world.city())
    other = desk.second_voucher(1_000)
    left(world, other, "5 days")
    for who in (desk.manager, desk.city.maker):
        soon = ok(who.get("/v1/vouchers", expiring_within_days=6))["data"]
        assert [one["id"] for one in soon] == [other.voucher["id"]]
        assert ok(who.get("/v1/vouchers", expiring_within_days=4))["data"] == []
    problem(desk.manager.get("/v1/vouchers", expiring_within_days=0), 422, "validation_failed")
