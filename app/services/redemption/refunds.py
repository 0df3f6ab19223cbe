"""Refunds: part of a bill is cancelled, and the whole position is assessed anew.

What is then too much goes back where it is still owed; where it has been sent to the bank, it becomes a recovery.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from app.kernel.canonical import canonical
from app.kernel.clock import add_months, civil_date
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import EntryKind, RedemptionStatus, Role
from app.models import Refund, RuleVersion
from app.services.identity.principals import Caller
from app.services.ledger.entries import Cause
from app.services.ledger.pools import lock_pools
from app.services.payments.states import REFUND_OF
from app.services.recoveries.decisions import spread
from app.services.recoveries.making import counted_by_recoveries
from app.services.redemption.assessing import FORMAT, counts_json, counts_of_json
from app.services.redemption.capacity_counters import lock_given_back
from app.services.redemption.capacity_uses import given_back
from app.services.redemption.commands import RedemptionRecord
from app.services.redemption.consents import use_mandates
from app.services.redemption.decisions import decide_refund, end_of
from app.services.redemption.holds.loading import load_holds, lower_left
from app.services.redemption.holds.states import Part, summed
from app.services.redemption.loading import load_terms, lock_vouchers, parse_rules
from app.services.redemption.positions import HolderKey, Positions, lock_holders
from app.services.redemption.reads import RefundRecord, read_redemption
from app.services.redemption.red_letters import RedInvoice
from app.services.redemption.refund_lines import RefundLine, by_line, cancelled_lines, difference_of
from app.services.redemption.refund_writing import How, Piece, write_refund
from app.services.redemption.refunded_invoices import RefundedInvoices
from app.services.redemption.states import DatedRules, VoucherState
from app.services.redemption.whole_positions import WholePosition
from app.services.rules.position import Kept, Position
from app.sql import now


def refund(
    tx: Connection,
    *,
    caller: Caller,
    redemption_id: str,
    amount_fen: int | None,
    lines: Sequence[RefundLine],
    reason: str,
    red_letter: RedInvoice | None = None,
) -> tuple[list[RefundRecord], RedemptionRecord]:
    """Cancel part of a bill and give back what is then too much; return the refund and the redemption after it.

    What lies with the bank or the payee is not given back but recovered: recorded while a payment is under way, due
    once it has arrived. The voucher gets nothing of it.

    Either `lines` says what is cancelled of each, or `amount_fen` does where there is no doubt: the bill has one
    line, or all that is left is cancelled. The bills of one hold are one position: where more goes back than this
    redemption drew, the refunds of the others follow in the list. What they no longer count of invoice lines may be
    claimed again; with a `red_letter` the lines themselves are worth less by what is cancelled. Raises `not_found`,
    `refund_exceeds_redemption`, `validation_failed`, `invoice_still_claimed`.
    """
    caller.require(Role.PROVIDER)
    redemption = read_redemption(tx, caller=caller, redemption_id=redemption_id)
    voucher = _lock_voucher(tx, redemption)
    redemption = read_redemption(tx, caller=caller, redemption_id=redemption_id)  # as it is under the lock
    how = How(
        EntryKind.REFUND,
        Cause(caller.principal_id, caller.organisation_id, caller.request_id),
        reason,
        None,
        red_letter,
    )
    made = _cancel(
        tx,
        caller,
        redemption,
        voucher,
        lambda position: cancelled_lines(redemption, position.part(redemption.id).refunded_fen, amount_fen, lines),
        how,
    )
    return made, read_redemption(tx, caller=caller, redemption_id=redemption_id)


def reverse_redemption(
    tx: Connection, *, caller: Caller, cause: Cause, redemption_id: str, entry_id: str, reason: str
) -> None:
    """Undo a redemption as if it had not been: all of its bill is cancelled by an entry that mirrors its own.

    Cap, counters and consent get back all that it took, whatever the rules say of refunds; its order number stays
    used. Raises `redemption_not_reversible` once it was refunded or paid, where it comes from a hold, or where the
    voucher has ended: then a refund does it.
    """
    redemption = read_redemption(tx, caller=caller, redemption_id=redemption_id)
    voucher = _lock_voucher(tx, redemption)
    redemption = read_redemption(tx, caller=caller, redemption_id=redemption_id)
    untouched = redemption.bill_refunded_fen == 0 and redemption.refunded_fen == 0 and redemption.recovered_fen == 0
    posted = redemption.status == RedemptionStatus.POSTED
    if not (untouched and posted) or redemption.hold_id is not None:
        raise AppError(Code.REDEMPTION_NOT_REVERSIBLE, redemption_id=redemption_id)
    bill = json.loads(redemption.facts)["bill"]
    whole = {number: line["amount_fen"] for number, line in enumerate(bill["lines"], start=1)}
    how = How(EntryKind.REVERSE, cause, reason, reverses_id=entry_id)
    _cancel(tx, caller, redemption, voucher, lambda _: whole, how)


def _cancel(
    tx: Connection,
    caller: Caller,
    redemption: RedemptionRecord,
    voucher: VoucherState,
    choose: Callable[[WholePosition], dict[int, int]],
    how: How,
) -> list[RefundRecord]:
    """Cancel the chosen lines' amounts of a redemption whose voucher is locked; all that follows, written."""
    position = _position_of(tx, redemption)
    cancelled = choose(position)
    position.cancel(redemption.id, cancelled)
    version = _rules(tx, redemption)
    counters = _lock_counters(tx, redemption, position.holders)
    _lock_pools_if_ended(tx, voucher)
    part = position.part(redemption.id)
    given = given_back(part.facts, cancelled, part.refunded_fen)
    provider = (redemption.region_code, redemption.provider_id)
    uses = lock_given_back(tx, provider, given)
    invoices = RefundedInvoices(tx, position, region_code=redemption.region_code, provider_id=redemption.provider_id)
    invoices.take_off(how.red_letter, redemption.id, cancelled)
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
    if how.kind is EntryKind.REVERSE and returned.voucher_end is not None:
        # Not sooner, for locks are waited for: what goes on from an ended voucher to the pool is no mirror image.
        raise AppError(Code.REDEMPTION_NOT_REVERSIBLE, redemption_id=redemption.id)
    invoices.give_back(returned.assessment, drawn_fen=position.drawn_fen, returned_fen=returned.subsidy_fen)
    target = position.counts(returned.assessment, position.drawn_fen - returned.subsidy_fen)
    counted = summed(position.counted, position.pending)
    restores_cap = version.rules.adjustment.restores_cap or how.kind is EntryKind.REVERSE
    recounted = difference_of(target, counted, restores_cap=restores_cap)
    pieces = [
        (read_redemption(tx, caller=caller, redemption_id=one_id), fen)
        for one_id, fen in position.pieces(returned.subsidy_fen, redemption.id)
    ]
    begins = [REFUND_OF[RedemptionStatus(one.status)] for one, _ in pieces]
    recounted, waiting = spread(recounted, [fen for _, fen in pieces], [state is not None for state in begins])
    counters.add(redemption.region_code, redemption.programme_id, position.holders, recounted)
    counters.write(tx)
    uses.add(provider, given)
    uses.write(tx)
    facts = {
        "v": FORMAT,
        "redemption": redemption.id,
        "cancelled": by_line(cancelled),
        "refunded": by_line(part.refunded_fen),
        "drawn_fen": position.drawn_fen,
        "position": counts_json(tuple(others.items())),
        "holders": dict(position.holders),
        "counted": counts_json(recounted),
        **({"uses": [one.stored() for one in given]} if given else {}),
        **invoices.told(),
        **position.told(),
    }
    trace = canonical(returned.trace)
    made: list[RefundRecord] = []
    for (one, piece_fen), state, counted in zip(pieces, begins, waiting, strict=True):
        first_id = made[0].id if made else None
        piece = Piece(
            redemption=one,
            fen=piece_fen,
            cancelled_fen=sum(cancelled.values()) if first_id is None else 0,
            because_of_id=first_id,
            recovery=state if piece_fen else None,
            counted=counted,
            facts=canonical(facts if first_id is None else _because_of(first_id, one.id, position)),
        )
        made.append(write_refund(tx, piece, voucher, returned, trace, how, at))
    invoices.write(made[0].id, at=at)
    given_back_fen = sum(record.subsidy_refund_fen for record in made)
    use_mandates(tx, {(redemption.region_code, redemption.mandate_id): -given_back_fen})
    return made


