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
from app.models import Allotment, Entry, Mandate, Pool, Posting, Redemption, Refund, RuleVersion
from app.services.identity.principals import Caller
from app.services.ledger.entries import Cause, JournalEntry, Movement
from app.services.ledger.journal import post
from app.services.redemption.assessing import FORMAT, Counts, counts_json, counts_of_json, stored_facts
from app.services.redemption.commands import RedemptionRecord
from app.services.redemption.decisions import Returned, decide_refund
from app.services.redemption.loading import load_terms, lock_vouchers, parse_rules
from app.services.redemption.positions import HolderKey, Positions, lock_holders
from app.services.redemption.reads import RefundRecord, read_redemption
from app.services.redemption.states import DatedRules, Share, VoucherState
from app.services.redemption.usage_references import free_references
from app.services.rules.position import NOTHING, Kept
from app.services.rules.position import Counter as Counted
from app.services.rules.terms import add_months


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
) -> tuple[RefundRecord, RedemptionRecord]:
    """Cancel part of a bill and give back what is then too much.

    Either `lines` says what is cancelled of each, or `amount_fen` does where there is no doubt: the bill has one
    line, or all that is left is cancelled. Raises `not_found`, `refund_exceeds_redemption`, `validation_failed`,
    `wrong_state` once the redemption is in a settlement.
    """
    caller.require(Role.PROVIDER)
    redemption = read_redemption(tx, caller=caller, redemption_id=redemption_id)
    voucher = _lock_voucher(tx, redemption)
    redemption = read_redemption(tx, caller=caller, redemption_id=redemption_id)  # as it is under the lock
    if redemption.status != RedemptionStatus.POSTED:
        raise AppError(Code.WRONG_STATE, actual=redemption.status, expected=RedemptionStatus.POSTED)

    facts = json.loads(redemption.facts)
    before = _refunded_so_far(tx, redemption)
    cancelled = _cancelled(facts["bill"], before, redemption, amount_fen, lines)
    after = {line: before.get(line, 0) + cancelled.get(line, 0) for line in sorted(before.keys() | cancelled.keys())}
    version = _rules(tx, redemption)
    holders: dict[str, str] = facts.get("holders", {})
    positions = _lock_positions(tx, redemption, holders)
    counted = _counted_so_far(tx, redemption, facts)
    drawn = _drawn_by_pool(tx, redemption)
    _lock_pools_if_ended(tx, voucher, drawn)
    at = now(tx)
    since = add_months(civil_date(redemption.redeemed_at), -version.rules.rolling_months)
    others = positions.of_claim(redemption.region_code, redemption.programme_id, holders, since=since).without(counted)
    returned = decide_refund(
        voucher,
        version,
        stored_facts(facts, after, at=redemption.redeemed_at),
        others,
        kept=_kept(tx, redemption),
        drawn_by_pool=drawn,
        drawn_fen=redemption.subsidy_fen - redemption.refunded_fen,
        at=at,
    )
    recounted = difference_of(returned.counted, counted, restores_cap=version.rules.adjustment.restores_cap)
    positions.add(redemption.region_code, redemption.programme_id, holders, recounted)
    positions.write(tx)
    refund_id = new_id("rfd", redemption.region_code)
    refund_facts = canonical(
        {
            "v": FORMAT,
            "redemption": redemption.id,
            "cancelled": _by_line(cancelled),
            "refunded": _by_line(after),
            "drawn_fen": redemption.subsidy_fen - redemption.refunded_fen,
            "position": counts_json(tuple(others.items())),
            "holders": holders,
            "counted": counts_json(recounted),
        }
    )
    trace = canonical(returned.trace)
    entry_id = None
    if returned.subsidy_fen:
        entry = _entry(caller, redemption, voucher, returned, refund_id, at, refund_facts, trace, reason)
        post(tx, [entry])
        entry_id = entry.id
    bill_refund_fen = sum(cancelled.values())
    tx.execute(
        insert(Refund).values(
            region_code=redemption.region_code,
            id=refund_id,
            redemption_id=redemption.id,
            bill_refund_fen=bill_refund_fen,
            subsidy_refund_fen=returned.subsidy_fen,
            reason=reason,
            facts=refund_facts.decode(),
            trace=trace.decode(),
            entry_id=entry_id,
            refunded_at=at,
            refunded_by=caller.principal_id,
        )
    )
    tx.execute(
        update(Redemption)
        .where(Redemption.region_code == redemption.region_code, Redemption.id == redemption.id)
        .values(
            refunded_fen=Redemption.refunded_fen + returned.subsidy_fen,
            bill_refunded_fen=Redemption.bill_refunded_fen + bill_refund_fen,
        )
    )
    if redemption.bill_refunded_fen + bill_refund_fen == redemption.bill_total_fen:
        free_references(tx, region_code=redemption.region_code, redemption_id=redemption.id)
    tx.execute(
        update(Mandate)
        .where(Mandate.region_code == redemption.region_code, Mandate.id == redemption.mandate_id)
        .values(used_fen=Mandate.used_fen - returned.subsidy_fen)
    )
    record = RefundRecord(
        id=refund_id,
        redemption_id=redemption.id,
        bill_refund_fen=bill_refund_fen,
        subsidy_refund_fen=returned.subsidy_fen,
        reason=reason,
        trace=trace.decode(),
        entry_id=entry_id,
        refunded_at=at,
    )
    return record, read_redemption(tx, caller=caller, redemption_id=redemption_id)


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


