"""A round as it lies in the tables: locked, read back as what was frozen, and held against its hashes."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, exists, func, insert, select, text, update

from app.kernel.ids import require_region
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import AllocationStatus, ApplicationStatus, Role
from app.models import AllocationCandidate, AllocationRound, Application, RuleVersion, Waiting
from app.reach import enter
from app.services.allocation.line import TierUse
from app.services.allocation.plans import Awarded, Candidate, Frozen, awards_of, frozen_sha256
from app.services.identity.principals import Caller
from app.services.programmes.programmes import ProgrammeRecord, lock_for_decision
from app.services.rules.model import Rules

_GRANTED_BEFORE = text(
    "SELECT c.project, sum(a.granted_fen + coalesce(w.waits_fen, 0)) AS fen"
    " FROM allocation_rounds r"
    " JOIN allocation_candidates c ON c.region_code = r.region_code AND c.round_id = r.id"
    " JOIN allocation_awards a ON a.region_code = c.region_code AND a.round_id = c.round_id AND a.place = c.place"
    " LEFT JOIN waitlist w ON w.region_code = c.region_code AND w.round_id = c.round_id AND w.place = c.place"
    " AND w.ended_as = 'promoted'"
    " WHERE r.region_code = :region_code AND r.programme_id = :programme_id AND r.status = 'executed'"
    " AND c.project = ANY(CAST(:projects AS text[])) GROUP BY c.project"
)

_TIER_USES = text(
    "SELECT coalesce(c.tier, '') AS tier, count(*) FILTER (WHERE u.fen > 0) AS vouchers, sum(u.fen) AS fen"
    " FROM allocation_candidates c"
    " JOIN allocation_rounds r ON r.region_code = c.region_code AND r.id = c.round_id"
    " JOIN issuance_rows i ON i.region_code = c.region_code AND i.programme_id = r.programme_id"
    " AND i.reference_no = c.reference_no AND i.rejected_at IS NULL"
    " JOIN vouchers v ON v.region_code = i.region_code AND v.id = i.voucher_id"
    " CROSS JOIN LATERAL"
    " (SELECT v.face_fen - v.recovered_fen - v.expired_fen - v.voided_fen - v.surrendered_fen AS fen) AS u"
    " WHERE c.region_code = :region_code AND c.round_id = :round_id GROUP BY 1"
)


def lock_round(
    tx: Connection, *, region_code: str, round_id: str, caller: Caller | None = None
) -> tuple[ProgrammeRecord, Row[Any]]:
    """Lock a round and before it its programme, for a maker of it (`caller`) or for an act that was approved.

    Raises `forbidden` where the caller is a maker nowhere, `not_found` where the round is not his.
    """
    if caller is not None:
        caller.require(Role.MAKER)
    programme_id = tx.execute(
        select(AllocationRound.programme_id).where(
            AllocationRound.region_code == region_code, AllocationRound.id == round_id
        )
    ).scalar_one_or_none()
    if programme_id is None:
        raise AppError(Code.NOT_FOUND, what="allocation_round")
    programme = lock_for_decision(tx, region_code=region_code, programme_id=programme_id)
    if caller is not None and not caller.holds_in(Role.MAKER, programme.region_code, programme.authority_id):
        raise AppError(Code.NOT_FOUND, what="allocation_round")
    locked = tx.execute(
        select(AllocationRound)
        .where(AllocationRound.region_code == region_code, AllocationRound.id == round_id)
        .with_for_update(key_share=True)
    ).one()
    return programme, locked


def lock_own_round(tx: Connection, *, caller: Caller, round_id: str) -> tuple[ProgrammeRecord, Row[Any]]:
    """The same by the round's id alone, for a maker."""
    caller.require(Role.MAKER)
    region_code = require_region(round_id, what="allocation_round")
    return lock_round(tx, region_code=region_code, round_id=round_id, caller=caller)


def change(tx: Connection, locked: Row[Any], **values: Any) -> None:
    """Write down what became of a round that is locked."""
    tx.execute(
        update(AllocationRound)
        .where(AllocationRound.region_code == locked.region_code, AllocationRound.id == locked.id)
        .values(**values)
    )


def require_open(locked: Row[Any]) -> None:
    """Raise `wrong_state` unless the round's awards can be submitted, or the round be given up."""
    ready = AllocationStatus.DRAWN if locked.draws_at else AllocationStatus.FROZEN
    if locked.status not in {AllocationStatus.FROZEN, AllocationStatus.DRAWN}:
        raise AppError(Code.WRONG_STATE, actual=locked.status, expected=ready)


def insert_candidates(tx: Connection, region_code: str, frozen: Frozen) -> None:
    """Write a list down."""
    tx.execute(
        insert(AllocationCandidate),
        [
            {"region_code": region_code, "round_id": frozen.round_id}
            | {name: getattr(candidate, name) for name in Candidate.__slots__}
            for candidate in frozen.candidates
        ],
    )


def load_frozen(tx: Connection, found: Any) -> Frozen:
    """What was frozen, read back from the tables and held against its hash: all of it, whoever asks for his part."""
    enter(tx, [found.region_code])
    version = tx.execute(
        select(RuleVersion.rules, RuleVersion.rules_sha256).where(
            RuleVersion.region_code == found.region_code, RuleVersion.id == found.rule_version_id
        )
    ).one()
    rows = tx.execute(
        select(AllocationCandidate)
        .where(AllocationCandidate.region_code == found.region_code, AllocationCandidate.round_id == found.id)
        .order_by(AllocationCandidate.place)
    )
    frozen = Frozen(
        round_id=found.id,
        programme_id=found.programme_id,
        rule_version_id=found.rule_version_id,
        rules_sha256=version.rules_sha256,
        allocation=Rules.model_validate_json(version.rules).allocation,
        budget_fen=found.budget_fen,
        announcement=found.announcement,
        seed_format=found.seed_format,
        draws_at=found.draws_at,
        candidates=tuple(Candidate(**{name: getattr(row, name) for name in Candidate.__slots__}) for row in rows),
    )
    assert frozen_sha256(frozen.document()) == found.frozen_sha256, "the list is the one that was frozen"
    return frozen


