"""Payments, refunds, holds and reversals in whatever order around a year's close: money lies in two years at once.

What each step comes to is told by `test_paid_books.py` and `tests/budgets`; here the books must be right at the end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from random import Random
from typing import Any

import pytest
from sqlalchemy import func, select, update

from app.database import Database
from app.embedded import databases
from app.embedded.server import Server
from app.kernel.problems import AppError
from app.kernel.vocabulary import EntryKind, PaymentResultKind
from app.models import Approval, Entry, Hold, PaymentItem, PaymentOrder, Recovery, Redemption
from app.services.approvals.decisions import approve, reject
from app.services.budgets.year_close import CloseRequest, request_year_close
from app.services.corrections.reversals import request_reversal
from app.services.payments.orders import request_payment_order
from app.services.payments.results import BankResult, bounce_payment, confirm_payment
from app.services.reconciliation.reconcile import check_invariants
from app.services.recoveries.receipts import Transfer, receive
from app.services.redemption.batch import decide_batch
from app.services.redemption.holds.ending import sweep
from app.services.redemption.refunds import refund
from app.services.vouchers.expiry import expire_vouchers, find_expired
from tests.past import end_validity
from tests.payments.test_paid_books import PaidBooks

_numbers = count(1)
OFTEN = {
    "redeem": 5,
    "hold": 3,
    "redeem_from_hold": 5,
    "refund": 8,
    "propose": 6,
    "decide": 6,
    "hear": 9,
    "receive": 4,
    "reverse": 2,
    "expire": 1,
    "sweep": 2,
}
STEPS = 60
CLOSES_AT = {20: False, 40: True}
"""After how many steps the year is closed, and whether what is promised is carried: left behind first, then carried."""


class Town:
    """The people of a `PaidBooks`, who do what comes to their minds."""

    def __init__(self, books: PaidBooks, owner: Database, mind: Random) -> None:
        self.books, self.owner, self.mind = books, owner, mind
        self.done: Counter[str] = Counter()
        self.codes = sorted(books.vouchers)

    def do(self, what: str) -> None:
        """Do one of `OFTEN`; a refusal is no fault."""
        act: Callable[[], None] = getattr(self, what)
        try:
            act()
        except AppError as refusal:
            self.done[refusal.code] += 1
        else:
            self.done[what] += 1

    def ids(self, column: Any, *where: Any) -> list[str]:
        return list(self.books._do(lambda tx: tx.execute(select(column).where(*where).order_by(column)).scalars()))

    def one(self, column: Any, *where: Any) -> list[str]:
        """One of them, or none where there is none."""
        found = self.ids(column, *where)
        return [self.mind.choice(found)] if found else []

    def redeem(self) -> None:
        command = self.books._command(self.mind.choice(self.codes), self.mind.randint(1, 20_000))
        self.books._do(partial(decide_batch, commands=[command], wait=True))

    def hold(self) -> None:
        command = self.books._holding(self.mind.choice(self.codes), self.mind.randint(1, 20_000))
        self.books._do(partial(decide_batch, commands=[command], wait=True))

    def redeem_from_hold(self) -> None:
        for hold_id in self.one(Hold.id):
            (voucher_id,) = self.ids(Hold.voucher_id, Hold.id == hold_id)
            final = self.mind.random() < 0.3
            command = self.books._command(voucher_id, self.mind.randint(1, 9_000), hold_id=hold_id, final=final)
            self.books._do(partial(decide_batch, commands=[command], wait=True))

    def refund(self) -> None:
        for one in self.one(Redemption.id):
            fen, by = self.mind.randint(1, 9_000), self.books.provider
            self.books._do(partial(refund, caller=by, redemption_id=one, amount_fen=fen, lines=(), reason="退单"))

    def propose(self) -> None:
        ids = {*self.one(Redemption.id), *self.one(Redemption.id, Redemption.status == "posted")}
        self.books._do(partial(request_payment_order, caller=self.books.maker, redemption_ids=ids))

    def decide(self) -> None:
        payer = self.books.payer
        for one in self.one(Approval.id, Approval.status == "pending", Approval.kind == "order_payment"):
            try:
                self.books._approve(payer, one)
            except AppError:
                self.books._do(partial(reject, caller=payer, approval_id=one, note="金额已变"))

    def hear(self) -> None:
        for order_id in self.one(PaymentOrder.id, PaymentOrder.status == "ordered"):
            kind = self.mind.choice(list(PaymentResultKind))
            some = self.mind.choice([None, self.one(PaymentItem.redemption_id, PaymentItem.order_id == order_id)])
            result = BankResult(order_id, kind, f"C{next(_numbers)}", some, "账号有误")
            say = confirm_payment if kind is PaymentResultKind.CONFIRMED else bounce_payment
            self.books._do(partial(say, caller=self.books.payer, result=result))

    def receive(self) -> None:
        for one in self.one(Recovery.id, Recovery.status == "due"):
            transfer = Transfer(f"C{next(_numbers)}", [one])
            self.books._do(partial(receive, caller=self.books.payer, transfer=transfer))

    def reverse(self) -> None:
        for one in self.one(Entry.id, Entry.kind == EntryKind.REDEEM):
            maker, checker = self.books.maker, self.books.checker
            approval_id = self.books._do(partial(request_reversal, caller=maker, entry_id=one, reason="误"))
            try:
                self.books._approve(checker, approval_id)
            except AppError:
                self.books._do(partial(reject, caller=checker, approval_id=approval_id, note="不可"))
                raise

    def expire(self) -> None:
        """A voucher's time runs out, and that of its holds."""
        voucher_id = self.mind.choice(self.codes)
        clock = func.clock_timestamp()
        holds = update(Hold).where(Hold.voucher_id == voucher_id, Hold.status == "open")
        now = "least(redeemable_until, clock_timestamp())"
        end_validity(self.owner, f"valid_until = {now}, redeemable_until = {now}", voucher_id)
        self.owner.transact(lambda tx: tx.execute(holds.values(expires_at=clock)))

    def sweep(self) -> None:
        self.books._do(lambda tx: sweep(tx, most=10))
        self.books._do(lambda tx: expire_vouchers(tx, find_expired(tx, most=10)))

    def close(self, *, carries_promises: bool) -> None:
        payer, second = self.books.payer, self.books.second_payer
        request = CloseRequest(self.books.programme, 2026, "财预1号", carries_promises, {}, None, None)
        report = self.books._do(partial(request_year_close, caller=payer, request=request, dry_run=False))
        self.books._do(partial(approve, caller=second, approval_id=report.approval_id))


@pytest.fixture
def books(server: Server, template: str) -> Iterator[PaidBooks]:
    PaidBooks.server, PaidBooks.template = server, template
    books = PaidBooks()
    PaidBooks.a_programme(books)
    yield books
    books.teardown()


@pytest.mark.parametrize("seed", [3, 7])
def test_around_a_close_the_books_stay_right_whatever_is_paid(server: Server, books: PaidBooks, seed: int) -> None:
    owner = Database(databases.urls(server, database=books.name).owner_url, pool_size=1)
    try:
        town = Town(books, owner, Random(seed))
        for step in range(STEPS):
            if step in CLOSES_AT:
                town.close(carries_promises=CLOSES_AT[step])
            town.do(town.mind.choices(list(OFTEN), list(OFTEN.values()))[0])
        wrong = [finding for finding in check_invariants(books.database).findings if finding.count]
        assert wrong == []
        assert {"hear", "receive", "decide"} <= set(town.done), "it has come as far as payment"
    finally:
        owner.dispose()
