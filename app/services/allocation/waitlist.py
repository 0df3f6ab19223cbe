"""The waiting list (候补): money that came back is offered in the original order, by two persons, and never over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, select, tuple_, update

from app.kernel.ids import region_of
from app.kernel.problems import AppError, Code, FieldError
from app.kernel.vocabulary import ApprovalKind, Role, WaitingEnd
from app.models import AllocationCandidate, Organisation, Waiting
from app.reach import enter
from app.services.allocation.applied import (
    Applications,
    approve,
    decline,
    granting_row,
    judge_granted,
    lock_of_line,
    propose,
    require_proposed,
    take_off_list,
)
from app.services.allocation.batches import Grants, prepare, write
from app.services.allocation.line import InLine, next_in_line
from app.services.allocation.plans import most_fen
from app.services.allocation.stored import load_round, still_waiting, tier_uses
from app.services.approvals.requests import Decision, request_approval
from app.services.identity.principals import Caller
from app.services.issuance.batches import issue_rows, load_pools, reject_issue_batch, rules_in_force
from app.services.issuance.rows import GrantRow
from app.services.issuance.terms import Terms
from app.services.programmes.programmes import (
    ProgrammeRecord,
    is_official_of,
    lock_for_decision,
    lock_programme,
    read_programme,
)
from app.services.rules.model import Rules
from app.sql import now


@dataclass(frozen=True, slots=True)
class WaitingRecord:
    """Somebody who waits. `position` counts from 1; `ahead_fen` is what those before wait for."""

    position: int
    round_id: str
    place: int
    reference_no: str
    firm_id: str
    firm_name: str
    waits_fen: int
    ahead_fen: int
    since_at: datetime
    batch_id: str | None
    """The batch that would grant it and waits for a checker."""
    application_id: str | None


@dataclass(frozen=True, slots=True)
class Promotion:
    """Who is next for what came back. `approval_id` where a checker was asked and it was not only tried."""

    programme_id: str
    available_fen: int
    promoted: tuple[WaitingRecord, ...]
    left_waiting: int
    batch_id: str | None
    approval_id: str | None


def list_waiting(tx: Connection, *, caller: Caller, programme_id: str) -> list[WaitingRecord]:
    """Who waits in a programme, in order: all for its officials, its own rows with their positions for a firm.

    Raises `not_found`, `forbidden` for who is neither.
    """
    programme = read_programme(tx, caller=caller, programme_id=programme_id)
    official = is_official_of(caller, programme)
    if not official and not caller.holds(Role.FIRM):
        raise AppError(Code.FORBIDDEN, role=f"{Role.MAKER} / {Role.CHECKER} / {Role.FINANCE} / {Role.FIRM}")
    enter(tx, [programme.region_code])  # a firm's place follows from who is before it
    found = _live(tx, programme)
    return [one for one in found if official or one.firm_id == caller.organisation_id]


def promote(tx: Connection, *, caller: Caller, programme_id: str, limit_fen: int | None, dry_run: bool) -> Promotion:
    """Ask a checker to issue to those who wait, from the first on, as far as what is available reaches.

    Nobody is passed over: the first whose amount does not fit ends it. Raises `forbidden`, `not_found`,
    `approval_pending` while another promotion waits, `nothing_to_allocate` where the first does not fit, `busy` where
    somebody has come onto the list this very moment, and what a batch is refused for.
    """
    applications = lock_of_line(tx, region_of(programme_id) or "", programme_id)
    programme = lock_programme(tx, caller=caller, programme_id=programme_id, role=Role.MAKER)
    at = now(tx)
    waiting = _live(tx, programme)
    if any(one.batch_id for one in waiting):
        raise AppError(Code.APPROVAL_PENDING)
    rules = rules_in_force(tx, programme.region_code, programme.id, at).rules
    next_ones, most = _next(tx, programme, waiting, limit_fen, rules)
    if not next_ones:
        needed_fen = waiting[0].waits_fen if waiting else 0
        raise AppError(Code.NOTHING_TO_ALLOCATE, available_fen=most, needed_fen=needed_fen)
    amounts = _application_amounts(next_ones)
    if not applications.keys() >= amounts.keys():  # a round put them on the list while we waited for the programme
        raise AppError(Code.BUSY, retry_after_s=1)
    judge_granted(tx, applications, amounts, at=at)
    grants = prepare(tx, programme, _rows(tx, programme.region_code, next_ones, applications, rules), at=at)
    left = len(waiting) - len(next_ones)
    if dry_run:
        return Promotion(programme.id, most, next_ones, left, None, None)
    write(tx, caller, grants)
    approval_id = _ask(tx, caller, programme, next_ones, left, grants)
    tx.execute(update(Waiting).where(*_keys(programme.region_code, next_ones)).values(batch_id=grants.batch_id))
    propose(tx, caller, applications, amounts, batch_id=grants.batch_id, approval_id=approval_id, at=at)
    return Promotion(programme.id, most, next_ones, left, grants.batch_id, approval_id)


def execute_promote_waiting(tx: Connection, *, command: Mapping[str, Any], decision: Decision) -> None:
    """Issue to those who were next, and take them off the list.

    Whom an objection to the batch's public notice keeps back waits as before. Raises what issuing a batch raises;
    `wrong_state` where one of them waits no more.
    """
    region_code, batch_id = decision.region_code, str(command["batch_id"])
    programme_id = str(command["programme_id"])
    applications = lock_of_line(tx, region_code, programme_id)
    programme = lock_for_decision(tx, region_code=region_code, programme_id=programme_id)
    promoted = [one for one in _live(tx, programme) if one.batch_id == batch_id]
    if len(promoted) != command["row_count"]:
        raise AppError(Code.WRONG_STATE, actual=str(len(promoted)), expected=str(command["row_count"]))
    amounts = _application_amounts(promoted)
    require_proposed(applications, amounts, batch_id)
    judged = judge_granted(tx, applications, amounts, at=now(tx))
    objected = issue_rows(tx, command=command, decision=decision)
    approve(tx, decision, applications, amounts, judged, batch_id=batch_id)
    if objected:
        kept_back = [one for row_no, one in enumerate(promoted, start=1) if row_no in objected]
        tx.execute(update(Waiting).where(*_keys(region_code, kept_back)).values(batch_id=None))
    tx.execute(
        update(Waiting)
        .where(Waiting.region_code == region_code, Waiting.batch_id == batch_id)
        .values(ended_at=now(tx), ended_as=WaitingEnd.PROMOTED, approval_id=decision.approval_id)
    )


def reject_promote_waiting(tx: Connection, *, command: Mapping[str, Any], decision: Decision) -> None:
    """Nobody is promoted; all wait as before."""
    region_code, batch_id = decision.region_code, str(command["batch_id"])
    applications = lock_of_line(tx, region_code, str(command["programme_id"]))
    lock_for_decision(tx, region_code=region_code, programme_id=str(command["programme_id"]))
    decline(tx, decision, applications, batch_id=batch_id)
    reject_issue_batch(tx, command=command, decision=decision)
    tx.execute(
        update(Waiting).where(Waiting.region_code == region_code, Waiting.batch_id == batch_id).values(batch_id=None)
    )


def end_waiting(
    tx: Connection, *, caller: Caller, programme_id: str, reference_nos: Sequence[str] | None, reason: str
) -> str:
    """Ask a checker to take these off the list without a grant (None: all); returns the approval's id.

    Raises `forbidden`, `not_found`, `validation_failed` for a number that does not wait, `approval_pending` for one
    whose promotion is asked for.
    """
    programme = lock_programme(tx, caller=caller, programme_id=programme_id, role=Role.MAKER)
    waiting = _live(tx, programme)
    if reference_nos is not None:
        known = {one.reference_no: one for one in waiting}
        unknown = [
            FieldError(f"/reference_nos/{place}", "does_not_wait", actual=number)
            for place, number in enumerate(reference_nos)
            if number not in known
        ]
        if unknown:
            raise AppError(Code.VALIDATION_FAILED, count=len(unknown), errors=unknown)
        waiting = [known[number] for number in dict.fromkeys(reference_nos)]
    if not waiting:
        raise AppError(Code.NOT_FOUND, what="waiting")
    if any(one.batch_id for one in waiting):
        raise AppError(Code.APPROVAL_PENDING)
    return request_approval(
        tx,
        caller=caller,
        kind=ApprovalKind.END_WAITING,
        region_code=programme.region_code,
        authority_id=programme.authority_id,
        required_role=Role.CHECKER,
        subject_id=programme.id,
        command={"programme_id": programme.id, "waiting": [[one.round_id, one.place] for one in waiting]},
        effect={
            "programme": programme.title,
            "count": len(waiting),
            "waiting_fen": sum(one.waits_fen for one in waiting),
            "reference_nos": [one.reference_no for one in waiting],
        },
        reason=reason,
    )


def execute_end_waiting(tx: Connection, *, command: Mapping[str, Any], decision: Decision) -> None:
    """Take them off the list; their applications are reviewed again, and nobody has to wait behind them.

    Raises `wrong_state` where one was promoted, or is about to be.
    """
    region_code, programme_id = decision.region_code, str(command["programme_id"])
    applications = lock_of_line(tx, region_code, programme_id)
    programme = lock_for_decision(tx, region_code=region_code, programme_id=programme_id)
    keys = [(str(round_id), int(place)) for round_id, place in command["waiting"]]
    ended_ids = [one.application_id for one in _live(tx, programme) if (one.round_id, one.place) in keys]
    applied = [applications[one] for one in ended_ids if one is not None]
    ended = tx.execute(
        update(Waiting)
        .where(
            Waiting.region_code == region_code,
            tuple_(Waiting.round_id, Waiting.place).in_(keys),
            Waiting.ended_at.is_(None),
            Waiting.batch_id.is_(None),
        )
        .values(ended_at=now(tx), ended_as=WaitingEnd.ENDED, approval_id=decision.approval_id)
        .returning(Waiting.place)
    ).all()
    if len(ended) != len(keys):
        raise AppError(Code.WRONG_STATE, actual=f"{len(ended)} / {len(keys)}", expected=f"{len(keys)} / {len(keys)}")
    take_off_list(tx, decision, applied)


def _live(tx: Connection, programme: ProgrammeRecord) -> list[WaitingRecord]:
    """All who wait, in the order of rounds and, within one, of service."""
    found = tx.execute(
        select(
            Waiting,
            AllocationCandidate.reference_no,
            AllocationCandidate.application_id,
            Organisation.name.label("firm_name"),
        )
        .join(
            AllocationCandidate,
            and_(
                AllocationCandidate.region_code == Waiting.region_code,
                AllocationCandidate.round_id == Waiting.round_id,
                AllocationCandidate.place == Waiting.place,
            ),
        )
        .join(Organisation, Organisation.id == Waiting.firm_id)
        .where(
            Waiting.region_code == programme.region_code,
            Waiting.programme_id == programme.id,
            still_waiting(),
        )
        .order_by(Waiting.round_id, Waiting.rank)
    )
    records: list[WaitingRecord] = []
    ahead_fen = 0
    for position, row in enumerate(found, start=1):
        records.append(_record(row, position, ahead_fen))
        ahead_fen += row.waits_fen
    return records


def _record(row: Row[*tuple[Any, ...]], position: int, ahead_fen: int) -> WaitingRecord:
    return WaitingRecord(
        position=position,
        round_id=row.round_id,
        place=row.place,
        reference_no=row.reference_no,
        firm_id=row.firm_id,
        firm_name=row.firm_name,
        waits_fen=row.waits_fen,
        ahead_fen=ahead_fen,
        since_at=row.since_at,
        batch_id=row.batch_id,
        application_id=row.application_id,
    )


def _next(
    tx: Connection, programme: ProgrammeRecord, waiting: Sequence[WaitingRecord], limit_fen: int | None, rules: Rules
) -> tuple[tuple[WaitingRecord, ...], int]:
    """Those who are granted what they wait for, and what there is for them.

    All who wait are of one round, since no other begins before they have their money or wait no more.
    """
    pools = load_pools(tx, programme.region_code, programme.id, programme.fiscal_year)
    available = {source: pool.available_fen for source, pool in pools.items()}
    most = max(0, most_fen(available, rules.fund_sources, len(waiting)))
    if limit_fen is not None:
        most = min(most, limit_fen)
    if not waiting:
        return (), most
    assert len({one.round_id for one in waiting}) == 1, "a round begins when nobody waits"
    frozen = load_round(tx, programme.region_code, waiting[0].round_id)
    tiers = {candidate.place: candidate.tier or "" for candidate in frozen.candidates}
    line = [InLine(one.place, tiers[one.place], one.waits_fen) for one in waiting]
    places = set(next_in_line(frozen.allocation, line, most, tier_uses(tx, programme.region_code, frozen.round_id)))
    return tuple(one for one in waiting if one.place in places), most


def _application_amounts(waiting: Sequence[WaitingRecord]) -> dict[str, int]:
    return {one.application_id: one.waits_fen for one in waiting if one.application_id is not None}


def _rows(
    tx: Connection, region_code: str, waiting: Sequence[WaitingRecord], applications: Applications, rules: Rules
) -> list[GrantRow]:
    terms = {
        (row.round_id, row.place): row.terms
        for row in tx.execute(
            select(AllocationCandidate.round_id, AllocationCandidate.place, AllocationCandidate.terms).where(
                AllocationCandidate.region_code == region_code,
                tuple_(AllocationCandidate.round_id, AllocationCandidate.place).in_(
                    [(one.round_id, one.place) for one in waiting]
                ),
            )
        )
    }
    rows = []
    for row_no, one in enumerate(waiting, start=1):
        row = GrantRow(
            row_no=row_no,
            reference_no=one.reference_no,
            face_value_fen=one.waits_fen,
            firm_id=one.firm_id,
            terms=Terms.model_validate_json(own) if (own := terms[one.round_id, one.place]) else None,
        )
        rows.append(granting_row(row, applications[one.application_id], rules) if one.application_id else row)
    return rows


def _keys(region_code: str, waiting: Sequence[WaitingRecord]) -> tuple[ColumnElement[bool], ...]:
    places = [(one.round_id, one.place) for one in waiting]
    return (Waiting.region_code == region_code, tuple_(Waiting.round_id, Waiting.place).in_(places))


def _ask(
    tx: Connection,
    caller: Caller,
    programme: ProgrammeRecord,
    promoted: Sequence[WaitingRecord],
    left: int,
    grants: Grants,
) -> str:
    return request_approval(
        tx,
        caller=caller,
        kind=ApprovalKind.PROMOTE_WAITING,
        region_code=programme.region_code,
        authority_id=programme.authority_id,
        required_role=Role.CHECKER,
        subject_id=grants.batch_id,
        command=grants.command()
        | {"programme_id": programme.id, "waiting": [[one.round_id, one.place] for one in promoted]},
        effect={
            "programme": programme.title,
            "count": len(promoted),
            "total_fen": grants.report.total_fen,
            "left_waiting": left,
            "pools": grants.pools(),
        },
        amount_fen=grants.report.total_fen,
        within_id=programme.id,
    )
