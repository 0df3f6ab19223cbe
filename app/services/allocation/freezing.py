"""Freezing a list (冻结名单): a maker writes it down for good, with its budget and the rules in force.

What decides is fixed before it is known how it turns out: the rules by their published version, budget and list by
their hash, sealed in the region's log as an audit event; of a lottery also which public number is going to be the seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, insert

from app.kernel.clock import rfc3339
from app.kernel.ids import new_id, region_of
from app.kernel.problems import AppError, Code, FieldError
from app.kernel.vocabulary import AllocationStatus, Role
from app.models import AllocationRound
from app.services import audit
from app.services.allocation.applied import listed, lock_reviewed
from app.services.allocation.columns import MAX_CANDIDATES, template_of
from app.services.allocation.listing import (
    Draw,
    ListedRow,
    candidates_of,
    complaints,
    named_firms_twice,
    refuse,
    spelled_as_in_rules,
)
from app.services.allocation.plans import Awarded, Frozen, frozen_sha256, most_fen
from app.services.allocation.stored import (
    awards_known,
    granted_before,
    insert_candidates,
    open_round,
    round_of_file,
    rules_sha256_of,
    waiting_total,
)
from app.services.applications.records import ApplicationRecord
from app.services.identity.principals import Caller
from app.services.issuance.batches import load_pools, rules_in_force
from app.services.issuance.checks import Checked, Submission, check
from app.services.issuance.forms import Form
from app.services.issuance.rows import Layout
from app.services.programmes.programmes import ProgrammeRecord, lock_programme, read_programme
from app.services.rules.budget import Allocation
from app.sql import now


@dataclass(frozen=True, slots=True)
class Applied:
    """Instead of a list: the reviewed applications that were first submitted since, and before, these instants."""

    since: datetime | None
    until: datetime | None


@dataclass(frozen=True, slots=True)
class SentFile:
    """The file that a list was read from, and what its sender declares of it."""

    sha256: str
    declared_count: int
    declared_total_fen: int


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
    file: SentFile | None = None


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
    `validation_failed` (of a file: `sheet_invalid`) with every complaint; `declaration_mismatch`;
    `reference_already_used`; `file_already_submitted` while a round of that file is open or executed;
    `allocation_open` while another round is not decided; `waitlist_not_empty` while others wait for the same money.
    """
    applied = _applied(tx, request)
    programme = lock_programme(tx, caller=caller, programme_id=request.programme_id, role=Role.MAKER)
    at = now(tx)
    _require_new_file(tx, programme, request.file)
    _require_free(tx, programme)
    dated = rules_in_force(tx, programme.region_code, programme.id, at)
    allocation = dated.rules.allocation
    if isinstance(request.rows, Applied):
        refuse(_of_applications(len(applied)))
        rows = listed(applied, dated.rules)
    else:
        rows = request.rows
    rows, submission, checked = _checked(tx, programme, request, rows, allocation, at)
    checked.require_sound(submission)
    pools = load_pools(tx, programme.region_code, programme.id, programme.fiscal_year)
    available = {source: pool.available_fen for source, pool in pools.items()}
    most = most_fen(available, dated.rules.fund_sources, len(checked.rows))
    if request.budget_fen is not None and request.budget_fen > most:
        refuse([FieldError("/budget_fen", "too_large", limit=most, actual=request.budget_fen)])
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
        _write(tx, caller, programme, request, report, at)
    return report


def find_complaints(tx: Connection, *, caller: Caller, request: RoundRequest) -> list[FieldError]:
    """Everything that is wrong with a list as it was sent, by row, however much it is.

    Raises AppError: `forbidden`, `not_found`, `wrong_state`.
    """
    assert not isinstance(request.rows, Applied), "of a list"
    programme = lock_programme(tx, caller=caller, programme_id=request.programme_id, role=Role.MAKER)
    at = now(tx)
    allocation = rules_in_force(tx, programme.region_code, programme.id, at).rules.allocation
    return _checked(tx, programme, request, request.rows, allocation, at)[2].complaints


def list_form(tx: Connection, *, caller: Caller, programme_id: str) -> Form:
    """The columns that a list has under the rules in force.

    Raises AppError: `not_found`; `wrong_state` where no rules are in force yet.
    """
    programme = read_programme(tx, caller=caller, programme_id=programme_id)
    return template_of(rules_in_force(tx, programme.region_code, programme.id, now(tx)).rules.allocation)


def _checked(
    tx: Connection,
    programme: ProgrammeRecord,
    request: RoundRequest,
    rows: tuple[ListedRow, ...],
    allocation: Allocation,
    at: datetime,
) -> tuple[tuple[ListedRow, ...], Submission, Checked]:
    """The list held against the method, the registry and earlier grants, with all that is wrong with it."""
    layout = request.layout
    if layout.columns is not None:
        rows = spelled_as_in_rules(allocation, rows)
    told = {error.pointer for error in request.errors}
    found = [error for error in complaints(allocation, rows, request.draw, layout, at=at) if error.pointer not in told]
    submission = _submission(request, rows, found)
    checked = check(tx, programme, submission, at=at)
    twice = named_firms_twice(allocation, checked.rows, rows, layout)
    return rows, submission, replace(checked, of_rows=(*checked.of_rows, *twice))


def _require_new_file(tx: Connection, programme: ProgrammeRecord, file: SentFile | None) -> None:
    """The same file twice allocates nothing twice. The caller holds the programme's lock."""
    round_id = round_of_file(tx, programme, file.sha256) if file else None
    if round_id is not None:
        raise AppError(Code.FILE_ALREADY_SUBMITTED, batch_id=round_id, extra={"round_id": round_id})


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
    file = request.file
    declared = (file.declared_count, file.declared_total_fen) if file else (len(rows), total_fen)
    return Submission(request.programme_id, rows, request.layout, *declared, errors=(*request.errors, *found))


def _write(
    tx: Connection, caller: Caller, programme: ProgrammeRecord, request: RoundRequest, report: RoundReport, at: datetime
) -> None:
    frozen = report.frozen
    asked_fen = sum(candidate.asked_fen for candidate in frozen.candidates)
    tx.execute(
        insert(AllocationRound).values(
            region_code=programme.region_code,
            id=frozen.round_id,
            programme_id=programme.id,
            rule_version_id=frozen.rule_version_id,
            title=request.title,
            status=AllocationStatus.FROZEN,
            method=frozen.allocation.method,
            budget_fen=frozen.budget_fen,
            candidate_count=len(frozen.candidates),
            asked_total_fen=asked_fen,
            frozen_sha256=report.frozen_sha256,
            announcement=frozen.announcement,
            seed_format=frozen.seed_format,
            draws_at=frozen.draws_at,
            file_sha256=request.file.sha256 if request.file else None,
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
            "file_sha256": request.file.sha256 if request.file else None,
        },
    )
