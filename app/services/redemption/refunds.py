"""Refunds before settlement: part of a bill is cancelled, and the whole position is assessed anew."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, case, func, insert, select, update

from app.database import now
from app.kernel.canonical import canonical, sha256_hex
from app.kernel.clock import civil_date
from app.kernel.ids import new_id
from app.kernel.problems import AppError, Code, FieldError
from app.kernel.vocabulary import Account, EntryKind, RedemptionStatus, Role
from app.models import Allotment, Posting, Redemption, Refund, RuleVersion
from app.services.identity.principals import Caller
from app.services.ledger.entries import Cause, JournalEntry
from app.services.ledger.journal import post
from app.services.ledger.pools import lock_pools
from app.services.redemption.assessing import FORMAT, Counts, counts_json, counts_of_json, peeled
from app.services.redemption.commands import RedemptionRecord
from app.services.redemption.consents import use_mandates
from app.services.redemption.decisions import Returned, decide_refund, end_of
from app.services.redemption.effects import movements
from app.services.redemption.holds.loading import load_holds
from app.services.redemption.holds.states import Part, summed
from app.services.redemption.loading import load_terms, lock_vouchers, parse_rules
from app.services.redemption.positions import HolderKey, Positions, lock_holders
from app.services.redemption.reads import RefundRecord, read_redemption
from app.services.redemption.states import DatedRules, Share, VoucherState
from app.services.redemption.usage_references import free_references
from app.services.redemption.whole_positions import WholePosition
from app.services.rules.position import NOTHING, Kept, Position
from app.services.rules.position import Counter as Counted
from app.services.rules.terms import add_months
from app.services.sealing.receipts import RecordedLeaf
from app.tlog.merkle import leaf_hash


@dataclass(frozen=True, slots=True)
class RefundLine:
    """How much of one line of the bill is cancelled. Lines count from 1; the amount is fen with VAT."""

    line: int
    amount_fen: int


def refund(
    tx: Connection,
    *,
    caller: Caller,
    redemption_id: str,
    amount_fen: int | None,
    lines: Sequence[RefundLine],
    reason: str,
) -> tuple[list[RefundRecord], RedemptionRecord]:
    """Cancel part of a bill and give back what is then too much; return the refund and the redemption after it.

    Either `lines` says what is cancelled of each, or `amount_fen` does where there is no doubt: the bill has one
    line, or all that is left is cancelled. The bills of one hold are one position: where more goes back than this
    redemption drew, the refunds of the others follow in the list. Raises `not_found`, `refund_exceeds_redemption`,
    `validation_failed`, `wrong_state` once the redemption is in a settlement.
    """
    caller.require(Role.PROVIDER)
    redemption = read_redemption(tx, caller=caller, redemption_id=redemption_id)
    voucher = _lock_voucher(tx, redemption)
    redemption = read_redemption(tx, caller=caller, redemption_id=redemption_id)  # as it is under the lock
    if redemption.status != RedemptionStatus.POSTED:
        raise AppError(Code.WRONG_STATE, actual=redemption.status, expected=RedemptionStatus.POSTED)

    position = _position_of(tx, redemption)
    cancelled = _cancelled(redemption, position.part(redemption.id).refunded_fen, amount_fen, lines)
    position.cancel(redemption.id, cancelled)
    version = _rules(tx, redemption)
    counters = _lock_counters(tx, redemption, position.holders)
    _lock_pools_if_ended(tx, voucher)
    at = now(tx)
    since = add_months(civil_date(position.judged_at), -version.rules.rolling_months)
    others = counters.of_claim(redemption.region_code, redemption.programme_id, position.holders, since=since)
    others = position.others(others, version.rules)
    returned = decide_refund(
        voucher,
        version,
        position.left(),
        others,
        kept=_kept(tx, redemption, position.holders),
        drawn_fen=position.drawn_fen,
        at=at,
    )
    target = position.counts(returned.assessment, position.drawn_fen - returned.subsidy_fen)
    recounted = difference_of(target, position.counted, restores_cap=version.rules.adjustment.restores_cap)
    counters.add(redemption.region_code, redemption.programme_id, position.holders, recounted)
    counters.write(tx)
    facts = {
        "v": FORMAT,
        "redemption": redemption.id,
        "cancelled": _by_line(cancelled),
        "refunded": _by_line(position.part(redemption.id).refunded_fen),
        "drawn_fen": position.drawn_fen,
        "position": counts_json(tuple(others.items())),
        "holders": dict(position.holders),
        "counted": counts_json(recounted),
        **position.told(),
    }
    trace = canonical(returned.trace)
    made: list[RefundRecord] = []
    for other_id, piece_fen in position.pieces(returned.subsidy_fen, redemption.id):
        other = read_redemption(tx, caller=caller, redemption_id=other_id)
        if other.status != RedemptionStatus.POSTED:
            raise AppError(Code.WRONG_STATE, actual=other.status, expected=RedemptionStatus.POSTED)
        first_id = made[0].id if made else None
        told = facts if first_id is None else _because_of(first_id, other.id, position)
        cancelled_fen = sum(cancelled.values()) if first_id is None else 0
        made.append(
            _refund_one(
                tx, caller, other, voucher, returned, piece_fen, cancelled_fen, first_id, told, trace, reason, at
            )
        )
    use_mandates(tx, {(redemption.region_code, redemption.mandate_id): -returned.subsidy_fen})
    return made, read_redemption(tx, caller=caller, redemption_id=redemption_id)


def _refund_one(
    tx: Connection,
    caller: Caller,
    redemption: RedemptionRecord,
    voucher: VoucherState,
    returned: Returned,
    piece_fen: int,
    cancelled_fen: int,
    because_of_id: str | None,
    told: Mapping[str, Any],
    trace: bytes,
    reason: str,
    at: datetime,
) -> RefundRecord:
    """Take one redemption's part of a refund: its entry, its row, and the redemption's counters."""
    refund_id = new_id("rfd", redemption.region_code)
    facts = canonical(told)
    entry_id, recorded = None, None
    if piece_fen:
        shares = _drawn_by_pool(tx, redemption)
        parts = peeled(shares, piece_fen, [share.redeemed_fen for share in shares])
        entry = _entry(caller, redemption, voucher, returned, parts, refund_id, at, facts, trace, reason)
        post(tx, [entry])
        voucher.posting_count += len(parts)
        entry_id = entry.id
        recorded = RecordedLeaf(leaf_hash(entry.written), redemption.leaf.log if redemption.leaf else None)
    record = RefundRecord(
        id=refund_id,
        redemption_id=redemption.id,
        because_of_id=because_of_id,
        bill_refund_fen=cancelled_fen,
        subsidy_refund_fen=piece_fen,
        reason=reason,
        trace=trace.decode(),
        entry_id=entry_id,
        refunded_at=at,
        leaf=recorded,
    )
    values = {name: getattr(record, name) for name in RefundRecord.__slots__ if name != "leaf"}
    tx.execute(
        insert(Refund).values(
            **values, region_code=redemption.region_code, facts=facts.decode(), refunded_by=caller.principal_id
        )
    )
    tx.execute(
        update(Redemption)
        .where(Redemption.region_code == redemption.region_code, Redemption.id == redemption.id)
        .values(
            refunded_fen=Redemption.refunded_fen + piece_fen,
            bill_refunded_fen=Redemption.bill_refunded_fen + cancelled_fen,
        )
    )
    if redemption.bill_refunded_fen + cancelled_fen == redemption.bill_total_fen:
        free_references(tx, region_code=redemption.region_code, redemption_id=redemption.id)
    return record


def _because_of(first_id: str, redemption_id: str, position: WholePosition) -> dict[str, Any]:
    return {
        "v": FORMAT,
        "redemption": redemption_id,
        "because_of": first_id,
        "cancelled": {},
        "refunded": _by_line(position.part(redemption_id).refunded_fen),
        "holders": {},
        "counted": [],
    }


def difference_of(now_counted: Counts, counted: Counts, *, restores_cap: bool) -> Counts:
    """What a refund changes in the counters: it never raises one.

    Where the rules do not restore the cap, the grant stays used up. D24.
    """
    target, before = dict(now_counted), dict(counted)
    changes = []
    for bucket in sorted(target.keys() | before.keys()):
        less = target.get(bucket, NOTHING).less(before.get(bucket, NOTHING))
        change = Counted(*(min(0, value) for value in less))
        changes.append((bucket, change if restores_cap else change._replace(granted_fen=0, claims=0)))
    return tuple(changes)


def _kept(tx: Connection, redemption: RedemptionRecord, holders: Mapping[str, str]) -> tuple[Kept, ...]:
    key = (redemption.region_code, redemption.programme_id)
    return load_terms(tx, [key])[key].kept_in(holders)


def _lock_counters(tx: Connection, redemption: RedemptionRecord, holders: Mapping[str, str]) -> Positions:
    keys: set[HolderKey] = {
        (redemption.region_code, redemption.programme_id, kind, holder_id) for kind, holder_id in holders.items()
    }
    lock_holders(tx, keys, wait=True)
    return Positions.read(tx, keys)


def _position_of(tx: Connection, redemption: RedemptionRecord) -> WholePosition:
    if redemption.hold_id is not None:
        key = (redemption.region_code, redemption.hold_id)
        return WholePosition.of_hold(load_holds(tx, [key])[key])
    facts = json.loads(redemption.facts)
    cancelled: Counter[int] = Counter()
    counted = [counts_of_json(facts.get("counted", ()))]
    for document in _refund_facts(tx, redemption):
        cancelled.update({int(line): fen for line, fen in document["cancelled"].items()})
        counted.append(counts_of_json(document.get("counted", ())))
    assert cancelled.total() == redemption.bill_refunded_fen, "the refunds explain what has left the bill"
    part = Part(redemption.id, 1, facts, redemption.subsidy_fen - redemption.refunded_fen, dict(cancelled))
    place = Position(counts_of_json(facts["position"])) if "position" in facts else None
    return WholePosition(redemption.redeemed_at, [part], facts.get("holders", {}), summed(*counted), place)


def _lock_voucher(tx: Connection, redemption: RedemptionRecord) -> VoucherState:
    key = (redemption.region_code, redemption.voucher_id)
    return lock_vouchers(tx, [key], wait=True)[key]


def _refund_facts(tx: Connection, redemption: RedemptionRecord) -> list[dict[str, Any]]:
    documents = tx.execute(
        select(Refund.facts).where(Refund.region_code == redemption.region_code, Refund.redemption_id == redemption.id)
    ).scalars()
    return [json.loads(document) for document in documents]


def _by_line(amounts: Mapping[int, int]) -> dict[str, int]:
    return {str(line): amounts[line] for line in sorted(amounts)}


def _cancelled(
    redemption: RedemptionRecord, before: Mapping[int, int], amount_fen: int | None, lines: Sequence[RefundLine]
) -> dict[int, int]:
    bill = json.loads(redemption.facts)["bill"]
    left = {number: line["amount_fen"] - before.get(number, 0) for number, line in enumerate(bill["lines"], start=1)}
    left_fen = redemption.bill_total_fen - redemption.bill_refunded_fen
    if amount_fen is not None:
        if amount_fen > left_fen:
            raise AppError(Code.REFUND_EXCEEDS_REDEMPTION, limit_fen=left_fen, actual_fen=amount_fen)
        if amount_fen == left_fen:
            return {number: fen for number, fen in left.items() if fen}
        if len(left) > 1:
            raise AppError(
                Code.VALIDATION_FAILED,
                count=1,
                errors=[FieldError("/lines", "lines_needed", limit=len(left), actual=amount_fen)],
            )
        return {1: amount_fen}
    cancelled: dict[int, int] = {}
    for place, asked in enumerate(lines):
        if asked.line not in left:
            raise AppError(
                Code.VALIDATION_FAILED,
                count=1,
                errors=[FieldError(f"/lines/{place}/line", "no_such_line", limit=len(left), actual=asked.line)],
            )
        cancelled[asked.line] = cancelled.get(asked.line, 0) + asked.amount_fen
        if cancelled[asked.line] > left[asked.line]:
            raise AppError(Code.REFUND_EXCEEDS_REDEMPTION, limit_fen=left[asked.line], actual_fen=cancelled[asked.line])
    return cancelled


def _rules(tx: Connection, redemption: RedemptionRecord) -> DatedRules:
    row = tx.execute(
        select(RuleVersion.id, RuleVersion.number, RuleVersion.effective_on, RuleVersion.rules).where(
            RuleVersion.region_code == redemption.region_code, RuleVersion.id == redemption.rule_version_id
        )
    ).one()
    return DatedRules(row.id, row.number, row.effective_on, parse_rules(row.rules))


def _drawn_by_pool(tx: Connection, redemption: RedemptionRecord) -> list[Share]:
    """What the redemption is owed of each pool now: its posting less its refunds', in the declared order."""
    refunds = select(Refund.entry_id).where(
        Refund.region_code == redemption.region_code, Refund.redemption_id == redemption.id
    )
    signed = func.sum(
        case(
            (Posting.destination == Account.OBLIGATED, Posting.amount_fen),
            (Posting.source == Account.OBLIGATED, -Posting.amount_fen),
            else_=0,
        )
    )
    rows = tx.execute(
        select(Posting.pool_id, signed.label("drawn_fen"))
        .join(
            Allotment,
            (Allotment.region_code == Posting.region_code)
            & (Allotment.voucher_id == Posting.voucher_id)
            & (Allotment.pool_id == Posting.pool_id),
        )
        .where(
            Posting.region_code == redemption.region_code,
            (Posting.entry_id == redemption.entry_id) | Posting.entry_id.in_(refunds),
        )
        .group_by(Posting.pool_id, Allotment.line)
        .order_by(Allotment.line)
    )
    return [Share(row.pool_id, 0, int(row.drawn_fen)) for row in rows]