def _because_of(first_id: str, redemption_id: str, position: WholePosition) -> dict[str, Any]:
    return {
        "v": FORMAT,
        "redemption": redemption_id,
        "because_of": first_id,
        "cancelled": {},
        "refunded": by_line(position.part(redemption_id).refunded_fen),
        "holders": {},
        "counted": [],
    }


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
    documents = _refund_facts(tx, redemption)
    for document in documents:
        cancelled.update({int(line): fen for line, fen in document["cancelled"].items()})
        counted.append(counts_of_json(document.get("counted", ())))
    assert cancelled.total() == redemption.bill_refunded_fen, "the refunds explain what has left the bill"
    drawn_fen = redemption.subsidy_fen - redemption.refunded_fen - redemption.recovered_fen
    part = Part(redemption.id, 1, facts, drawn_fen, dict(cancelled))
    for document in documents:
        lower_left({redemption.id: part}, document)
    key = (redemption.region_code, redemption.id)
    restored, pending = counted_by_recoveries(tx, [key]).get(key, ((), ()))
    counted.append(restored)
    place = Position(counts_of_json(facts["position"])) if "position" in facts else None
    holders = facts.get("holders", {})
    return WholePosition(redemption.redeemed_at, [part], holders, summed(*counted), place, pending=pending)


def _lock_voucher(tx: Connection, redemption: RedemptionRecord) -> VoucherState:
    key = (redemption.region_code, redemption.voucher_id)
    return lock_vouchers(tx, [key], wait=True)[key]


def _refund_facts(tx: Connection, redemption: RedemptionRecord) -> list[dict[str, Any]]:
    documents = tx.execute(
        select(Refund.facts).where(Refund.region_code == redemption.region_code, Refund.redemption_id == redemption.id)
    ).scalars()
    return [json.loads(document) for document in documents]


def _rules(tx: Connection, redemption: RedemptionRecord) -> DatedRules:
    row = tx.execute(
        select(RuleVersion.id, RuleVersion.number, RuleVersion.effective_on, RuleVersion.rules).where(
            RuleVersion.region_code == redemption.region_code, RuleVersion.id == redemption.rule_version_id
        )
    ).one()
    return DatedRules(row.id, row.number, row.effective_on, parse_rules(row.rules))


def _lock_pools_if_ended(tx: Connection, voucher: VoucherState) -> None:
    """Money of an ended voucher goes back to the pools, so they are locked in order before the clock is read."""
    if end_of(voucher, at=now(tx)):
        lock_pools(tx, {(voucher.region_code, share.pool_id) for share in voucher.shares})
