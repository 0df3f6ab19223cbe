"""The checker itself: what it accepts, what it must not, and that it agrees with trying every order."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.survival.histories import DONE, Operation, Voucher, judge, step
from tests.survival.linearizability import Event


def at(invoked: float, returned: float, kind: str, asked_fen: int = 0, **answered: Any) -> Event[Operation]:
    return Event(invoked, returned, Operation(kind, asked_fen, **answered))


def drawn(invoked: float, returned: float, asked_fen: int, moved_fen: int, **seen: Any) -> Event[Operation]:
    return at(invoked, returned, "redeem", asked_fen, moved_fen=moved_fen, **seen)


def refused(invoked: float, returned: float, asked_fen: int, code: str) -> Event[Operation]:
    return at(invoked, returned, "redeem", asked_fen, outcome=code)


def returned_fen(invoked: float, returned: float, fen: int) -> Event[Operation]:
    return at(invoked, returned, "refund", fen, moved_fen=fen)


def read(invoked: float, returned: float, balance_fen: int) -> Event[Operation]:
    return at(invoked, returned, "read", moved_fen=balance_fen)


ONE_AFTER_THE_OTHER = [drawn(0, 1, 60, 60), drawn(2, 3, 60, 40), refused(4, 5, 60, "insufficient_balance")]
LINEARIZABLE = {
    "nothing happened": [],
    "one after the other": ONE_AFTER_THE_OTHER,
    "the later answer came first": [drawn(0, 9, 60, 40), drawn(1, 2, 60, 60), read(3, 4, 40)],
    "a refusal overlaps the draw that emptied it": [drawn(0, 5, 100, 100), refused(1, 2, 1, "insufficient_balance")],
    "a refund revives an empty voucher": [
        drawn(0, 1, 100, 100),
        returned_fen(2, 6, 30),
        drawn(3, 4, 50, 30),
        refused(5, 7, 1, "insufficient_balance"),
    ],
    "a read in the middle of two draws": [drawn(0, 9, 30, 30), drawn(0, 9, 30, 30), read(1, 2, 70), read(3, 4, 40)],
    "the balances seen tell the order": [drawn(0, 9, 10, 10, seen_fen=90), drawn(0, 9, 10, 10, seen_fen=100)],
    "a freeze overlaps a draw": [at(0, 9, "freeze"), drawn(0, 9, 10, 10), refused(5, 6, 10, "voucher_frozen")],
}
NOT_LINEARIZABLE = {
    "a lost update": [drawn(0, 9, 10, 10, seen_fen=100), drawn(0, 9, 10, 10, seen_fen=100)],
    "more drawn than there was": [drawn(0, 9, 60, 60), drawn(0, 9, 60, 60)],
    "less drawn than was there": [drawn(0, 1, 60, 59)],
    "refused although there was money": [drawn(0, 1, 60, 60), refused(2, 3, 60, "insufficient_balance")],
    "a stale read": [drawn(0, 1, 60, 60), read(2, 3, 100)],
    "a read of the future": [read(0, 1, 40), drawn(2, 3, 60, 60)],
    "two reads turn back time": [drawn(0, 9, 60, 60), read(1, 2, 40), read(3, 4, 100)],
    "a refund gave back twice": [drawn(0, 1, 100, 100), returned_fen(2, 3, 30), read(4, 5, 60)],
    "drawn after the freeze": [at(0, 1, "freeze"), drawn(2, 3, 10, 10)],
    "refused as frozen before the freeze": [refused(0, 1, 10, "voucher_frozen"), at(2, 3, "freeze")],
    "an answer no voucher gives": [refused(0, 1, 10, "internal_error")],
}


@pytest.mark.parametrize("name", LINEARIZABLE)
def test_what_could_have_happened_is_accepted(name: str) -> None:
    verdict = judge(LINEARIZABLE[name], 100)
    assert verdict.linearizable
    assert len(verdict.order) == len(LINEARIZABLE[name])


@pytest.mark.parametrize("name", NOT_LINEARIZABLE)
def test_what_could_not_have_happened_is_not(name: str) -> None:
    assert not judge(NOT_LINEARIZABLE[name], 100).linearizable


def test_a_verdict_tells_how_far_it_came() -> None:
    verdict = judge([*ONE_AFTER_THE_OTHER[:2], read(4, 5, 1)], 100)
    assert verdict.order == tuple(ONE_AFTER_THE_OTHER[:2])
    assert verdict.stuck == (read(4, 5, 1),)


moments = st.integers(0, 6)
fen = st.integers(1, 3)
operations = st.one_of(
    st.builds(Operation, st.just("redeem"), fen, st.just(DONE), fen),
    st.builds(Operation, st.just("redeem"), fen, st.just("insufficient_balance")),
    st.builds(lambda given_fen: Operation("refund", given_fen, DONE, given_fen), fen),
    st.builds(Operation, st.just("read"), st.just(0), st.just(DONE), st.integers(0, 5)),
)
events = st.builds(
    lambda start, length, operation: Event(start, start + length, operation), moments, moments, operations
)


@given(st.lists(events, max_size=5))
def test_it_agrees_with_trying_every_order(history: list[Event[Operation]]) -> None:
    assert judge(history, 4).linearizable == any(_explains(order) for order in permutations(history))


def _explains(order: tuple[Event[Operation], ...]) -> bool:
    if any(later.returned < earlier.invoked for n, earlier in enumerate(order) for later in order[n + 1 :]):
        return False
    voucher: Voucher | None = Voucher(4)
    for event in order:
        voucher = voucher and step(voucher, event.operation)
    return voucher is not None


@st.composite
def real_histories(draw: st.DrawFn) -> list[Event[Operation]]:
    """A voucher that answers at one moment per operation; invocation and response lie somewhere around it."""
    balance_fen, history = 50, []
    for moment in range(draw(st.integers(1, 40))):
        kind, asked_fen = draw(st.sampled_from(("redeem", "redeem", "refund", "read"))), draw(st.integers(1, 20))
        if kind == "read":
            operation = Operation("read", moved_fen=balance_fen)
        elif kind == "refund":
            operation = Operation("refund", asked_fen, moved_fen=asked_fen)
            balance_fen += asked_fen
        elif balance_fen == 0:
            operation = Operation("redeem", asked_fen, "insufficient_balance")
        else:
            moved_fen = min(asked_fen, balance_fen)
            seen_fen = draw(st.sampled_from((None, balance_fen)))
            operation = Operation("redeem", asked_fen, DONE, moved_fen, seen_fen)
            balance_fen -= moved_fen
        before, after = draw(st.integers(0, 8)), draw(st.integers(0, 8))
        history.append(Event(moment - before, moment + after, operation))
    return draw(st.permutations(history))


@given(real_histories())
@settings(deadline=None)
def test_whatever_one_voucher_answered_is_accepted(history: list[Event[Operation]]) -> None:
    assert judge(history, 50).linearizable
