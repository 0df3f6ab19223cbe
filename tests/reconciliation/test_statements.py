"""Redemptions against statements: four groups, one case per difference, followed until it is resolved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from io import BytesIO
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook
from sqlalchemy import text

from app.kernel.money import to_yuan
from tests.statements.books import HEADINGS, cases, reconcile, row_of, today, upload
from tests.statements.files import as_csv, as_xlsx
from tests.world import NINGBO, Counter, World, counter, ok, problem

WRITERS: dict[str, Callable[[Sequence[Sequence[object]]], bytes]] = {
    "xlsx": as_xlsx,
    "utf-8": as_csv,
    "gb18030": lambda rows: as_csv(rows, "gb18030"),
}


@pytest.fixture
def desk(world: World) -> Counter:
    return counter(world.city())


def redeemed(desk: Counter, *orders: str) -> list[dict[str, Any]]:
    return [ok(desk.redeem(10_000 + place * 100, order_no=order)) for place, order in enumerate(orders)]


def send(desk: Counter, rows: list[list[str]]) -> Any:
    return ok(upload(desk.machine, as_csv([HEADINGS, *rows]), declared_count=str(len(rows))))


def of_statements(report: Any) -> Any:
    (comparison,) = [one for one in report["comparisons"] if one["sides"] == "statements"]
    return comparison


def groups(report: Any) -> dict[str, tuple[int, int, int]]:
    comparison = of_statements(report)
    return {row["kind"]: (row["count"], row["here_fen"], row["there_fen"]) for row in comparison["tallies"]}


def test_four_groups_in_one_report(desk: Counter) -> None:
    one, two, three = redeemed(desk, "A-1", "A-2", "A-3")
    differing = row_of(desk, two)
    differing[5] = "30.31"
    send(desk, [row_of(desk, one), differing, ["B-1", "", today(), "", "", "7.00", ""]])
    report = reconcile(desk.city.finance)
    assert report["difference_count"] == 0  # the books are right in themselves
    assert groups(report) == {
        "matched": (1, 3_000, 3_000),
        "differing_amount": (1, 3_030, 3_031),
        "missing_here": (1, 0, 700),
        "missing_there": (1, 3_060, 0),
    }
    comparison = of_statements(report)
    assert comparison["difference_count"] == 3
    by_order = {row["subject"].split()[1]: row for row in comparison["differences"]}
    assert by_order["A-2"]["evidence"]["differs"] == {"subsidy_fen": [3_030, 3_031]}
    assert by_order["A-2"]["evidence"]["row_no"] == 3
    assert by_order["A-3"]["evidence"]["redemption"]["entry_id"] == three["entry_id"]
    assert {row["case_id"] for row in comparison["differences"]} == {row["id"] for row in cases(desk.city.finance)}


@pytest.mark.parametrize(
    ("column", "value", "field"),
    [(3, None, "voucher_code"), (4, "99.00", "bill_total_fen"), (6, "0.01", "refunded_fen")],
)
def test_whatever_is_stated_is_compared(desk: Counter, column: int, value: str | None, field: str) -> None:
    (one,) = redeemed(desk, "A-1")
    row = row_of(desk, one)
    row[column] = value or desk.second_voucher(1_000).voucher["code"]
    send(desk, [row])
    (found,) = reconcile(desk.city.finance)["comparisons"][0]["differences"]
    assert (found["kind"], list(found["evidence"]["differs"])) == ("differing_amount", [field])


def test_a_refund_is_compared_where_it_is_stated(desk: Counter) -> None:
    (one,) = redeemed(desk, "A-1")
    ok(desk.machine.post(f"/v1/redemptions/{one['id']}/refunds", {"amount_fen": 1_000, "reason": "退单"}))
    send(desk, [row_of(desk, one, refunded_fen=300)])
    assert groups(reconcile(desk.city.finance)) == {"matched": (1, 3_000, 3_000)}


def test_a_refund_after_the_period_changes_nothing_that_is_said_of_it(desk: Counter) -> None:
    """The line is held against what had gone back by its day, and the case shows that figure, not today's."""
    (one,) = redeemed(desk, "A-1")
    eve = (date.fromisoformat(today()) - timedelta(days=1)).isoformat()
    line = as_csv([("订单号", "核销日期", "补贴金额", "已退补贴"), ("A-1", eve, "30", "3")])
    ok(upload(desk.machine, line, period_from=eve, period_until=eve))

    def found() -> Any:
        (found,) = reconcile(desk.city.finance, period_from=eve, period_until=eve)["comparisons"][0]["differences"]
        return found

    for _ in range(2):  # 3.00 each: after the first, today's figure is the stated one
        ok(desk.machine.post(f"/v1/redemptions/{one['id']}/refunds", {"amount_fen": 1_000, "reason": "退单"}))
        assert found()["evidence"]["differs"] == {"refunded_fen": [0, 300]}
    (case,) = cases(desk.city.finance)
    assert ok(desk.city.finance.get(f"/v1/reconciliation-cases/{case['id']}"))["notes"] == []


