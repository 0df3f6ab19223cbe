"""Reading rounds: what was frozen and decided, candidate by candidate, and the record that anybody can replay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, exists, select

from app.kernel.clock import rfc3339
from app.kernel.ids import region_of
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import AllocationStatus, AwardReason, Role
from app.models import AllocationCandidate, AllocationRound, IssuanceRow, Organisation, Programme
from app.reach import enter
from app.services.allocation.plans import VERSION, Awarded, awards_document
from app.services.allocation.stored import awards_known, load_frozen, places_in
from app.services.identity.principals import Caller
from app.services.reach import within_reach

DECIDED = (AllocationStatus.EXECUTED, AllocationStatus.CANCELLED)


@dataclass(frozen=True, slots=True)
class RoundRecord:
    """A round as it is read. Amounts are fen."""

    region_code: str
    id: str
    programme_id: str
    rule_version_id: str
    title: str
    status: str
    method: str
    budget_fen: int
    candidate_count: int
    asked_total_fen: int
    frozen_sha256: str
    announcement: str | None
    seed_format: str | None
    draws_at: datetime | None
    file_sha256: str | None
    frozen_at: datetime
    frozen_by: str
    seed: str | None
    drawn_at: datetime | None
    drawn_by: str | None
    left_out: str | None
    awards_sha256: str | None
    granted_total_fen: int | None
    batch_id: str | None
    approval_id: str | None
    decided_at: datetime | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class CandidateRecord:
    """A candidate with what it gets. None where that is not known yet, or not for the caller yet."""

    place: int
    reference_no: str
    firm_id: str
    firm_name: str
    asked_fen: int
    score: str | None
    tier: str | None
    project: str | None
    project_level: str | None
    granted_before_fen: int
    rank: int | None
    granted_fen: int | None
    reason: AwardReason | None
    waits_fen: int | None
    voucher_id: str | None


def list_rounds(
    tx: Connection, *, caller: Caller, limit: int, before_id: str | None = None, programme_id: str | None = None
) -> list[RoundRecord]:
    """Rounds within the caller's reach, newest first: an official's, and those in which a firm is a candidate."""
    query = _query(caller).order_by(AllocationRound.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(AllocationRound.id < before_id)
    if programme_id is not None:
        query = query.where(AllocationRound.programme_id == programme_id)
    return [_record(row) for row in tx.execute(query)]


def read_round(tx: Connection, *, caller: Caller, round_id: str) -> RoundRecord:
    """One round within the caller's reach. Raises `not_found`."""
    row = tx.execute(
        _query(caller).where(AllocationRound.region_code == region_of(round_id), AllocationRound.id == round_id)
    ).one_or_none()
    if row is None:
        raise AppError(Code.NOT_FOUND, what="allocation_round")
    return _record(row)


def list_candidates(
    tx: Connection, *, caller: Caller, round_id: str, limit: int, after_place: int = 0
) -> list[CandidateRecord]:
    """A round's list in its order: all of it for an official; for a firm its own rows, with awards once decided."""
    record = read_round(tx, caller=caller, round_id=round_id)
    official = _is_official(tx, caller, record)
    awards: Mapping[int, Awarded] = {}
    if official or record.status == AllocationStatus.EXECUTED:
        known = awards_known(load_frozen(tx, record), record.seed, places_in(record.left_out))
        awards = {award.place: award for award in known or ()}
    query = (
        select(AllocationCandidate, Organisation.name.label("firm_name"), IssuanceRow.voucher_id)
        .join(Organisation, Organisation.id == AllocationCandidate.firm_id)
        .outerjoin(
            IssuanceRow,
            and_(
                IssuanceRow.region_code == AllocationCandidate.region_code,
                IssuanceRow.batch_id == record.batch_id,
                IssuanceRow.reference_no == AllocationCandidate.reference_no,
            ),
        )
        .where(
            AllocationCandidate.region_code == record.region_code,
            AllocationCandidate.round_id == record.id,
            AllocationCandidate.place > after_place,
        )
        .order_by(AllocationCandidate.place)
        .limit(limit)
    )
    if not official:
        query = query.where(AllocationCandidate.firm_id == caller.organisation_id)
    return [_candidate(row, awards.get(row.place)) for row in tx.execute(query)]


