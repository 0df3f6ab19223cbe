"""One transaction for many commands: claim, lock, decide, post, answer. The commands' order of arrival is kept.

The lock order is the same for everybody: region fence → keys → providers' numbers → payment codes → vouchers (their
holds and mandates lie under the same lock) → the holders' positions, where the programme's rules are cumulative → the
provider's days, where they hold bills against its capacity → usage references → invoice lines. A command whose voucher,
holder, day or invoice line is busy is put off and gives back all its claims; a refused one gives back all but its key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from app.kernel.clock import civil_date
from app.kernel.ids import new_id
from app.kernel.vocabulary import EventKind, HoldStatus
from app.reach import enter
from app.services.ledger.fences import ask_fences
from app.services.redemption import effects
from app.services.redemption.assessing import holders_of as position_holders
from app.services.redemption.billed_invoices import Billed, BilledInvoices
from app.services.redemption.capacity_counters import CapacityAsked, CapacityUses, ProviderKey, lock_capacity
from app.services.redemption.capacity_uses import counted_by, days_of
from app.services.redemption.claiming import Claiming
from app.services.redemption.commands import Command, PlaceHold, Redeem
from app.services.redemption.decisions import Drawn, Refused, decide_redemption
from app.services.redemption.evidence_loading import load_grounds
from app.services.redemption.finding import ask_found, hold_key
from app.services.redemption.grounds import Grounds
from app.services.redemption.holds.decisions import decide_redemption_from, expiry_of
from app.services.redemption.holds.ending import end_due_holds
from app.services.redemption.holds.loading import load_holds
from app.services.redemption.holds.states import HoldState
from app.services.redemption.loading import (
    AdmissionKey,
    Found,
    ask_admissions,
    ask_locked_vouchers,
    ask_mandates,
    ask_terms,
    load_mandates,
    load_parties,
)
from app.services.redemption.outcomes import Outcome, Outcomes
from app.services.redemption.parties import parties_of
from app.services.redemption.positions import HolderKey, Positions, lock_holders
from app.services.redemption.presented_codes import Presented, PresentedCodes
from app.services.redemption.states import MandateState, Parties, Party, ProgrammeTerms, VoucherState
from app.services.redemption.usage_references import (
    UsageClaim,
    UsageScope,
    claim_references,
    claims_of,
    give_back_references,
    holders_of_references,
)
from app.services.redemption.writing import Writes
from app.services.rules.position import Position
from app.services.standing.loading import Standings, ask_standings
from app.sql import ask_now, now, pipelined, together


def decide_batch(tx: Connection, commands: Sequence[Command], *, wait: bool) -> list[Outcome]:
    """Decide all commands in one transaction; the outcome of each stands at its place.

    With `wait` false a busy voucher or a closing region puts its commands off. Nothing a refused command had
    claimed stays, except the key with the stored answer. The caller commits.
    """
    outcomes = Outcomes(commands)
    ids = [new_id(command.PREFIX, command.region_code) for command in commands]
    claiming = Claiming(tx, outcomes, ids)
    regions = {command.region_code for command in commands}
    with pipelined(tx):
        enter(tx, regions)
        fences = ask_fences(tx, regions, wait=wait)
        found = ask_found(tx, commands)
    free, at = fences()
    claiming.fence(free, at=at)
    claiming.claim(wait=wait)
    batch = _Batch(tx, outcomes, ids, found())
    batch.claim_codes()
    batch.lock_and_load(wait=wait)
    batch.lock_positions(wait=wait)
    batch.lock_days(wait=wait)
    batch.claim_references()
    batch.lock_invoices(wait=wait)
    batch.decide()
    with together(tx):
        claiming.give_back(batch.made)
        batch.write()
    batch.end_holds()
    claiming.answer_twins()
    return outcomes.all()


class _Batch:
    """The steps from the locks on, and what each leaves for the next."""

    def __init__(
        self, tx: Connection, outcomes: Outcomes, ids: Sequence[str], found: Sequence[Found | Refused]
    ) -> None:
        self.made: set[str] = set()
        """The ids of the redemptions and holds that came to be."""
        self._tx = tx
        self._outcomes = outcomes
        self._commands = outcomes.commands
        self._ids = ids
        self._found = found
        self._vouchers: dict[int, VoucherState] = {}
        self._holds: dict[int, HoldState] = {}
        self._terms: dict[int, ProgrammeTerms] = {}
        self._parties: dict[int, Parties] = {}
        self._mandates: dict[int, MandateState] = {}
        self._holders: dict[int, dict[str, str]] = {}
        self._codes = PresentedCodes(tx)
        self._at: datetime
        """The database's clock, after the last lock."""
        self._grounds: dict[int, Grounds] = {}
        self._usage_claimed: dict[UsageScope, str] = {}
        self._positions = Positions()
        self._capacity: dict[int, ProviderKey] = {}
        """Whose capacity a bill is held against together with other bills."""
        self._uses = CapacityUses()
        self._invoices = BilledInvoices()
        self._writes = Writes()

    def claim_codes(self) -> None:
        """Claim every payment code; one that came twice in this batch waits for its rival."""
        presented = {
            self._ids[place]: Presented(command.region_code, command.provider_id, command.payment_code)
            for place in self._outcomes.open()
            if (command := self._commands[place]).payment_code is not None
        }
        waiting = self._codes.claim(presented) if presented else frozenset()
        for place in self._outcomes.open():
            if self._ids[place] in waiting:
                self._outcomes.put_off(place, counts=False)

    def lock_and_load(self, *, wait: bool) -> None:
        """Lock the vouchers in sorted order, and load what the decisions look at: under the locks, in one journey.

        That is the vouchers, the firm's consent, admissions, the programmes' terms, the clock; registry entries of the
        parties and grounds of evidence where the rules look at them; payment codes and holds where they are asked for.
        Holds whose time has run out give their money back first.
        """
        found = self._those_found()
        if not found:
            return
        tx, commands = self._tx, self._commands
        keys = {place: (commands[place].region_code, one.voucher_id) for place, one in found.items()}
        consents = {place: (*key, commands[place].provider_id) for place, key in keys.items()}
        programmes = {place: (commands[place].region_code, one.programme_id) for place, one in found.items()}
        admissions = {place: (*key, commands[place].provider_id) for place, key in programmes.items()}
        with pipelined(tx):
            vouchers = ask_locked_vouchers(tx, set(keys.values()), wait=wait)
            mandates = ask_mandates(tx, set(consents.values()))
            admitted = ask_admissions(tx, set(admissions.values()))
            terms = ask_terms(tx, set(programmes.values()))
            standings = ask_standings(tx, self._who(found))
            clock = ask_now(tx)
        locked, live, self._at = vouchers(), mandates(), clock()
        if any(voucher.held_fen for voucher in locked.values()) and end_due_holds(tx, locked, wait=wait):
            live, self._at = load_mandates(tx, set(consents.values())), now(tx)
        of_programmes, listed, on_record = terms(), admitted(), standings()
        for place, key in keys.items():
            if key not in locked:
                self._outcomes.put_off(place)
                continue
            self._vouchers[place] = locked[key]
            self._terms[place] = of_programmes[programmes[place]]
            if (mandate := live.get(consents[place])) is not None and not self._codes.has(self._ids[place]):
                self._mandates[place] = mandate
        self._codes.load()
        self._load_holds()
        self._load_parties({place: listed.get(admissions[place]) for place in keys}, on_record)
        self._load_grounds(admissions)

    def _who(self, found: Mapping[int, Found]) -> set[str]:
        """Firms and providers of bills that are not drawn on a hold: its parties were looked at when it was made."""
        return {
            one for place, of in found.items() if of.firm_id for one in (of.firm_id, self._commands[place].provider_id)
        }

    def _load_holds(self) -> None:
        asked = {place: hold for place in self._outcomes.open() if (hold := hold_key(self._commands[place]))}
        if asked:
            holds = load_holds(self._tx, set(asked.values()))
            self._holds = {place: holds[key] for place, key in asked.items()}

    def _load_parties(self, admitted: Mapping[int, Sequence[str] | None], on_record: Standings) -> None:
        """Most rules look at no fact of a party, and then the registry is not asked."""
        places = self._outcomes.open()
        wanted = {
            party
            for place in places
            if self._terms[place].looks_at_parties
            for party in (self._vouchers[place].firm_id, self._commands[place].provider_id)
        }
        on = civil_date(self._at)
        parties = load_parties(self._tx, wanted, on=on) if wanted else {}
        for place in places:
            command, firm_id = self._commands[place], self._vouchers[place].firm_id
            self._parties[place] = parties_of(
                parties.get(firm_id, _NOBODY),
                parties.get(command.provider_id, _NOBODY),
                admitted[place],
                (on_record.get(firm_id), on_record.get(command.provider_id)),
                command.region_code,
                on=on,
            )

    def _load_grounds(self, admissions: Mapping[int, AdmissionKey]) -> None:
        places = self._outcomes.open()
        grounds = load_grounds(
            self._tx, {admissions[place] for place in places if self._terms[place].looks_beyond_bills}
        )
        self._grounds = {place: grounds.get(admissions[place], _NO_GROUNDS) for place in places}

    def _those_found(self) -> dict[int, Found]:
        """The vouchers of the commands that are still open; one without a voucher is refused."""
        found: dict[int, Found] = {}
        for place in self._outcomes.open():
            match self._found[place]:
                case Refused() as refused:
                    self._outcomes.refuse(place, refused)
                case Found() as voucher:
                    found[place] = voucher
        return found

    def lock_positions(self, *, wait: bool) -> None:
        """Lock the holders whose counters the rules read; commands whose holders are busy are put off."""
        keys: dict[int, set[HolderKey]] = {}
        for place in self._outcomes.open():
            command, voucher = self._commands[place], self._vouchers[place]
            if place in self._holds:
                holders = dict(self._holds[place].holders)
            else:
                holders = position_holders(
                    self._terms[place].kept_for,
                    firm_id=voucher.firm_id,
                    voucher_id=voucher.id,
                    holder=self._parties[place].holder,
                    claim={**command.claim, **voucher.terms.claim},
                )
            self._holders[place] = holders
            keys[place] = {(command.region_code, voucher.programme_id, kind, of) for kind, of in holders.items()}
        asked = {key for of_place in keys.values() for key in of_place}
        locked = lock_holders(self._tx, asked, wait=wait)
        for place, of_place in keys.items():
            if not of_place <= locked:
                self._outcomes.put_off(place)
        if locked:
            self._positions, self._at = Positions.read(self._tx, locked), now(self._tx)

    def lock_days(self, *, wait: bool) -> None:
        """Lock the days of the bills that are held against a declared capacity; those whose days are busy are put off.

        A hold takes none of it: only its redemptions tell what was used, and when.
        """
        asked: dict[int, CapacityAsked] = {}
        for place in self._outcomes.open():
            command = self._commands[place]
            if (
                self._terms[place].looks_at_capacity
                and isinstance(command, Redeem)
                and self._grounds[place].declares
                and (days := days_of(command.asked.bill)[0])
            ):
                self._capacity[place] = provider = (command.region_code, command.provider_id)
                asked[place] = CapacityAsked(provider, frozenset(days.values()))
        if asked:
            busy, self._uses, self._at = lock_capacity(self._tx, asked, wait=wait)
            for place in busy:
                self._outcomes.put_off(place)

    def claim_references(self) -> None:
        """Claim the usages that the bills name; of one that is taken the decision is told who billed it.

        One that is taken in this batch waits for its rival, and so does one whose holder has just given it back.
        """
        places = self._outcomes.open()
        usage = {place: self._usage_of(place) for place in places}
        wanted = [claim for place in places for claim in usage[place]]
        if not wanted:
            return
        self._usage_claimed = claimed = claim_references(self._tx, wanted)
        self._at = now(self._tx)
        holders = holders_of_references(self._tx, {one.scope for one in wanted if one.scope not in claimed})
        for place in places:
            lost = [one.scope for one in usage[place] if claimed.get(one.scope) != one.redemption_id]
            if any(scope in claimed for scope in lost):
                self._outcomes.put_off(place, counts=False)
            elif any(scope not in holders for scope in lost):
                self._outcomes.put_off(place)
            elif lost:
                billed = {scope[2]: holders[scope] for scope in lost}
                self._grounds[place] = replace(self._grounds[place], billed=billed)

    def _usage_of(self, place: int) -> list[UsageClaim]:
        """What a redemption bills; a hold only expects it."""
        command = self._commands[place]
        if not isinstance(command, Redeem):
            return []
        return claims_of(
            command.asked.bill,
            region_code=command.region_code,
            provider_id=command.provider_id,
            redemption_id=self._ids[place],
        )

    def lock_invoices(self, *, wait: bool) -> None:
        """Lock the invoice lines and contracts of the bills that name any; those whose lines are busy are put off."""
        billed = {
            place: self._billed(place)
            for place in self._outcomes.open()
            if self._commands[place].asked.bill.names_invoices or self._terms[place].counts_contracts
        }
        if billed:
            busy, self._at = self._invoices.lock(self._tx, billed, wait=wait)
            for place in busy:
                self._outcomes.put_off(place)

    def _billed(self, place: int) -> Billed:
        command, voucher, hold = self._commands[place], self._vouchers[place], self._holds.get(place)
        claim = {**command.claim, **voucher.terms.claim} if hold is None else hold.claim
        claims = isinstance(command, Redeem)
        bill = command.asked.bill
        return Billed(bill, claim, command.region_code, voucher.firm_id, command.provider_id, claims)

    def decide(self) -> None:
        """Decide one after the other on the evolving state by the clock as it was after all locks."""
        for place in self._outcomes.open():
            command, at = self._commands[place], self._at
            match command:
                case Redeem(hold_id=str()):
                    self._redeem_from_hold(place, command, at)
                case Redeem():
                    self._redeem(place, command, at)
                case PlaceHold():
                    self._hold(place, command, at)

    def write(self) -> None:
        """Give back payment codes and usage references claimed in vain, then write everything, set by set."""
        in_vain = {scope for scope, redemption_id in self._usage_claimed.items() if redemption_id not in self.made}
        give_back_references(self._tx, in_vain)
        self._codes.write(self.made)
        self._writes.write(self._tx)
        self._positions.write(self._tx)
        self._uses.write(self._tx)
        self._invoices.write(self._tx)

    def end_holds(self) -> None:
        """Say of the holds that were used up, or redeemed for the last time, that they have ended."""
        self._writes.end_holds(self._tx)

    def _redeem(self, place: int, command: Redeem, at: datetime) -> None:
        voucher, position = self._vouchers[place], self._position(place, at)
        drawn = self._drawn(place, position, self._grounds_now(place), at)
        if isinstance(drawn, Refused):
            self._outcomes.refuse(place, drawn)
            return
        consent, holders = self._consent(place), self._holders[place]
        log = self._terms[place].log
        made = effects.redemption(command, self._ids[place], voucher, consent, drawn, position, holders, log=log, at=at)
        self._writes.redemption(made, by=command.caller.principal_id)
        self._writes.used_fen[command.region_code, consent.mandate_id] += drawn.subsidy_fen
        self._positions.add(command.region_code, voucher.programme_id, holders, drawn.counted)
        self._take_capacity(place, drawn.evidence)
        self._invoices.take(place, self._ids[place], drawn)
        self._make(place, command.render(made.record))

    def _hold(self, place: int, command: PlaceHold, at: datetime) -> None:
        voucher, position = self._vouchers[place], self._position(place, at)
        drawn = self._drawn(place, position, None, at)
        if isinstance(drawn, Refused):
            self._outcomes.refuse(place, drawn)
            return
        terms = self._terms[place]
        days = terms.version(drawn.rule_version_id).rules.use.hold_days
        expires_at = expiry_of(command.expires_at, voucher, days, at=at)
        if isinstance(expires_at, Refused):
            self._outcomes.refuse(place, expires_at)
            return
        consent, holders = self._consent(place), self._holders[place]
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
        self._positions.add(command.region_code, voucher.programme_id, holders, drawn.counted)
        self._make(place, command.render(made.record))

    def _redeem_from_hold(self, place: int, command: Redeem, at: datetime) -> None:
        voucher, hold, terms = self._vouchers[place], self._holds[place], self._terms[place]
        others = self._positions.around(hold, terms)
        done = decide_redemption_from(
            hold,
            voucher,
            terms,
            self._parties[place].provider,
            command.asked,
            others,
            self._grounds_now(place),
            invoices=self._invoices.grounds(place),
            final=command.final,
            at=at,
            listed=self._parties[place].admitted_for is not None,
        )
        if isinstance(done, Refused):
            self._outcomes.refuse(place, done)
            return
        made = effects.redemption_from(command, self._ids[place], hold, voucher, done, others, log=terms.log, at=at)
        self._writes.redemption(made, by=command.caller.principal_id)
        rest_fen = sum(fen for _, fen in done.rest)
        self._writes.used_fen[command.region_code, hold.mandate_id] -= rest_fen
        mandate = self._mandates.get(place)
        if mandate is not None and mandate.id == hold.mandate_id:
            mandate.used_fen -= rest_fen
        if done.nearly_used:
            self._writes.tell(EventKind.HOLD_NEARLY_USED, hold, at=at)
        if done.ends:
            self._writes.end((hold.region_code, hold.id), HoldStatus.REDEEMED, None, at=at)
        self._positions.add(command.region_code, voucher.programme_id, hold.holders, done.counted)
        self._take_capacity(place, done.evidence)
        self._invoices.take(place, self._ids[place], done)
        self._make(place, command.render(made.record))

    def _drawn(self, place: int, position: Position, grounds: Grounds | None, at: datetime) -> Refused | Drawn:
        use, voucher = self._ids[place], self._vouchers[place]
        by_code = self._codes.has(use)
        if by_code and (refused := self._codes.refuse(use, voucher_id=voucher.id, at=at)):
            return refused
        drawn = decide_redemption(
            voucher,
            self._terms[place],
            self._parties[place],
            self._mandates.get(place),
            self._commands[place].asked,
            position,
            grounds,
            invoices=self._invoices.grounds(place),
            by_payment_code=by_code,
            at=at,
        )
        if by_code and isinstance(drawn, Drawn):
            return self._codes.refuse_amount(use, amount_fen=drawn.subsidy_fen) or drawn
        return drawn

    def _grounds_now(self, place: int) -> Grounds:
        """With what other bills take of the capacity by now, those before it in this batch among them."""
        provider = self._capacity.get(place)
        grounds = self._grounds[place]
        return grounds if provider is None else replace(grounds, taken=self._uses.of(provider))

    def _take_capacity(self, place: int, evidence: Mapping[str, Any] | None) -> None:
        provider = self._capacity.get(place)
        if provider is not None:
            self._uses.add(provider, counted_by(evidence))

    def _consent(self, place: int) -> effects.Consent:
        return effects.Consent(self._mandates.get(place), self._codes.id_of(self._ids[place]))

    def _position(self, place: int, at: datetime) -> Position:
        holders, voucher = self._holders[place], self._vouchers[place]
        if not holders:
            return Position()
        since = self._terms[place].since(at)
        return self._positions.of_claim(voucher.region_code, voucher.programme_id, holders, since=since)

    def _make(self, place: int, answer: Outcome) -> None:
        self.made.add(self._ids[place])
        self._outcomes.settle(place, answer)


_NOBODY = Party()
_NO_GROUNDS = Grounds()
