"""Closing a year over HTTP, to the fen: what lapses, what is carried, what is refused afterwards and where it goes."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from app.database import Database
from app.services.ledger.fences import try_fences
from app.services.redemption.holds.ending import sweep
from app.services.vouchers.expiry import expire_vouchers, find_expired
from tests.budgets.closes import close, propose, standing
from tests.past import end_validity
from tests.world import World, bill_body, counter, ok, problem, rules_body

TWO_SOURCES: Any = {"fund_sources": [{"source": "province", "share": 1}, {"source": "city", "share": 1}]}


def hold(desk: Any, total_fen: int, number: str) -> dict[str, Any]:
    body = {"voucher_code": desk.voucher["code"], "hold_no": number, "bill": bill_body(total_fen)}
    held: dict[str, Any] = ok(desk.machine.post("/v1/holds", body))
    return held


def expire_now(owner: Database, voucher_id: str) -> None:
    """Let a voucher's time have run out, and that of its holds with it."""

    past = "now() - interval '1 second'"
    changes = f"valid_from = now() - interval '9 days', valid_until = {past}, redeemable_until = {past}"
    end_validity(owner, changes, voucher_id)
    holds = text(f"UPDATE holds SET expires_at = {past} WHERE voucher_id = :id")
    owner.transact(lambda tx: tx.execute(holds, {"id": voucher_id}))


def test_promises_go_on_in_the_next_year_and_the_rest_lapses(world: World) -> None:
    """E12, shared 1:1 by province and city: 100,000.01 元 are 50,000.01 and 50,000.00, in both years.

    Of it 30,000.01 are drawn before the close (15,000.01 / 15,000.00), 20,000.00 held (10,000.00 each).
    """
    city = world.city()
    desk = counter(city, face_value_fen=10_000_001, rate="1.00", **TWO_SOURCES)
    before = ok(desk.redeem(3_000_001))
    held = hold(desk, 2_000_000, "H1")

    done = close(city, desk.programme_id)

    assert {source: pool["lapsed_fen"] for source, pool in done.items()} == {
        "province": 100_000_000 - 5_000_001,
        "city": 100_000_000 - 5_000_000,
    }
    assert (done["province"]["carried_committed_fen"], done["city"]["carried_committed_fen"]) == (2_500_000, 2_500_000)
    assert (done["province"]["carried_held_fen"], done["city"]["carried_held_fen"]) == (1_000_000, 1_000_000)
    assert (done["province"]["carried_obligated_fen"], done["city"]["carried_obligated_fen"]) == (1_500_001, 1_500_000)
    assert standing(city) == {
        (2026, "province"): {"appropriation": 94_999_999, "lapsed": 94_999_999},
        (2026, "city"): {"appropriation": 95_000_000, "lapsed": 95_000_000},
        (2027, "province"): {
            "appropriation": 5_000_001,
            "committed": 2_500_000,
            "held": 1_000_000,
            "obligated": 1_500_001,
        },
        (2027, "city"): {"appropriation": 5_000_000, "committed": 2_500_000, "held": 1_000_000, "obligated": 1_500_000},
    }
    assert world.differences() == []

    # The voucher, the hold and the bill of the old year go on in the new one.
    body = {"hold_id": held["id"], "order_no": "FROM-HOLD", "bill": bill_body(1_500_001), "final": True}
    assert ok(desk.machine.post("/v1/redemptions", body))["subsidy_fen"] == 1_500_001
    assert ok(desk.redeem(1_000_001))["subsidy_fen"] == 1_000_001
    refund = {"amount_fen": 3_000_001, "reason": "退货退款"}
    ok(desk.machine.post(f"/v1/redemptions/{before['id']}/refunds", refund))
    after = standing(city)
    assert after[2026, "province"] == {"appropriation": 94_999_999, "lapsed": 94_999_999}
    assert after[2027, "province"] == {"appropriation": 5_000_001, "committed": 3_749_999, "obligated": 1_250_002}
    assert after[2027, "city"] == {"appropriation": 5_000_000, "committed": 3_750_000, "obligated": 1_250_000}
    assert desk.balance_fen() == 10_000_001 - 1_500_001 - 1_000_001
    assert world.differences() == []


