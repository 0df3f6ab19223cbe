"""`voucher budget`: tables for people, JSON for scripts."""

from __future__ import annotations

import json
from typing import Any

from tests.cli.test_officials import home, sign_in, voucher  # noqa: F401 - a fixture
from tests.world import World, counter, ok


def test_a_script_gets_json_and_a_terminal_a_table(world: World) -> None:
    city = world.city()
    desk = counter(city, face_value_fen=1_000_000, rate="0.30")
    ok(desk.redeem(100_000))
    sign_in(world, city.finance)
    answer: dict[str, Any] = json.loads(voucher("budget", "report", "--year", "2026", "--by", "city"))
    assert answer["total"]["obligated_fen"] == 30_000
    assert [group["key"] for group in answer["groups"]] == [{"city_code": "330100"}]
    assert json.loads(voucher("budget", "forecast"))["pools"][0]["forecast"]["runs_out"] == "unknown"
    assert json.loads(voucher("budget", "report", "--as-of", "2020-01-01T00:00:00Z"))["pools"] == []

    table = voucher("budget", "report", "--by", "fund_source", "--table")
    assert "300.00" in table and "999,700.00" not in table and "合计 total" in table and "0.00%" in table
    told = voucher("budget", "forecast", "--table")
    assert "未知：观察期不足" in told and "990,000.00" in told
