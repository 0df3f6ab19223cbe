"""How each mistake is corrected: one way for each, told in T-accounts. Amounts are yuan; the subsidy is 30%.

The programme has 1,000,000.00. The firm's voucher of 50,000.00 and a provider's bill of 100,000.00 are the mistakes.
"""

from __future__ import annotations

from typing import Any

import httpx

from tests.corrections.accounts import posted, stands
from tests.payments.paying import Paying
from tests.payments.test_recoveries import last_year
from tests.world import Counter, World, counter, ok, problem

YUAN = 100
FACE = 50_000 * YUAN
BILL = 100_000 * YUAN

ISSUED = """
    预算指标    -1,000,000.00
    可用额度       950,000.00
    已发放占用      50,000.00
"""
REDEEMED = """
    预算指标    -1,000,000.00
    可用额度       950,000.00
    已发放占用      20,000.00
    应付            30,000.00
"""
PAID = """
    预算指标    -1,000,000.00
    可用额度       950,000.00
    已发放占用      20,000.00
    已拨付          30,000.00
"""


def reverse(desk: Counter, entry_id: str, reason: str = "录入有误") -> httpx.Response:
    """Asked by a maker, done by the checker."""
    city = desk.city
    asked = city.maker.post(f"/v1/ledger/entries/{entry_id}/reverse", {"reason": reason})
    return city.approve(asked) if asked.is_success else asked


def entry_of(desk: Counter, kind: str, **found: Any) -> dict[str, Any]:
    """The newest entry of a kind in the programme."""
    entries = ok(desk.city.finance.get("/v1/ledger/entries", programme_id=desk.programme_id, kind=kind, **found))
    entry: dict[str, Any] = entries["data"][0]
    return entry


# -- 1. A wrong issue -------------------------------------------------------------------------------------------------


def test_a_wrong_issue_is_reversed_and_issued_anew(world: World) -> None:
    """The voucher was meant for another firm, and nothing was drawn on it: its issue is reversed."""
    desk = counter(world.city(), face_value_fen=FACE)
    paying = Paying(desk)
    stands(paying, ISSUED)

    issue = entry_of(desk, "issue")
    ok(reverse(desk, issue["id"], "发放对象有误"))
    mirror = entry_of(desk, "reverse")
    assert mirror["reverses_id"] == issue["id"]
    assert {mirror["maker_id"], mirror["checker_id"]} == {desk.city.maker.id, desk.city.checker.id}
    assert posted(paying, issue["id"]) == [("可用额度", "已发放占用", 50_000)]
    assert posted(paying, mirror["id"]) == [("已发放占用", "可用额度", 50_000)]
    stands(
        paying,
        """
        预算指标    -1,000,000.00
        可用额度     1,000,000.00
        """,
    )
    shown = ok(desk.manager.get(f"/v1/vouchers/{desk.voucher['id']}"))
    assert (shown["status"], shown["face_value_fen"], shown["voided_fen"]) == ("voided", FACE, FACE)

    desk.city.issue(desk.programme_id, world.firm(), FACE)
    stands(paying, ISSUED)
    problem(reverse(desk, issue["id"]), 409, "already_reversed")
    assert world.differences() == []


def test_of_a_wrong_issue_that_was_drawn_on_what_is_left_is_voided(world: World) -> None:
    """Part was drawn meanwhile: that stays as it is or is refunded first; the rest is voided."""
    desk = counter(world.city(), face_value_fen=FACE)
    paying = Paying(desk)
    one = ok(desk.redeem(BILL))["id"]
    stands(paying, REDEEMED)

    refused = problem(reverse(desk, entry_of(desk, "issue")["id"]), 409, "voucher_in_use")
    assert "20,000.00" in refused["detail"] and "50,000.00" in refused["detail"]
    stands(paying, REDEEMED)

    ok(desk.city.approve(desk.city.maker.post(f"/v1/vouchers/{desk.voucher['id']}/void", {"reason": "发放有误"})))
    stands(
        paying,
        """
        预算指标    -1,000,000.00
        可用额度       970,000.00
        应付            30,000.00
        """,
    )
    ok(paying.confirm(paying.order(one)))  # what was redeemed in good faith is paid
    stands(
        paying,
        """
        预算指标    -1,000,000.00
        可用额度       970,000.00
        已拨付          30,000.00
        """,
    )
    assert world.differences() == []


