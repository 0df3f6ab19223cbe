"""Approvals as they are read: one list of everything that waits for another person, with its steps and its totals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, all_, and_, exists, false, func, literal, or_, select

from app.kernel.ids import region_of
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import ApprovalKind, ApprovalStatus, Role
from app.models import Approval, ApprovalDecision
from app.services.approvals.powers import Power, powers_of
from app.services.identity.accounts import accounts_of
from app.services.identity.principals import Caller
from app.services.reach import region_within

_PLACE: Any = func.coalesce(Approval.county_code, Approval.region_code)
"""Where the makers and checkers of an act hold their roles."""


@dataclass(frozen=True, slots=True)
class StepRecord:
    """A step that was decided: by whom, and in whose place."""

    step: int
    role: str
    outcome: str
    decided_at: datetime
    decided_by: str
    on_behalf_of: str | None
    note: str | None


@dataclass(frozen=True, slots=True)
class ApprovalRecord:
    """An approval as it is read; `command` and `effect` are canonical JSON."""

    region_code: str
    id: str
    kind: str
    authority_id: str | None
    county_code: str | None
    required_role: str
    subject_id: str
    command: str
    command_sha256: str
    effect: str
    amount_fen: int | None
    status: str
    reason: str | None
    made_at: datetime
    made_by: str
    decided_at: datetime | None
    decided_by: str | None
    decision_note: str | None
    steps: tuple[str, ...]
    steps_done: int
    bands_id: str | None
    within_id: str | None
    barred_ids: tuple[str, ...]
    expires_at: datetime | None
    decisions: tuple[StepRecord, ...]

    def place_of(self, role: str) -> str:
        """Where who takes a step of this role holds it: a county's act is for the county's checkers."""
        return self.county_code if role == Role.CHECKER and self.county_code else self.region_code

    @property
    def version(self) -> int:
        """Counts what has happened to it; the ETag."""
        return 1 + len(self.decisions) + (self.status == ApprovalStatus.WITHDRAWN)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which approvals to list. What is None does not matter; amounts are compared without their sign."""

    status: ApprovalStatus | None = None
    kind: ApprovalKind | None = None
    authority_id: str | None = None
    subject_id: str | None = None
    amount_from_fen: int | None = None
    amount_to_fen: int | None = None
    mine_to_decide: bool = False
    mine_asked: bool = False


@dataclass(frozen=True, slots=True)
class KindTotal:
    """How many approvals of a kind, and what they come to; an act without an amount adds nothing."""

    kind: str
    count: int
    amount_fen: int


def read_approval(tx: Connection, *, caller: Caller, approval_id: str) -> ApprovalRecord:
    """One approval within the caller's reach: his to decide, his own, or an auditor's to see. Raises `not_found`."""
    row = tx.execute(
        select(Approval).where(
            Approval.region_code == region_of(approval_id),
            Approval.id == approval_id,
            visible_to(caller, powers_of(tx, caller)),
        )
    ).one_or_none()
    if row is None:
        raise AppError(Code.NOT_FOUND, what="approval")
    return recorded(tx, [row])[0]


def list_approvals(
    tx: Connection, *, caller: Caller, limit: int, before_id: str | None = None, wanted: Wanted | None = None
) -> list[ApprovalRecord]:
    """Approvals within the caller's reach, newest first."""
    query = select(Approval).where(*_conditions(tx, caller, wanted or Wanted()))
    if before_id is not None:
        query = query.where(Approval.id < before_id)
    return recorded(tx, tx.execute(query.order_by(Approval.id.desc()).limit(limit)).all())


def total_approvals(tx: Connection, *, caller: Caller, wanted: Wanted) -> list[KindTotal]:
    """What all that is wanted comes to, by kind, however many pages it has."""
    rows = tx.execute(
        select(Approval.kind, func.count(), func.sum(Approval.amount_fen))
        .where(*_conditions(tx, caller, wanted))
        .group_by(Approval.kind)
        .order_by(Approval.kind)
    )
    return [KindTotal(kind, count, int(amount_fen or 0)) for kind, count, amount_fen in rows]


