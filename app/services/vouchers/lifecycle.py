"""Freezing, voiding and extending, as a checker approved it, one voucher or many; surrender, by the firm itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, update

from app.kernel.ids import new_id, region_of
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import Account, EntryKind, ExtensionGround, Role, VoucherEnd, VoucherStatus
from app.models import Voucher
from app.services import audit
from app.services.approvals.requests import Decision
from app.services.identity.principals import Caller
from app.services.ledger.entries import Cause, JournalEntry
from app.services.ledger.fences import try_fences
from app.services.ledger.journal import post
from app.services.ledger.pools import lock_pools
from app.services.notices.blocks import require_no_objection
from app.services.redemption.effects import freeing
from app.services.redemption.holds.ending import end_due_holds, release_all
from app.services.redemption.holds.running import resume_clocks
from app.services.redemption.loading import lock_vouchers
from app.services.redemption.states import VoucherState
from app.services.vouchers.extending import Validity, stood_still
from app.services.vouchers.extensions import Effect, effects_of, present_validity, rules_of, write_extensions
from app.services.vouchers.mandates import own_voucher_locked
from app.services.vouchers.official_acts import Act, check_all, check_status, locked_for, status_of, wanted_of
from app.services.vouchers.reads import VoucherRecord, read_voucher
from app.services.vouchers.related import Finding, Held, find_related
from app.sql import now

_GROUNDS = ("ground", "related_to", "evidence", "evidence_sha256")
ENDINGS = {VoucherEnd.VOIDED: EntryKind.VOID, VoucherEnd.SURRENDERED: EntryKind.SURRENDER}


def execute_freeze(tx: Connection, *, command: Mapping[str, Any], decision: Decision) -> None:
    """From now on nothing can be drawn, held or not, and the holds' clocks stand; what is already redeemed is paid.

    Where the rules in force say so, the validity stands too.
    """
    vouchers = locked_for(tx, command, decision)
    at = now(tx)
    check_all(vouchers.values(), command, lambda one: check_status(Act.FREEZE, status_of(one, at=at)))
    rules = rules_of(tx, vouchers.values(), at=at)
    for voucher in vouchers.values():
        stands = rules[voucher.region_code, voucher.programme_id].while_frozen == "stands"
        _change(tx, voucher, frozen_at=at, stands_still=stands)
    _tell_each(tx, command, decision, "voucher.frozen", at=at)


def execute_unfreeze(tx: Connection, *, command: Mapping[str, Any], decision: Decision) -> None:
    """Let the vouchers be drawn on again. Their holds get back the time for which they stood.

    So does their validity, where it stood: that is an extension of its own. Raises `under_objection` where an objection
    (异议) to one is undecided: its dismissal unfreezes it.
    """
    vouchers = locked_for(tx, command, decision)
    require_no_objection(tx, region_code=decision.region_code, subject_ids=[one.id for one in vouchers.values()])
    at = now(tx)
    check_all(vouchers.values(), command, lambda one: check_status(Act.UNFREEZE, status_of(one, at=at)))
    stood: list[tuple[VoucherState, Validity, ExtensionGround]] = []
    for voucher in vouchers.values():
        assert voucher.frozen_at is not None, "what is unfrozen was frozen"
        if voucher.stands_still:
            validity = stood_still(present_validity(voucher), frozen_at=voucher.frozen_at, at=at)
            stood.append((voucher, validity, ExtensionGround.FREEZE))
    if stood:
        write_extensions(tx, stood, decision, at=at)
    for voucher in vouchers.values():
        assert voucher.frozen_at is not None, "looked at above"
        resume_clocks(tx, voucher, stood_for=at - voucher.frozen_at)
        _change(tx, voucher, frozen_at=None, stands_still=False)
    _tell_each(tx, command, decision, "voucher.unfrozen", at=at)


def execute_void(tx: Connection, *, command: Mapping[str, Any], decision: Decision) -> None:
    """End the vouchers: their holds are released, and their balances go back to the pools they came from.

    On what ground stands in the details of each entry, and of related parties by which links on record its firm is
    related to which provider and what was redeemed there, as it is found now; where nothing was left on a voucher, in
    the approval's command. Raises `relation_not_on_record` where that was struck off meanwhile.
    """
    vouchers = locked_for(tx, command, decision)
    at = now(tx)
    found: Mapping[str, Finding | AppError] = {}
    if "related_to" in command:
        held = [Held(one.region_code, one.id, one.programme_id, one.firm_id) for one in vouchers.values()]
        found = find_related(tx, held, str(command["related_to"]), at=at)
    why = {name: command[name] for name in ("reason", *_GROUNDS) if name in command}

    def why_of(voucher: VoucherState) -> Mapping[str, Any]:
        check_status(Act.VOID, status_of(voucher, at=at))
        finding = found.get(voucher.id)
        if isinstance(finding, AppError):
            raise finding
        return why | (finding.named() if finding is not None else {})

    reasons = check_all(vouchers.values(), command, why_of)
    release_all(tx, vouchers, decision.cause)
    _end(
        tx,
        list(zip(vouchers.values(), reasons, strict=True)),
        VoucherEnd.VOIDED,
        decision.cause,
        command,
        subject_id=decision.approval_id,
    )
    _tell_each(tx, command, decision, "voucher.voided", at=at)


def execute_extend(tx: Connection, *, command: Mapping[str, Any], decision: Decision) -> None:
    """Make the vouchers valid longer, judged anew by what they and the rules are now.

    Raises `wrong_state` for one that has ended or expired by now, and what `decide_extension` refuses.
    """
    vouchers = locked_for(tx, command, decision)
    at = now(tx)
    wanted = wanted_of(command)
    effects = effects_of(tx, vouchers, wanted, at=at)

    def effect_on(voucher: VoucherState) -> Effect:
        check_status(Act.EXTEND, status_of(voucher, at=at))
        effect = effects[voucher.region_code, voucher.id]
        if isinstance(effect, AppError):
            raise effect
        return effect

    decided = [one.extended for one in check_all(vouchers.values(), command, effect_on)]
    extended = [(voucher, one.validity, one.ground) for voucher, one in zip(vouchers.values(), decided, strict=True)]
    write_extensions(tx, extended, decision, at=at, document_no=wanted.exception_document_no)


def surrender(tx: Connection, *, caller: Caller, voucher_id: str, reason: str) -> VoucherRecord:
    """End the firm's own voucher; its balance goes back to the pools it came from, and what was redeemed is paid.

    A freeze stops it: what is looked into ends by its authority's decision, and not before it by the firm's. Raises
    `forbidden`, `voucher_not_found` for one that is not the firm's, `wrong_state` for one that has ended,
    `voucher_frozen`, `holds_open` while a hold keeps part of it.
    """
    caller.require(Role.FIRM)
    region_code = region_of(voucher_id)
    if region_code is None:
        raise AppError(Code.VOUCHER_NOT_FOUND)
    try_fences(tx, {region_code}, wait=True)
    own_voucher_locked(tx, caller, voucher_id)
    voucher = _locked(tx, region_code, voucher_id)
    status = status_of(voucher, at=now(tx))
    check_status(Act.VOID, status)
    if status is VoucherStatus.FROZEN:
        raise AppError(Code.VOUCHER_FROZEN, since=voucher.frozen_at)
    if voucher.held_fen:
        end_due_holds(tx, {(region_code, voucher_id): voucher}, wait=True)
        check_status(Act.VOID, status_of(voucher, at=now(tx)))
    if voucher.held_fen:
        raise AppError(Code.HOLDS_OPEN, actual_fen=voucher.held_fen)
    cause = Cause(caller.principal_id, caller.organisation_id, caller.request_id)
    left_fen = voucher.balance_fen
    at = _end(tx, [(voucher, {"reason": reason})], VoucherEnd.SURRENDERED, cause, {}, subject_id=voucher_id)
    audit.record(
        tx,
        caller=caller,
        region_code=region_code,
        action="voucher.surrendered",
        object_id=voucher_id,
        at=at,
        details={"reason": reason, "surrendered_fen": left_fen},
    )
    return read_voucher(tx, caller=caller, voucher_id=voucher_id, at=at)


def _end(
    tx: Connection,
    vouchers: Sequence[tuple[VoucherState, Mapping[str, Any]]],
    end: VoucherEnd,
    cause: Cause,
    command: Mapping[str, Any],
    *,
    subject_id: str,
) -> datetime:
    """End locked vouchers of which nothing is held, each for its reason, and free their balances.

    Returns the instant from which they have ended. Raises what `check_all` does for one that has expired while its
    pools, or the counters of its holds, were waited for.
    """
    lock_pools(tx, {(voucher.region_code, share.pool_id) for voucher, _ in vouchers for share in voucher.shares})
    at = now(tx)
    check_all([one for one, _ in vouchers], command, lambda one: check_status(Act.VOID, status_of(one, at=at)))
    entries = []
    for voucher, why in vouchers:
        free = tuple((share.pool_id, share.balance_fen) for share in voucher.shares if share.balance_fen)
        if free:
            entries.append(
                JournalEntry(
                    region_code=voucher.region_code,
                    id=new_id("ent", voucher.region_code),
                    kind=ENDINGS[end],
                    at=at,
                    programme_id=voucher.programme_id,
                    subject_id=subject_id,
                    cause=cause,
                    movements=freeing(voucher, free, Account.COMMITTED, end),
                    voucher_id=voucher.id,
                    voucher_end=end,
                    details=why,
                )
            )
    if entries:
        post(tx, entries)
    for voucher, _ in vouchers:
        _change(tx, voucher, ended_as=end, ended_at=at)
    return at


def _tell_each(tx: Connection, command: Mapping[str, Any], decision: Decision, action: str, *, at: datetime) -> None:
    """What is done to many at once is an audit event of each: that of the approval names the list and not them."""
    if "voucher_ids" in command:
        details = {"approval": decision.approval_id, "maker": decision.maker_id, "reason": str(command["reason"])}
        audit.record_all(
            tx,
            caller=decision.checker,
            action=action,
            subjects=[(decision.region_code, one, details) for one in command["voucher_ids"]],
            at=at,
        )


def _locked(tx: Connection, region_code: str, voucher_id: str) -> VoucherState:
    key = (region_code, voucher_id)
    return lock_vouchers(tx, [key], wait=True)[key]


def _change(tx: Connection, voucher: VoucherState, **values: Any) -> None:
    tx.execute(
        update(Voucher).where(Voucher.region_code == voucher.region_code, Voucher.id == voucher.id).values(**values)
    )
