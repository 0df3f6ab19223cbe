"""What follows from a decision: the record, its journal entry, and how the states look to the next command. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from app.kernel.canonical import canonical, sha256_hex
from app.kernel.ids import new_id
from app.kernel.vocabulary import Account, EntryKind, HoldStatus, RedemptionStatus, VoucherEnd
from app.services.ledger.entries import Cause, JournalEntry, Movement, freed_to
from app.services.redemption.assessing import claim_facts
from app.services.redemption.commands import Command, HoldRecord, PlaceHold, Redeem, RedemptionRecord
from app.services.redemption.decisions import Drawn
from app.services.redemption.holds.decisions import Redeemed
from app.services.redemption.holds.states import HoldState, Part, summed
from app.services.redemption.states import MandateState, Share, VoucherState
from app.services.rules.position import Position
from app.services.sealing.receipts import RecordedLeaf
from app.tlog.merkle import leaf_hash

Parts = tuple[tuple[str, int], ...]
"""Pool id and fen, in the declared order of the pools."""


@dataclass(frozen=True, slots=True)
class Consent:
    """What the firm consented by: its standing mandate, or a payment code."""

    mandate: MandateState | None
    payment_code_id: str | None

    @property
    def mandate_id(self) -> str | None:
        """The mandate, where it is one."""
        return self.mandate.id if self.mandate else None

    def use(self, fen: int) -> None:
        """Let the next command see what was drawn or held under a mandate."""
        if self.mandate is not None:
            self.mandate.used_fen += fen


@dataclass(frozen=True, slots=True)
class NewRedemption:
    """A redemption to be written. `entry` is None where nothing moved."""

    record: RedemptionRecord
    entry: JournalEntry | None


@dataclass(frozen=True, slots=True)
class NewHold:
    """A hold to be written, with its share of each pool."""

    record: HoldRecord
    entry: JournalEntry
    shares: Parts


def redemption(
    command: Redeem,
    redemption_id: str,
    voucher: VoucherState,
    consent: Consent,
    drawn: Drawn,
    position: Position,
    holders: Mapping[str, str],
    *,
    log: str | None = None,
    at: datetime,
) -> NewRedemption:
    """A bill drawn on a voucher in one step."""
    facts = claim_facts(
        command.asked.bill,
        drawn.facts,
        position,
        holders,
        drawn.counted,
        provider_id=command.provider_id,
        number={"order_no": command.order_no},
        shares=voucher.open_shares,
        evidence=drawn.evidence,
    )
    trace = canonical(drawn.trace)
    moved = movements(voucher, drawn.parts, Account.COMMITTED, Account.OBLIGATED, payee_id=command.provider_id)
    entry = _entry(command, EntryKind.REDEEM, redemption_id, voucher, drawn.rule_version_id, facts, trace, moved, at)
    _draw(voucher, drawn.parts)
    for share, part_fen in _by_pool(voucher.shares, drawn.parts):
        share.redeemed_fen += part_fen
    consent.use(drawn.subsidy_fen)
    record = _record(
        command,
        redemption_id,
        voucher,
        mandate_id=consent.mandate_id,
        payment_code_id=consent.payment_code_id,
        rule_version_id=drawn.rule_version_id,
        subsidy_fen=drawn.subsidy_fen,
        facts=facts,
        trace=trace,
        entry=entry,
        log=log,
        at=at,
    )
    return NewRedemption(record, entry)


def hold(
    command: PlaceHold,
    hold_id: str,
    voucher: VoucherState,
    consent: Consent,
    drawn: Drawn,
    position: Position,
    holders: Mapping[str, str],
    *,
    expires_at: datetime,
    log: str | None = None,
    at: datetime,
) -> NewHold:
    """Part of a voucher reserved for a bill to come."""
    facts = claim_facts(
        command.asked.bill,
        drawn.facts,
        position,
        holders,
        drawn.counted,
        provider_id=command.provider_id,
        number={"hold_no": command.hold_no},
        shares=voucher.open_shares,
    )
    trace = canonical(drawn.trace)
    moved = movements(voucher, drawn.parts, Account.COMMITTED, Account.HELD, hold_id=hold_id)
    entry = _entry(command, EntryKind.HOLD, hold_id, voucher, drawn.rule_version_id, facts, trace, moved, at)
    _draw(voucher, drawn.parts)
    voucher.held_fen += drawn.subsidy_fen
    consent.use(drawn.subsidy_fen)
    record = HoldRecord(
        **_whose(command, hold_id, voucher),
        mandate_id=consent.mandate_id,
        payment_code_id=consent.payment_code_id,
        hold_no=command.hold_no,
        rule_version_id=drawn.rule_version_id,
        bill_total_fen=command.asked.bill.total_fen,
        amount_fen=drawn.subsidy_fen,
        held_fen=drawn.subsidy_fen,
        redeemed_fen=0,
        released_fen=0,
        status=HoldStatus.OPEN,
        facts=facts.decode(),
        trace=trace.decode(),
        entry_id=entry.id,
        held_at=at,
        expires_at=expires_at,
        ended_at=None,
        frozen_at=None,
        leaf=RecordedLeaf(leaf_hash(entry.written), log),
    )
    return NewHold(record, entry, drawn.parts)


def redemption_from(
    command: Redeem,
    redemption_id: str,
    held: HoldState,
    voucher: VoucherState,
    done: Redeemed,
    others: Position,
    *,
    log: str | None = None,
    at: datetime,
) -> NewRedemption:
    """A bill drawn on a hold, which ends where it is used up or the redemption is final."""
    part_no = len(held.parts) + 1
    facts = claim_facts(
        command.asked.bill,
        done.facts,
        others,
        held.holders,
        done.counted,
        provider_id=command.provider_id,
        number={"order_no": command.order_no},
        shares=held.shares,
        evidence=done.evidence,
        hold={
            "id": held.id,
            "part_no": part_no,
            "drawn_fen": held.drawn_fen,
            "lines_before": len(done.facts.lines) - len(command.asked.bill.lines),
            "refunded": refunded_json(held.parts),
        },
    )
    trace = canonical(done.trace)
    moved = movements(
        voucher, done.parts, Account.HELD, Account.OBLIGATED, payee_id=command.provider_id, hold_id=held.id
    )
    moved += movements(voucher, done.rest, Account.HELD, Account.COMMITTED, hold_id=held.id, after=len(moved))
    entry = None
    if moved:
        version_id = held.rule_version_id
        entry = _entry(command, EntryKind.REDEEM, redemption_id, voucher, version_id, facts, trace, moved, at)
    _use_up(voucher, held, done)
    held.parts.append(Part(redemption_id, part_no, json.loads(facts), done.subsidy_fen))
    held.counted = summed(held.counted, done.counted)
    record = _record(
        command,
        redemption_id,
        voucher,
        mandate_id=held.mandate_id,
        payment_code_id=held.payment_code_id,
        hold_id=held.id,
        part_no=part_no,
        rule_version_id=held.rule_version_id,
        subsidy_fen=done.subsidy_fen,
        facts=facts,
        trace=trace,
        entry=entry,
        log=log,
        at=at,
    )
    return NewRedemption(record, entry)


def movements(
    voucher: VoucherState,
    parts: Parts,
    source: Account,
    destination: Account,
    *,
    payee_id: str | None = None,
    hold_id: str | None = None,
    after: int = 0,
) -> tuple[Movement, ...]:
    """One movement a pool, numbered on after the voucher's postings so far (and `after` more of the same entry)."""
    return tuple(
        Movement(pool_id, source, destination, part_fen, voucher.id, voucher.posting_count + n, payee_id, hold_id)
        for n, (pool_id, part_fen) in enumerate(parts, start=after + 1)
    )


