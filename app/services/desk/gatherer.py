"""The desk: commands in, one transaction per batch, answers out.

One writer thread takes whatever waits the moment the last batch has committed; there is no timer, so a lone
command is a batch of one. The transaction runs in this thread and never in a request's task: a client that hangs
up cancels only its own waiting.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

from sqlalchemy import Connection

from app.database import CommitUnknown, Database
from app.kernel.problems import AppError, Code
from app.services.desk.turns import Turns
from app.services.idempotency import Answer
from app.services.redemption.commands import Command
from app.services.redemption.outcomes import Outcome, PutOff

TRIES = 3
"""How often a busy voucher is skipped before its commands go by themselves and wait for the lock."""

PAUSE_S = 0.005
"""Before trying again when nothing but put-off commands is there."""

COMMIT_TRIES = 3

WHOLE_BATCH = 1_000
"""What one client may let wait in any case; else three quarters of the queue, so that others find room."""


@dataclass(slots=True, eq=False)
class _Ticket:
    command: Command
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Answer]
    tries: int = 0

    def settle(self, outcome: Answer | BaseException) -> None:
        """Wake who waits, in the thread of the loop."""
        if self.future.done():  # the client hung up; what was done stays done
            return
        if isinstance(outcome, BaseException):
            self.future.set_exception(outcome)
        else:
            self.future.set_result(outcome)


def _settle(settled: Sequence[tuple[_Ticket, Answer | BaseException]]) -> None:
    """Wake all who wait for these: one call a loop, since each call rouses its thread."""
    for loop, of_loop in groupby(settled, key=lambda one: one[0].loop):
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_settle_in_loop, list(of_loop))


def _settle_in_loop(settled: Sequence[tuple[_Ticket, Answer | BaseException]]) -> None:
    for ticket, outcome in settled:
        ticket.settle(outcome)


class RunBatch(Protocol):
    """What runs inside the transaction: `redemption.batch.decide_batch`."""

    def __call__(self, tx: Connection, commands: Sequence[Command], *, wait: bool) -> list[Outcome]:
        """Outcomes at the commands' places; see there."""


