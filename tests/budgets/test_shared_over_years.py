"""E12 in the ledger (河南): a contract over two years, 20 %, a million a year, shared one to one."""

from __future__ import annotations

from typing import Any

from tests.budgets.closes import close, pool_ids, standing
from tests.world import City, Counter, World, counter, line_body, ok, problem

YUAN = 100
YEAR_2026 = (("2026-10-01", "2026-11-01"), ("2026-11-01", "2026-12-01"), ("2026-12-01", "2027-01-01"))
YEAR_2027 = (("2027-01-01", "2027-02-01"), ("2027-02-01", "2027-03-01"), ("2027-03-01", "2027-04-01"))


def henan(city: City, *, by: str) -> Counter:
    """A voucher of 2,000,000 元, half from each source, at a counter."""
    cap = {"scope": "firm", "name": "firm_year", "limit_fen": 1_000_000 * YUAN, "per": "year"}
    rules: dict[str, Any] = {
        "caps": [cap],
        "attribution": {"by": by},
        "fund_sources": [{"source": "province", "share": 1}, {"source": "city", "share": 1}],
    }
    return counter(city, face_value_fen=2_000_000 * YUAN, rate="0.20", **rules)


def months(used: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    """2,000,000 元 a month."""
    lines = [
        line_body(2_000_000 * YUAN) | {"used_from": f"{first}T00:00:00+08:00", "used_until": f"{after}T00:00:00+08:00"}
        for first, after in used
    ]
    return {"total_fen": 2_000_000 * YUAN * len(lines), "lines": lines}


def paid_by(city: City, redemption: dict[str, Any], pools: dict[tuple[int, str], str]) -> dict[tuple[int, str], int]:
    """Which year's pool of which source a redemption was drawn on, from its entry."""
    (entry,) = ok(city.auditor.get("/v1/ledger/entries", subject_id=redemption["id"], kind="redeem"))["data"]
    names = {pool_id: name for name, pool_id in pools.items()}
    return {names[posting["pool_id"]]: posting["amount_fen"] for posting in entry["postings"]}


def test_by_usage_each_year_pays_its_million_half_and_half(world: World) -> None:
    """6,000,000 × 20 % is 1,200,000, capped at 1,000,000 a year: 500,000 of each source, in 2026 and again in 2027."""
    city = world.city()
    desk = henan(city, by="usage")
    first = ok(desk.redeem(0, bill=months(YEAR_2026)))
    assert first["subsidy_fen"] == 1_000_000 * YUAN
    done = close(city, desk.programme_id)
    second = ok(desk.redeem(0, bill=months(YEAR_2027)))
    assert second["subsidy_fen"] == 1_000_000 * YUAN

    pools = pool_ids(world.database, desk.programme_id)
    half_fen = 500_000 * YUAN
    assert paid_by(city, first, pools) == {(2026, "province"): half_fen, (2026, "city"): half_fen}
    assert paid_by(city, second, pools) == {(2027, "province"): half_fen, (2027, "city"): half_fen}
    for source in ("province", "city"):  # each had granted 1,000,000 元 and promised all of it
        assert (done[source]["carried_obligated_fen"], done[source]["carried_committed_fen"]) == (half_fen, half_fen)
        assert done[source]["lapsed_fen"] == 0
        assert standing(city)[2026, source] == {}
        assert standing(city)[2027, source] == {"appropriation": 2 * half_fen, "obligated": 2 * half_fen}
    assert desk.balance_fen() == 0
    assert world.differences() == []


def test_by_claim_there_is_one_cap_across_the_close(world: World) -> None:
    city = world.city()
    desk = henan(city, by="claim")
    assert ok(desk.redeem(0, bill=months(YEAR_2026)))["subsidy_fen"] == 1_000_000 * YUAN
    close(city, desk.programme_id)
    assert problem(desk.redeem(0, bill=months(YEAR_2027)), 422, "cap_firm_period")["reason"] == "CAP_FIRM_PERIOD"
    assert world.differences() == []
