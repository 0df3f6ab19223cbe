"""Allocation rounds (分配) over a frozen list: a maker records a lottery's seed, and asks a checker for the awards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row

from app.kernel.canonical import canonical
from app.kernel.ids import region_of
from app.kernel.problems import AppError, Code, FieldError
from app.kernel.vocabulary import AllocationStatus, ApprovalKind, AwardReason, Role
from app.services import audit
from app.services.allocation.applied import (
    Applications,
    can_be_granted,
    judge_granted,
    lock_of_round,
    propose,
)
from app.services.allocation.batches import Grants, granted_rows, prepare, write
from app.services.allocation.listing import refuse
from app.services.allocation.plans import (
    Awarded,
    Frozen,
    application_amounts,
    awards_document,
    awards_sha256,
    seed_fits,
)
from app.services.allocation.stored import (
    awards_known,
    change,
    load_frozen,
    lock_own_round,
    require_open,
)
from app.services.approvals.requests import request_approval
from app.services.identity.principals import Caller
from app.services.issuance.batches import rules_in_force
from app.services.programmes.programmes import ProgrammeRecord
from app.sql import now


def draw_round(tx: Connection, *, caller: Caller, round_id: str, seed: str) -> None:
    """Record the public number that a lottery was announced to be drawn by. Once, and not before its time.

    Raises `forbidden`, `not_found`, `wrong_state` where there is nothing to draw (any more), `draw_too_early`,
    `validation_failed` for a number that is not written as it was announced.
    """
    programme, locked = lock_own_round(tx, caller=caller, round_id=round_id)
    if locked.draws_at is None:
        raise AppError(Code.WRONG_STATE, actual=locked.method, expected="lottery")
    if locked.status != AllocationStatus.FROZEN:
        raise AppError(Code.WRONG_STATE, actual=locked.status, expected=AllocationStatus.FROZEN)
    at = now(tx)
    if at < locked.draws_at:
        raise AppError(Code.DRAW_TOO_EARLY, limit=locked.draws_at, actual=at)
    if not seed_fits(locked.seed_format, seed):
        refuse([FieldError("/seed", "not_as_announced", limit=locked.seed_format, actual=seed)])
    change(tx, locked, status=AllocationStatus.DRAWN, seed=seed, drawn_at=at, drawn_by=caller.principal_id)
    audit.record(
        tx,
        caller=caller,
        region_code=programme.region_code,
        action="allocation_round.drawn",
        object_id=locked.id,
        at=at,
        details={"frozen_sha256": locked.frozen_sha256, "seed": seed},
    )


def submit_round(tx: Connection, *, caller: Caller, round_id: str) -> str:
    """Ask a checker to issue the awards and to put the others on the waiting list; returns the approval's id.

    Raises `forbidden`, `not_found`; `wrong_state` where the round is decided, submitted, or a lottery not drawn;
    `nothing_to_allocate` where nobody would get anything or wait; and what a batch is refused for
    (`budget_exhausted`, `reference_already_used`, `validation_failed` …).
    """
    applications = lock_of_round(tx, region_of(round_id) or "", round_id)
    programme, locked = lock_own_round(tx, caller=caller, round_id=round_id)
    require_open(locked)
    frozen = load_frozen(tx, locked)
    left_out = _left_out(frozen, applications)
    awards = awards_known(frozen, locked.seed, left_out)
    if awards is None:
        raise AppError(Code.WRONG_STATE, actual=locked.status, expected=AllocationStatus.DRAWN)
    granted_fen, waits_fen = sum(one.granted_fen for one in awards), sum(one.waits_fen for one in awards)
    if not granted_fen and not waits_fen:
        needed_fen = min(one.asked_fen for one in awards)
        raise AppError(Code.NOTHING_TO_ALLOCATE, available_fen=frozen.budget_fen, needed_fen=needed_fen)
    at = now(tx)
    grants = None
    amounts = application_amounts(frozen, awards)
    judge_granted(tx, applications, amounts, at=at)
    if granted_fen:
        by_place = {award.place: award.granted_fen for award in awards if award.granted_fen}
        rules = rules_in_force(tx, programme.region_code, programme.id, at).rules
        grants = prepare(tx, programme, granted_rows(frozen.candidates, by_place, applications, rules), at=at)
        write(tx, caller, grants)
    digest = awards_sha256(locked.frozen_sha256, locked.seed, awards_document(awards))
    approval_id = request_approval(
        tx,
        caller=caller,
        kind=ApprovalKind.ALLOCATE,
        region_code=programme.region_code,
        authority_id=programme.authority_id,
        required_role=Role.CHECKER,
        subject_id=grants.batch_id if grants else locked.id,
        command={
            "round_id": locked.id,
            "frozen_sha256": locked.frozen_sha256,
            "seed": locked.seed,
            "left_out": sorted(left_out),
            "awards_sha256": digest,
        }
        | (grants.command() if grants else {}),
        effect=_effect(programme, locked, awards, grants),
        amount_fen=granted_fen,
        within_id=programme.id,
    )
    change(
        tx,
        locked,
        status=AllocationStatus.SUBMITTED,
        left_out=canonical(sorted(left_out)).decode(),
        awards_sha256=digest,
        granted_total_fen=granted_fen,
        batch_id=grants.batch_id if grants else None,
        approval_id=approval_id,
    )
    if grants:
        propose(tx, caller, applications, amounts, batch_id=grants.batch_id, approval_id=approval_id, at=at)
    return approval_id


def cancel_round(tx: Connection, *, caller: Caller, round_id: str, reason: str) -> str:
    """Ask a checker to give a round up; returns the approval's id. Its list, seed and reason stay on record.

    Raises `forbidden`, `not_found`; `wrong_state` once its awards were submitted: then they are rejected first.
    """
    programme, locked = lock_own_round(tx, caller=caller, round_id=round_id)
    require_open(locked)
    return request_approval(
        tx,
        caller=caller,
        kind=ApprovalKind.CANCEL_ALLOCATION,
        region_code=programme.region_code,
        authority_id=programme.authority_id,
        required_role=Role.CHECKER,
        subject_id=locked.id,
        command={"round_id": locked.id, "reason": reason},
        effect={
            "programme": programme.title,
            "round": locked.title,
            "method": locked.method,
            "candidates": locked.candidate_count,
            "drawn": locked.seed is not None,
        },
        reason=reason,
    )


def _left_out(frozen: Frozen, applications: Applications) -> frozenset[int]:
    """Places of those whose application was taken back, decided or proposed otherwise since the list was frozen."""
    return frozenset(
        candidate.place
        for candidate in frozen.candidates
        if candidate.application_id is not None and not can_be_granted(applications[candidate.application_id])
    )


def _effect(
    programme: ProgrammeRecord, locked: Row[Any], awards: Sequence[Awarded], grants: Grants | None
) -> dict[str, Any]:
    """What approving does, in numbers."""
    waiting = [award.waits_fen for award in awards if award.waits_fen]
    granted = [award for award in awards if award.granted_fen]
    return {
        "programme": programme.title,
        "round": locked.title,
        "method": locked.method,
        "budget_fen": locked.budget_fen,
        "candidates": locked.candidate_count,
        "asked_total_fen": locked.asked_total_fen,
        "count": len(granted),
        "total_fen": sum(award.granted_fen for award in granted),
        "in_part": sum(award.granted_fen < award.asked_fen for award in granted),
        "waiting": len(waiting),
        "waiting_fen": sum(waiting),
        "left_out": sum(award.reason == AwardReason.LEFT_OUT for award in awards),
        "nothing": locked.candidate_count - len(granted) - len(waiting),
        "pools": grants.pools() if grants else [],
    } | ({"announcement": locked.announcement, "seed": locked.seed} if locked.draws_at else {})
