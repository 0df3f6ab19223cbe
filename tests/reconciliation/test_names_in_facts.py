"""Reconciliation reads stored facts as text: what providers and registrars may name as they like misleads it never."""

from __future__ import annotations

from typing import Any

from tests.redemption.test_bills_over_http import bill, declares
from tests.redemption.test_capacity_together import line
from tests.world import World, counter, ok

MEMBERS = ("uses", "holders", "counted", "position")
"""Of stored facts. A usage that was billed before, and a site, stand among them under names of their own."""


def test_usages_and_sites_that_are_called_as_members_of_the_facts_are(world: World) -> None:
    rules: dict[str, Any] = {
        "caps": [{"scope": "firm", "name": "firm_year", "limit_fen": 900_000}],
        "bill_checks": {"capacity": {"beyond": "flag"}, "usage_ref": {"repeated": "flag"}},
    }
    desk = counter(world.city(), **rules)
    sites = [{"code": name, "capacity_cards": 2} for name in MEMBERS]
    declares(world, desk.machine.organisation_id, capacity_cards=8, sites=sites)
    lines = [line(10, usage_ref=name, provider_site=name) for name in MEMBERS]
    ok(desk.redeem(0, bill=bill(*lines)))
    again = ok(desk.redeem(0, bill=bill(*lines)))
    assert [flag["code"] for flag in again["flags"]] == ["usage_already_billed"] * 4
    refund = {"amount_fen": again["bill"]["total_fen"], "reason": "重复计费"}
    ok(desk.machine.post(f"/v1/redemptions/{again['id']}/refunds", refund))
    assert world.differences() == []
