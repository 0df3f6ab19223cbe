"""What clients of one voucher saw, as a history, and the voucher that could explain it: a bounded counter. Pure.

Each kind of operation has one row in `STEPS` and one way from its answer (`operation_of`): a hold or a release will be
a row more, and `Voucher` may grow a field.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from tests.survival.clients import Answered, Response
from tests.survival.linearizability import Event, Verdict, check

DONE = "done"


class Voucher(NamedTuple):
    """The state that one operation leaves for the next."""

    balance_fen: int
    frozen: bool = False


class Operation(NamedTuple):
    """What was asked and what was answered. Amounts are fen.

    `outcome` is `done` or a problem's code; `moved_fen` was drawn, given back or read; `seen_fen` is the balance that
    the answer says it started from, None where it does not say.
    """

    kind: str
    asked_fen: int = 0
    outcome: str = DONE
    moved_fen: int = 0
    seen_fen: int | None = None


def step(voucher: Voucher, operation: Operation) -> Voucher | None:
    """The voucher after the operation, None where it could not have been answered so."""
    return STEPS[operation.kind](voucher, operation)


def _redeem(voucher: Voucher, operation: Operation) -> Voucher | None:
    """It draws the least of what was asked and the balance; only an empty voucher refuses for want of balance."""
    if voucher.frozen or operation.outcome == "voucher_frozen":
        return voucher if voucher.frozen and operation.outcome == "voucher_frozen" else None
    if operation.outcome == "insufficient_balance":
        return voucher if voucher.balance_fen == 0 else None
    fits = (
        operation.outcome == DONE
        and voucher.balance_fen > 0
        and operation.moved_fen == min(operation.asked_fen, voucher.balance_fen)
        and operation.seen_fen in {None, voucher.balance_fen}
    )
    return voucher._replace(balance_fen=voucher.balance_fen - operation.moved_fen) if fits else None


def _refund(voucher: Voucher, operation: Operation) -> Voucher | None:
    if operation.outcome != DONE or operation.moved_fen != operation.asked_fen:
        return None
    return voucher._replace(balance_fen=voucher.balance_fen + operation.moved_fen)


def _read(voucher: Voucher, operation: Operation) -> Voucher | None:
    return voucher if operation.moved_fen == voucher.balance_fen else None


def _freeze(voucher: Voucher, operation: Operation) -> Voucher | None:
    return voucher._replace(frozen=True) if operation.outcome == DONE and not voucher.frozen else None


STEPS: Mapping[str, Callable[[Voucher, Operation], Voucher | None]] = {
    "redeem": _redeem,
    "refund": _refund,
    "read": _read,
    "freeze": _freeze,
}


def operation_of(kind: str, asked_fen: int, response: Response) -> Operation:
    """What an answer says of the voucher."""
    body = response.json
    if response.status >= 400:
        return Operation(kind, asked_fen, body["code"])
    if kind == "refund":
        return Operation(kind, asked_fen, moved_fen=body["refund"]["subsidy_refund_fen"])
    if kind == "read":
        return Operation(kind, moved_fen=body["balance_fen"])
    return Operation(kind, asked_fen, moved_fen=body["subsidy_fen"], seen_fen=_balance_seen(body["trace"]))


def _balance_seen(trace: Mapping[str, Any]) -> int:
    seen: int = next(found["balance_fen"] for found in trace["steps"] if found["step"] == "voucher")
    return seen


def history_of(answered: Iterable[Answered]) -> list[Event[Operation]]:
    """The history of one voucher's requests. Twins under one key are one operation, over by its first answer."""
    by_key: dict[str, Event[Operation]] = {}
    for one in answered:
        operation = operation_of(one.request.kind, one.request.asked_fen, one.response)
        event = Event(one.invoked, one.returned, operation)
        twin = by_key.setdefault(one.request.key, event)
        assert twin.operation == operation, f"{one.request.key} had two answers"
        by_key[one.request.key] = Event(min(twin.invoked, event.invoked), min(twin.returned, event.returned), operation)
    return list(by_key.values())


def judge(history: Iterable[Event[Operation]], face_fen: int) -> Verdict[Operation]:
    """Look for an order in which one voucher of this face value could have answered so."""
    return check(list(history), Voucher(face_fen), step)


def assert_linearizable(history: Iterable[Event[Operation]], face_fen: int) -> None:
    verdict = judge(history, face_fen)
    told = ["no order explains these answers; after", *verdict.order[-8:], "came none of", *verdict.stuck]
    assert verdict.linearizable, "\n".join(map(str, told))
