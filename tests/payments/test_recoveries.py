"""Refunds of money that was sent: recorded, claimed, received; or a refund after all (E14)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.payments.paying import Paying
from tests.world import THIS_YEAR, Counter, World, bill_body, counter, ok, problem

WAN = 1_000_000


def paid(paying: Paying, bill_fen: int) -> str:
    redemption_id: str = ok(paying.desk.redeem(bill_fen))["id"]
    ok(paying.confirm(paying.order(redemption_id)))
    return redemption_id


@pytest.mark.parametrize(
    ("cap_fen", "refund_fen", "recovered_fen"),
    [(None, 20 * WAN, 6 * WAN), (20 * WAN, 20 * WAN, 0), (20 * WAN, 50 * WAN, 5 * WAN)],
    ids=["30% without a cap", "the cap still holds", "below the cap"],
)
def test_e14_after_payment_the_whole_position_is_recomputed(
    world: World, cap_fen: int | None, refund_fen: int, recovered_fen: int
) -> None:
    rules: dict[str, Any] = {} if cap_fen is None else {"cap": {"kind": "bill", "limit_fen": cap_fen}}
    paying = Paying(counter(world.city(), face_value_fen=50 * WAN, **rules))
    one = paid(paying, 100 * WAN)
    before = paying.pool()
    done = paying.refund(one, refund_fen)
    assert (done["refund"]["subsidy_refund_fen"], done["refund"]["recovered_fen"]) == (0, recovered_fen)
    assert done["redemption"]["recovered_fen"] == recovered_fen
    if recovered_fen == 0:
        assert done["refund"]["recovery"] is None
        assert paying.pool() == before
    else:
        recovery = done["refund"]["recovery"]
        assert recovery["status"] == "due"
        assert paying.pool() == before | {"recovery_claimed": -recovered_fen, "recovery_due": recovered_fen}
        received = ok(paying.receive(recovery["id"]))
        assert (received["status"], received["treasury_fen"]) == ("received", 0)
        assert paying.pool() == before | {
            "available": before["available"] + recovered_fen,
            "disbursed": before["disbursed"] - recovered_fen,
        }
    assert world.differences() == []


def test_a_recovery_is_the_pools_and_never_the_vouchers(world: World) -> None:
    paying = Paying(counter(world.city(), face_value_fen=50 * WAN))
    one = paid(paying, 100 * WAN)
    recovery = paying.refund(one, 20 * WAN)["refund"]["recovery"]
    ok(paying.receive(recovery["id"]))
    voucher = ok(paying.desk.manager.get(f"/v1/vouchers/{paying.desk.voucher['id']}"))
    told = {name: voucher[name] for name in ("face_value_fen", "balance_fen", "redeemed_fen", "recovered_fen")}
    assert told == {
        "face_value_fen": 50 * WAN,
        "balance_fen": 20 * WAN,
        "redeemed_fen": 24 * WAN,
        "recovered_fen": 6 * WAN,
    }
    (mandate,) = ok(paying.desk.manager.get(f"/v1/vouchers/{paying.desk.voucher['id']}/mandates"))
    assert mandate["used_fen"] == 30 * WAN


def test_repeated_refunds_claim_what_is_then_too_much_and_no_more(world: World) -> None:
    paying = Paying(counter(world.city(), face_value_fen=50 * WAN))
    one = paid(paying, 100)
    claimed = [paying.refund(one, fen)["refund"]["recovered_fen"] for fen in (33, 33, 34)]
    assert (claimed, sum(claimed)) == ([10, 10, 10], 30)
    for recovery in ok(paying.desk.city.finance.get("/v1/recoveries"))["data"]:
        ok(paying.receive(recovery["id"]))
    assert "disbursed" not in paying.pool()
    assert world.differences() == []


def test_a_receipt_counts_once_and_only_when_it_is_due(world: World) -> None:
    paying = Paying(counter(world.city(), face_value_fen=50 * WAN))
    one = ok(paying.desk.redeem(100 * WAN))["id"]
    order_id = paying.order(one)
    recovery_id = paying.refund(one, 20 * WAN)["refund"]["recovery"]["id"]
    problem(paying.receive(recovery_id), 409, "wrong_state")
    ok(paying.confirm(order_id))
    problem(
        paying.desk.machine.post(f"/v1/recoveries/{recovery_id}/receive", {"bank_reference": "X"}), 403, "forbidden"
    )
    first = ok(paying.receive(recovery_id, "SK-1"))
    assert ok(paying.receive(recovery_id, "SK-1")) == first
    problem(paying.receive(recovery_id, "SK-2"), 409, "wrong_state")
    assert ok(paying.desk.machine.get(f"/v1/recoveries/{recovery_id}"))["bank_reference"] == "SK-1"
    problem(world.machine(world.provider()).get(f"/v1/recoveries/{recovery_id}"), 404, "not_found")
    assert world.differences() == []


def test_a_transfer_counts_once_and_pays_back_together_what_it_is_said_to(world: World) -> None:
    """Two bills of 1,000 are cancelled by 200 and 500: 60 and 150 come back, in one transfer of 210."""
    paying = Paying(counter(world.city(), face_value_fen=50 * WAN))
    finance = paying.desk.city.finance
    ids = [
        paying.refund(paid(paying, 1_000), fen)["refund"]["recovery"]["id"]  # of one voucher
        for fen in (200, 500)
    ]
    third = paying.refund(paid(paying, 1_000), 1_000)["refund"]["recovery"]["id"]
    before = paying.pool()

    def receive(*recovery_ids: str, fen: int, reference: str = "SK-9") -> Any:
        body = {"bank_reference": reference, "recovery_ids": recovery_ids, "amount_fen": fen}
        return finance.post("/v1/recoveries:receive", body)

    refused = problem(receive(*ids, fen=209), 422, "transfer_differs")
    assert "2.10" in refused["detail"] and "2.09" in refused["detail"]
    body = {"bank_reference": "SK-9", "recovery_ids": ids, "amount_fen": 210}
    problem(paying.desk.machine.post("/v1/recoveries:receive", body), 403, "forbidden")
    assert paying.pool() == before
    first = ok(receive(*ids, fen=210))
    assert [(one["status"], one["amount_fen"]) for one in first["recoveries"]] == [("received", 60), ("received", 150)]
    assert ok(receive(*reversed(ids), fen=210)) == first
    assert paying.pool()["available"] == before["available"] + 210
    used = problem(paying.receive(third, "SK-9"), 409, "transfer_already_used")
    assert used["recovery_id"] == min(ids)
    problem(receive(*ids, third, fen=510), 409, "transfer_already_used")
    problem(receive(*ids, third, fen=510, reference="SK-10"), 409, "wrong_state")
    ok(paying.receive(third, "SK-10"))  # what was refused has not used it up
    assert world.differences() == []


def test_a_transfer_is_one_payees(world: World) -> None:
    city = world.city()
    both = [Paying(counter(city, face_value_fen=50 * WAN)) for _ in range(2)]
    ids = [of.refund(paid(of, 1_000), 200)["refund"]["recovery"]["id"] for of in both]
    body = {"bank_reference": "SK-1", "recovery_ids": ids, "amount_fen": 120}
    problem(city.finance.post("/v1/recoveries:receive", body), 422, "transfer_differs")
    ok(both[0].receive(ids[0], "SK-1"))
    problem(both[1].receive(ids[1], "SK-1"), 409, "transfer_already_used")
    assert world.differences() == []


def test_what_is_refunded_while_in_payment_waits_for_the_bank(world: World) -> None:
    paying = Paying(counter(world.city(), face_value_fen=50 * WAN))
    one = ok(paying.desk.redeem(100 * WAN))["id"]
    order_id = paying.order(one)
    refunded = paying.refund(one, 20 * WAN)["refund"]
    assert (refunded["recovery"]["status"], refunded["entry_id"]) == ("recorded", None)
    assert paying.pool()["in_payment"] == 30 * WAN
    assert world.differences() == []
    ok(paying.confirm(order_id))
    (due,) = ok(paying.desk.machine.get("/v1/recoveries", status="due"))["data"]
    assert (due["id"], due["amount_fen"]) == (refunded["recovery"]["id"], 6 * WAN)
    (shown,) = ok(paying.desk.machine.get(f"/v1/redemptions/{one}/refunds"))
    claim = ok(paying.desk.city.finance.get(f"/v1/ledger/entries/{due['claim_entry_id']}"))
    assert refunded["receipt"] is None
    assert (shown["receipt"]["entry_id"], shown["receipt"]["at"]) == (claim["id"], claim["at"])
    assert (paying.pool()["disbursed"], paying.pool()["recovery_due"]) == (30 * WAN, 6 * WAN)
    assert world.differences() == []


@pytest.mark.parametrize("confirmed_first", [False, True], ids=["before", "after confirmation"])
def test_where_the_payment_bounces_a_recovery_is_a_refund_after_all(world: World, *, confirmed_first: bool) -> None:
    paying = Paying(counter(world.city(), face_value_fen=50 * WAN))
    one = ok(paying.desk.redeem(100 * WAN))["id"]
    order_id = paying.order(one)
    if confirmed_first:
        ok(paying.confirm(order_id))
    recovery_id = paying.refund(one, 20 * WAN)["refund"]["recovery"]["id"]
    ok(paying.bounce(order_id))
    assert ok(paying.desk.machine.get(f"/v1/recoveries/{recovery_id}"))["status"] == "refunded"
    shown = paying.redemption(one)
    assert (shown["status"], shown["refunded_fen"], shown["recovered_fen"]) == ("posted", 6 * WAN, 0)
    assert paying.desk.balance_fen() == 26 * WAN
    assert {name: fen for name, fen in paying.pool().items() if "recovery" in name} == {}
    assert paying.pool()["obligated"] == 24 * WAN
    first, second = ok(paying.desk.machine.get(f"/v1/redemptions/{one}/refunds"))
    assert (first["recovered_fen"], second["subsidy_refund_fen"], second["because_of_id"]) == (
        0,
        6 * WAN,
        first["id"],
    )
    again = paying.order(one)
    ok(paying.confirm(again))
    assert paying.pool()["disbursed"] == 24 * WAN
    assert world.differences() == []


def test_of_a_voucher_that_has_ended_it_goes_back_to_the_pool(world: World) -> None:
    paying = Paying(counter(world.city(), face_value_fen=30 * WAN))
    one = ok(paying.desk.redeem(100 * WAN))["id"]
    order_id = paying.order(one)
    paying.refund(one, 20 * WAN)
    city = paying.desk.city
    ok(city.approve(city.maker.post(f"/v1/vouchers/{paying.desk.voucher['id']}/void", {"reason": "企业注销"})))
    ok(paying.bounce(order_id))
    assert paying.pool()["available"] == 100 * WAN - 24 * WAN
    assert world.differences() == []


def test_a_payment_of_which_part_was_paid_back_did_arrive(world: World) -> None:
    paying = Paying(counter(world.city(), face_value_fen=50 * WAN))
    one = paid(paying, 100 * WAN)
    (order,) = ok(paying.desk.city.finance.get("/v1/payment-orders"))["data"]
    ok(paying.receive(paying.refund(one, 20 * WAN)["refund"]["recovery"]["id"]))
    problem(paying.bounce(order["id"]), 409, "payment_paid_back")
    assert paying.pool()["disbursed"] == 24 * WAN
    assert world.differences() == []


# -- the year ---------------------------------------------------------------------------------------------------------


def test_e14_received_in_a_later_year_it_is_the_treasurys_and_the_old_pool_stays(world: World) -> None:
    city = world.city()
    desk = counter(city, face_value_fen=50 * WAN)
    paying = Paying(last_year(world, desk))
    one = paid(paying, 100 * WAN)
    before = paying.pool()
    recovery_id = paying.refund(one, 20 * WAN)["refund"]["recovery"]["id"]
    received = ok(paying.receive(recovery_id))
    assert (received["status"], received["treasury_fen"]) == ("received", 6 * WAN)
    assert paying.pool() == before | {"recovery_claimed": -6 * WAN, "treasury": 6 * WAN}
    voucher = ok(paying.desk.manager.get(f"/v1/vouchers/{paying.desk.voucher['id']}"))
    assert (voucher["redeemed_fen"], voucher["recovered_fen"]) == (30 * WAN, 0)
    assert world.differences() == []


def last_year(world: World, desk: Counter, *, face_value_fen: int = 50 * WAN) -> Counter:
    """The same desk on a programme of the fiscal year before."""
    city = desk.city
    year = THIS_YEAR - 1
    programme_id = city.programme(fiscal_year=year, opens_at=f"{year}-01-01T00:00:00+08:00")
    city.admit(programme_id, desk.machine.organisation_id)
    voucher = city.issue(programme_id, desk.voucher["firm_id"], face_value_fen)
    body = {"provider_id": desk.machine.organisation_id, "limit_fen": face_value_fen}
    mandate = ok(desk.manager.post(f"/v1/vouchers/{voucher['id']}/mandates", body))
    return Counter(city, programme_id, voucher, desk.manager, desk.machine, mandate)


# -- caps -------------------------------------------------------------------------------------------------------------

CAP_OF_A_YEAR: dict[str, Any] = {"caps": [{"scope": "firm", "name": "yearly", "limit_fen": 30 * WAN, "per": "year"}]}


def test_the_cap_is_the_firms_again_when_the_money_is_back(world: World) -> None:
    paying = Paying(counter(world.city(), face_value_fen=90 * WAN, **CAP_OF_A_YEAR))
    one = paid(paying, 100 * WAN)
    problem(paying.desk.redeem(10 * WAN), 422, "cap_firm_period")
    recovery = paying.refund(one, 20 * WAN)["refund"]["recovery"]
    problem(paying.desk.redeem(10 * WAN), 422, "cap_firm_period")  # not while the payee still has it
    ok(paying.receive(recovery["id"]))
    assert ok(paying.desk.redeem(100 * WAN))["subsidy_fen"] == 6 * WAN
    assert world.differences() == []


@pytest.mark.parametrize(
    ("adjustment", "again_fen"),
    [({"restores_cap": False}, 0), ({"restores_budget": "never"}, 6 * WAN)],
    ids=["the cap stays used", "the pool does not get it"],
)
def test_the_rules_say_what_a_return_restores(world: World, adjustment: dict[str, Any], again_fen: int) -> None:
    desk = counter(world.city(), face_value_fen=90 * WAN, adjustment=adjustment, **CAP_OF_A_YEAR)
    paying = Paying(desk)
    received = ok(paying.receive(paying.refund(paid(paying, 100 * WAN), 20 * WAN)["refund"]["recovery"]["id"]))
    assert received["treasury_fen"] == (6 * WAN if "restores_budget" in adjustment else 0)
    again = desk.redeem(100 * WAN)
    if again_fen:
        assert ok(again)["subsidy_fen"] == again_fen
    else:
        problem(again, 422, "cap_firm_period")
    assert world.differences() == []


def test_a_second_refund_gives_the_cap_back_only_once(world: World) -> None:
    paying = Paying(counter(world.city(), face_value_fen=90 * WAN, **CAP_OF_A_YEAR))
    one = paid(paying, 100 * WAN)
    recoveries = [paying.refund(one, fen)["refund"]["recovery"] for fen in (20 * WAN, 30 * WAN)]
    assert [recovery["amount_fen"] for recovery in recoveries] == [6 * WAN, 9 * WAN]
    for recovery in recoveries:
        ok(paying.receive(recovery["id"]))
    assert ok(paying.desk.redeem(100 * WAN))["subsidy_fen"] == 15 * WAN
    assert world.differences() == []


# -- holds ------------------------------------------------------------------------------------------------------------

FLOOR = [{"of": "base", "at_least_fen": 25 * WAN}]


def hold(desk: Counter, total_fen: int, bills_fen: list[int]) -> list[str]:
    body = {"voucher_code": desk.voucher["code"], "hold_no": "H1", "bill": bill_body(total_fen)}
    hold_id = ok(desk.machine.post("/v1/holds", body))["id"]
    return [redeem_from(desk, hold_id, n, fen) for n, fen in enumerate(bills_fen)]


def redeem_from(desk: Counter, hold_id: str, number: int, fen: int, **changes: Any) -> str:
    body = {"hold_id": hold_id, "order_no": f"HO{number}", "bill": bill_body(fen)} | changes
    redemption_id: str = ok(desk.machine.post("/v1/redemptions", body))["id"]
    return redemption_id


def test_within_a_hold_each_bill_gives_back_as_far_as_it_was_paid(world: World) -> None:
    """Three bills of a hold under a minimum: refunding the first takes from itself, then from the newest."""
    paying = Paying(counter(world.city(), face_value_fen=90 * WAN, floors=FLOOR, **CAP_OF_A_YEAR))
    first, second, third = hold(paying.desk, 60 * WAN, [30 * WAN, 10 * WAN, 10 * WAN])
    ok(paying.confirm(paying.order(second)))
    order_id = paying.order(third)
    done = paying.refund(first, 30 * WAN)  # 20 are left of 50: below the minimum, so all 15 go back
    pieces = [done["refund"], *done["also"]]
    assert [(one["redemption_id"], one["subsidy_refund_fen"], one["recovered_fen"]) for one in pieces] == [
        (first, 9 * WAN, 0),
        (third, 0, 3 * WAN),
        (second, 0, 3 * WAN),
    ]
    assert [one["recovery"] and one["recovery"]["status"] for one in pieces] == [None, "recorded", "due"]
    assert world.differences() == []
    ok(paying.bounce(order_id))
    ok(paying.receive(pieces[2]["recovery"]["id"]))
    assert world.differences() == []
    hold_id = paying.redemption(first)["hold_id"]
    last = redeem_from(paying.desk, hold_id, 9, 10 * WAN, final=True)  # 30 are above the minimum again
    assert paying.redemption(last)["subsidy_fen"] == 3 * WAN
    assert world.differences() == []


def test_an_auditor_computes_a_recovery_again(world: World) -> None:
    paying = Paying(counter(world.city(), face_value_fen=50 * WAN))
    one = paid(paying, 100 * WAN)
    refund = paying.refund(one, 20 * WAN)["refund"]
    stored = ok(paying.desk.city.auditor.get(f"/v1/redemptions/{refund['id']}/assessment"))
    assert stored["amount_fen"] == 6 * WAN