def test_a_dry_run_tells_the_effect_and_changes_nothing(world: World) -> None:
    city = world.city()
    desk = counter(city, face_value_fen=1_000_000, rate="0.30")
    ok(desk.redeem(1_000_000))
    before = standing(city)
    told = ok(propose(city, desk.programme_id, dry_run=True))
    assert (told["lapsing_fen"], told["carried_fen"], told["approval"]) == (99_000_000, 1_000_000, None)
    (pool,) = told["pools"]
    assert (pool["carried_committed_fen"], pool["carried_obligated_fen"]) == (700_000, 300_000)
    assert standing(city) == before
    assert ok(city.finance.get("/v1/year-closes"))["data"] == []
    assert ok(city.second_finance.get("/v1/approvals", status="pending"))["data"] == []


def test_available_money_goes_to_the_successor_as_decided(world: World) -> None:
    city = world.city()
    programme_id = city.programme(appropriation_fen=1_000)
    successor_id = city.programme(appropriation_fen=None, fiscal_year=2027)
    wish = {"available": [{"fund_source": "local", "carry_fen": 300}], "successor_programme_id": successor_id}
    close(city, programme_id, **wish)
    assert standing(city, programme_id=programme_id) == {(2026, "local"): {"appropriation": 700, "lapsed": 700}}
    assert standing(city, programme_id=successor_id) == {(2027, "local"): {"appropriation": 300, "available": 300}}
    moves = ok(city.auditor.get("/v1/ledger/entries", kind="move"))["data"]
    assert [entry["programme_id"] for entry in moves] == [successor_id, programme_id]
    assert len({entry["pair_id"] for entry in moves}) == 1
    assert world.differences() == []


def test_a_close_that_cannot_be_is_refused(world: World) -> None:
    city, other = world.city(), world.city("330200")
    programme_id = city.programme(appropriation_fen=1_000)
    wish = {"available": [{"fund_source": "local", "carry_fen": 1_001}]}
    body = problem(propose(city, programme_id, **wish), 422, "validation_failed")
    assert body["errors"][0]["pointer"] == "/successor_programme_id"
    same_year = city.programme(appropriation_fen=None)
    body = problem(propose(city, programme_id, **wish, successor_programme_id=same_year), 422, "validation_failed")
    assert body["errors"][0] | {"limit": 2027, "actual": 2026} == body["errors"][0]
    successor_id = city.programme(appropriation_fen=None, fiscal_year=2027)
    problem(propose(city, programme_id, **wish, successor_programme_id=successor_id), 409, "carry_exceeds_available")
    unknown = {"available": [{"fund_source": "state", "carry_fen": 1}], "successor_programme_id": successor_id}
    problem(propose(city, programme_id, **unknown), 422, "fund_source_unknown")
    twice = {"available": [{"fund_source": "local", "carry_fen": 1}] * 2}
    problem(propose(city, programme_id, **twice), 422, "validation_failed")
    problem(propose(city, programme_id, fiscal_year=2027), 422, "validation_failed")  # that year is still to come
    problem(propose(city, programme_id, fiscal_year=2025), 404, "not_found")
    problem(propose(other, programme_id), 404, "not_found")
    problem(city.maker.post("/v1/year-closes", {}), 422, "validation_failed")
    asked = propose(city, programme_id)
    problem(propose(city, programme_id), 409, "approval_pending")
    approval_id = ok(asked)["approval"]["id"]
    problem(city.finance.post(f"/v1/approvals/{approval_id}/approve"), 422, "same_person")
    ok(city.second_finance.post(f"/v1/approvals/{approval_id}/approve"))
    problem(propose(city, programme_id), 409, "year_closed")