def recorded(tx: Connection, rows: Sequence[Any]) -> list[ApprovalRecord]:
    """Rows with the steps that were decided."""
    decided: dict[tuple[str, str], list[StepRecord]] = defaultdict(list)
    if rows:
        found = tx.execute(
            select(ApprovalDecision)
            .where(
                ApprovalDecision.region_code.in_({row.region_code for row in rows}),
                ApprovalDecision.approval_id.in_([row.id for row in rows]),
            )
            .order_by(ApprovalDecision.step)
        )
        for one in found:
            decided[one.region_code, one.approval_id].append(
                StepRecord(**{name: getattr(one, name) for name in StepRecord.__slots__})
            )
    return [
        ApprovalRecord(
            **{name: getattr(row, name) for name in ApprovalRecord.__slots__ if name not in _TUPLES},
            steps=tuple(row.steps),
            barred_ids=tuple(row.barred_ids),
            decisions=tuple(decided[row.region_code, row.id]),
        )
        for row in rows
    ]


_TUPLES = ("steps", "barred_ids", "decisions")


def visible_to(caller: Caller, powers: Sequence[Power]) -> ColumnElement[bool]:
    """Finance and the security administrator see what is theirs to decide, not all of their region."""
    return or_(
        Approval.made_by == caller.principal_id,
        *(
            and_(grant.region_code == _PLACE, Approval.authority_id == grant.authority_id)
            for grant in caller.regions(Role.MAKER)
        ),
        *(_reached_by(power) for power in powers),
        *(region_within(_PLACE, grant.region_code) for grant in caller.regions(Role.AUDITOR)),
    )


def _reached_by(power: Power) -> ColumnElement[bool]:
    grant = power.grant
    match grant.role:
        case Role.CHECKER:
            return and_(grant.region_code == _PLACE, Approval.authority_id == grant.authority_id)
        case Role.FINANCE:
            return and_(Approval.region_code == grant.region_code, Approval.steps.any_() == grant.role)
        case _:
            return and_(
                region_within(Approval.region_code, grant.region_code), Approval.steps.any_() == Role.SECURITY_ADMIN
            )


def _conditions(tx: Connection, caller: Caller, wanted: Wanted) -> list[ColumnElement[bool]]:
    powers = powers_of(tx, caller)
    found = [visible_to(caller, powers)]
    equal = {
        Approval.status: wanted.status,
        Approval.kind: wanted.kind,
        Approval.authority_id: wanted.authority_id,
        Approval.subject_id: wanted.subject_id,
    }
    found += [column == value for column, value in equal.items() if value is not None]
    if wanted.amount_from_fen is not None:
        found.append(func.abs(Approval.amount_fen) >= wanted.amount_from_fen)
    if wanted.amount_to_fen is not None:
        found.append(func.abs(Approval.amount_fen) <= wanted.amount_to_fen)
    if wanted.mine_asked:
        found.append(Approval.made_by == caller.principal_id)
    if wanted.mine_to_decide:
        found += _mine_to_decide(tx, caller, powers)
    return found


def _mine_to_decide(tx: Connection, caller: Caller, powers: Sequence[Power]) -> list[ColumnElement[bool]]:
    """What waits for a step of the caller's: not made by him, not about him, none of its steps decided by him."""
    accounts = accounts_of(tx, caller.principal_id)
    turns = [
        and_(
            _reached_by(power),
            Approval.required_role == power.grant.role,
            *(
                [Approval.made_by != power.on_behalf_of, literal(power.on_behalf_of) != all_(Approval.barred_ids)]
                if power.on_behalf_of is not None
                else []
            ),
        )
        for power in powers
    ]
    decided = exists().where(
        ApprovalDecision.region_code == Approval.region_code,
        ApprovalDecision.approval_id == Approval.id,
        or_(ApprovalDecision.decided_by.in_(accounts), ApprovalDecision.on_behalf_of.in_(accounts)),
    )
    return [
        Approval.status == ApprovalStatus.PENDING,
        or_(Approval.expires_at.is_(None), Approval.expires_at > func.clock_timestamp()),
        Approval.made_by.not_in(accounts),
        *(literal(account_id) != all_(Approval.barred_ids) for account_id in accounts),
        ~decided,
        or_(false(), *turns),
    ]
