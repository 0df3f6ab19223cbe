"""Open totals per programme: right, for everybody, without names, and added up seldom."""

from __future__ import annotations

from sqlalchemy import text

from app.database import Database
from app.services.disclosure import KEPT_S, Disclosure
from tests.world import NINGBO, World, counter, ok


def test_everybody_reads_what_a_programme_has_issued_and_redeemed(world: World) -> None:
    desk = counter(world.city(), face_value_fen=1_000_000, rate="0.30")
    desk.second_voucher(500_000)
    redemption = ok(desk.redeem(100_000))
    ok(desk.machine.post(f"/v1/redemptions/{redemption['id']}/refunds", {"amount_fen": 50_000, "reason": "部分取消"}))
    desk.city.issue(desk.programme_id, world.firm(), 250_000)
    ok(desk.city.maker.http.post("/v1/programmes", json=_draft(desk.city.authority_id)))
    world.city(NINGBO)

    answer = world.anonymous().get("/v1/reports/disclosure", params={"region_code": "330000"})
    (shown,) = ok(answer)["programmes"]
    figures = ("voucher_count", "firm_count", "issued_fen", "redeemed_fen", "ended_fen")
    # 30 % of 100,000 fen were drawn, half of it was given back.
    assert [shown[name] for name in figures] == [3, 2, 1_750_000, 15_000, 0]
    assert shown["programme_id"] == desk.programme_id
    assert not any("firm_name" in name or "uscc" in name for name in shown)
    assert ok(world.anonymous().get("/v1/reports/disclosure?region_code=330200"))["programmes"] == []
    assert ok(world.anonymous().get("/v1/reports/disclosure?fiscal_year=2001"))["programmes"] == []


def test_totals_are_added_up_once_a_minute(database: Database) -> None:
    clock = [0.0]
    disclosure = Disclosure(database, timer=lambda: clock[0])
    first = disclosure.read()
    clock[0] = KEPT_S - 1.0
    assert disclosure.read() is first
    clock[0] = float(KEPT_S)
    again = disclosure.read()
    assert again is not first and again.at > first.at
    assert database.transact(lambda tx: tx.execute(text("SELECT 1")).scalar_one()) == 1


def _draft(authority_id: str) -> dict[str, object]:
    return {
        "region_code": "330100",
        "authority_id": authority_id,
        "title": "草稿",
        "voucher_kind": "compute",
        "fiscal_year": 2026,
        "opens_at": "2026-01-01T00:00:00+08:00",
        "closes_at": "2126-01-01T00:00:00+08:00",
        "document_no": "草稿",
        "rules": {"categories": ["training"], "rate": {"kind": "flat", "rate": "0.30"}},
    }
