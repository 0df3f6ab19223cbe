"""One transaction for many redemptions: lock, decide, post, answer. The commands' order of arrival is kept.

The lock order is the same for everybody: region fence → keys → order numbers → vouchers (their mandates lie
under the same lock) → the holders' positions, where the programme's rules are cumulative. A command whose voucher or
holder is busy is put off and gives back all its claims; a refused one gives back all but its key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from app.database import BulkInsert, now, timed_out_on_lock
from app.kernel.canonical import canonical, sha256_hex
from app.kernel.clock import civil_date
from app.kernel.ids import new_id
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import Account, EntryKind, RedemptionStatus
from app.models import Redemption as RedemptionTable
from app.services.idempotency import Answer, replay_of
from app.services.ledger.entries import Cause, JournalEntry, Movement
from app.services.ledger.fences import try_fences
from app.services.ledger.journal import post
from app.services.redemption.assessing import holders_of as position_holders
from app.services.redemption.assessing import redemption_facts
from app.services.redemption.claims import (
    Scope,
    claim_keys,
    claim_orders,
    give_back_keys,
    give_back_orders,
    holders_of,
    store_answers,
    stored_keys,
)
from app.services.redemption.commands import Redeem, RedemptionRecord
from app.services.redemption.decisions import Drawn, Refused, decide_redemption
from app.services.redemption.loading import (
    find_vouchers,
    load_admissions,
    load_mandates,
    load_parties,
    load_terms,
    lock_vouchers,
)
from app.services.redemption.positions import HolderKey, Positions, lock_holders
from app.services.redemption.states import MandateState, Parties, Party, ProgrammeTerms, VoucherState
from app.services.rules.position import Position


@dataclass(frozen=True, slots=True)
class PutOff:
    """Not decided: what it needs is busy. `counts` is false where it only waits for its twin."""

    counts: bool = True


Outcome = Answer | AppError | PutOff
"""An answer to send, a refusal that leaves no trace, or another try."""

_REDEMPTIONS = BulkInsert(
    RedemptionTable.__table__,
    (
        "region_code",
        "id",
        "voucher_id",
        "programme_id",
        "firm_id",
        "provider_id",
        "mandate_id",
        "order_no",
        "rule_version_id",
        "bill_total_fen",
        "subsidy_fen",
        "firm_pays_fen",
        "refunded_fen",
        "bill_refunded_fen",
        "status",
        "facts",
        "trace",
        "entry_id",
        "redeemed_at",
        "redeemed_by",
    ),
)
_USE_MANDATES = text(
    "UPDATE mandates m SET used_fen = m.used_fen + drawn.fen"
    " FROM unnest(CAST(:regions AS text[]), CAST(:ids AS text[]), CAST(:fen AS bigint[]))"
    " AS drawn(region_code, id, fen)"
    " WHERE m.region_code = drawn.region_code AND m.id = drawn.id"
)


def redeem_batch(tx: Connection, commands: Sequence[Redeem], *, wait: bool) -> list[Outcome]:
    """Decide all commands in one transaction; the outcome of each stands at its place.

    With `wait` false a busy voucher or a closing region puts its commands off. Nothing a refused command had
    claimed stays, except the key with the stored answer. The caller commits.
    """
    batch = _Batch(tx, commands)
    batch.fence(wait=wait)
    batch.claim_keys(wait=wait)
    batch.claim_orders()
    batch.lock(wait=wait)
    batch.load()
    batch.lock_positions(wait=wait)
    batch.decide()
    batch.write()
    return batch.outcomes()


class _Batch:
    """The steps of one batch, and what each leaves for the next."""

    def __init__(self, tx: Connection, commands: Sequence[Redeem]) -> None:
        self._tx = tx
        self._commands = commands
        self._ids = [new_id("rdm", command.region_code) for command in commands]
        self._outcomes: dict[int, Outcome] = {}
        self._key_claimed: set[int] = set()
        self._order_claimed: set[int] = set()
        self._vouchers: dict[int, VoucherState] = {}
        self._terms: dict[int, ProgrammeTerms] = {}
        self._parties: dict[int, Parties] = {}
        self._mandates: dict[int, MandateState] = {}
        self._holders: dict[int, dict[str, str]] = {}
        self._positions = Positions()
        self._records: list[RedemptionRecord] = []
        self._rows: list[dict[str, Any]] = []
        self._entries: list[JournalEntry] = []

    def outcomes(self) -> list[Outcome]:
        return [self._outcomes[place] for place in range(len(self._commands))]

    def _open(self) -> list[int]:
        return [place for place in range(len(self._commands)) if place not in self._outcomes]

    def fence(self, *, wait: bool) -> None:
        """Take each region's shared fence; a region that is just closing its year puts its commands off."""
        free = try_fences(self._tx, {command.region_code for command in self._commands}, wait=wait)
        for place, command in enumerate(self._commands):
            if command.region_code not in free:
                self._outcomes[place] = PutOff()

    def claim_keys(self, *, wait: bool) -> None:
        """Claim every key; one that is taken is answered by what is stored under it.

        A twin that still runs elsewhere is waited for up to the lock_timeout; with `wait`, which is the last try,
        it is then told that the first is still running.
        """
        by_scope: dict[Scope, int] = {}
        for place in self._open():
            if by_scope.setdefault(self._commands[place].scope, place) != place:
                self._outcomes[place] = PutOff(counts=False)
        if not by_scope:
            return
        prints = {scope: self._commands[place].fingerprint() for scope, place in by_scope.items()}
        try:
            claimed = claim_keys(self._tx, prints, at=now(self._tx))
        except DBAPIError as error:
            if wait and timed_out_on_lock(error):
                raise AppError(Code.REQUEST_IN_PROGRESS, retry_after_s=1) from error
            raise
        self._key_claimed = {place for scope, place in by_scope.items() if scope in claimed}
        taken = [scope for scope in by_scope if scope not in claimed]
        stored = stored_keys(self._tx, taken) if taken else {}
        for scope in taken:
            try:
                self._outcomes[by_scope[scope]] = replay_of(stored[scope], prints[scope])
            except AppError as problem:
                self._outcomes[by_scope[scope]] = problem

    def claim_orders(self) -> None:
        """Claim every order number; one that is taken is refused, one taken in this batch waits for its rival."""
        places = self._open()
        if not places:
            return
        claimed = claim_orders(self._tx, {self._ids[place]: self._commands[place].order for place in places})
        self._order_claimed = {place for place in places if self._ids[place] in claimed}
        taken = [place for place in places if place not in self._order_claimed]
        holders = holders_of(self._tx, [self._commands[place].order for place in taken]) if taken else {}
        for place in taken:
            holder, order_no = holders[self._commands[place].order], self._commands[place].order_no
            if holder in claimed:
                self._put_off(place, counts=False)
            else:
                context = {"order_no": order_no, "redemption_id": holder}
                self._refuse(place, Refused(Code.ORDER_NO_ALREADY_USED, context, {"redemption_id": holder}))

    def lock(self, *, wait: bool) -> None:
        """Find the vouchers by code and lock them in sorted order."""
        places = self._open()
        if not places:
            return
        asked = {place: (self._commands[place].region_code, self._commands[place].voucher_code) for place in places}
        found = find_vouchers(self._tx, set(asked.values()))
        keys = {place: (code[0], found[code]) for place, code in asked.items() if code in found}
        locked = lock_vouchers(self._tx, set(keys.values()), wait=wait) if keys else {}
        for place in places:
            if place not in keys:
                self._refuse(place, Refused(Code.VOUCHER_NOT_FOUND))
            elif keys[place] in locked:
                self._vouchers[place] = locked[keys[place]]
            else:
                self._put_off(place)

    def load(self) -> None:
        """Load what the decisions look at: consent, admission, the programme's terms, the parties' registry entries.

        Most rules look at no fact of a party, and then the registry is not asked.
        """
        places = self._open()
        if not places:
            return
        tx, commands, vouchers = self._tx, self._commands, self._vouchers
        consents = {
            place: (commands[place].region_code, vouchers[place].id, commands[place].provider_id) for place in places
        }
        programmes = {place: (commands[place].region_code, vouchers[place].programme_id) for place in places}
        admissions = {place: (*programmes[place], commands[place].provider_id) for place in places}
        mandates = load_mandates(tx, set(consents.values()))
        admitted = load_admissions(tx, set(admissions.values()))
        terms = load_terms(tx, set(programmes.values()))
        wanted = {
            party
            for place in places
            if _looks_at_parties(terms[programmes[place]])
            for party in (vouchers[place].firm_id, commands[place].provider_id)
        }
        parties = load_parties(tx, wanted, on=civil_date(now(tx))) if wanted else {}
        for place in places:
            self._terms[place] = terms[programmes[place]]
            self._parties[place] = Parties(
                holder=parties.get(vouchers[place].firm_id, _NOBODY),
                provider=parties.get(commands[place].provider_id, _NOBODY),
                admitted_for=admitted.get(admissions[place]),
            )
            if (mandate := mandates.get(consents[place])) is not None:
                self._mandates[place] = mandate

    def lock_positions(self, *, wait: bool) -> None:
        """Lock the holders whose counters the rules read; commands whose holders are busy are put off."""
        keys: dict[int, set[HolderKey]] = {}
        for place in self._open():
            command, voucher = self._commands[place], self._vouchers[place]
            claim = {**command.claim, **voucher.terms.claim}
            holders = position_holders(
                self._terms[place].kept_for(),
                firm_id=voucher.firm_id,
                voucher_id=voucher.id,
                holder=self._parties[place].holder,
                claim=claim,
            )
            self._holders[place] = holders
            keys[place] = {(command.region_code, voucher.programme_id, kind, of) for kind, of in holders.items()}
        asked = {key for of_place in keys.values() for key in of_place}
        locked = lock_holders(self._tx, asked, wait=wait)
        for place, of_place in keys.items():
            if not of_place <= locked:
                self._put_off(place)
        self._positions = Positions.read(self._tx, locked)

    def decide(self) -> None:
        """Decide one after the other on the evolving state, and render each answer."""
        places = self._open()
        if not places:
            return
        at = now(self._tx)
        for place in places:
            command, voucher, mandate = self._commands[place], self._vouchers[place], self._mandates.get(place)
            position = self._positions.of_claim(
                command.region_code, voucher.programme_id, self._holders[place], since=self._terms[place].since(at)
            )
            decision = decide_redemption(
                voucher,
                self._terms[place],
                self._parties[place],
                mandate,
                command.asked,
                position,
                at=at,
            )
            if isinstance(decision, Refused):
                self._refuse(place, decision)
            else:
                assert mandate is not None, "a draw has consent"
                self._draw(place, decision, mandate, position, at)

    def _draw(self, place: int, drawn: Drawn, mandate: MandateState, position: Position, at: datetime) -> None:
        command, voucher = self._commands[place], self._vouchers[place]
        facts = redemption_facts(
            command.asked.bill,
            drawn.facts,
            position,
            self._holders[place],
            drawn.counted,
            provider_id=command.provider_id,
            order_no=command.order_no,
            shares=voucher.shares,
        )
        trace = canonical(drawn.trace)
        entry = JournalEntry(
            region_code=command.region_code,
            id=new_id("ent", command.region_code),
            kind=EntryKind.REDEEM,
            at=at,
            programme_id=voucher.programme_id,
            subject_id=self._ids[place],
            cause=Cause(command.caller.principal_id, command.caller.organisation_id, command.caller.request_id),
            voucher_id=voucher.id,
            rule_version_id=drawn.rule_version_id,
            facts_sha256=sha256_hex(facts),
            trace_sha256=sha256_hex(trace),
            movements=tuple(
                Movement(
                    pool_id,
                    Account.COMMITTED,
                    Account.OBLIGATED,
                    part_fen,
                    voucher.id,
                    voucher.posting_count + n,
                    command.provider_id,
                )
                for n, (pool_id, part_fen) in enumerate(drawn.parts, start=1)
            ),
        )
        record = RedemptionRecord(
            region_code=command.region_code,
            id=self._ids[place],
            voucher_id=voucher.id,
            programme_id=voucher.programme_id,
            firm_id=voucher.firm_id,
            provider_id=command.provider_id,
            mandate_id=mandate.id,
            order_no=command.order_no,
            rule_version_id=drawn.rule_version_id,
            bill_total_fen=command.asked.bill.total_fen,
            subsidy_fen=drawn.subsidy_fen,
            firm_pays_fen=drawn.firm_pays_fen,
            refunded_fen=0,
            bill_refunded_fen=0,
            status=RedemptionStatus.POSTED,
            facts=facts.decode(),
            trace=trace.decode(),
            entry_id=entry.id,
            redeemed_at=at,
        )
        self._outcomes[place] = command.render(record)
        self._entries.append(entry)
        self._records.append(record)
        self._rows.append(
            {name: getattr(record, name) for name in RedemptionRecord.__slots__}
            | {"redeemed_by": command.caller.principal_id}
        )
        _evolve(voucher, mandate, drawn)
        self._positions.add(command.region_code, voucher.programme_id, self._holders[place], drawn.counted)

    def write(self) -> None:
        """Give back what was claimed in vain, then write everything, set by set."""
        answers = {
            self._commands[place].scope: outcome
            for place in sorted(self._key_claimed)
            if isinstance(outcome := self._outcomes[place], Answer)
        }
        keys_in_vain = [scope for place in self._key_claimed if (scope := self._commands[place].scope) not in answers]
        if keys_in_vain:
            give_back_keys(self._tx, keys_in_vain)
        used = {record.id for record in self._records}
        orders_in_vain = [self._commands[place].order for place in self._order_claimed if self._ids[place] not in used]
        if orders_in_vain:
            give_back_orders(self._tx, orders_in_vain)
        if self._entries:
            post(self._tx, self._entries)
            _REDEMPTIONS(self._tx, self._rows)
            self._use_mandates()
            self._positions.write(self._tx)
        if answers:
            store_answers(self._tx, answers)

    def _use_mandates(self) -> None:
        drawn: dict[tuple[str, str], int] = {}
        for record in self._records:
            key = (record.region_code, record.mandate_id)
            drawn[key] = drawn.get(key, 0) + record.subsidy_fen
        keys = sorted(drawn)
        self._tx.execute(
            _USE_MANDATES,
            {
                "regions": [region_code for region_code, _ in keys],
                "ids": [mandate_id for _, mandate_id in keys],
                "fen": [drawn[key] for key in keys],
            },
        )

    def _refuse(self, place: int, refused: Refused) -> None:
        problem = AppError(refused.code, errors=refused.errors, extra=dict(refused.extra), **refused.context)
        self._outcomes[place] = self._commands[place].render_refusal(problem) or problem

    def _put_off(self, place: int, *, counts: bool = True) -> None:
        self._outcomes[place] = PutOff(counts)


_NOBODY = Party()


def _looks_at_parties(terms: ProgrammeTerms) -> bool:
    return any(name.startswith(("holder.", "provider.")) for name in terms.looks_at())


def _evolve(voucher: VoucherState, mandate: MandateState, drawn: Drawn) -> None:
    """Let the next command of the batch see what this one did."""
    parts = dict(drawn.parts)
    for share in voucher.shares:
        share.balance_fen -= parts.get(share.pool_id, 0)
        share.redeemed_fen += parts.get(share.pool_id, 0)
    voucher.balance_fen -= drawn.subsidy_fen
    voucher.posting_count += len(drawn.parts)
    mandate.used_fen += drawn.subsidy_fen