def load_round(tx: Connection, region_code: str, round_id: str) -> Frozen:
    """What was frozen as that round."""
    found = tx.execute(
        select(AllocationRound).where(AllocationRound.region_code == region_code, AllocationRound.id == round_id)
    ).one()
    return load_frozen(tx, found)


def tier_uses(tx: Connection, region_code: str, round_id: str) -> dict[str, TierUse]:
    """What each tier of a round has on vouchers now, or has spent from them; what came back is not counted."""
    found = tx.execute(_TIER_USES, {"region_code": region_code, "round_id": round_id})
    return {row.tier: TierUse(int(row.vouchers), int(row.fen)) for row in found}


def rules_sha256_of(tx: Connection, region_code: str, rule_version_id: str) -> str:
    """The hash of a published rule version."""
    found: str = tx.execute(
        select(RuleVersion.rules_sha256).where(
            RuleVersion.region_code == region_code, RuleVersion.id == rule_version_id
        )
    ).scalar_one()
    return found


def awards_known(frozen: Frozen, seed: str | None, left_out: Collection[int] = ()) -> tuple[Awarded, ...] | None:
    """The awards, or None for a lottery that is not drawn yet."""
    return None if frozen.draws_at is not None and seed is None else awards_of(frozen, seed, left_out)


def places_in(left_out: str | None) -> frozenset[int]:
    """The places of those who were left out."""
    return frozenset(json.loads(left_out)) if left_out is not None else frozenset()


def granted_before(tx: Connection, programme: ProgrammeRecord, projects: set[str]) -> dict[str, int]:
    """What earlier rounds of the programme granted to these projects, promoted ones included."""
    asked = {"region_code": programme.region_code, "programme_id": programme.id, "projects": sorted(projects)}
    return {row.project: int(row.fen) for row in tx.execute(_GRANTED_BEFORE, asked)}


def open_round(tx: Connection, programme: ProgrammeRecord) -> str | None:
    """The programme's round that is not decided yet."""
    found: str | None = tx.execute(
        select(AllocationRound.id).where(
            AllocationRound.region_code == programme.region_code,
            AllocationRound.programme_id == programme.id,
            AllocationRound.status.not_in([AllocationStatus.EXECUTED, AllocationStatus.CANCELLED]),
        )
    ).scalar_one_or_none()
    return found


def round_of_file(tx: Connection, programme: ProgrammeRecord, file_sha256: str) -> str | None:
    """The programme's round whose list was read from that file, unless it was cancelled."""
    found: str | None = tx.execute(
        select(AllocationRound.id).where(
            AllocationRound.region_code == programme.region_code,
            AllocationRound.programme_id == programme.id,
            AllocationRound.file_sha256 == file_sha256,
            AllocationRound.status != AllocationStatus.CANCELLED,
        )
    ).scalar_one_or_none()
    return found


def insert_waiting(
    tx: Connection, locked: Row[Any], frozen: Frozen, awards: tuple[Awarded, ...], *, at: datetime
) -> None:
    """Put those who wait on the waiting list."""
    firms = {candidate.place: candidate.firm_id for candidate in frozen.candidates}
    waiting = [
        {
            "region_code": locked.region_code,
            "round_id": locked.id,
            "place": award.place,
            "programme_id": locked.programme_id,
            "rank": award.rank,
            "firm_id": firms[award.place],
            "waits_fen": award.waits_fen,
            "since_at": at,
        }
        for award in awards
        if award.waits_fen
    ]
    if waiting:
        tx.execute(insert(Waiting), waiting)


def still_waiting() -> ColumnElement[bool]:
    """Whether a row of the list waits still: its application was not taken back, rejected or granted otherwise."""
    return and_(
        Waiting.ended_at.is_(None),
        ~exists().where(
            AllocationCandidate.region_code == Waiting.region_code,
            AllocationCandidate.round_id == Waiting.round_id,
            AllocationCandidate.place == Waiting.place,
            Application.region_code == AllocationCandidate.region_code,
            Application.id == AllocationCandidate.application_id,
            Application.status != ApplicationStatus.WAITLISTED,
        ),
    )


def beside_rounds(tx: Connection, programme: ProgrammeRecord, rules: Rules) -> dict[str, Any]:
    """What a checker is to see of a batch that no round gave out: how the rules would have, and who waits before it."""
    told: dict[str, Any] = {}
    if rules.allocation.method != "first_come":
        told["allocation_method"] = rules.allocation.method
    count, waiting_fen = waiting_total(tx, programme.region_code, programme.id)
    if count:
        told |= {"waiting_before": count, "waiting_before_fen": waiting_fen}
    return told


def waiting_total(tx: Connection, region_code: str, programme_id: str) -> tuple[int, int]:
    """How many wait in a programme, and for how many fen in all."""
    row = tx.execute(
        select(func.count(), func.coalesce(func.sum(Waiting.waits_fen), 0)).where(
            Waiting.region_code == region_code, Waiting.programme_id == programme_id, still_waiting()
        )
    ).one()
    return int(row[0]), int(row[1])
