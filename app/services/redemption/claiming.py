"""The first steps of a batch: regions, idempotency keys, providers' numbers; and giving back what was in vain."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from app.database import timed_out_on_lock
from app.kernel.problems import AppError, Code
from app.services.idempotency import Answer, replay_of
from app.services.redemption.claims import (
    HOLD_NUMBERS,
    ORDER_NUMBERS,
    Numbers,
    Scope,
    ask_keys,
    ask_numbers,
    give_back_keys,
    give_back_numbers,
    holders_of,
    store_answers,
    stored_keys,
)
from app.services.redemption.commands import PlaceHold
from app.services.redemption.decisions import Refused
from app.services.redemption.outcomes import Outcomes
from app.sql import pipelined


class Claiming:
    """What a batch has claimed for its commands. `ids` are those of the redemptions and holds to be."""

    def __init__(self, tx: Connection, outcomes: Outcomes, ids: Sequence[str]) -> None:
        self._tx = tx
        self._outcomes = outcomes
        self._commands = outcomes.commands
        self._ids = ids
        self._at: datetime
        self._keys: set[int] = set()
        self._twins: list[tuple[int, int]] = []
        """Later commands under a key of this batch, each with the first one."""
        self._numbers: dict[Numbers, set[int]] = {ORDER_NUMBERS: set(), HOLD_NUMBERS: set()}

    def fence(self, free: Collection[str], *, at: datetime) -> None:
        """Go on with the regions whose fence was free; one that is just closing its year puts its commands off."""
        self._at = at
        for place, command in enumerate(self._commands):
            if command.region_code not in free:
                self._outcomes.put_off(place)

    def claim(self, *, wait: bool) -> None:
        """Claim every key and every provider's number, in one journey.

        A key that is taken is answered by what is stored under it; its number was then claimed for nothing. A number
        that is taken is refused, one taken in this batch waits for its rival. A twin that still runs elsewhere is
        waited for up to the lock_timeout; with `wait`, the last try, it is then told that the first is still running.
        """
        firsts: dict[Scope, int] = {}
        for place in self._outcomes.open():
            first = firsts.setdefault(self._commands[place].scope, place)
            if first != place:
                self._twins.append((place, first))
                self._outcomes.put_off(place, counts=False)
        if not firsts:
            return
        prints = {scope: self._commands[place].fingerprint() for scope, place in firsts.items()}
        with nullcontext() if wait else pipelined(self._tx):
            keys = self._ask_keys(prints, wait=wait)
            numbers = {kind: self._ask_numbers(kind, firsts.values()) for kind in self._numbers}
        self._settle_keys(firsts, prints, keys())
        for kind, claimed in numbers.items():
            self._settle_numbers(kind, claimed())

    def _ask_keys(self, prints: Mapping[Scope, bytes], *, wait: bool) -> Callable[[], set[Scope]]:
        try:
            return ask_keys(self._tx, prints, at=self._at)
        except DBAPIError as error:
            if wait and timed_out_on_lock(error):
                raise AppError(Code.REQUEST_IN_PROGRESS, retry_after_s=1) from error
            raise

    def _ask_numbers(self, kind: Numbers, places: Collection[int]) -> Callable[[], set[str]]:
        claims = {self._ids[place]: self._commands[place].number_scope for place in places if self._kind(place) is kind}
        return ask_numbers(self._tx, kind, claims) if claims else set

    def _settle_keys(self, firsts: Mapping[Scope, int], prints: Mapping[Scope, bytes], claimed: set[Scope]) -> None:
        self._keys = {place for scope, place in firsts.items() if scope in claimed}
        taken = [scope for scope in firsts if scope not in claimed]
        stored = stored_keys(self._tx, taken) if taken else {}
        for scope in taken:
            try:
                self._outcomes.settle(firsts[scope], replay_of(stored[scope], prints[scope]))
            except AppError as problem:
                self._outcomes.settle(firsts[scope], problem)

    def _settle_numbers(self, kind: Numbers, claimed: set[str]) -> None:
        self._numbers[kind] = {place for place, made in enumerate(self._ids) if made in claimed}
        places = [place for place in self._outcomes.open() if self._kind(place) is kind]
        taken = {place: self._commands[place].number_scope for place in places if self._ids[place] not in claimed}
        holders = holders_of(self._tx, kind, list(taken.values())) if taken else {}
        for place, scope in taken.items():
            holder = holders[scope]
            if holder in claimed:
                self._outcomes.put_off(place, counts=False)
            else:
                self._outcomes.refuse(place, self._already_used(kind, self._commands[place].number, holder))

    def give_back(self, made: Collection[str]) -> None:
        """Store the answers, and give back all that was claimed for nothing: `made` are the ids that came to be."""
        answers: dict[Scope, Answer] = {
            self._commands[place].scope: answer for place, answer in self._outcomes.answers() if place in self._keys
        }
        in_vain = [scope for place in self._keys if (scope := self._commands[place].scope) not in answers]
        if in_vain:
            give_back_keys(self._tx, in_vain)
        for numbers, places in self._numbers.items():
            unused = [self._commands[place].number_scope for place in places if self._ids[place] not in made]
            if unused:
                give_back_numbers(self._tx, numbers, unused)
        if answers:
            store_answers(self._tx, answers)

    def answer_twins(self) -> None:
        """Give twins the answer of the first; one that asks for something else under the same key is refused.

        Where the first has no answer to store, its twins try again.
        """
        for place, first in self._twins:
            answer = self._outcomes[first]
            if not isinstance(answer, Answer):
                continue
            if self._commands[place].fingerprint() == self._commands[first].fingerprint():
                self._outcomes.settle(place, replace(answer, replayed=True))
            else:
                self._outcomes.settle(place, AppError(Code.IDEMPOTENCY_KEY_REUSED))

    def _kind(self, place: int) -> Numbers:
        return HOLD_NUMBERS if isinstance(self._commands[place], PlaceHold) else ORDER_NUMBERS

    @staticmethod
    def _already_used(numbers: Numbers, number: str, holder: str) -> Refused:
        if numbers is HOLD_NUMBERS:
            return Refused(
                Code.HOLD_NO_ALREADY_USED,
                {"hold_no": number, "hold_id": holder, "actual": number},
                {"hold_id": holder},
            )
        context = {"order_no": number, "redemption_id": holder, "actual": number}
        return Refused(Code.ORDER_NO_ALREADY_USED, context, {"redemption_id": holder})
