"""A state machine over payments: orders, the bank's answers, refunds at every stage, receipts, reversals.

It goes on from the books of `tests/test_books.py` with vouchers that were redeemed already, so that it comes far.
"""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine
from sqlalchemy import ColumnElement, Connection, select

from app.embedded.server import Server
from app.kernel.problems import Code
from app.kernel.vocabulary import EntryKind, PaymentResultKind
from app.models import Entry
from app.services.approvals.decisions import approve, reject
from app.services.corrections.reversals import request_reversal
from app.services.idempotency import Answer
from app.services.payments.orders import request_payment_order
from app.services.payments.results import BankResult, bounce_payment, confirm_payment
from app.services.recoveries.receipts import Transfer, receive
from app.services.redemption.batch import decide_batch
from app.services.redemption.reads import RefundRecord
from app.services.redemption.refunds import refund
from tests.test_books import SHARES, Books, _drawn, _earned

ANSWERS = st.lists(st.sampled_from(list(PaymentResultKind)), max_size=2)
_numbers = count(1)


class PaidBooks(Books):
    """Pays, bounces, refunds, recovers and reverses what was redeemed; voids, freezes and redeems besides."""

    appropriate = issue = hold = redeem_from_holds = end_a_hold = None  # type: ignore[assignment]
    """All that is done once, at the beginning."""
    close_the_year = None  # type: ignore[assignment]
    """Then money lies in two years at once: `test_payments_over_a_close.py` does that."""

    def __init__(self) -> None:
        super().__init__()
        self.states: dict[str, dict[str, Any]] = {}
        """Redemption → how far it is, and whether it was never refunded."""
        self.orders: dict[str, dict[str, str]] = {}
        """Payment order → redemption → in_payment, confirmed or bounced."""
        self.recoveries: dict[str, dict[str, Any]] = {}

    @initialize()
    def a_programme(self) -> None:
        """Two vouchers, two bills on each, and two bills from a hold."""
        Books.a_programme(self)
        for source in SHARES:
            Books.appropriate(self, source, 60_000)
        for face_fen in (30_000, 20_000):
            Books.issue(self, face_fen)
        for voucher_id in sorted(self.vouchers):
            for bill_fen in (9_001, 14_000):
                self._redeem(voucher_id, bill_fen)
        voucher_id = min(self.vouchers)
        (held,) = self._do(lambda tx: decide_batch(tx, [self._holding(voucher_id, 12_000)], wait=True))
        assert isinstance(held, Answer) and held.resource_id is not None
        amount = int(held.body)
        parts = self._split(amount, self.vouchers[voucher_id]["balance"])
        for source, part in parts.items():
            self.vouchers[voucher_id]["balance"][source] -= part
        self.holds[held.resource_id] = {"voucher": voucher_id, "held": parts, "open": True, "expired": False}
        for bill_fen in (5_000, 3_000):
            self._redeem(voucher_id, bill_fen, hold_id=held.resource_id)

    def _redeem(self, voucher_id: str, bill_fen: int, *, hold_id: str | None = None) -> None:
        command = self._command(voucher_id, bill_fen, hold_id=hold_id)
        (done,) = self._do(lambda tx: decide_batch(tx, [command], wait=True))
        assert isinstance(done, Answer) and done.resource_id is not None
        voucher = self.vouchers[voucher_id]
        source_of = voucher["balance"] if hold_id is None else self.holds[hold_id]["held"]
        parts = self._split(int(done.body), source_of)
        for source, part in parts.items():
            source_of[source] -= part
            voucher["redeemed"][source] += part
        self.redemptions[done.resource_id] = {
            "voucher": voucher_id,
            "bill": bill_fen,
            "drawn": parts,
            "hold": hold_id,
        }

    def _of(self, redemption_id: str) -> dict[str, Any]:
        return self.states.setdefault(redemption_id, {"status": "posted", "untouched": True})

    @precondition(lambda self: self.redemptions)
    @rule(data=st.data(), amount_fen=st.integers(1, 6_000), pays_back=st.booleans())
    def refund(self, data: st.DataObject, amount_fen: int, *, pays_back: bool) -> None:
        self._refund(data.draw(st.sampled_from(sorted(self.redemptions))), amount_fen, pays_back=pays_back)

    def _refund(self, redemption_id: str, amount_fen: int, *, pays_back: bool = False) -> None:
        redemption = self.redemptions[redemption_id]

        def work(tx: Connection) -> list[RefundRecord]:
            return refund(
                tx, caller=self.provider, redemption_id=redemption_id, amount_fen=amount_fen, lines=(), reason="退单"
            )[0]

        if amount_fen > redemption["bill"]:
            assert self._refused(work) is Code.REFUND_EXCEEDS_REDEMPTION
            return
        redemption["bill"] -= amount_fen
        self._of(redemption_id)["untouched"] = False
        whole = [redemption] if redemption["hold"] is None else self._of_hold(redemption["hold"])
        returned = max(0, sum(map(_drawn, whole)) - _earned(sum(one["bill"] for one in whole)))
        done = {record.redemption_id: record for record in self._do(work)}
        assert sum(one.subsidy_refund_fen + one.recovered_fen for one in done.values()) == returned
        for one in [redemption, *(other for other in reversed(whole) if other is not redemption)]:
            piece = min(returned, _drawn(one))
            returned -= piece
            one_id = next(key for key, value in self.redemptions.items() if value is one)
            parts = self._split(piece, one["drawn"])
            for source, part in parts.items():
                one["drawn"][source] -= part
            if self._of(one_id)["status"] == "posted":
                self._return(one["voucher"], parts)
            elif piece:
                recovery = done[one_id].recovery
                assert recovery is not None and recovery.amount_fen == piece
                state = "due" if self._of(one_id)["status"] == "paid" else "recorded"
                self.recoveries[recovery.id] = {"redemption": one_id, "parts": parts, "state": state}
                if pays_back:
                    self._receive(recovery.id)

    def _return(self, voucher_id: str, parts: dict[str, int]) -> None:
        voucher = self.vouchers[voucher_id]
        for source, part in parts.items():
            voucher["redeemed"][source] -= part
            if voucher["ended"]:
                self.pools[source] += part
                voucher["voided"] += part
            else:
                voucher["balance"][source] += part

    @precondition(lambda self: self.redemptions)
    @rule(data=st.data(), count=st.integers(1, 3), refund_fen=st.integers(0, 4_000), answers=ANSWERS)
    def order_payment(self, data: st.DataObject, count: int, refund_fen: int, answers: list[PaymentResultKind]) -> None:
        """Several at once; one may be refunded under way, and the bank may answer at once, and change its mind."""
        ids = data.draw(st.sets(st.sampled_from(sorted(self.redemptions)), min_size=1, max_size=count))

        def work(tx: Connection) -> tuple[str, str]:
            order, approval_id = request_payment_order(tx, caller=self.maker, redemption_ids=ids)
            return order.id, approval_id

        for redemption_id in sorted(ids):
            if self._of(redemption_id)["status"] != "posted":
                assert self._refused(work) is Code.ALREADY_IN_PAYMENT
                return
            if not _drawn(self.redemptions[redemption_id]):
                assert self._refused(work) is Code.NOTHING_TO_PAY
                return
        order_id, approval_id = self._do(work)
        self._approve(self.payer, approval_id)
        self.orders[order_id] = dict.fromkeys(ids, "in_payment")
        for redemption_id in ids:
            self._of(redemption_id)["status"] = "in_settlement"
        if refund_fen:
            self._refund(min(ids), refund_fen)
        for kind in answers:
            self._hear(order_id, kind)

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), kind=st.sampled_from(list(PaymentResultKind)))
    def hear_from_the_bank(self, data: st.DataObject, kind: PaymentResultKind) -> None:
        self._hear(data.draw(st.sampled_from(sorted(self.orders))), kind)

    def _hear(self, order_id: str, kind: PaymentResultKind) -> None:
        items = self.orders[order_id]
        confirms = kind is PaymentResultKind.CONFIRMED
        able = {"in_payment"} if confirms else {"in_payment", "confirmed"}
        ids = [redemption_id for redemption_id, state in items.items() if state in able]
        result = BankResult(order_id, kind, f"B{next(_numbers)}", reason="账号有误")
        say = confirm_payment if confirms else bounce_payment

        def work(tx: Connection) -> object:
            return say(tx, caller=self.payer, result=result)

        of_these = [one for one in self.recoveries.values() if one["redemption"] in ids]
        if not ids:
            assert self._refused(work) is Code.WRONG_STATE
            return
        if not confirms and any(one["state"] == "received" for one in of_these):
            assert self._refused(work) is Code.PAYMENT_PAID_BACK
            return
        self._do(work)
        for redemption_id in ids:
            items[redemption_id] = kind.value
            self._of(redemption_id)["status"] = "paid" if confirms else "posted"
        for one in of_these:
            if confirms:
                one["state"] = "due" if one["state"] == "recorded" else one["state"]
            elif one["state"] in {"recorded", "due"}:
                one["state"] = "refunded"
                self._return(self.redemptions[one["redemption"]]["voucher"], one["parts"])

    @precondition(lambda self: self.recoveries)
    @rule(data=st.data())
    def receive(self, data: st.DataObject) -> None:
        self._receive(data.draw(st.sampled_from(sorted(self.recoveries))))

    def _receive(self, recovery_id: str) -> None:
        recovery = self.recoveries[recovery_id]

        def work(tx: Connection) -> object:
            return receive(tx, caller=self.payer, transfer=Transfer(f"B{next(_numbers)}", [recovery_id]))

        if recovery["state"] != "due":
            assert self._refused(work) is Code.WRONG_STATE
            return
        self._do(work)
        recovery["state"] = "received"
        voucher = self.vouchers[self.redemptions[recovery["redemption"]]["voucher"]]
        for source, part in recovery["parts"].items():
            self.pools[source] += part
            voucher["redeemed"][source] -= part

    @rule(data=st.data(), kind=st.sampled_from([EntryKind.REDEEM, EntryKind.REDEEM, EntryKind.ISSUE]))
    def reverse(self, data: st.DataObject, kind: EntryKind) -> None:
        if kind is EntryKind.REDEEM:
            self._reverse_a_redemption(data)
        else:
            self._reverse_an_issue(data)

    def _reverse_a_redemption(self, data: st.DataObject) -> None:
        redemption_id = data.draw(st.sampled_from(sorted(self.redemptions)))
        redemption = self.redemptions[redemption_id]
        possible = (
            self._of(redemption_id)["untouched"]
            and redemption["hold"] is None
            and self._of(redemption_id)["status"] == "posted"
            and not self.vouchers[redemption["voucher"]]["ended"]
        )
        refused = None if possible else Code.REDEMPTION_NOT_REVERSIBLE
        if self._reverse(EntryKind.REDEEM, Entry.subject_id == redemption_id, refused):
            self._of(redemption_id)["untouched"], redemption["bill"] = False, 0
            self._return(redemption["voucher"], redemption["drawn"])
            redemption["drawn"] = dict.fromkeys(SHARES, 0)

    def _reverse_an_issue(self, data: st.DataObject) -> None:
        voucher_id = data.draw(st.sampled_from(sorted(self.vouchers)))
        voucher = self.vouchers[voucher_id]
        free = sum(voucher["balance"].values())
        in_use = Code.VOUCHER_IN_USE if free != voucher["face"] else None
        refused = Code.WRONG_STATE if voucher["ended"] else in_use
        if self._reverse(EntryKind.ISSUE, Entry.voucher_id == voucher_id, refused):
            voucher["ended"] = True
            for source, fen in voucher["balance"].items():
                self.pools[source] += fen
                voucher["voided"] += fen
                voucher["balance"][source] = 0

    def _reverse(self, kind: EntryKind, which: ColumnElement[bool], refused: Code | None) -> bool:
        """Ask for a reversal and approve it; whether it was done. One that was done before is always refused so."""
        entry_id = self._do(lambda tx: tx.execute(select(Entry.id).where(Entry.kind == kind, which)).scalar())
        if entry_id is None:
            return False  # a redemption that drew nothing has no entry

        def ask(tx: Connection) -> str:
            return request_reversal(tx, caller=self.maker, entry_id=entry_id, reason="录入有误")

        if self._do(lambda tx: tx.execute(select(Entry.id).where(Entry.reverses_id == entry_id)).scalar()):
            assert self._refused(ask) is Code.ALREADY_REVERSED
            return False
        approval_id = self._do(ask)
        if refused is not None:
            assert self._refused(lambda tx: approve(tx, caller=self.checker, approval_id=approval_id)) is refused
            self._do(lambda tx: reject(tx, caller=self.checker, approval_id=approval_id, note="不可冲正"))
            return False
        self._approve(self.checker, approval_id)
        return True


@pytest.fixture
def machine(server: Server, template: str) -> type[PaidBooks]:
    PaidBooks.server, PaidBooks.template = server, template
    return PaidBooks


def test_the_books_agree_with_plain_dicts_whatever_is_paid_and_paid_back(machine: type[PaidBooks]) -> None:
    run_machine(
        machine,
        settings=settings(
            max_examples=8,
            stateful_step_count=30,
            deadline=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