def test_a_line_known_by_its_redemption_alone_is_matched_and_one_that_stands_twice_is_told(desk: Counter) -> None:
    one, _ = redeemed(desk, "A-1", "A-2")
    send(desk, [["", one["id"], "", "", "", "30", ""], ["A-2", "", "", "", "", "30.30", ""]])
    assert groups(reconcile(desk.city.finance)) == {"matched": (2, 6_030, 6_030)}
    send(
        desk,
        [
            ["A-1", "", "", "", "", "30", ""],
            ["", one["id"], "", "", "", "30", ""],
            ["A-2", "", "", "", "", "30.30", ""],
        ],
    )
    report = reconcile(desk.city.finance)
    assert groups(report) == {"matched": (2, 6_030, 6_030), "missing_here": (1, 0, 3_000)}
    assert report["comparisons"][0]["differences"][0]["evidence"]["stands_twice"] is True


def test_a_line_that_an_earlier_statement_had_stands_twice(desk: Counter) -> None:
    (one,) = redeemed(desk, "A-1")
    eve = (date.fromisoformat(today()) - timedelta(days=1)).isoformat()
    line = as_csv([("订单号", "补贴金额"), ("A-1", "30")])
    ok(upload(desk.machine, line, period_from=eve, period_until=eve))
    send(desk, [row_of(desk, one)])
    (found,) = reconcile(desk.city.finance)["comparisons"][0]["differences"]
    assert (found["kind"], found["evidence"]["stands_twice"]) == ("missing_here", True)


def test_a_provider_without_a_statement_is_told_and_has_no_cases(desk: Counter) -> None:
    redeemed(desk, "A-1")
    comparison = of_statements(reconcile(desk.city.finance))
    assert (comparison["tallies"], comparison["difference_count"]) == ([], 0)
    assert [(row["count"], row["here_fen"]) for row in comparison["unheld"]] == [(1, 3_000)]


def test_a_case_is_found_again_and_not_doubled_and_resolves_itself_by_a_statement(desk: Counter) -> None:
    (one,) = redeemed(desk, "A-1")
    wrong = row_of(desk, one)
    wrong[5] = "29.99"
    send(desk, [wrong])
    first = reconcile(desk.city.finance)
    second = reconcile(desk.city.auditor)
    (case,) = cases(desk.city.auditor)
    assert (case["state"], case["opened_in_id"], case["found_in_id"]) == ("open", first["id"], second["id"])
    sent = send(desk, [row_of(desk, one)])
    last = reconcile(desk.city.finance)
    case = ok(desk.city.finance.get(f"/v1/reconciliation-cases/{case['id']}"))
    assert (case["state"], case["resolved_in_id"]) == ("resolved", last["id"])
    assert (case["resolving_statement_id"], case["resolving_entry_id"]) == (sent["statement_id"], None)
    assert [note["act"] for note in case["notes"]] == ["resolved"]


def test_a_redemption_that_comes_later_resolves_its_case_by_its_entry(desk: Counter) -> None:
    send(desk, [["A-1", "", "", "", "", "30", ""]])
    reconcile(desk.city.finance)
    (case,) = cases(desk.city.finance, state="open")
    assert (case["kind"], case["here_fen"], case["there_fen"]) == ("missing_here", None, 3_000)
    (one,) = redeemed(desk, "A-1")
    reconcile(desk.city.finance)
    (case,) = cases(desk.city.finance, state="resolved")
    assert (case["resolving_entry_id"], case["resolving_statement_id"]) == (one["entry_id"], None)


def test_a_difference_that_comes_back_opens_its_case_again(desk: Counter) -> None:
    (one,) = redeemed(desk, "A-1")
    for amount in ("29.99", "30.00", "29.98"):
        row = row_of(desk, one)
        row[5] = amount
        send(desk, [row])
        reconcile(desk.city.finance)
    (case,) = cases(desk.city.finance)
    notes = ok(desk.city.finance.get(f"/v1/reconciliation-cases/{case['id']}"))["notes"]
    assert (case["state"], case["there_fen"], case["resolved_at"]) == ("open", 2_998, None)
    assert [note["act"] for note in notes] == ["resolved", "reopened"]


def test_a_verdict_stands_until_the_figures_change(desk: Counter) -> None:
    (one,) = redeemed(desk, "A-1")
    row = row_of(desk, one)
    row[5] = "29.99"
    send(desk, [row])
    reconcile(desk.city.finance)
    (case,) = cases(desk.city.finance)
    path = f"/v1/reconciliation-cases/{case['id']}"
    finance = desk.city.finance
    assert ok(finance.post(f"{path}/explain", {"words": "对方按折前计"}))["state"] == "explained"
    reconcile(finance)
    assert ok(finance.get(path))["state"] == "explained"
    resolve = {"entry_id": one["entry_id"], "words": "以分录为准"}
    resolved = ok(finance.post(f"{path}/resolve", resolve))
    assert (resolved["state"], resolved["resolving_entry_id"]) == ("resolved", one["entry_id"])
    reconcile(finance)
    assert ok(finance.get(path))["state"] == "resolved"
    problem(finance.post(f"{path}/explain", {"words": "再说明"}), 409, "wrong_state")
    row[5] = "29.98"
    send(desk, [row])
    reconcile(finance)
    assert ok(finance.get(path))["state"] == "open"


