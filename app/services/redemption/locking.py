"""What the commands of a batch need, locked, claimed and loaded: one step a method, in the order of the locks.

A command whose voucher, holder, day or invoice line is busy is put off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from app.kernel.clock import civil_date
from app.services.redemption.assessing import holders_of as position_holders
from app.services.redemption.billed_invoices import Billed, BilledInvoices
from app.services.redemption.capacity_counters import CapacityAsked, CapacityUses, ProviderKey, lock_capacity
from app.services.redemption.capacity_uses import days_of
from app.services.redemption.commands import Redeem
from app.services.redemption.decisions import Refused
from app.services.redemption.evidence_loading import load_grounds
from app.services.redemption.finding import hold_key
from app.services.redemption.grounds import Grounds
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
from app.services.redemption.outcomes import Outcomes
from app.services.redemption.parties import parties_of
from app.services.redemption.positions import HolderKey, Positions, lock_holders
from app.services.redemption.presented_codes import Presented, PresentedCodes
from app.services.redemption.states import MandateState, Parties, Party, ProgrammeTerms, VoucherState
from app.services.redemption.usage_references import (
    UsageClaim,
    UsageScope,
    claim_references,
    claims_of,
    holders_of_references,
)
from app.services.standing.loading import Standings, ask_standings
from app.sql import ask_now, now, pipelined


class Locked:
    """What is known under the locks, by the commands' places: what each step leaves for the next, and for deciding."""

    def __init__(
        self, tx: Connection, outcomes: Outcomes, ids: Sequence[str], found: Sequence[Found | Refused]
    ) -> None:
        self._tx = tx
        self._outcomes = outcomes
        self._commands = outcomes.commands
        self._ids = ids
        self._found = found
        self.at: datetime
        """The database's clock, after the last lock."""
        self.vouchers: dict[int, VoucherState] = {}
        self.holds: dict[int, HoldState] = {}
        self.terms: dict[int, ProgrammeTerms] = {}
        self.parties: dict[int, Parties] = {}
        self.mandates: dict[int, MandateState] = {}
        self.holders: dict[int, dict[str, str]] = {}
        """Whose counters of cumulative rules a command moves, by their kind."""
        self.codes = PresentedCodes(tx)
        self.grounds: dict[int, Grounds] = {}
        self.positions = Positions()
        self.capacity: dict[int, ProviderKey] = {}
        """Whose capacity a bill is held against together with other bills."""
        self.uses = CapacityUses()
        self.usage_claimed: dict[UsageScope, str] = {}
        self.invoices = BilledInvoices()

    def claim_codes(self) -> None:
        """Claim every payment code; one that came twice in this batch waits for its rival."""
        presented = {
            self._ids[place]: Presented(command.region_code, command.provider_id, command.payment_code)
            for place in self._outcomes.open()
            if (command := self._commands[place]).payment_code is not None
        }
        waiting = self.codes.claim(presented) if presented else frozenset()
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
        locked, live, self.at = vouchers(), mandates(), clock()
        if any(voucher.held_fen for voucher in locked.values()) and end_due_holds(tx, locked, wait=wait):
            live, self.at = load_mandates(tx, set(consents.values())), now(tx)
        of_programmes, listed, on_record = terms(), admitted(), standings()
        for place, key in keys.items():
            if key not in locked:
                self._outcomes.put_off(place)
                continue
            self.vouchers[place] = locked[key]
            self.terms[place] = of_programmes[programmes[place]]
            if (mandate := live.get(consents[place])) is not None and not self.codes.has(self._ids[place]):
                self.mandates[place] = mandate
        self.codes.load()
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
            self.holds = {place: holds[key] for place, key in asked.items()}

    def _load_parties(self, admitted: Mapping[int, Sequence[str] | None], on_record: Standings) -> None:
        """Most rules look at no fact of a party, and then the registry is not asked."""
        places = self._outcomes.open()
        wanted = {
            party
            for place in places
            if self.terms[place].looks_at_parties
            for party in (self.vouchers[place].firm_id, self._commands[place].provider_id)
        }
        on = civil_date(self.at)
        parties = load_parties(self._tx, wanted, on=on) if wanted else {}
        for place in places:
            command, firm_id = self._commands[place], self.vouchers[place].firm_id
            self.parties[place] = parties_of(
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
            self._tx, {admissions[place] for place in places if self.terms[place].looks_beyond_bills}
        )
        self.grounds = {place: grounds.get(admissions[place], _NO_GROUNDS) for place in places}

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
            command, voucher = self._commands[place], self.vouchers[place]
            if place in self.holds:
                holders = dict(self.holds[place].holders)
            else:
                holders = position_holders(
                    self.terms[place].kept_for,
                    firm_id=voucher.firm_id,
                    voucher_id=voucher.id,
                    holder=self.parties[place].holder,
                    claim={**command.claim, **voucher.terms.claim},
                )
            self.holders[place] = holders
            keys[place] = {(command.region_code, voucher.programme_id, kind, of) for kind, of in holders.items()}
        asked = {key for of_place in keys.values() for key in of_place}
        locked = lock_holders(self._tx, asked, wait=wait)
        for place, of_place in keys.items():
            if not of_place <= locked:
                self._outcomes.put_off(place)
        if locked:
            self.positions, self.at = Positions.read(self._tx, locked), now(self._tx)

    def lock_days(self, *, wait: bool) -> None:
        """Lock the days of the bills that are held against a declared capacity; those whose days are busy are put off.

        A hold takes none of it: only its redemptions tell what was used, and when.
        """
        asked: dict[int, CapacityAsked] = {}
        for place in self._outcomes.open():
            command = self._commands[place]
            if (
                self.terms[place].looks_at_capacity
                and isinstance(command, Redeem)
                and self.grounds[place].declares
                and (days := days_of(command.asked.bill)[0])
            ):
                self.capacity[place] = provider = (command.region_code, command.provider_id)
                asked[place] = CapacityAsked(provider, frozenset(days.values()))
        if asked:
            busy, self.uses, self.at = lock_capacity(self._tx, asked, wait=wait)
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
        self.usage_claimed = claimed = claim_references(self._tx, wanted)
        self.at = now(self._tx)
        holders = holders_of_references(self._tx, {one.scope for one in wanted if one.scope not in claimed})
        for place in places:
            lost = [one.scope for one in usage[place] if claimed.get(one.scope) != one.redemption_id]
            if any(scope in claimed for scope in lost):
                self._outcomes.put_off(place, counts=False)
            elif any(scope not in holders for scope in lost):
                self._outcomes.put_off(place)
            elif lost:
                billed = {scope[2]: holders[scope] for scope in lost}
                self.grounds[place] = replace(self.grounds[place], billed=billed)

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
            if self._commands[place].asked.bill.names_invoices or self.terms[place].counts_contracts
        }
        if billed:
            busy, self.at = self.invoices.lock(self._tx, billed, wait=wait)
            for place in busy:
                self._outcomes.put_off(place)

    def _billed(self, place: int) -> Billed:
        command, voucher, hold = self._commands[place], self.vouchers[place], self.holds.get(place)
        claim = {**command.claim, **voucher.terms.claim} if hold is None else hold.claim
        claims = isinstance(command, Redeem)
        bill = command.asked.bill
        return Billed(bill, claim, command.region_code, voucher.firm_id, command.provider_id, claims)


_NOBODY = Party()
_NO_GROUNDS = Grounds()
