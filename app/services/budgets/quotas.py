"""Sub-quotas 额度分配: a city shares part of a programme's pool out to a county, and takes back what is not used.

Two entries with one `pair_id`, as for every move between pools. A maker of the programme or finance asks, another
person of finance decides. Only what is available moves: what is promised on vouchers stays in its pool.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from app.kernel.ids import new_id
from app.kernel.problems import AppError, Code, FieldError
from app.kernel.regions import covers, region_name
from app.kernel.vocabulary import ApprovalKind, EntryKind, ProgrammeStatus, Role
from app.models import Pool, Programme
from app.services.approvals.requests import Decision, request_approval
from app.services.budgets.appropriations import check_year_open, checked_source
from app.services.budgets.closing import carried_available
from app.services.identity.principals import Caller
from app.services.ledger.entries import JournalEntry
from app.services.ledger.fences import try_fences
from app.services.ledger.journal import post
from app.services.ledger.pools import lock_pools
from app.services.programmes.programmes import ProgrammeRecord, read_programme
from app.sql import now

FUNDABLE = frozenset({ProgrammeStatus.PUBLISHED, ProgrammeStatus.PAUSED})


@dataclass(frozen=True, slots=True)
class QuotaMove:
    """`amount_fen` from the programme's own pool to the county's; below zero back from there."""

    programme_id: str
    county_code: str
    amount_fen: int
    document_no: str
    fund_source: str | None
    reason: str | None


def request_move(tx: Connection, *, caller: Caller, move: QuotaMove) -> str:
    """Ask finance to move a sub-quota; returns the approval's id.

    Raises `forbidden`, `not_found`, `validation_failed` for a region that is none of the programme's counties or for
    nothing, `fund_source_unknown`, `wrong_state`, `year_closed`, `quota_exceeds_available`.
    """
    caller.require(Role.MAKER, Role.FINANCE)
    programme = _programme(tx, caller, move.programme_id)
    if move.amount_fen == 0:
        raise _invalid("/amount_fen", "zero")
    if move.county_code == programme.region_code or not covers(programme.region_code, move.county_code):
        raise _invalid("/county_code", "beyond_your_reach", limit=programme.region_code, actual=move.county_code)
    if programme.status not in FUNDABLE and (programme.status != ProgrammeStatus.CLOSED or move.amount_fen > 0):
        raise AppError(Code.WRONG_STATE, actual=programme.status, expected=ProgrammeStatus.PUBLISHED)
    source = checked_source(tx, caller, programme, move.fund_source)
    check_year_open(tx, programme.region_code, programme.id, programme.fiscal_year)
    key = (programme.region_code, programme.id, programme.fiscal_year, source)
    own_fen, its_fen = _available(tx, *key, None), _available(tx, *key, move.county_code)
    _check(move.amount_fen, own_fen, its_fen, programme.region_code, move.county_code, source)
    return request_approval(
        tx,
        caller=caller,
        kind=ApprovalKind.MOVE_QUOTA,
        region_code=programme.region_code,
        authority_id=programme.authority_id,
        required_role=Role.FINANCE,
        subject_id=f"{programme.id}/{move.county_code}",
        command={
            "programme_id": programme.id,
            "fiscal_year": programme.fiscal_year,
            "fund_source": source,
            "county_code": move.county_code,
            "amount_fen": move.amount_fen,
            "document_no": move.document_no,
        },
        effect={
            "programme": programme.title,
            "county": region_name(move.county_code),
            "fund_source": source,
            "available_before_fen": own_fen,
            "available_after_fen": own_fen - move.amount_fen,
            "county_available_before_fen": its_fen,
            "county_available_after_fen": its_fen + move.amount_fen,
        },
        amount_fen=move.amount_fen,
        reason=move.reason,
    )


def execute_move_quota(tx: Connection, *, command: Mapping[str, Any], decision: Decision) -> None:
    """Move what is available then, under the locks of both pools; the county's pool is opened where it is the first.

    Raises `wrong_state`, `year_closed`, `quota_exceeds_available`.
    """
    region_code, programme_id = decision.region_code, str(command["programme_id"])
    year, source, fen = int(command["fiscal_year"]), str(command["fund_source"]), int(command["amount_fen"])
    county_code = str(command["county_code"])
    try_fences(tx, {region_code}, wait=True)  # no year is closed meanwhile, with pools that it did not know
    status = tx.execute(
        select(Programme.status)
        .where(Programme.region_code == region_code, Programme.id == programme_id)
        .with_for_update(read=True)
    ).scalar_one()
    if status not in FUNDABLE and (status != ProgrammeStatus.CLOSED or fen > 0):
        raise AppError(Code.WRONG_STATE, actual=status, expected=ProgrammeStatus.PUBLISHED)
    check_year_open(tx, region_code, programme_id, year)
    own = _opened(tx, region_code, programme_id, year, source, None, decision)
    its = _opened(tx, region_code, programme_id, year, source, county_code, decision)
    lock_pools(tx, {(region_code, own), (region_code, its)})
    key = (region_code, programme_id, year, source)
    own_fen, its_fen = _available(tx, *key, None), _available(tx, *key, county_code)
    _check(fen, own_fen, its_fen, region_code, county_code, source)
    giving, taking = (own, its) if fen > 0 else (its, own)
    given, taken = carried_available(giving, taking, abs(fen))
    at, pair_id = now(tx), new_id("ent", region_code)
    post(
        tx,
        [
            JournalEntry(
                region_code=region_code,
                id=entry_id,
                kind=EntryKind.MOVE,
                at=at,
                programme_id=programme_id,
                subject_id=decision.approval_id,
                cause=decision.cause,
                movements=(movement,),
                pair_id=pair_id,
                details={"document_no": str(command["document_no"]), "county": county_code},
            )
            for entry_id, movement in ((pair_id, given), (new_id("ent", region_code), taken))
        ],
    )


def _programme(tx: Connection, caller: Caller, programme_id: str) -> ProgrammeRecord:
    """A programme for which the caller is maker, or finance of its region."""
    programme = read_programme(tx, caller=caller, programme_id=programme_id)
    makes = caller.holds_in(Role.MAKER, programme.region_code, programme.authority_id)
    if not makes and not caller.holds_in(Role.FINANCE, programme.region_code):
        raise AppError(Code.NOT_FOUND, what="programme")
    return programme


def _check(fen: int, own_fen: int, its_fen: int, region_code: str, county_code: str, source: str) -> None:
    there_fen, place = (own_fen, region_code) if fen > 0 else (its_fen, county_code)
    if abs(fen) > there_fen:
        raise AppError(
            Code.QUOTA_EXCEEDS_AVAILABLE,
            fund_source=source,
            place=region_name(place),
            limit_fen=there_fen,
            actual_fen=abs(fen),
        )


def _available(
    tx: Connection, region_code: str, programme_id: str, fiscal_year: int, fund_source: str, county_code: str | None
) -> int:
    """What is available in a pool, nothing where it is not there."""
    found = tx.execute(
        select(Pool.available_fen).where(
            Pool.region_code == region_code,
            Pool.programme_id == programme_id,
            Pool.fiscal_year == fiscal_year,
            Pool.fund_source == fund_source,
            Pool.county_code.is_not_distinct_from(county_code),
        )
    ).scalar_one_or_none()
    return found or 0


def _opened(
    tx: Connection,
    region_code: str,
    programme_id: str,
    fiscal_year: int,
    fund_source: str,
    county_code: str | None,
    decision: Decision,
) -> str:
    """The id of a pool, which is opened where it is not there."""
    key = {
        "region_code": region_code,
        "programme_id": programme_id,
        "fiscal_year": fiscal_year,
        "fund_source": fund_source,
        "county_code": county_code,
    }
    tx.execute(
        insert(Pool)
        .values(id=new_id("pol", region_code), available_fen=0, created_at=decision.at, **key)
        .on_conflict_do_nothing()
    )
    here = (getattr(Pool, name).is_not_distinct_from(value) for name, value in key.items())
    return tx.execute(select(Pool.id).where(*here)).scalar_one()


def _invalid(pointer: str, code: str, *, limit: str | None = None, actual: str | None = None) -> AppError:
    return AppError(Code.VALIDATION_FAILED, count=1, errors=[FieldError(pointer, code, limit=limit, actual=actual)])
