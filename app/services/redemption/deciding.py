"""Deciding the commands of a batch one after the other, on what is locked and on what those before them left of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from app.kernel.vocabulary import EventKind, HoldStatus
from app.services.redemption import effects
from app.services.redemption.capacity_uses import counted_by
from app.services.redemption.commands import PlaceHold, Redeem
from app.services.redemption.decisions import Drawn, Refused, decide_redemption
from app.services.redemption.grounds import Grounds
from app.services.redemption.holds.decisions import decide_redemption_from, expiry_of
from app.services.redemption.locking import Locked
from app.services.redemption.outcomes import Outcome, Outcomes
from app.services.redemption.usage_references import give_back_references
from app.services.redemption.writing import Writes
from app.services.rules.position import Position


class Deciding:
    """What becomes of the commands that are still open, and all that has to be written of it."""

    def __init__(self, tx: Connection, outcomes: Outcomes, ids: Sequence[str], locked: Locked) -> None:
        self.made: set[str] = set()
        """The ids of the redemptions and holds that came to be."""
        self._tx = tx
        self._outcomes = outcomes
        self._commands = outcomes.commands
        self._ids = ids
        self._locked = locked
        self._writes = Writes()

    def decide(self) -> None:
        """Decide one after the other on the evolving state by the clock as it was after all locks."""
        for place in self._outcomes.open():
            command, at = self._commands[place], self._locked.at
            match command:
                case Redeem(hold_id=str()):
                    self._redeem_from_hold(place, command, at)
                case Redeem():
                    self._redeem(place, command, at)
                case PlaceHold():
                    self._hold(place, command, at)

    def write(self) -> None:
        """Give back payment codes and usage references claimed in vain, then write everything, set by set."""
        in_vain = {
            scope for scope, redemption_id in self._locked.usage_claimed.items() if redemption_id not in self.made
        }
        give_back_references(self._tx, in_vain)
        self._locked.codes.write(self.made)
        self._writes.write(self._tx)
        self._locked.positions.write(self._tx)
        self._locked.uses.write(self._tx)
        self._locked.invoices.write(self._tx)

    def end_holds(self) -> None:
        """Say of the holds that were used up, or redeemed for the last time, that they have ended."""
        self._writes.end_holds(self._tx)

    def _redeem(self, place: int, command: Redeem, at: datetime) -> None:
        voucher, position = self._locked.vouchers[place], self._position(place, at)
        drawn = self._drawn(place, position, self._grounds_now(place), at)
        if isinstance(drawn, Refused):
            self._outcomes.refuse(place, drawn)
            return
        consent, holders = self._consent(place), self._locked.holders[place]
        log = self._locked.terms[place].log
        made = effects.redemption(command, self._ids[place], voucher, consent, drawn, position, holders, log=log, at=at)
        self._writes.redemption(made, by=command.caller.principal_id)
        self._writes.used_fen[command.region_code, consent.mandate_id] += drawn.subsidy_fen
        self._locked.positions.add(command.region_code, voucher.programme_id, holders, drawn.counted)
        self._take_capacity(place, drawn.evidence)
        self._locked.invoices.take(place, self._ids[place], drawn)
        self._make(place, command.render(made.record))

    def _hold(self, place: int, command: PlaceHold, at: datetime) -> None:
        voucher, position = self._locked.vouchers[place], self._position(place, at)
        drawn = self._drawn(place, position, None, at)
        if isinstance(drawn, Refused):
            self._outcomes.refuse(place, drawn)
            return
        terms = self._locked.terms[place]
        days = terms.version(drawn.rule_version_id).rules.use.hold_days
        expires_at = expiry_of(command.expires_at, voucher, days, at=at)
        if isinstance(expires_at, Refused):
            self._outcomes.refuse(place, expires_at)
            return
        consent, holders = self._consent(place), self._locked.holders[place]
        made = effects.hold(
            command,
            self._ids[place],
            voucher,
            consent,
            drawn,
            position,
            holders,
            expires_at=expires_at,
            log=terms.log,
            at=at,
        )
        self._writes.hold(made, by=command.caller.principal_id)
        self._writes.used_fen[command.region_code, consent.mandate_id] += drawn.subsidy_fen
        self._locked.positions.add(command.region_code, voucher.programme_id, holders, drawn.counted)
        self._make(place, command.render(made.record))

    def _redeem_from_hold(self, place: int, command: Redeem, at: datetime) -> None:
        voucher, hold, terms = self._locked.vouchers[place], self._locked.holds[place], self._locked.terms[place]
        others = self._locked.positions.around(hold, terms)
        done = decide_redemption_from(
            hold,
            voucher,
            terms,
            self._locked.parties[place].provider,
            command.asked,
            others,
            self._grounds_now(place),
            invoices=self._locked.invoices.grounds(place),
            final=command.final,
            at=at,
            listed=self._locked.parties[place].admitted_for is not None,
        )
        if isinstance(done, Refused):
            self._outcomes.refuse(place, done)
            return
        made = effects.redemption_from(command, self._ids[place], hold, voucher, done, others, log=terms.log, at=at)
        self._writes.redemption(made, by=command.caller.principal_id)
        rest_fen = sum(fen for _, fen in done.rest)
        self._writes.used_fen[command.region_code, hold.mandate_id] -= rest_fen
        mandate = self._locked.mandates.get(place)
        if mandate is not None and mandate.id == hold.mandate_id:
            mandate.used_fen -= rest_fen
        if done.nearly_used:
            self._writes.tell(EventKind.HOLD_NEARLY_USED, hold, at=at)
        if done.ends:
            self._writes.end((hold.region_code, hold.id), HoldStatus.REDEEMED, None, at=at)
        self._locked.positions.add(command.region_code, voucher.programme_id, hold.holders, done.counted)
        self._take_capacity(place, done.evidence)
        self._locked.invoices.take(place, self._ids[place], done)
        self._make(place, command.render(made.record))

    def _drawn(self, place: int, position: Position, grounds: Grounds | None, at: datetime) -> Refused | Drawn:
        use, voucher = self._ids[place], self._locked.vouchers[place]
        by_code = self._locked.codes.has(use)
        if by_code and (refused := self._locked.codes.refuse(use, voucher_id=voucher.id, at=at)):
            return refused
        drawn = decide_redemption(
            voucher,
            self._locked.terms[place],
            self._locked.parties[place],
            self._locked.mandates.get(place),
            self._commands[place].asked,
            position,
            grounds,
            invoices=self._locked.invoices.grounds(place),
            by_payment_code=by_code,
            at=at,
        )
        if by_code and isinstance(drawn, Drawn):
            return self._locked.codes.refuse_amount(use, amount_fen=drawn.subsidy_fen) or drawn
        return drawn

    def _grounds_now(self, place: int) -> Grounds:
        """With what other bills take of the capacity by now, those before it in this batch among them."""
        provider = self._locked.capacity.get(place)
        grounds = self._locked.grounds[place]
        return grounds if provider is None else replace(grounds, taken=self._locked.uses.of(provider))

    def _take_capacity(self, place: int, evidence: Mapping[str, Any] | None) -> None:
        provider = self._locked.capacity.get(place)
        if provider is not None:
            self._locked.uses.add(provider, counted_by(evidence))

    def _consent(self, place: int) -> effects.Consent:
        return effects.Consent(self._locked.mandates.get(place), self._locked.codes.id_of(self._ids[place]))

    def _position(self, place: int, at: datetime) -> Position:
        holders, voucher = self._locked.holders[place], self._locked.vouchers[place]
        if not holders:
            return Position()
        since = self._locked.terms[place].since(at)
        return self._locked.positions.of_claim(voucher.region_code, voucher.programme_id, holders, since=since)

    def _make(self, place: int, answer: Outcome) -> None:
        self.made.add(self._ids[place])
        self._outcomes.settle(place, answer)