def _lock_pools_if_ended(tx: Connection, voucher: VoucherState) -> None:
    """Money of an ended voucher goes back to the pools, so they are locked in order before the clock is read."""
    if end_of(voucher, at=now(tx)):
        lock_pools(tx, {(voucher.region_code, share.pool_id) for share in voucher.shares})


def _entry(
    caller: Caller,
    redemption: RedemptionRecord,
    voucher: VoucherState,
    returned: Returned,
    parts: tuple[tuple[str, int], ...],
    refund_id: str,
    at: datetime,
    facts: bytes,
    trace: bytes,
    reason: str,
) -> JournalEntry:
    return JournalEntry(
        region_code=redemption.region_code,
        id=new_id("ent", redemption.region_code),
        kind=EntryKind.REFUND,
        at=at,
        programme_id=redemption.programme_id,
        subject_id=refund_id,
        cause=Cause(caller.principal_id, caller.organisation_id, caller.request_id),
        voucher_id=voucher.id,
        rule_version_id=redemption.rule_version_id,
        voucher_end=returned.voucher_end,
        facts_sha256=sha256_hex(facts),
        trace_sha256=sha256_hex(trace),
        details={"reason": reason, "redemption": redemption.id},
        movements=movements(voucher, parts, Account.OBLIGATED, returned.destination, payee_id=redemption.provider_id),
    )
