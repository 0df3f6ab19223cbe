"""Proposing to close a budget year: one person of finance asks, sees what it would do, and another approves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection

from app.kernel.clock import fiscal_year as fiscal_year_of
from app.kernel.ids import region_of
from app.kernel.problems import AppError, Code, FieldError
from app.kernel.vocabulary import ApprovalKind, ProgrammeStatus, Role
from app.services.approvals.requests import request_approval
from app.services.budgets.appropriations import fund_sources_of
from app.services.budgets.close_loading import load_pools_of, load_promises
from app.services.budgets.closing import CloseDecision, ClosingPool, PoolOutcome, outcomes
from app.services.identity.principals import Caller
from app.services.programmes.programmes import ProgrammeRecord, read_programme
from app.sql import now


@dataclass(frozen=True, slots=True)
class CloseRequest:
    """What finance asks for. `available_fen`: how much of what is available goes to the successor, by fund source."""

    programme_id: str
    fiscal_year: int | None
    document_no: str
    carries_promises: bool
    available_fen: Mapping[str, int]
    successor_programme_id: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class CloseReport:
    """What a close would do as things stand, by pool; `approval_id` where it was asked for and not only tried."""

    programme_id: str
    fiscal_year: int
    at: datetime
    pools: tuple[PoolOutcome, ...]
    approval_id: str | None


def request_year_close(tx: Connection, *, caller: Caller, request: CloseRequest, dry_run: bool) -> CloseReport:
    """Ask another person of finance to close a programme's year; with `dry_run` only say what that would do.

    The amounts are those of this instant: until it is approved redemptions go on, and the decision is applied to what
    is there then. Raises `forbidden`, `not_found`, `validation_failed` for a year to come, `year_closed` where nothing
    is left to decide, `fund_source_unknown`, `wrong_state` for a successor that cannot take money,
    `carry_exceeds_available`, `approval_pending`.
    """
    caller.require(Role.FINANCE)
    programme = _own_programme(tx, caller, request.programme_id)
    at = now(tx)
    year = request.fiscal_year or programme.fiscal_year
    if year > fiscal_year_of(at):
        raise _invalid("/fiscal_year", "out_of_range", limit=fiscal_year_of(at), actual=year)
    pools = load_pools_of(tx, programme.region_code, programme.id, year)
    _check_sources(tx, caller, programme, request, pools, year)
    decision = CloseDecision(request.carries_promises, request.available_fen)
    promises = load_promises(tx, programme.region_code, programme.id, pools, at=at)
    effect = outcomes(pools, promises, decision)
    if all(pool.closed for pool in pools) and not (request.carries_promises and promises):
        raise AppError(Code.YEAR_CLOSED, fiscal_year=year)
    approval_id = None
    if not dry_run:
        approval_id = request_approval(
            tx,
            caller=caller,
            kind=ApprovalKind.CLOSE_YEAR,
            region_code=programme.region_code,
            authority_id=None,
            required_role=Role.FINANCE,
            subject_id=programme.id,
            command={
                "programme_id": programme.id,
                "fiscal_year": year,
                "document_no": request.document_no,
                "carries_promises": request.carries_promises,
                "available_fen": dict(request.available_fen),
                "successor_programme_id": request.successor_programme_id,
            },
            effect={"programme": programme.title, "fiscal_year": year, "pools": [asdict(pool) for pool in effect]},
            amount_fen=sum(pool.lapsed_fen for pool in effect),
            reason=request.reason,
        )
    return CloseReport(programme.id, year, at, effect, approval_id)


def _own_programme(tx: Connection, caller: Caller, programme_id: str) -> ProgrammeRecord:
    programme = read_programme(tx, caller=caller, programme_id=programme_id)
    if not caller.holds_in(Role.FINANCE, programme.region_code):
        raise AppError(Code.NOT_FOUND, what="programme")
    return programme


def _check_sources(
    tx: Connection,
    caller: Caller,
    programme: ProgrammeRecord,
    request: CloseRequest,
    pools: Sequence[ClosingPool],
    year: int,
) -> None:
    """Whether there are pools to close, and whether what is carried can go where it is to go."""
    if not pools:
        raise AppError(Code.NOT_FOUND, what="pool")
    known = {pool.fund_source for pool in pools if pool.county_code is None}
    for source in request.available_fen:
        if source not in known:
            raise AppError(Code.FUND_SOURCE_UNKNOWN, expected=", ".join(sorted(known)), actual=source)
    if not any(request.available_fen.values()):
        return
    if request.successor_programme_id is None:
        raise _invalid("/successor_programme_id", "missing")
    if region_of(request.successor_programme_id) != programme.region_code:
        raise AppError(Code.NOT_FOUND, what="programme")
    successor = read_programme(tx, caller=caller, programme_id=request.successor_programme_id)
    if successor.fiscal_year != year + 1:
        raise _invalid("/successor_programme_id", "out_of_range", limit=year + 1, actual=successor.fiscal_year)
    if successor.status not in {ProgrammeStatus.PUBLISHED, ProgrammeStatus.PAUSED}:
        raise AppError(Code.WRONG_STATE, actual=successor.status, expected=ProgrammeStatus.PUBLISHED)
    takes = fund_sources_of(tx, caller, successor)
    for source, fen in request.available_fen.items():
        if fen and source not in takes:
            raise AppError(Code.FUND_SOURCE_UNKNOWN, expected=", ".join(takes), actual=source)


def _invalid(pointer: str, code: str, *, limit: int | None = None, actual: int | None = None) -> AppError:
    return AppError(Code.VALIDATION_FAILED, count=1, errors=[FieldError(pointer, code, limit=limit, actual=actual)])