def _kept(tx: Connection, redemption: RedemptionRecord) -> tuple[Kept, ...]:
    key = (redemption.region_code, redemption.programme_id)
    return load_terms(tx, [key])[key].kept


def _lock_positions(tx: Connection, redemption: RedemptionRecord, holders: Mapping[str, str]) -> Positions:
    keys: set[HolderKey] = {
        (redemption.region_code, redemption.programme_id, kind, holder_id) for kind, holder_id in holders.items()
    }
    lock_holders(tx, keys, wait=True)
    return Positions.read(tx, keys)


def _counted_so_far(tx: Connection, redemption: RedemptionRecord, facts: Mapping[str, Any]) -> Counts:
    """What the redemption counts by now: its own counts and what each of its refunds changed in them."""
    total = dict(counts_of_json(facts.get("counted", ())))
    for document in _refund_facts(tx, redemption):
        for bucket, change in counts_of_json(document.get("counted", ())):
            total[bucket] = total.get(bucket, NOTHING).plus(change)
    return tuple(sorted(total.items()))


def _lock_voucher(tx: Connection, redemption: RedemptionRecord) -> VoucherState:
    key = (redemption.region_code, redemption.voucher_id)
    return lock_vouchers(tx, [key], wait=True)[key]


def _refunded_so_far(tx: Connection, redemption: RedemptionRecord) -> dict[int, int]:
    """Fen cancelled per line up to now: what all refunds cancelled, added up."""
    cancelled: Counter[int] = Counter()
    for document in _refund_facts(tx, redemption):
        cancelled.update({int(line): fen for line, fen in document["cancelled"].items()})
    assert cancelled.total() == redemption.bill_refunded_fen, "the refunds explain what has left the bill"
    return dict(cancelled)


def _refund_facts(tx: Connection, redemption: RedemptionRecord) -> list[dict[str, Any]]:
    documents = tx.execute(
        select(Refund.facts).where(Refund.region_code == redemption.region_code, Refund.redemption_id == redemption.id)
    ).scalars()
    return [json.loads(document) for document in documents]


def _by_line(amounts: Mapping[int, int]) -> dict[str, int]:
    return {str(line): amounts[line] for line in sorted(amounts)}


def _cancelled(
    bill: dict[str, Any],
    before: dict[int, int],
    redemption: RedemptionRecord,
    amount_fen: int | None,
    lines: Sequence[RefundLine],
) -> dict[int, int]:
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
    """What the redemption holds of each pool now: its posting less its refunds', in the declared order."""
    refunds = select(Refund.entry_id).where(
        Refund.region_code == redemption.region_code, Refund.redemption_id == redemption.id
    )
    signed = func.sum(case((Entry.kind == EntryKind.REDEEM, Posting.amount_fen), else_=-Posting.amount_fen))
    rows = tx.execute(
        select(Posting.pool_id, signed.label("drawn_fen"))
        .join(Entry, (Entry.region_code == Posting.region_code) & (Entry.id == Posting.entry_id))
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


def _lock_pools_if_ended(tx: Connection, voucher: VoucherState, drawn: Sequence[Share]) -> None:
    """Money of an ended voucher goes back to the pools, so they are locked in order before the clock is read."""
    if voucher.ended_as is None and now(tx) < voucher.redeemable_until:
        return
    tx.execute(
        select(Pool.id)
        .where(Pool.region_code == voucher.region_code, Pool.id.in_([share.pool_id for share in drawn]))
        .order_by(Pool.id)
        .with_for_update(key_share=True)
    )


def _entry(
    caller: Caller,
    redemption: RedemptionRecord,
    voucher: VoucherState,
    returned: Returned,
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
        movements=tuple(
            Movement(
                pool_id,
                Account.OBLIGATED,
                returned.destination,
                part_fen,
                voucher.id,
                voucher.posting_count + n,
                redemption.provider_id,
            )
            for n, (pool_id, part_fen) in enumerate(returned.parts, start=1)
        ),
    )
