"""Appropriations: the finance bureau grants money to a programme, adds to it, takes it back. Two persons of finance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, exists, select
from sqlalchemy.dialects.postgresql import insert

from app.kernel.ids import new_id, region_of
from app.kernel.money import MAX_FEN
from app.kernel.problems import AppError, Code, FieldError
from app.kernel.vocabulary import Account, ApprovalKind, EntryKind, ProgrammeStatus, Role
from app.models import Pool, Programme
from app.services.approvals.requests import Decision, request_approval
from app.services.identity.principals import Caller
from app.services.ledger.entries import JournalEntry, Movement
from app.services.ledger.journal import post
from app.services.programmes.programmes import ProgrammeRecord, list_rule_versions, read_programme
from app.services.rules.model import Rules
from app.sql import now


def request_appropriation(
    tx: Connection,
    *,
    caller: Caller,
    programme_id: str,
    document_no: str,
    amount_fen: int,
    fund_source: str | None = None,
    reason: str | None = None,
) -> str:
    """Ask another person of finance to grant `amount_fen` (negative: to take back) and return the approval's id.

    `fund_source` defaults to the only one of the rules. Raises `forbidden`, `not_found`, `fund_source_unknown`,
    `year_closed`, `appropriation_below_promised` where more is taken back than is free.
    """
    caller.require(Role.FINANCE)
    programme = _own_programme(tx, caller, programme_id, amount_fen)
    source = checked_source(tx, caller, programme, fund_source)
    if amount_fen == 0:
        raise AppError(Code.VALIDATION_FAILED, count=1, errors=[FieldError("/amount_fen", "zero")])
    check_year_open(tx, programme.region_code, programme.id, programme.fiscal_year)
    pool = _pool(tx, programme.region_code, programme.id, programme.fiscal_year, source)
    available_fen = pool.available_fen if pool else 0
    _check_available(available_fen, amount_fen)
    request_id = new_id("apr", programme.region_code)
    return request_approval(
        tx,
        caller=caller,
        kind=ApprovalKind.APPROPRIATE,
        region_code=programme.region_code,
        authority_id=None,
        required_role=Role.FINANCE,
        subject_id=request_id,
        command={
            "programme_id": programme.id,
            "fiscal_year": programme.fiscal_year,
            "fund_source": source,
            "document_no": document_no,
            "amount_fen": amount_fen,
        },
        effect={
            "programme": programme.title,
            "fund_source": source,
            "available_before_fen": available_fen,
            "available_after_fen": available_fen + amount_fen,
        },
        amount_fen=amount_fen,
        reason=reason,
        within_id=programme.id,
    )


def execute_appropriate(tx: Connection, *, command: Mapping[str, Any], decision: Decision) -> None:
    """Post the grant to the pool, which is opened where it is the first.

    Raises `wrong_state` where the programme has been closed meanwhile, `year_closed` where its year has been,
    `appropriation_below_promised`.
    """
    region_code, programme_id = decision.region_code, str(command["programme_id"])
    status = tx.execute(
        select(Programme.status)
        .where(Programme.region_code == region_code, Programme.id == programme_id)
        .with_for_update(read=True)
    ).scalar_one()
    _check_fundable(status, int(command["amount_fen"]))
    year, source, amount_fen = int(command["fiscal_year"]), str(command["fund_source"]), int(command["amount_fen"])
    check_year_open(tx, region_code, programme_id, year)
    tx.execute(
        insert(Pool)
        .values(
            region_code=region_code,
            id=new_id("pol", region_code),
            programme_id=programme_id,
            fiscal_year=year,
            fund_source=source,
            county_code=None,
            available_fen=0,
            created_at=decision.at,
        )
        .on_conflict_do_nothing()
    )
    pool = _pool(tx, region_code, programme_id, year, source, lock=True)
    assert pool is not None, "inserted above, or there before"
    _check_available(pool.available_fen, amount_fen)
    grants = amount_fen > 0
    post(
        tx,
        [
            JournalEntry(
                region_code=region_code,
                id=new_id("ent", region_code),
                kind=EntryKind.APPROPRIATE if grants else EntryKind.ADJUST,
                at=now(tx),
                programme_id=programme_id,
                subject_id=decision.approval_id,
                cause=decision.cause,
                movements=(
                    Movement(
                        pool.id,
                        Account.APPROPRIATION if grants else Account.AVAILABLE,
                        Account.AVAILABLE if grants else Account.APPROPRIATION,
                        abs(amount_fen),
                    ),
                ),
                details={"document_no": str(command["document_no"])},
            )
        ],
    )


def fund_sources_of(tx: Connection, caller: Caller, programme: ProgrammeRecord) -> list[str]:
    """The fund sources that the programme's newest rules know, in the declared order."""
    newest = list_rule_versions(tx, caller=caller, programme_id=programme.id)[0]
    return [share.source for share in Rules.model_validate_json(newest.rules).fund_sources]


