"""Allocation rounds (分配): a maker freezes the list, records a lottery's seed, and asks a checker for the awards.

What decides is fixed before it is known how it turns out: the rules by their published version, budget and list by
their hash, sealed in the region's log as an audit event; of a lottery also which public number is going to be the seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert

from app.kernel.canonical import canonical
from app.kernel.clock import rfc3339
from app.kernel.ids import new_id, region_of
from app.kernel.problems import AppError, Code, FieldError
from app.kernel.vocabulary import AllocationStatus, ApprovalKind, AwardReason, Role
from app.models import AllocationRound
from app.services import audit
from app.services.allocation.applied import (
    Applications,
    can_be_granted,
    judge_granted,
    listed,
    lock_of_round,
    lock_reviewed,
    propose,
)
from app.services.allocation.batches import Grants, granted_rows, prepare, write
from app.services.allocation.listing import (
    MAX_CANDIDATES,
    Draw,
    ListedRow,
    candidates_of,
    complaints,
    named_firms_twice,
)
from app.services.allocation.plans import (
    Awarded,
    Frozen,
    application_amounts,
    awards_document,
    awards_sha256,
    frozen_sha256,
    most_fen,
    seed_fits,
)
from app.services.allocation.stored import (
    awards_known,
    change,
    granted_before,
    insert_candidates,
    load_frozen,
    lock_own_round,
    open_round,
    require_open,
    rules_sha256_of,
    waiting_total,
)
from app.services.applications.records import ApplicationRecord
from app.services.approvals.requests import request_approval
from app.services.identity.principals import Caller
from app.services.issuance.batches import load_pools, rules_in_force
from app.services.issuance.checks import Submission, check
from app.services.issuance.rows import MAX_ERRORS, Layout
from app.services.programmes.programmes import ProgrammeRecord, lock_programme
from app.sql import now


@dataclass(frozen=True, slots=True)
class Applied:
    """Instead of a list: the reviewed applications that were first submitted since, and before, these instants."""

    since: datetime | None
    until: datetime | None


@dataclass(frozen=True, slots=True)
class RoundRequest:
    """A round to be frozen. `budget_fen`: what it gives out at most; None: all that is available now."""

    programme_id: str
    title: str
    budget_fen: int | None
    draw: Draw | None
    rows: tuple[ListedRow, ...] | Applied
    layout: Layout
    errors: tuple[FieldError, ...] = ()
    """What is known to be wrong with the rows already; it is told together with all that is found besides."""


@dataclass(frozen=True, slots=True)
class RoundReport:
    """A round with its awards by what is known now; None of a lottery that is not drawn. A rehearsal was not kept."""

    frozen: Frozen
    frozen_sha256: str
    available_fen: int
    awards: tuple[Awarded, ...] | None


def freeze_round(tx: Connection, *, caller: Caller, request: RoundRequest, dry_run: bool) -> RoundReport:
    """Write a list down for good, with its budget and the rules in force; with `dry_run` only say what comes of it.

    Raises AppError: `forbidden`, `not_found`; `wrong_state` where the programme is not published or not open;
    `validation_failed` with every complaint; `reference_already_used`; `allocation_open` while another round is not
    decided; `waitlist_not_empty` while others wait for the same money.
    """
    applied = _applied(tx, request)
    programme = lock_programme(tx, caller=caller, programme_id=request.programme_id, role=Role.MAKER)
    at = now(tx)
    _require_free(tx, programme)
    dated = rules_in_force(tx, programme.region_code, programme.id, at)
    allocation = dated.rules.allocation
    if isinstance(request.rows, Applied):
        _refuse(_of_applications(len(applied)))
        rows = listed(applied, dated.rules)
    else:
        rows = request.rows
    found = complaints(allocation, rows, request.draw, at=at)
    submission = _submission(request, rows, found)
    checked = check(tx, programme, submission, at=at)
    checked.require_sound(submission)
    _refuse(named_firms_twice(allocation, checked.rows))
    pools = load_pools(tx, programme.region_code, programme.id, programme.fiscal_year)
    available = {source: pool.available_fen for source, pool in pools.items()}
    most = most_fen(available, dated.rules.fund_sources, len(checked.rows))
    if request.budget_fen is not None and request.budget_fen > most:
        _refuse([FieldError("/budget_fen", "too_large", limit=most, actual=request.budget_fen)])
    before = granted_before(tx, programme, {row.project for row in rows if row.project})
    frozen = Frozen(
        round_id=new_id("alr", programme.region_code),
        programme_id=programme.id,
        rule_version_id=dated.id,
        rules_sha256=rules_sha256_of(tx, programme.region_code, dated.id),
        allocation=allocation,
        budget_fen=most if request.budget_fen is None else request.budget_fen,
        announcement=request.draw.announcement if request.draw else None,
        seed_format=request.draw.seed_format if request.draw else None,
        draws_at=request.draw.draws_at if request.draw else None,
        candidates=candidates_of(rows, checked.rows, before),
    )
    report = RoundReport(frozen, frozen_sha256(frozen.document()), most, awards_known(frozen, None))
    if not dry_run:
        _write(tx, caller, programme, request.title, report, at)
    return report


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
        _refuse([FieldError("/seed", "not_as_announced", limit=locked.seed_format, actual=seed)])
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


def _require_free(tx: Connection, programme: ProgrammeRecord) -> None:
    """One round at a time, and nobody before those who wait."""
    if round_id := open_round(tx, programme):
        raise AppError(Code.ALLOCATION_OPEN, round_id=round_id, extra={"round_id": round_id})
    count, waiting_fen = waiting_total(tx, programme.region_code, programme.id)
    if count:
        raise AppError(Code.WAITLIST_NOT_EMPTY, count=count, waiting_fen=waiting_fen)


def _applied(tx: Connection, request: RoundRequest) -> list[ApplicationRecord]:
    """The applications that are asked for, locked."""
    region_code = region_of(request.programme_id)
    if not isinstance(request.rows, Applied) or region_code is None:
        return []
    return lock_reviewed(tx, region_code, request.programme_id, since=request.rows.since, until=request.rows.until)


def _of_applications(count: int) -> list[FieldError]:
    if not count:
        return [FieldError("/applications", "none_reviewed")]
    if count > MAX_CANDIDATES:
        return [FieldError("/applications", "out_of_range", limit=MAX_CANDIDATES, actual=count)]
    return []


def _submission(request: RoundRequest, listed_rows: Sequence[ListedRow], found: Sequence[FieldError]) -> Submission:
    rows = tuple(row.grant for row in listed_rows)
    total_fen = sum(row.face_value_fen for row in rows)
    return Submission(
        request.programme_id, rows, request.layout, len(rows), total_fen, errors=(*request.errors, *found)
    )


def _refuse(found: Sequence[FieldError]) -> None:
    if found:
        raise AppError(Code.VALIDATION_FAILED, count=len(found), errors=found[:MAX_ERRORS])


def _write(
    tx: Connection, caller: Caller, programme: ProgrammeRecord, title: str, report: RoundReport, at: datetime
) -> None:
    frozen = report.frozen
    asked_fen = sum(candidate.asked_fen for candidate in frozen.candidates)
    tx.execute(
        insert(AllocationRound).values(
            region_code=programme.region_code,
            id=frozen.round_id,
            programme_id=programme.id,
            rule_version_id=frozen.rule_version_id,
            title=title,
            status=AllocationStatus.FROZEN,
            method=frozen.allocation.method,
            budget_fen=frozen.budget_fen,
            candidate_count=len(frozen.candidates),
            asked_total_fen=asked_fen,
            frozen_sha256=report.frozen_sha256,
            announcement=frozen.announcement,
            seed_format=frozen.seed_format,
            draws_at=frozen.draws_at,
            frozen_at=at,
            frozen_by=caller.principal_id,
        )
    )
    insert_candidates(tx, programme.region_code, frozen)
    audit.record(
        tx,
        caller=caller,
        region_code=programme.region_code,
        action="allocation_round.frozen",
        object_id=frozen.round_id,
        at=at,
        details={
            "frozen_sha256": report.frozen_sha256,
            "candidates": len(frozen.candidates),
            "budget_fen": frozen.budget_fen,
            "announcement": frozen.announcement,
            "seed_format": frozen.seed_format,
            "draws_at": rfc3339(frozen.draws_at) if frozen.draws_at else None,
        },
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