def test_a_closed_year_refuses_and_says_what_to_do(world: World) -> None:
    city = world.city()
    desk = counter(city, face_value_fen=1_000_000, rate="1.00")
    held = hold(desk, 200_000, "H1")
    row = {"reference_no": "R-late", "firm_id": desk.voucher["firm_id"], "face_value_fen": 500}
    batch = {"programme_id": desk.programme_id, "declared_count": 1, "declared_total_fen": 500, "rows": [row]}
    issue = ok(city.maker.post("/v1/issuance-batches", batch))
    money = {"document_no": "财字2号", "amount_fen": 500, "fund_source": "local"}
    grant = ok(city.finance.post(f"/v1/programmes/{desk.programme_id}/appropriations", money))
    close(city, desk.programme_id, carries_promises=False)

    refused = problem(desk.redeem(100), 409, "year_closed")
    assert "2026" in refused["detail"] and "POST /v1/year-closes" in refused["detail"]
    from_hold = {"hold_id": held["id"], "order_no": "O-held", "bill": bill_body(100)}
    problem(desk.machine.post("/v1/redemptions", from_hold), 409, "year_closed")
    new_hold = {"voucher_code": desk.voucher["code"], "hold_no": "H2", "bill": bill_body(100)}
    problem(desk.machine.post("/v1/holds", new_hold), 409, "year_closed")
    problem(city.checker.post(f"/v1/approvals/{issue['approval_id']}/approve"), 409, "year_closed")
    problem(city.second_finance.post(f"/v1/approvals/{grant['id']}/approve"), 409, "year_closed")
    problem(
        city.finance.post(f"/v1/programmes/{desk.programme_id}/appropriations", money | {"amount_fen": 7}),
        409,
        "year_closed",
    )
    quote = ok(
        desk.manager.post(
            f"/v1/programmes/{desk.programme_id}/quotes",
            {"voucher_id": desk.voucher["id"], "bill": bill_body(100)},
        )
    )
    assert quote["refusal"]["code"] == "year_closed"

    # What was left behind is carried by a second decision, and the firm goes on.
    close(city, desk.programme_id)
    assert ok(desk.redeem(100))["subsidy_fen"] == 100
    assert ok(desk.machine.post("/v1/redemptions", from_hold | {"order_no": "O-2"}))["subsidy_fen"] == 100
    assert standing(city)[2026, "local"] == {"appropriation": 99_000_000, "lapsed": 99_000_000}
    assert world.differences() == []


def test_what_comes_free_after_the_close_lapses(world: World) -> None:
    """A release, a void and a refund on what stayed in the closed year: back to the voucher, then to `lapsed`."""
    city = world.city()
    desk = counter(city, face_value_fen=1_000_000, rate="1.00")
    redeemed = ok(desk.redeem(300_000))
    held = hold(desk, 200_000, "H1")
    close(city, desk.programme_id, carries_promises=False)
    left = {"appropriation": 100_000_000, "lapsed": 99_000_000, "committed": 500_000, "held": 200_000}
    assert standing(city)[2026, "local"] == left | {"obligated": 300_000}

    ok(desk.machine.post(f"/v1/holds/{held['id']}/release"))
    path = f"/v1/redemptions/{redeemed['id']}/refunds"
    ok(desk.machine.post(path, {"amount_fen": 100_000, "reason": "部分退款"}))
    alive = {"appropriation": 100_000_000, "lapsed": 99_000_000, "committed": 800_000, "obligated": 200_000}
    assert standing(city)[2026, "local"] == alive
    ok(city.approve(city.maker.post(f"/v1/vouchers/{desk.voucher['id']}/void", {"reason": "企业注销"})))
    ok(desk.machine.post(path, {"amount_fen": 200_000, "reason": "全部退款"}))
    assert standing(city)[2026, "local"] == {"appropriation": 100_000_000, "lapsed": 100_000_000}
    assert world.differences() == []


def test_vouchers_that_have_ended_lapse_with_the_year(world: World, owner: Database) -> None:
    city = world.city()
    desk = counter(city, face_value_fen=1_000_000, rate="1.00")
    ok(desk.redeem(300_000))
    hold(desk, 200_000, "H1")
    expire_now(owner, desk.voucher["id"])
    done = close(city, desk.programme_id)["local"]
    assert (done["expired_fen"], done["lapsed_fen"], done["carried_obligated_fen"]) == (700_000, 99_700_000, 300_000)
    assert standing(city) == {
        (2026, "local"): {"appropriation": 99_700_000, "lapsed": 99_700_000},
        (2027, "local"): {"appropriation": 300_000, "obligated": 300_000},
    }
    differences = [found for found in world.differences() if not found.startswith("8 ")]
    assert differences == []  # its validity was changed behind the books, so invariant 8 complains