def _check_available(available_fen: int, amount_fen: int) -> None:
    if available_fen + amount_fen < 0:
        raise AppError(Code.APPROPRIATION_BELOW_PROMISED, limit_fen=available_fen, actual_fen=-amount_fen)
    if available_fen + amount_fen > MAX_FEN:
        error = FieldError("/amount_fen", "too_large", limit=MAX_FEN - available_fen, actual=amount_fen)
        raise AppError(Code.VALIDATION_FAILED, count=1, errors=[error])


def _check_fundable(status: str, amount_fen: int) -> None:
    """A draft may still change its year and its fund sources: money given to it could be stranded.

    From a closed programme what is not promised may be taken back, and nothing is given to it.
    """
    if status == ProgrammeStatus.CLOSED and amount_fen < 0:
        return
    if status not in {ProgrammeStatus.PUBLISHED, ProgrammeStatus.PAUSED}:
        raise AppError(Code.WRONG_STATE, actual=status, expected=ProgrammeStatus.PUBLISHED)


def _own_programme(tx: Connection, caller: Caller, programme_id: str, amount_fen: int) -> ProgrammeRecord:
    programme = read_programme(tx, caller=caller, programme_id=programme_id)
    if not caller.holds_in(Role.FINANCE, programme.region_code):
        raise AppError(Code.NOT_FOUND, what="programme")
    tx.execute(
        select(Programme.id)
        .where(Programme.region_code == region_of(programme_id), Programme.id == programme_id)
        .with_for_update(read=True)
    )
    programme = read_programme(tx, caller=caller, programme_id=programme_id)  # as it is under the lock
    _check_fundable(programme.status, amount_fen)
    return programme


def checked_source(tx: Connection, caller: Caller, programme: ProgrammeRecord, asked: str | None) -> str:
    """The fund source asked for, by default the only one of the rules. Raises `fund_source_unknown`."""
    known = fund_sources_of(tx, caller, programme)
    if asked is None and len(known) == 1:
        return known[0]
    if asked not in known:
        raise AppError(Code.FUND_SOURCE_UNKNOWN, expected=", ".join(known), actual=asked or "-")
    return asked


def _pool(
    tx: Connection, region_code: str, programme_id: str, fiscal_year: int, fund_source: str, *, lock: bool = False
) -> Any:
    query = select(Pool.id, Pool.available_fen).where(
        Pool.region_code == region_code,
        Pool.programme_id == programme_id,
        Pool.fiscal_year == fiscal_year,
        Pool.fund_source == fund_source,
        Pool.county_code.is_(None),
    )
    if lock:
        query = query.with_for_update(key_share=True)
    return tx.execute(query).one_or_none()


def check_year_open(tx: Connection, region_code: str, programme_id: str, fiscal_year: int) -> None:
    """A closed year takes no money, not even from a source that had given it none before. Raises `year_closed`."""
    closed = exists().where(
        Pool.region_code == region_code,
        Pool.programme_id == programme_id,
        Pool.fiscal_year == fiscal_year,
        Pool.closed_at.is_not(None),
    )
    if tx.execute(select(closed)).scalar_one():
        raise AppError(Code.YEAR_CLOSED, fiscal_year=fiscal_year)
