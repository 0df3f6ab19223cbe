"""The first steps of a batch: regions, idempotency keys, providers' numbers; and giving back what was in vain."""

from __future__ import annotations

from collections.abc import Collection, Sequence
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
    claim_keys,
    claim_numbers,
    give_back_keys,
    give_back_numbers,
    holders_of,
    store_answers,
    stored_keys,
)
from app.services.redemption.commands import PlaceHold
from app.services.redemption.decisions import Refused
from app.services.redemption.outcomes import Outcomes


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

    def keys(self, *, wait: bool) -> None:
        """Claim every key; one that is taken is answered by what is stored under it.

        A twin that still runs elsewhere is waited for up to the lock_timeout; with `wait`, which is the last try,
        it is then told that the first is still running.
        """
        by_scope: dict[Scope, int] = {}
        for place in self._outcomes.open():
            first = by_scope.setdefault(self._commands[place].scope, place)
            if first != place:
                self._twins.append((place, first))
                self._outcomes.put_off(place, counts=False)
        if not by_scope:
            return
        prints = {scope: self._commands[place].fingerprint() for scope, place in by_scope.items()}
        try:
            claimed = claim_keys(self._tx, prints, at=self._at)
        except DBAPIError as error:
            if wait and timed_out_on_lock(error):
                raise AppError(Code.REQUEST_IN_PROGRESS, retry_after_s=1) from error
            raise
        self._keys = {place for scope, place in by_scope.items() if scope in claimed}
        taken = [scope for scope in by_scope if scope not in claimed]
        stored = stored_keys(self._tx, taken) if taken else {}
        for scope in taken:
            try:
                self._outcomes.settle(by_scope[scope], replay_of(stored[scope], prints[scope]))
            except AppError as problem:
                self._outcomes.settle(by_scope[scope], problem)

    def numbers(self) -> None:
        """Claim every provider's number; one that is taken is refused, one taken in this batch waits for its rival."""
        for numbers in self._numbers:
            places = [place for place in self._outcomes.open() if self._numbers_of(place) is numbers]
            if places:
                self._claim(numbers, places)

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

    def _numbers_of(self, place: int) -> Numbers:
        return HOLD_NUMBERS if isinstance(self._commands[place], PlaceHold) else ORDER_NUMBERS

    def _claim(self, numbers: Numbers, places: list[int]) -> None:
        scopes = {place: self._commands[place].number_scope for place in places}
        claimed = claim_numbers(self._tx, numbers, {self._ids[place]: scope for place, scope in scopes.items()})
        self._numbers[numbers] = {place for place in places if self._ids[place] in claimed}
        taken = [place for place in places if self._ids[place] not in claimed]
        holders = holders_of(self._tx, numbers, [scopes[place] for place in taken]) if taken else {}
        for place in taken:
            holder = holders[scopes[place]]
            if holder in claimed:
                self._outcomes.put_off(place, counts=False)
            else:
                self._outcomes.refuse(place, self._already_used(numbers, self._commands[place].number, holder))

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