def test_an_expired_voucher_gives_its_money_back_once(world: World, owner: Database, database: Database) -> None:
    """To what is available in an open year; in a closed one it lapses. One that is used up just ends."""
    city = world.city()
    desk = counter(city, face_value_fen=1_000_000, rate="1.00")
    used_up, left_behind = desk.second_voucher(500), desk.second_voucher(700)
    ok(used_up.redeem(500))
    ok(desk.redeem(300_000))
    hold(desk, 200_000, "H1")
    for one in (desk, used_up):
        expire_now(owner, one.voucher["id"])
    assert database.transact(lambda tx: sweep(tx, most=10)) == 1
    assert database.transact(lambda tx: expire_vouchers(tx, find_expired(tx, most=10))) == 2
    assert database.transact(lambda tx: find_expired(tx, most=10)) == []
    assert standing(city)[2026, "local"] == {
        "appropriation": 100_000_000,
        "available": 100_000_000 - 300_000 - 500 - 700,
        "committed": 700,
        "obligated": 300_500,
    }
    statuses = [ok(one.manager.get(f"/v1/vouchers/{one.voucher['id']}"))["status"] for one in (desk, used_up)]
    assert statuses == ["expired", "expired"]

    close(city, desk.programme_id, carries_promises=False)
    expire_now(owner, left_behind.voucher["id"])
    assert database.transact(lambda tx: expire_vouchers(tx, find_expired(tx, most=10))) == 1
    assert standing(city)[2026, "local"] == {
        "appropriation": 100_000_000,
        "lapsed": 100_000_000 - 300_500,
        "obligated": 300_500,
    }
    assert [found for found in world.differences() if not found.startswith("8 ")] == []


def test_who_works_in_the_region_keeps_a_close_waiting(world: World, database: Database) -> None:
    city = world.city()
    programme_id = city.programme(appropriation_fen=1_000)
    asked = propose(city, programme_id)

    def busy(tx: Any) -> None:
        try_fences(tx, {city.region_code}, wait=True)
        refused = problem(city.approve(asked, by=city.second_finance), 503, "region_busy")
        assert city.region_code in refused["detail"]

    database.transact(busy)
    assert standing(city)[2026, "local"] == {"appropriation": 1_000, "available": 1_000}
    ok(city.approve(asked, by=city.second_finance))
    assert standing(city)[2026, "local"] == {"appropriation": 1_000, "lapsed": 1_000}


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE pools SET closed_at = closed_at + interval '1 second'",
        "UPDATE pools SET closed_at = NULL",
        "UPDATE pools SET available_fen = available_fen + 1",
        "DELETE FROM year_closes",
        "UPDATE year_closes SET fiscal_year = 2025",
    ],
)
def test_a_closed_year_stays_closed_below_the_code(world: World, owner: Database, tampering: str) -> None:
    city = world.city()
    close(city, city.programme(appropriation_fen=1_000))
    with pytest.raises(Exception, match=r"refused|closed_has_nothing_available"):
        owner.transact(lambda tx: tx.execute(text(tampering)))


def test_spending_in_a_closed_year_is_found(world: World, owner: Database) -> None:
    city = world.city()
    desk = counter(city, face_value_fen=1_000, rate="1.00")
    ok(desk.redeem(100))
    close(city, desk.programme_id, carries_promises=False)
    assert world.differences() == []

    def backdate(tx: Any) -> None:
        tx.execute(text("ALTER TABLE pools DISABLE TRIGGER closed_stays"))
        tx.execute(text("UPDATE pools SET closed_at = (SELECT at FROM entries WHERE kind = 'redeem')"))

    owner.transact(backdate)
    found = [one for one in world.differences() if one.startswith("8 ")]
    assert any("redeem before" in one for one in found)
    assert any("not closed by a decision" in one for one in found)


def test_closes_are_read_by_finance_and_auditors_only(world: World) -> None:
    city = world.city()
    programme_id = city.programme(appropriation_fen=1_000, rules=rules_body())
    close(city, programme_id)
    (done,) = ok(city.auditor.get("/v1/year-closes"))["data"]
    assert ok(city.auditor.get(f"/v1/year-closes/{done['id']}")) == done
    assert (done["made_by"], done["decided_by"]) == (city.finance.id, city.second_finance.id)
    problem(world.city("330200").finance.get(f"/v1/year-closes/{done['id']}"), 404, "not_found")
    problem(city.maker.get("/v1/year-closes"), 403, "forbidden")