def test_who_may_do_what_with_a_case(world: World, desk: Counter) -> None:
    send(desk, [["A-1", "", "", "", "", "30", ""]])
    reconcile(desk.city.finance)
    (case,) = cases(desk.machine)
    path = f"/v1/reconciliation-cases/{case['id']}"
    finance, auditor = desk.city.finance, desk.city.auditor
    stranger = world.machine(world.provider())
    assert cases(stranger) == []
    problem(stranger.get(path), 404, "not_found")
    problem(world.city(NINGBO).finance.post(f"{path}/notes", {"words": "不在辖区"}), 404, "not_found")
    problem(desk.city.maker.get(path), 403, "forbidden")
    for actor in (auditor, desk.machine):
        problem(actor.post(f"{path}/explain", {"words": "说明"}), 403, "forbidden")
        problem(actor.post(f"{path}/assign", {"owner_id": finance.id}), 403, "forbidden")
        ok(actor.post(f"{path}/notes", {"words": "已联系机构"}))
    problem(finance.post(f"{path}/assign", {"owner_id": desk.machine.id}), 404, "not_found")
    problem(finance.post(f"{path}/assign", {"owner_id": desk.manager.id}), 404, "not_found")
    assert ok(finance.post(f"{path}/assign", {"owner_id": desk.city.maker.id}))["owner_id"] == desk.city.maker.id
    nowhere = "ent_330100_01kay0000000000000000000ab"
    problem(finance.post(f"{path}/resolve", {"entry_id": nowhere, "words": "无此分录"}), 404, "not_found")
    assert [row["id"] for row in cases(finance, owner_id=desk.city.maker.id, state="open")] == [case["id"]]
    shown = ok(auditor.get(path))
    assert [(note["act"], note["by"]) for note in shown["notes"]] == [
        ("noted", auditor.id), ("noted", desk.machine.id), ("assigned", finance.id)
    ]  # fmt: skip
    with world.database.engine.connect() as tx:
        events = tx.execute(
            text("SELECT action FROM audit_events WHERE object_id = :id AND action LIKE 'case.%' ORDER BY at"),
            {"id": case["id"]},
        )
        assert list(events.scalars()) == ["case.noted", "case.noted", "case.assigned"]


def test_a_report_is_a_spreadsheet_too(desk: Counter) -> None:
    (one,) = redeemed(desk, "A-1")
    row = row_of(desk, one)
    row[5] = "29.99"
    send(desk, [row])
    report = reconcile(desk.city.finance)
    answer = desk.city.auditor.get(f"/v1/reconciliations/{report['id']}", format="xlsx")
    with CalamineWorkbook.from_filelike(BytesIO(answer.content)) as book:
        assert book.sheet_names == ["账目核对", "对账汇总", "对账差异", "银行对账汇总", "银行对账差异"]
        found = book.get_sheet_by_name("对账差异").to_python()
    assert found[1][1:9] == [
        "金额不一致",
        "杭州市",
        desk.machine.organisation_id,
        today(),
        "A-1",
        30,
        29.99,
        "补贴金额",
    ]


def test_what_the_books_say_reconciles_and_each_injected_difference_is_one_case(desk: Counter) -> None:
    made = redeemed(desk, *(f"P-{number}" for number in range(8)))
    rounds = iter(range(1_000))

    @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        writer=st.sampled_from(sorted(WRITERS)),
        fates=st.lists(st.sampled_from(["kept", "kept", "left out", "subsidy", "bill"]), min_size=8, max_size=8),
        off_fen=st.integers(1, 1_000_000),
        invented=st.integers(0, 3),
        shuffled=st.randoms(use_true_random=False),
    )
    def each(writer: str, fates: list[str], off_fen: int, invented: int, shuffled: Any) -> None:
        rows, expected = [], {}
        for redemption, fate in zip(made, fates, strict=True):
            row = row_of(desk, redemption)
            if fate == "subsidy":
                row[5] = to_yuan(redemption["subsidy_fen"] + off_fen)
            if fate == "bill":
                row[4] = to_yuan(redemption["bill_total_fen"] + off_fen)
            rows += [] if fate == "left out" else [row]
            if fate != "kept":
                expected[redemption["order_no"]] = "missing_there" if fate == "left out" else "differing_amount"
        for number in range(invented):
            rows.append([f"X-{number}", "", today(), "", "", to_yuan(off_fen), ""])
            expected[f"X-{number}"] = "missing_here"
        shuffled.shuffle(rows)
        data = WRITERS[writer]([[f"第{next(rounds)}次"], HEADINGS, *rows])
        ok(upload(desk.machine, data, declared_count=str(len(rows))))
        report = reconcile(desk.city.finance)
        assert report["difference_count"] == 0
        unresolved = [row for row in cases(desk.city.finance) if row["state"] == "open"]
        assert {row["subject"].split()[1]: row["kind"] for row in unresolved} == expected
        assert len(unresolved) == len(expected)
        assert groups(report).get("matched", (0,))[0] == fates.count("kept")

    each()