def freeing(
    voucher: VoucherState,
    parts: Parts,
    source: Account,
    ended: VoucherEnd | None,
    *,
    payee_id: str | None = None,
    hold_id: str | None = None,
    lapses: bool = False,
) -> tuple[Movement, ...]:
    """The same for money that comes free: each pool's part goes to where `freed_to` says.

    `lapses`: by the rules what an expired voucher leaves is the treasury's, as if its year were closed.
    """
    closed = {share.pool_id for share in voucher.shares if share.closed or lapses}
    return tuple(
        replace(moved, destination=freed_to(voucher_ended=ended is not None, pool_closed=moved.pool_id in closed))
        for moved in movements(voucher, parts, source, Account.COMMITTED, payee_id=payee_id, hold_id=hold_id)
    )


def refunded_json(parts: Sequence[Part]) -> dict[str, dict[str, int]]:
    """What has been cancelled of each redemption of a hold, by line."""
    return {
        part.redemption_id: {str(line): fen for line, fen in sorted(part.refunded_fen.items())}
        for part in parts
        if part.refunded_fen
    }


def _record(
    command: Redeem,
    redemption_id: str,
    voucher: VoucherState,
    *,
    mandate_id: str | None,
    payment_code_id: str | None,
    hold_id: str | None = None,
    part_no: int | None = None,
    rule_version_id: str,
    subsidy_fen: int,
    facts: bytes,
    trace: bytes,
    entry: JournalEntry | None,
    log: str | None,
    at: datetime,
) -> RedemptionRecord:
    bill_total_fen = command.asked.bill.total_fen
    return RedemptionRecord(
        **_whose(command, redemption_id, voucher),
        mandate_id=mandate_id,
        payment_code_id=payment_code_id,
        hold_id=hold_id,
        part_no=part_no,
        order_no=command.order_no,
        rule_version_id=rule_version_id,
        bill_total_fen=bill_total_fen,
        subsidy_fen=subsidy_fen,
        firm_pays_fen=bill_total_fen - subsidy_fen,
        refunded_fen=0,
        bill_refunded_fen=0,
        status=RedemptionStatus.POSTED,
        facts=facts.decode(),
        trace=trace.decode(),
        entry_id=entry.id if entry else None,
        redeemed_at=at,
        leaf=RecordedLeaf(leaf_hash(entry.written), log) if entry else None,
    )


