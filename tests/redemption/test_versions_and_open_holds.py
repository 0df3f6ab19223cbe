"""A later version of the rules is published while holds are open and bills may still be refunded."""

from __future__ import annotations

from typing import Any

import pytest

from tests.redemption.test_holds import hold, let_expire, redeem
from tests.world import Counter, World, counter, ok

EVER: dict[str, Any] = {"scope": "firm", "name": "ever", "limit_fen": 900_000, "per": "lifetime"}
GROUP: dict[str, Any] = {"scope": "group", "name": "group", "limit_fen": 900_000, "per": "lifetime"}


def publish_later(desk: Counter, *caps: dict[str, Any]) -> None:
    """A version with these caps for a day far ahead: its counters are kept from now on."""
    path = f"/v1/programmes/{desk.programme_id}/rule-versions"
    rules = ok(desk.city.maker.get(path))[0]["rules"]
    written = ok(desk.city.maker.post(path, {"effective_on": "2098-01-01", "rules": rules | {"caps": list(caps)}}))
    ok(desk.city.approve(desk.city.maker.post(f"{path}/{written['version']['id']}/submit")))


@pytest.mark.parametrize("before", [(), (EVER,)], ids=["nothing kept before", "the firm's counters kept before"])
def test_a_hold_outlives_a_version_that_keeps_more_counters(world: World, before: tuple[dict[str, Any], ...]) -> None:
    desk = counter(world.city(), caps=list(before))
    held = [ok(hold(desk, total_fen)) for total_fen in (100_000, 200_000, 300_000)]
    publish_later(desk, EVER, GROUP)
    assert ok(redeem(desk, held[0], 50_000, "P1"))["subsidy_fen"] == 15_000
    assert ok(redeem(desk, held[0], 30_000, "P2", final=True))["subsidy_fen"] == 9_000
    part = ok(redeem(desk, held[1], 40_000, "P3"))
    ok(desk.machine.post(f"/v1/holds/{held[1]['id']}/release", {}))
    ok(redeem(desk, held[2], 20_000, "P4"))
    let_expire(world, held[2])
    assert ok(desk.redeem(10_000))["subsidy_fen"] == 3_000
    ok(desk.machine.post(f"/v1/redemptions/{part['id']}/refunds", {"amount_fen": 40_000, "reason": "退单"}))
    assert world.differences() == []


@pytest.mark.parametrize("before", [(), (EVER,)], ids=["nothing kept before", "the firm's counters kept before"])
def test_a_bill_is_refunded_after_a_version_that_keeps_more_counters(
    world: World, before: tuple[dict[str, Any], ...]
) -> None:
    desk = counter(world.city(), caps=list(before))
    made = ok(desk.redeem(100_000))
    publish_later(desk, EVER, GROUP)
    answer = ok(desk.machine.post(f"/v1/redemptions/{made['id']}/refunds", {"amount_fen": 40_000, "reason": "退单"}))
    assert answer["refund"]["subsidy_refund_fen"] == 12_000
    assert world.differences() == []
