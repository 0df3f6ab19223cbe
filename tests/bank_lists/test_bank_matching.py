"""Lines of the bank and the books, paired by hand: one line of the table is one situation."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.kernel.vocabulary import BankLineStatus
from app.services.reconciliation.bank_comparing import difference
from app.services.reconciliation.bank_matching import BankLine, Order, Recorded, match

DAY = date(2026, 11, 5)


def line(
    status: str, reference: str, fen: int, order: str | None = "X", *, row: int = 2, payee: str | None = None
) -> BankLine:
    return BankLine("L", row, BankLineStatus(status), reference, fen, DAY, order, payee)


def recorded(status: str, reference: str, fen: int, order: str | None = "X", **more: Any) -> Recorded:
    return Recorded((reference,), BankLineStatus(status), reference, fen, DAY, "P", "某算力中心（杭州）", order, **more)


def order(in_payment: int = 0, confirmed: int = 0, returned: int = 0, *, name: str = "X", **more: Any) -> Order:
    total = in_payment + confirmed + returned
    return Order(name, "ordered", "P", "某算力中心（杭州）", total, in_payment, confirmed, returned, DAY, **more)


def paired(lines: list[BankLine], records: list[Recorded], *orders: Order) -> list[tuple[Any, ...]]:
    """Each pair: its kind, what this and that side say in fen, and which figures differ; silent sides are None."""
    found = match(lines, records, {one.id: one for one in orders})
    return [
        (str(pair.kind) if pair.kind else None, pair.here_fen, pair.line and pair.line.amount_fen, sorted(pair.differs))
        for pair in found
    ]


@pytest.mark.parametrize(
    ("lines", "records", "orders", "pairs"),
    [
        ([line("paid", "B1", 30)], [recorded("paid", "B1", 30)], [order(0, 30)], [(None, 30, 30, [])]),
        ([line("paid", "B1", 30, None)], [recorded("paid", "B1", 30)], [order(0, 30)], [(None, 30, 30, [])]),
        (
            [line("paid", "B1", 30), line("returned", "B1", 30, row=3)],
            [recorded("paid", "B1", 30), recorded("returned", "B1", 30)],
            [order()],
            [(None, 30, 30, []), (None, 30, 30, [])],
        ),
        ([line("paid", "B1", 29)], [recorded("paid", "B1", 30)], [order(0, 30)],
         [("differing_amount", 30, 29, ["amount_fen"])]),
        ([line("paid", "B1", 30, "Y")], [recorded("paid", "B1", 30)], [order(0, 30), order(30, name="Y")],
         [("differing_amount", 30, 30, ["order_id"]), ("missing_there", 30, None, [])]),
        ([line("paid", "B9", 30, None)], [], [], [("missing_here", None, 30, [])]),
        ([line("paid", "B9", 30, "Z")], [], [order(0, 30)], [("missing_here", None, 30, [])]),
        ([line("paid", "B1", 30), line("paid", "B2", 30, row=3)], [recorded("paid", "B1", 30)], [order(0, 30)],
         [(None, 30, 30, []), ("missing_here", None, 30, [])]),
        ([], [recorded("paid", "B1", 30)], [order(0, 30)], [("missing_there", 30, None, [])]),
        ([], [], [order(30)], [("missing_there", 30, None, [])]),
        ([line("paid", "B1", 30)], [], [order(30)], [("differing_status", 30, 30, ["status"])]),
        ([line("paid", "B1", 29)], [], [order(30)], [("differing_amount", 30, 29, ["amount_fen", "status"])]),
        ([line("paid", "B1", 20), line("returned", "T1", 30, row=3)], [], [order(50)],
         [("differing_status", 20, 20, ["status"]), ("differing_status", 30, 30, ["status"])]),
        ([line("paid", "B1", 50), line("returned", "T1", 50, row=3)], [], [order(50)],
         [("differing_status", 50, 50, ["status"]), ("differing_status", 50, 50, ["status"])]),
        ([line("paid", "B1", 20), line("paid", "B2", 30, row=3)], [], [order(50)],
         [("differing_status", 20, 20, ["status"]), ("differing_status", 30, 30, ["status"])]),
        ([line("paid", "B1", 20), line("paid", "B2", 31, row=3)], [], [order(50)],
         [("differing_status", 20, 20, ["status"]), ("differing_amount", 30, 31, ["amount_fen", "status"])]),
        ([line("paid", "B1", 30), line("returned", "T1", 30, row=3)], [recorded("paid", "B1", 30)], [order(0, 30)],
         [(None, 30, 30, []), ("differing_status", 30, 30, ["status"])]),
        ([line("returned", "T1", 30)], [recorded("paid", "B1", 30)], [order(0, 30)],
         [("differing_status", 30, 30, ["bank_reference", "status"])]),
        ([line("returned", "B1", 30, None)], [recorded("paid", "B1", 30)], [order(0, 30)],
         [("differing_status", 30, 30, ["status"])]),
        ([line("paid", "B1", 30)], [recorded("returned", "B1", 30)], [order(0, 0, 30)],
         [("differing_status", 30, 30, ["status"])]),
        ([line("paid", "B1", 30)], [recorded("paid", "B7", 30)], [order(0, 30)],
         [("differing_amount", 30, 30, ["bank_reference"])]),
        ([line("paid", "B2", 30)], [recorded("paid", "B1", 20)], [order(30, 20)],
         [("differing_status", 30, 30, ["status"]), ("missing_there", 20, None, [])]),
        ([line("paid", "B1", 30), line("paid", "B1", 30, row=3)], [recorded("paid", "B1", 30)], [order(0, 30)],
         [(None, 30, 30, []), ("reference_doubled", None, 30, [])]),
        ([line("received", "S1", 6, None)], [recorded("received", "S1", 6, None)], [], [(None, 6, 6, [])]),
        ([line("received", "S1", 6, None)], [], [], [("missing_here", None, 6, [])]),
        ([line("received", "S1", 6, None)], [recorded("received", "S1", 12, None)], [],
         [("differing_amount", 12, 6, ["amount_fen"])]),
        ([line("paid", "B1", 30, payee="某算力中心(杭州) ")], [recorded("paid", "B1", 30)], [order(0, 30)],
         [(None, 30, 30, [])]),
        ([line("paid", "B1", 30, payee="别的中心")], [recorded("paid", "B1", 30)], [order(0, 30)],
         [("differing_amount", 30, 30, ["payee_name"])]),
        ([], [recorded("paid", "B1", 30, held=False)], [order(0, 30)], [(None, 30, None, [])]),
    ],
    ids=[
        "paid and confirmed", "the same without its order's number", "paid, then returned, both recorded",
        "the bank paid less", "the bank names another order", "nobody knows it", "no such order", "paid twice",
        "confirmed here, the bank silent", "sent, the bank silent", "paid, not recorded yet", "another amount was paid",
        "part paid, part returned",
        "paid, then returned, neither recorded", "paid in two parts", "paid in two parts and one fen more",
        "returned after all, confirmed here", "only the return is listed", "returned, known by its reference alone",
        "returned here, paid there", "a reference mistyped", "the rest is paid, the first part is not listed",
        "a reference twice", "money paid back", "money paid back of which nothing is known",
        "one receipt for two recoveries", "a name written otherwise", "another payee", "of days without a list",
    ],
)  # fmt: skip
def test_each_situation_is_told_as_what_it_is(
    lines: list[BankLine], records: list[Recorded], orders: list[Order], pairs: list[tuple[Any, ...]]
) -> None:
    assert paired(lines, records, *orders) == pairs


def test_an_order_that_was_never_approved_has_nothing_to_tell() -> None:
    proposed = Order("X", "proposed", "P", "某算力中心", 30)
    assert paired([line("paid", "B1", 30)], [], proposed) == [("missing_here", None, 30, [])]


def test_of_two_lines_with_a_reference_the_earlier_one_has_it() -> None:
    earlier = BankLine("M", 9, BankLineStatus.PAID, "B1", 30, date(2026, 11, 4), "X")
    later = line("paid", "B1", 30)
    first, second = match([later, earlier], [recorded("paid", "B1", 30)], {"X": order(0, 30)})
    assert (first.line, second.line, second.first) == (earlier, later, earlier)


STATUSES = st.sampled_from(["paid", "returned", "received"])
REFERENCES = st.sampled_from(["B1", "B2", "B3", "B4"])
ORDERS = st.sampled_from(["X", "Y", None])
FEN = st.sampled_from([10, 20, 30])


@settings(max_examples=150, deadline=None)
@given(
    lines=st.lists(st.tuples(STATUSES, REFERENCES, FEN, ORDERS), max_size=6),
    records=st.lists(st.tuples(STATUSES, REFERENCES, FEN, ORDERS), max_size=5, unique_by=lambda one: one[:2]),
    states=st.tuples(*[st.sampled_from([0, 10, 30])] * 6),
)
def test_everything_is_in_one_pair_and_every_difference_is_one_subject(
    lines: list[tuple[str, str, int, str | None]],
    records: list[tuple[str, str, int, str | None]],
    states: tuple[int, ...],
) -> None:
    said = [line(*one, row=row) for row, one in enumerate(lines, start=2)]
    known = [
        recorded(status, reference, fen, None if status == "received" else order_id or "X")
        for status, reference, fen, order_id in records
    ]
    orders = {name: order(*states[place : place + 3], name=name) for name, place in (("X", 0), ("Y", 3))}
    pairs = match(said, known, orders)
    assert sorted(pair.line.row_no for pair in pairs if pair.line) == [one.row_no for one in said]
    assert sorted((*pair.recorded.ids, pair.recorded.status) for pair in pairs if pair.recorded) == sorted(
        (*one.ids, one.status) for one in known
    )
    subjects = [difference("330100", pair).subject for pair in pairs if pair.kind is not None]
    assert len(set(subjects)) == len(subjects)
    for name, one in orders.items():
        told_fen = sum(
            pair.here_fen or 0
            for pair in pairs
            if pair.recorded is None
            and pair.order is one
            and pair.differs.get("status", [""])[0] == "in_payment"
            and pair.line is not None
            and pair.line.status == "paid"
        )
        assert told_fen <= one.in_payment_fen, name
