"""Payment orders and receipts against the bank's lists: each difference one case, followed until it is resolved."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from python_calamine import CalamineWorkbook

from tests.bank_lists.files import line, send
from tests.payments.paying import Paying
from tests.statements.books import cases, reconcile, today
from tests.world import NINGBO, World, counter, ok, problem

NOWHERE = "pyo_330100_01kay0000000000000000000ab"


@pytest.fixture
def paying(world: World) -> Paying:
    return Paying(counter(world.city()))


def redeemed(paying: Paying, bill_fen: int) -> str:
    """30% of it is paid."""
    redemption_id: str = ok(paying.desk.redeem(bill_fen))["id"]
    return redemption_id


def compared(by: Any, **period: str) -> Any:
    (comparison,) = [one for one in reconcile(by, **period)["comparisons"] if one["sides"] == "bank_lists"]
    return comparison


def groups(comparison: Any) -> dict[str, tuple[int, int, int]]:
    found: dict[str, tuple[int, int, int]] = {}
    for row in comparison["tallies"]:
        before = found.get(row["kind"], (0, 0, 0))
        more = (row["count"], row["here_fen"], row["there_fen"])
        found[row["kind"]] = (before[0] + more[0], before[1] + more[1], before[2] + more[2])
    return found


def test_every_group_in_one_report_and_every_difference_one_case(world: World, paying: Paying) -> None:
    """Five orders of 30.00, 30.30, …, 31.20 yuan: paid, paid otherwise, returned, never heard of, not yet told."""
    city = paying.desk.city
    orders = [paying.order(redeemed(paying, 10_000 + 100 * n)) for n in range(5)]
    for n in range(4):
        ok(paying.confirm(orders[n], reference=f"HD-{n}"))
    send(
        city.finance,
        line(orders[0], 3_000, "已支付", "HD-0"),
        line(orders[1], 3_029, "已支付", "HD-1"),
        line(orders[2], 3_060, "退票", "TP-2"),
        line(orders[0], 3_001, "已支付", "HD-0"),
        line(NOWHERE, 500, "已支付", "HD-9"),
    )
    comparison = compared(city.finance)
    assert groups(comparison) == {
        "matched": (1, 3_000, 3_000),
        "differing_amount": (1, 3_030, 3_029),
        "differing_status": (1, 3_060, 3_060),
        "missing_there": (2, 3_090 + 3_120, 0),
        "missing_here": (1, 0, 500),
        "reference_doubled": (1, 0, 3_001),
    }
    assert comparison["difference_count"] == 6
    by_subject = {row["subject"]: row for row in comparison["differences"]}
    assert by_subject["paid HD-1"]["evidence"]["differs"] == {"amount_fen": [3_030, 3_029]}
    returned = by_subject["paid HD-2"]
    assert returned["evidence"]["differs"] == {"status": ["paid", "returned"], "bank_reference": ["HD-2", "TP-2"]}
    assert (returned["evidence"]["row_no"], returned["evidence"]["line"]["order_id"]) == (4, orders[2])
    assert by_subject[f"sent {orders[4]}"]["here_fen"] == 3_120
    assert by_subject["paid HD-9"]["party_id"] == city.finance.organisation_id
    assert by_subject["paid HD-1"]["party_id"] == paying.desk.machine.organisation_id
    made = cases(city.finance, sides="bank_lists")
    assert {row["case_id"] for row in comparison["differences"]} == {row["id"] for row in made}
    assert {row["subject"] for row in cases(paying.desk.machine)} == set(by_subject) - {"paid HD-9"}
    assert world.differences() == []


def test_a_list_resolves_what_its_predecessor_lacked_and_an_entry_what_was_not_recorded(paying: Paying) -> None:
    finance = paying.desk.city.finance
    order_id = paying.order(redeemed(paying, 10_000))
    empty = send(finance, line("", 100, "已支付", "HD-0"))
    first = compared(finance)
    assert [row["subject"] for row in first["differences"]] == ["paid HD-0", f"sent {order_id}"]
    sent = send(finance, line(order_id, 3_000, "已支付", "HD-1"))
    assert sent["replaces_id"] == empty["bank_list_id"]
    second = compared(finance)
    (found,) = second["differences"]
    assert (found["subject"], found["kind"]) == ("paid HD-1", "differing_status")
    assert found["evidence"]["differs"] == {"status": ["in_payment", "paid"]}
    resolved = cases(finance, state="resolved")
    assert {row["subject"] for row in resolved} == {"paid HD-0", f"sent {order_id}"}
    assert {row["resolving_bank_list_id"] for row in resolved} == {sent["bank_list_id"]}
    order = ok(paying.confirm(order_id, reference="HD-1"))
    assert groups(compared(finance)) == {"matched": (1, 3_000, 3_000)}
    case = ok(finance.get(f"/v1/reconciliation-cases/{found['case_id']}"))
    assert (case["state"], case["resolving_entry_id"]) == ("resolved", order["items"][0]["confirm_entry_id"])
    assert [note["act"] for note in case["notes"]] == ["resolved"]


def test_a_payment_and_its_return_are_two_lines_that_both_agree(world: World, paying: Paying) -> None:
    finance = paying.desk.city.finance
    order_id = paying.order(redeemed(paying, 10_000))
    ok(paying.confirm(order_id, reference="HD-1"))
    lines = [line(order_id, 3_000, "已支付", "HD-1"), line(order_id, 3_000, "退票", "HD-1")]
    send(finance, *lines)
    comparison = compared(finance)
    assert groups(comparison) == {"matched": (1, 3_000, 3_000), "differing_status": (1, 3_000, 3_000)}
    (case,) = cases(finance, state="open")
    order = ok(paying.bounce(order_id, reference="HD-1"))
    assert groups(compared(finance)) == {"matched": (2, 6_000, 6_000)}
    (resolved,) = cases(finance, state="resolved")
    assert (resolved["id"], resolved["resolving_entry_id"]) == (case["id"], order["items"][0]["bounce_entry_id"])
    assert world.differences() == []


def test_money_paid_back_is_held_against_the_lines_that_say_received(paying: Paying) -> None:
    finance = paying.desk.city.finance
    one = redeemed(paying, 10_000)
    ok(paying.confirm(paying.order(one), reference="HD-1"))
    recovery_id = paying.refund(one, 2_000)["refund"]["recovery"]["id"]
    ok(paying.receive(recovery_id, "SK-1"))
    send(finance, line("", 3_000, "已支付", "HD-1"), line("", 601, "收款", "SK-1"), line("", 5, "收款", "SK-2"))
    comparison = compared(finance)
    assert groups(comparison) == {
        "matched": (1, 3_000, 3_000),
        "differing_amount": (1, 600, 601),
        "missing_here": (1, 0, 5),
    }
    differing = next(row for row in comparison["differences"] if row["kind"] == "differing_amount")
    assert differing["evidence"]["recorded"]["ids"] == [recovery_id]


def test_without_a_list_of_its_day_a_payment_is_told_and_has_no_case(world: World, paying: Paying) -> None:
    city = paying.desk.city
    order_id = paying.order(redeemed(paying, 10_000))
    ok(paying.confirm(order_id, reference="HD-1"))
    comparison = compared(city.finance)
    assert (comparison["tallies"], comparison["difference_count"]) == ([], 0)
    assert [(row["count"], row["here_fen"]) for row in comparison["unheld"]] == [(1, 3_000)]
    other = world.city(NINGBO)
    send(other.finance, line("", 1, "已支付", "HD-1"), region=NINGBO)
    assert compared(city.finance)["difference_count"] == 0  # another city's bank says nothing of this one's
    assert [row["subject"] for row in compared_in(other, NINGBO)["differences"]] == ["paid HD-1"]


def compared_in(city: Any, region: str) -> Any:
    (comparison,) = [one for one in reconcile(city.finance, region)["comparisons"] if one["sides"] == "bank_lists"]
    return comparison


def test_what_comes_after_a_list_was_sent_it_could_not_know(paying: Paying) -> None:
    finance = paying.desk.city.finance
    send(finance, line("", 100, "已支付", "HD-0"))
    ok(paying.confirm(paying.order(redeemed(paying, 10_000)), reference="HD-1"))
    comparison = compared(finance)
    assert [row["subject"] for row in comparison["differences"]] == ["paid HD-0"]
    assert [row["count"] for row in comparison["unheld"]] == [1]


def test_a_case_about_the_bank_is_assigned_explained_and_resolved_as_any_other(paying: Paying) -> None:
    city = paying.desk.city
    order_id = paying.order(redeemed(paying, 10_000))
    order = ok(paying.confirm(order_id, reference="HD-1"))
    send(city.finance, line(order_id, 2_999, "已支付", "HD-1"))
    compared(city.finance)
    (case,) = cases(city.auditor, sides="bank_lists", kind="differing_amount")
    path = f"/v1/reconciliation-cases/{case['id']}"
    assert ok(city.finance.post(f"{path}/assign", {"owner_id": city.finance.id}))["owner_id"] == city.finance.id
    problem(city.auditor.post(f"{path}/explain", {"words": "手续费"}), 403, "forbidden")
    ok(city.finance.post(f"{path}/explain", {"words": "银行扣手续费"}))
    compared(city.finance)
    assert ok(city.finance.get(path))["state"] == "explained"
    entry_id = order["items"][0]["confirm_entry_id"]
    ok(city.finance.post(f"{path}/resolve", {"entry_id": entry_id, "words": "以分录为准"}))
    send(city.finance, line(order_id, 2_998, "已支付", "HD-1"))
    compared(city.finance)
    assert ok(city.finance.get(path))["state"] == "open"  # other figures, another question


def test_the_report_is_a_spreadsheet_too(paying: Paying) -> None:
    city = paying.desk.city
    order_id = paying.order(redeemed(paying, 10_000))
    ok(paying.confirm(order_id, reference="HD-1"))
    send(city.finance, line(order_id, 2_999, "已支付", "HD-1", payee="=错名"))
    report = reconcile(city.finance)
    answer = city.auditor.get(f"/v1/reconciliations/{report['id']}", format="xlsx")
    with CalamineWorkbook.from_filelike(BytesIO(answer.content)) as book:
        totals = book.get_sheet_by_name("银行对账汇总").to_python()
        (row,) = book.get_sheet_by_name("银行对账差异").to_python()[1:]
    assert totals[1][2:6] == ["金额不一致", 1, 30, 29.99]
    assert row[1:5] == ["金额不一致", "杭州市", paying.desk.machine.organisation_id, today()]
    assert row[5:12] == [order_id, "HD-1", 30, 29.99, "已支付", "已支付", "金额、收款人名称"]
    assert row[14] == "=错名"