# -- 2. A wrong redemption, found before it is paid -------------------------------------------------------------------


def test_a_wrong_redemption_is_reversed_before_it_is_paid(world: World) -> None:
    """The provider drew on the wrong voucher. Reversed, the balance is there again, and so is the consent."""
    desk = counter(world.city(), face_value_fen=FACE, limit_fen=FACE)
    paying = Paying(desk)
    wrong = ok(desk.redeem(BILL, order_no="DD-1"))
    stands(paying, REDEEMED)

    ok(reverse(desk, wrong["entry_id"], "券号录入有误"))
    mirror = entry_of(desk, "reverse")
    assert posted(paying, wrong["entry_id"]) == [("已发放占用", "应付", 30_000)]
    assert posted(paying, mirror["id"]) == [("应付", "已发放占用", 30_000)]
    stands(paying, ISSUED)
    assert desk.balance_fen() == FACE
    (mandate,) = ok(desk.manager.get(f"/v1/vouchers/{desk.voucher['id']}/mandates"))
    assert mandate["used_fen"] == 0

    shown = paying.redemption(wrong["id"])
    assert (shown["refunded_fen"], shown["bill_refunded_fen"]) == (30_000 * YUAN, BILL)
    problem(desk.redeem(BILL, order_no="DD-1"), 409, "order_no_already_used")  # used up for ever
    problem(paying.propose(wrong["id"]), 409, "nothing_to_pay")
    right = ok(desk.redeem(50_000 * YUAN, order_no="DD-2"))
    assert right["subsidy_fen"] == 15_000 * YUAN
    problem(reverse(desk, wrong["entry_id"]), 409, "already_reversed")
    assert world.differences() == []


def test_a_reversal_gives_the_cap_back_whatever_the_rules_say_of_refunds(world: World) -> None:
    caps = [{"scope": "firm", "name": "yearly", "limit_fen": 30_000 * YUAN, "per": "year"}]
    desk = counter(world.city(), face_value_fen=FACE, caps=caps, adjustment={"restores_cap": False})
    wrong = ok(desk.redeem(BILL))
    problem(desk.redeem(BILL), 422, "cap_firm_period")
    ok(reverse(desk, wrong["entry_id"]))
    assert ok(desk.redeem(BILL))["subsidy_fen"] == 30_000 * YUAN
    assert world.differences() == []


# -- 3. A wrong redemption, found after it was paid -------------------------------------------------------------------


def test_a_wrong_redemption_that_was_paid_is_recovered_and_redeemed_anew(world: World) -> None:
    """The bill was 80,000.00 and not 100,000.00. The whole subsidy is claimed back, and the right bill redeemed."""
    desk = counter(world.city(), face_value_fen=FACE)
    paying = Paying(desk)
    wrong = ok(desk.redeem(BILL))
    ok(paying.confirm(paying.order(wrong["id"])))
    stands(paying, PAID)
    problem(reverse(desk, wrong["entry_id"]), 409, "redemption_not_reversible")

    recovery = paying.refund(wrong["id"], BILL)["refund"]["recovery"]
    assert posted(paying, recovery["claim_entry_id"]) == [("追回挂账", "待追回", 30_000)]
    stands(
        paying,
        PAID
        + """
    追回挂账       -30,000.00
    待追回          30,000.00
    """,
    )
    received = ok(paying.receive(recovery["id"]))
    assert posted(paying, received["receipt_entry_id"]) == [
        ("已拨付", "可用额度", 30_000),
        ("待追回", "追回挂账", 30_000),
    ]
    stands(
        paying,
        """
        预算指标    -1,000,000.00
        可用额度       980,000.00
        已发放占用      20,000.00
        """,
    )
    assert desk.balance_fen() == 20_000 * YUAN  # the pool has it again, the voucher has not

    right = ok(desk.redeem(80_000 * YUAN))  # due 24,000.00, of which the voucher has 20,000.00
    assert right["subsidy_fen"] == 20_000 * YUAN
    more = desk.city.issue(desk.programme_id, desk.voucher["firm_id"], 10_000 * YUAN)  # a voucher for what is missing
    assert more["balance_fen"] == 10_000 * YUAN
    stands(
        paying,
        """
        预算指标    -1,000,000.00
        可用额度       970,000.00
        已发放占用      10,000.00
        应付            20,000.00
        """,
    )
    assert world.differences() == []