def _whose(command: Command, made_id: str, voucher: VoucherState) -> dict[str, Any]:
    return {
        "region_code": command.region_code,
        "id": made_id,
        "voucher_id": voucher.id,
        "programme_id": voucher.programme_id,
        "firm_id": voucher.firm_id,
        "provider_id": command.provider_id,
    }


def _entry(
    command: Command,
    kind: EntryKind,
    subject_id: str,
    voucher: VoucherState,
    rule_version_id: str,
    facts: bytes,
    trace: bytes,
    moved: tuple[Movement, ...],
    at: datetime,
) -> JournalEntry:
    return JournalEntry(
        region_code=command.region_code,
        id=new_id("ent", command.region_code),
        kind=kind,
        at=at,
        programme_id=voucher.programme_id,
        subject_id=subject_id,
        cause=Cause(command.caller.principal_id, command.caller.organisation_id, command.caller.request_id),
        voucher_id=voucher.id,
        rule_version_id=rule_version_id,
        facts_sha256=sha256_hex(facts),
        trace_sha256=sha256_hex(trace),
        movements=moved,
    )


def _draw(voucher: VoucherState, parts: Parts) -> None:
    for share, part_fen in _by_pool(voucher.shares, parts):
        share.balance_fen -= part_fen
        voucher.balance_fen -= part_fen
    voucher.posting_count += len(parts)


def _use_up(voucher: VoucherState, held: HoldState, done: Redeemed) -> None:
    rest_fen = sum(fen for _, fen in done.rest)
    for share, part_fen in _by_pool(held.shares, done.parts):
        share.balance_fen -= part_fen
        share.redeemed_fen += part_fen
    for share, part_fen in _by_pool(voucher.shares, done.parts):
        share.redeemed_fen += part_fen
    for share, part_fen in _by_pool(held.shares, done.rest):
        share.balance_fen -= part_fen
    for share, part_fen in _by_pool(voucher.shares, done.rest):
        share.balance_fen += part_fen
    held.held_fen -= done.subsidy_fen + rest_fen
    held.redeemed_fen += done.subsidy_fen
    held.status = HoldStatus.REDEEMED if done.ends else held.status
    voucher.held_fen -= done.subsidy_fen + rest_fen
    voucher.balance_fen += rest_fen
    voucher.posting_count += len(done.parts) + len(done.rest)


def _by_pool(shares: Sequence[Share], parts: Parts) -> list[tuple[Share, int]]:
    amounts = dict(parts)
    return [(share, amounts[share.pool_id]) for share in shares if share.pool_id in amounts]