def read_record(tx: Connection, *, round_id: str) -> dict[str, Any]:
    """What anybody needs to compute a round again. Until it is decided the list is shown by its hash alone.

    Firms stand in it by their ids, not by their names. Raises `not_found`.
    """
    enter(tx, [region_of(round_id)])
    found = tx.execute(
        select(AllocationRound).where(
            AllocationRound.region_code == region_of(round_id), AllocationRound.id == round_id
        )
    ).one_or_none()
    if found is None:
        raise AppError(Code.NOT_FOUND, what="allocation_round")
    record = _record(found)
    frozen = awards = None
    left_out = places_in(record.left_out)
    if record.status in DECIDED:
        loaded = load_frozen(tx, record)
        frozen = loaded.document()
        known = awards_known(loaded, record.seed, left_out)
        awards = awards_document(known) if known is not None and record.status == AllocationStatus.EXECUTED else None
    return {
        "v": VERSION,
        "id": record.id,
        "title": record.title,
        "status": record.status,
        "method": record.method,
        "candidate_count": record.candidate_count,
        "frozen_sha256": record.frozen_sha256,
        "frozen_at": rfc3339(record.frozen_at),
        "announcement": record.announcement,
        "seed_format": record.seed_format,
        "draws_at": rfc3339(record.draws_at) if record.draws_at else None,
        "seed": record.seed,
        "drawn_at": rfc3339(record.drawn_at) if record.drawn_at else None,
        "decided_at": rfc3339(record.decided_at) if record.decided_at else None,
        "reason": record.reason,
        "cancelled_before": _cancelled_before(tx, record),
        "left_out": sorted(left_out) if record.status in DECIDED else None,
        "frozen": frozen,
        "awards": awards,
        "awards_sha256": record.awards_sha256 if awards is not None else None,
    }


def _cancelled_before(tx: Connection, record: RoundRecord) -> list[str]:
    """Rounds of the programme that were given up before this one began: a lottery that was drawn again shows here."""
    found = tx.execute(
        select(AllocationRound.id)
        .where(
            AllocationRound.region_code == record.region_code,
            AllocationRound.programme_id == record.programme_id,
            AllocationRound.status == AllocationStatus.CANCELLED,
            AllocationRound.id < record.id,
        )
        .order_by(AllocationRound.id)
    )
    return list(found.scalars())


def _query(caller: Caller) -> Select[Any]:
    return (
        select(AllocationRound)
        .join(
            Programme,
            and_(Programme.region_code == AllocationRound.region_code, Programme.id == AllocationRound.programme_id),
        )
        .where(_visible_to(caller))
    )


def _visible_to(caller: Caller) -> ColumnElement[bool]:
    listed = exists().where(
        AllocationCandidate.region_code == AllocationRound.region_code,
        AllocationCandidate.round_id == AllocationRound.id,
        AllocationCandidate.firm_id == caller.organisation_id,
    )
    return within_reach(
        caller,
        region=AllocationRound.region_code,
        authority=Programme.authority_id,
        always=listed if caller.holds(Role.FIRM) else None,
    )


def _is_official(tx: Connection, caller: Caller, record: RoundRecord) -> bool:
    """Whether the round is within the caller's reach for what he is, and not only as a candidate."""
    authority_id = tx.execute(
        select(Programme.authority_id).where(
            Programme.region_code == record.region_code, Programme.id == record.programme_id
        )
    ).scalar_one()
    return any(
        caller.holds_in(role, record.region_code, authority_id)
        for role in (Role.MAKER, Role.CHECKER, Role.FINANCE, Role.AUDITOR)
    )


def _candidate(row: Row[*tuple[Any, ...]], award: Awarded | None) -> CandidateRecord:
    own = {
        name: getattr(row, name)
        for name in CandidateRecord.__slots__
        if name not in {"rank", "granted_fen", "reason", "waits_fen"}
    }
    return CandidateRecord(
        **own,
        rank=award.rank if award else None,
        granted_fen=award.granted_fen if award else None,
        reason=award.reason if award else None,
        waits_fen=award.waits_fen if award else None,
    )


def _record(row: Row[*tuple[Any, ...]]) -> RoundRecord:
    return RoundRecord(**{name: getattr(row, name) for name in RoundRecord.__slots__})