# -- 4. A refund that comes after the year ----------------------------------------------------------------------------


def test_a_late_refund_goes_to_the_treasury_and_the_old_years_pool_stays(world: World) -> None:
    """Redeemed and paid on last year's budget; 20,000.00 of the bill are cancelled this year."""
    desk = last_year(world, counter(world.city(), face_value_fen=FACE), face_value_fen=FACE)
    paying = Paying(desk)
    one = ok(desk.redeem(BILL))["id"]
    ok(paying.confirm(paying.order(one)))
    stands(paying, PAID)

    recovery = paying.refund(one, 20_000 * YUAN)["refund"]["recovery"]
    assert recovery["amount_fen"] == 6_000 * YUAN  # 80,000.00 × 30% = 24,000.00 are due
    received = ok(paying.receive(recovery["id"]))
    assert posted(paying, received["receipt_entry_id"]) == [("待追回", "缴回国库", 6_000)]
    stands(
        paying,
        PAID
        + """
    追回挂账        -6,000.00
    缴回国库         6,000.00
    """,
    )
    assert world.differences() == []


# -- An appropriation that was entered wrongly ------------------------------------------------------------------------


def test_a_wrong_appropriation_is_reversed_as_far_as_nothing_was_promised_of_it(world: World) -> None:
    desk = counter(world.city(), face_value_fen=FACE)
    paying, city = Paying(desk), desk.city
    first = entry_of(desk, "appropriate")
    city.fund(desk.programme_id, 20_000 * YUAN)
    wrong = entry_of(desk, "appropriate")

    def by_finance(entry: dict[str, Any]) -> httpx.Response:
        asked = city.finance.post(f"/v1/ledger/entries/{entry['id']}/reverse", {"reason": "文号录入有误"})
        problem(city.finance.post(f"/v1/approvals/{ok(asked)['id']}/approve"), 422, "same_person")
        return city.approve(asked, by=city.second_finance)

    ok(by_finance(wrong))
    assert posted(paying, entry_of(desk, "reverse")["id"]) == [("可用额度", "预算指标", 20_000)]
    stands(paying, ISSUED)
    refused = problem(by_finance(first), 409, "appropriation_below_promised")
    assert "950,000.00" in refused["detail"]
    stands(paying, ISSUED)
    assert world.differences() == []


def test_other_entries_have_ways_of_their_own(world: World) -> None:
    desk = counter(world.city(), face_value_fen=FACE)
    paying = Paying(desk)
    one = ok(desk.redeem(BILL))
    order_id = paying.order(one["id"])
    refused = problem(reverse(desk, entry_of(desk, "order_payment")["id"]), 422, "entry_not_reversible")
    assert "bounce" in refused["detail"]
    asked = ok(desk.city.maker.post(f"/v1/ledger/entries/{one['entry_id']}/reverse", {"reason": "券号有误"}))
    approve = f"/v1/approvals/{asked['id']}/approve"
    problem(desk.city.checker.post(approve), 409, "redemption_not_reversible")
    ok(paying.bounce(order_id))
    ok(desk.city.checker.post(approve))  # owed again, and nothing refunded: now it can be
    problem(
        desk.city.finance.post(f"/v1/ledger/entries/{one['entry_id']}/reverse", {"reason": "越权"}), 403, "forbidden"
    )
    outsider = world.city("330200").maker
    problem(outsider.post(f"/v1/ledger/entries/{one['entry_id']}/reverse", {"reason": "越权"}), 404, "not_found")
    assert world.differences() == []