class Desk:
    """A bounded queue, in which clients take turns, and its writer."""

    def __init__(self, database: Database, run: RunBatch, *, batch_limit: int, queue_limit: int) -> None:
        self._database = database
        self._run = run
        self._batch_limit = batch_limit
        self._queue_limit = queue_limit
        self._waiting: Turns[_Ticket] = Turns()
        self._changed = threading.Condition()
        self._open = True
        self._ended = False
        self.answered = 0
        """Commands settled since the start."""
        self._writer = threading.Thread(target=self._work, name="desk", daemon=True)

    def start(self) -> None:
        """Start the writer."""
        self._writer.start()

    def stop(self) -> None:
        """Take no more commands, finish what waits, return when the writer has ended."""
        with self._changed:
            self._open = False
            self._changed.notify()
        self._writer.join()

    async def submit(self, command: Command) -> Answer:
        """Hand a command over and wait for its answer.

        Raises the AppError of a refusal that is not stored; `busy` at once where the queue is full or the desk
        is closing, and then nothing was done.
        """
        (ticket,) = self._take([command])
        return await ticket.future

    async def submit_all(self, commands: Sequence[Command]) -> list[Answer | BaseException]:
        """Hand commands over together; the answer of each, or what it failed with, stands at its place.

        Each is decided alone, and they may end in several transactions. Raises `busy` at once where the queue has
        no room for all of them, and then nothing was done.
        """
        tickets = self._take(commands)
        return await asyncio.gather(*(ticket.future for ticket in tickets), return_exceptions=True)

    def _take(self, commands: Sequence[Command]) -> list[_Ticket]:
        if not commands:
            return []
        loop = asyncio.get_running_loop()
        tickets = [_Ticket(command, loop, loop.create_future()) for command in commands]
        with self._changed:
            if not self.alive or self._is_full(commands):
                raise AppError(Code.BUSY, retry_after_s=1)
            self._waiting.add(commands[0].caller.principal_id, tickets)
            self._changed.notify()
        return tickets

    def _is_full(self, commands: Sequence[Command]) -> bool:
        """Whether this client has no more room, or nobody has."""
        own = self._waiting.waiting_of(commands[0].caller.principal_id)
        most = max(WHOLE_BATCH, self._queue_limit * 3 // 4)
        return own + len(commands) > most or len(self._waiting) + len(commands) > self._queue_limit

    @property
    def waiting(self) -> int:
        """How many commands nobody has taken up yet."""
        return len(self._waiting)

    @property
    def alive(self) -> bool:
        """Whether commands handed over now will be answered."""
        return self._open and not self._ended

    def _work(self) -> None:
        try:
            self._answer_until_stopped()
        finally:
            with self._changed:
                self._ended = True
                left = self._waiting.take(len(self._waiting))
            _settle([(ticket, AppError(Code.BUSY, retry_after_s=1)) for ticket in left])

    def _answer_until_stopped(self) -> None:
        put_off: list[_Ticket] = []
        while True:
            with self._changed:
                while self._open and not self._waiting and not put_off:
                    self._changed.wait()
                if not self._waiting and not put_off:
                    return
                nothing_new = not self._waiting
                room = max(0, self._batch_limit - len(put_off))
                taken = self._waiting.take(room)
            if nothing_new:
                time.sleep(PAUSE_S)
            patient = [ticket for ticket in put_off if ticket.tries < TRIES]
            spent = [ticket for ticket in put_off if ticket.tries >= TRIES]
            put_off = self._transact([*patient, *taken], wait=False)
            for waiting in _by_lock(spent):
                put_off += self._transact(waiting, wait=True)

    def _transact(self, tickets: list[_Ticket], *, wait: bool) -> list[_Ticket]:
        """Run one batch and settle its tickets; return those that were put off.

        A batch that fails unexpectedly, or waits too long for a claim, is halved until the culprit stands alone; one
        that waited for its voucher in vain is not, as each half would wait as long.
        What went wrong is logged by the request that waits for it: nothing here may end the writer.
        """
        if not tickets:
            return []
        try:
            outcomes = self._committed([ticket.command for ticket in tickets], wait=wait)
        except Exception as error:  # noqa: BLE001 - a poisoned command must not end the writer
            code = error.code if isinstance(error, AppError) else None
            if code is Code.BUSY and len(tickets) == 1 and not wait:
                tickets[0].tries += 1
                return tickets
            if len(tickets) == 1 or code is Code.UNAVAILABLE or (code is Code.BUSY and wait):
                _settle([(ticket, error) for ticket in tickets])
                return []
            middle = len(tickets) // 2
            return self._transact(tickets[:middle], wait=wait) + self._transact(tickets[middle:], wait=wait)
        put_off: list[_Ticket] = []
        settled: list[tuple[_Ticket, Answer | BaseException]] = []
        for ticket, outcome in zip(tickets, outcomes, strict=True):
            if isinstance(outcome, PutOff):
                ticket.tries += outcome.counts
                put_off.append(ticket)
            else:
                settled.append((ticket, outcome))
        self.answered += len(settled)
        _settle(settled)
        return put_off

    def _committed(self, commands: Sequence[Command], *, wait: bool) -> list[Outcome]:
        for _ in range(COMMIT_TRIES):
            try:
                return self._database.transact(lambda tx: self._run(tx, commands, wait=wait))
            except CommitUnknown:
                continue  # the keys tell what happened: what was done is replayed, the rest is done now
        raise AppError(Code.UNAVAILABLE, retry_after_s=1)


def _by_lock(tickets: Sequence[_Ticket]) -> list[list[_Ticket]]:
    """Tickets that wait for one lock together: a busy voucher is waited for once, not once for each of its bills."""
    groups: dict[tuple[str, str], list[_Ticket]] = {}
    for ticket in tickets:
        groups.setdefault(ticket.command.about, []).append(ticket)
    return list(groups.values())
