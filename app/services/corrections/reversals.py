"""Reversals (冲正): an entry that should not have been is answered by one that mirrors it, under two persons.

`REVERSIBLE` says which kinds are corrected like this, and who asks and decides. Everything else has a way of its own:
a hold is released, a payment bounces, a refund is redeemed anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, func, select, update

from app.kernel.ids import new_id, region_of
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import Account, ApprovalKind, EntryKind, Role, VoucherEnd
from app.models import Entry, Pool, Posting, Programme, Voucher
from app.services.approvals.requests import Decision, request_approval
from app.services.identity.principals import Caller
from app.services.ledger.entries import JournalEntry, Movement
from app.services.ledger.journal import post
from app.services.ledger.pools import lock_pools
from app.services.redemption.decisions import end_of
from app.services.redemption.loading import lock_vouchers
from app.services.redemption.refunds import reverse_redemption
from app.sql import now

REVERSIBLE: Mapping[EntryKind, tuple[Role, Role]] = {
    EntryKind.APPROPRIATE: (Role.FINANCE, Role.FINANCE),
    EntryKind.ADJUST: (Role.FINANCE, Role.FINANCE),
    EntryKind.ISSUE: (Role.MAKER, Role.CHECKER),
    EntryKind.REDEEM: (Role.MAKER, Role.CHECKER),
}
"""Kind → who asks, who decides."""


def request_reversal(tx: Connection, *, caller: Caller, entry_id: str, reason: str) -> str:
    """Ask a second person to reverse an entry; returns the approval's id.

    Raises `forbidden`, `not_found`, `entry_not_reversible`, `already_reversed`. Whether later movements depend on it is
    judged when it is done.
    """
    caller.require(Role.MAKER, Role.FINANCE)
    entry = _entry(tx, region_of(entry_id), entry_id)
    if entry is None or not any(
        caller.holds_in(role, entry.region_code, entry.authority_id if role is Role.MAKER else None)
        for role in (Role.MAKER, Role.FINANCE)
    ):
        raise AppError(Code.NOT_FOUND, what="entry")
    if entry.kind not in REVERSIBLE:
        raise AppError(Code.ENTRY_NOT_REVERSIBLE, kind=entry.kind)
    asks, decides = REVERSIBLE[EntryKind(entry.kind)]
    if not caller.holds_in(asks, entry.region_code, entry.authority_id if asks is Role.MAKER else None):
        raise AppError(Code.FORBIDDEN, role=asks)
    _refuse_reversed(tx, entry.region_code, entry.id)
    postings = _postings(tx, entry.region_code, entry.id)
    return request_approval(
        tx,
        caller=caller,
        kind=ApprovalKind.REVERSE_ENTRY,
        region_code=entry.region_code,
        authority_id=entry.authority_id if decides is Role.CHECKER else None,
        required_role=decides,
        subject_id=entry.id,
        command={"entry_id": entry.id, "reason": reason},
        effect={
            "kind": entry.kind,
            "subject": entry.subject_id,
            "voucher": entry.voucher_id,
            "postings": [
                {"pool": one.pool_id, "from": one.destination, "to": one.source, "fen": one.amount_fen}
                for one in postings
            ],
        },
        amount_fen=sum(one.amount_fen for one in postings),
        reason=reason,
    )


def execute_reversal(tx: Connection, *, command: Mapping[str, Any], decision: Decision) -> None:
    """Post the mirror image of the entry, if nothing that came later stands in the way.

    Raises `already_reversed`; `appropriation_below_promised` where the money was promised since, `voucher_in_use` where
    the voucher was drawn on, `wrong_state` where it has ended, `redemption_not_reversible`.
    """
    entry = _entry(tx, decision.region_code, str(command["entry_id"]))
    assert entry is not None, "entries stay"
    reason = str(command["reason"])
    match EntryKind(entry.kind):
        case EntryKind.APPROPRIATE | EntryKind.ADJUST:
            _reverse_grant(tx, entry, decision, reason)
        case EntryKind.ISSUE:
            _reverse_issue(tx, entry, decision, reason)
        case _:
            assert entry.kind == EntryKind.REDEEM, "the request looked"
            _refuse_reversed(tx, entry.region_code, entry.id)
            _refuse_closed(tx, _postings(tx, entry.region_code, entry.id))
            reverse_redemption(
                tx,
                caller=decision.checker,
                cause=decision.cause,
                redemption_id=entry.subject_id,
                entry_id=entry.id,
                reason=reason,
            )


def _reverse_grant(tx: Connection, entry: Any, decision: Decision, reason: str) -> None:
    """A grant goes back as far as it is not promised; one that was taken back comes again."""
    (posting,) = _postings(tx, entry.region_code, entry.id)
    lock_pools(tx, {(entry.region_code, posting.pool_id)})
    _refuse_reversed(tx, entry.region_code, entry.id)
    _refuse_closed(tx, [posting])
    available_fen = tx.execute(
        select(Pool.available_fen).where(Pool.region_code == entry.region_code, Pool.id == posting.pool_id)
    ).scalar_one()
    if entry.kind == EntryKind.APPROPRIATE and available_fen < posting.amount_fen:
        raise AppError(Code.APPROPRIATION_BELOW_PROMISED, limit_fen=available_fen, actual_fen=posting.amount_fen)
    post(tx, [_mirror(entry, [posting], decision, reason, at=now(tx))])


def _reverse_issue(tx: Connection, entry: Any, decision: Decision, reason: str) -> None:
    """A voucher that nothing was drawn on is voided by the mirror image of its issue."""
    key = (entry.region_code, entry.voucher_id)
    voucher = lock_vouchers(tx, [key], wait=True)[key]
    _refuse_reversed(tx, entry.region_code, entry.id)
    postings = _postings(tx, entry.region_code, entry.id)
    lock_pools(tx, {(entry.region_code, one.pool_id) for one in postings})
    at = now(tx)
    if ended := end_of(voucher, at=at):
        raise AppError(Code.WRONG_STATE, actual=ended, expected="active")
    _refuse_closed(tx, postings)
    issued_fen = sum(one.amount_fen for one in postings)
    if voucher.balance_fen != issued_fen:
        raise AppError(Code.VOUCHER_IN_USE, limit_fen=issued_fen, actual_fen=voucher.balance_fen)
    mirror = _mirror(entry, postings, decision, reason, voucher_seq=voucher.posting_count, at=at)
    post(tx, [mirror])
    tx.execute(
        update(Voucher)
        .where(Voucher.region_code == entry.region_code, Voucher.id == entry.voucher_id)
        .values(ended_as=VoucherEnd.VOIDED, ended_at=mirror.at)
    )


def _mirror(
    entry: Any, postings: Sequence[Any], decision: Decision, reason: str, *, at: datetime, voucher_seq: int = 0
) -> JournalEntry:
    return JournalEntry(
        region_code=entry.region_code,
        id=new_id("ent", entry.region_code),
        kind=EntryKind.REVERSE,
        at=at,
        programme_id=entry.programme_id,
        subject_id=decision.approval_id,
        cause=decision.cause,
        voucher_id=entry.voucher_id,
        rule_version_id=entry.rule_version_id,
        reverses_id=entry.id,
        voucher_end=VoucherEnd.VOIDED if entry.voucher_id is not None else None,
        details={"reason": reason},
        movements=tuple(
            Movement(
                one.pool_id,
                Account(one.destination),
                Account(one.source),
                one.amount_fen,
                one.voucher_id,
                voucher_seq + n if one.voucher_id is not None else None,
                one.payee_id,
            )
            for n, one in enumerate(postings, start=1)
        ),
    )


def _refuse_reversed(tx: Connection, region_code: str, entry_id: str) -> None:
    """Under the lock of what the entry moved: a unique key holds it too."""
    by = tx.execute(
        select(Entry.id).where(Entry.region_code == region_code, Entry.reverses_id == entry_id)
    ).scalar_one_or_none()
    if by is not None:
        raise AppError(Code.ALREADY_REVERSED, entry_id=by, extra={"entry_id": by})


def _refuse_closed(tx: Connection, postings: Sequence[Any]) -> None:
    """What a closed year's pools gave is not mirrored: it lapses, or was carried forward, by the rules of the close."""
    closed = tx.execute(
        select(func.max(Pool.fiscal_year)).where(
            Pool.region_code == postings[0].region_code,
            Pool.id.in_([one.pool_id for one in postings]),
            Pool.closed_at.is_not(None),
        )
    ).scalar_one()
    if closed is not None:
        raise AppError(Code.YEAR_CLOSED, fiscal_year=closed)


def _entry(tx: Connection, region_code: str | None, entry_id: str) -> Row[*tuple[Any, ...]] | None:
    return tx.execute(
        select(
            Entry.region_code,
            Entry.id,
            Entry.kind,
            Entry.programme_id,
            Entry.voucher_id,
            Entry.subject_id,
            Entry.rule_version_id,
            Programme.authority_id,
        )
        .join(Programme, and_(Programme.region_code == Entry.region_code, Programme.id == Entry.programme_id))
        .where(Entry.region_code == region_code, Entry.id == entry_id)
    ).one_or_none()


def _postings(tx: Connection, region_code: str, entry_id: str) -> Sequence[Any]:
    return tx.execute(
        select(Posting).where(Posting.region_code == region_code, Posting.entry_id == entry_id).order_by(Posting.line)
    ).all()
