"""Faults that a worker of the tests brings upon itself; the product knows nothing of them.

Every point names a function of the product by its import path, in `POINTS` and nowhere else. A new kind of command
(a hold, a payment code) adds its points to the table.
"""

from __future__ import annotations

import functools
import importlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

DESK = "desk"
"""The name of the writer's thread: elsewhere (signing in, reading) the same functions do not count."""


def _always(*_: Any) -> bool:
    return True


def _says(words: str) -> Callable[..., bool]:
    return lambda _, query, *__: isinstance(query, bytes) and words.encode() in query


STATEMENT = "psycopg:Cursor.execute"
"""Where the service has no function for a step of its own: after a statement, whoever had it made."""


@dataclass(frozen=True, slots=True)
class Point:
    """The moment at which a function has just returned: `module:name` or `module:Class.name`."""

    path: str
    counts: Callable[..., bool] = _always
    """Whether a call with these arguments is meant."""
    thread: str | None = DESK


POINTS: Mapping[str, Point] = {
    "region fenced": Point(STATEMENT, _says("pg_try_advisory_xact_lock_shared")),
    "keys asked for": Point("app.services.redemption.claims:ask_keys"),
    "keys and order numbers claimed": Point("app.services.redemption.claiming:Claiming.claim"),
    "vouchers locked": Point("app.services.redemption.loading:ask_locked_vouchers"),
    "positions locked": Point("app.services.redemption.positions:lock_holders"),
    "decided": Point("app.services.redemption.decisions:decide_redemption"),
    "answers rendered": Point("app.services.redemption.claims:store_answers"),
    "postings rendered": Point("app.services.ledger.journal:post"),
    "all written": Point(STATEMENT, _says("INSERT INTO redemptions ")),
    "committed": Point("app.database:Database.transact"),
}
HOLD_POINTS: Mapping[str, Point] = {
    "hold numbers asked for": Point(STATEMENT, _says("INSERT INTO hold_numbers ")),
    "holds locked": Point("app.services.redemption.loading:ask_locked_vouchers"),
    "hold decided": Point("app.services.redemption.holds.decisions:decide_redemption_from"),
    "hold written": Point(STATEMENT, _says("INSERT INTO holds ")),
    "hold used up": Point(STATEMENT, _says("UPDATE holds h SET status")),
    "hold committed": Point("app.database:Database.transact"),
}
CODE_POINTS: Mapping[str, Point] = {
    "codes claimed": Point("app.services.redemption.payment_codes:claim_payment_codes"),
    "code judged": Point("app.services.redemption.payment_codes:refuse_payment_code"),
    "codes written": Point(STATEMENT, _says("INSERT INTO redemptions ")),
    "codes committed": Point("app.database:Database.transact"),
}
REFUND_POINTS: Mapping[str, Point] = {
    "refund posted": Point("app.services.ledger.journal:post", thread=None),
    "refund written": Point("app.services.redemption.refunds:refund", thread=None),
    "refund committed": Point("app.services.idempotency:run_once", thread=None),
}


@dataclass(frozen=True, slots=True)
class Kill:
    """SIGKILL to oneself when the point is reached for the `nth` time."""

    point: str
    nth: int

    def arm(self) -> None:
        point = {**POINTS, **HOLD_POINTS, **CODE_POINTS, **REFUND_POINTS}[self.point]
        left = self.nth

        def after(original: Callable[..., Any]) -> Callable[..., Any]:
            @functools.wraps(original)
            def call(*args: Any, **named: Any) -> Any:
                nonlocal left
                result = original(*args, **named)
                if point.thread in {None, threading.current_thread().name} and point.counts(*args):
                    left -= 1
                    if left == 0:
                        os.kill(os.getpid(), signal.SIGKILL)
                return result

            return call

        _wrap(point.path, after)


@dataclass(frozen=True, slots=True)
class RememberedBalance:
    """A lost update: balances are those of the lock before, as a cache would have them, whoever has drawn since.

    The rest of the state is read under the lock, so that no constraint of the database stands in the way.
    """

    def arm(self) -> None:
        remembered: dict[Any, list[int]] = {}

        def lock(original: Callable[..., Any]) -> Callable[..., Any]:
            @functools.wraps(original)
            def call(*args: Any, **named: Any) -> Any:
                asked = original(*args, **named)

                def states() -> Any:
                    locked = asked()
                    for key, state in locked.items():
                        now_fen = [share.balance_fen for share in state.shares]
                        for share, fen in zip(state.shares, remembered.get(key, now_fen), strict=True):
                            share.balance_fen = fen
                        state.balance_fen = sum(share.balance_fen for share in state.shares)
                        remembered[key] = now_fen
                    return locked

                return states

            return call

        _wrap(POINTS["vouchers locked"].path, lock)


Fault = Kill | RememberedBalance


def _wrap(path: str, wrapper: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Replace a function wherever the service has it by name; who imported it first does not matter."""
    module_name, _, name = path.partition(":")
    owner: Any = importlib.import_module(module_name)
    *outer, name = name.split(".")
    for part in outer:
        owner = getattr(owner, part)
    original = getattr(owner, name)
    wrapped = wrapper(original)
    setattr(owner, name, wrapped)
    for module_name, module in list(sys.modules.items()):
        if module_name.partition(".")[0] == "app":
            for known_as, value in list(vars(module).items()):
                if value is original:
                    setattr(module, known_as, wrapped)
