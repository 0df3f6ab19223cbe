"""Programmes: written as a draft by a maker, published by a second person."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, insert, select, update

from app.kernel.canonical import sha256_hex
from app.kernel.clock import civil_date, rfc3339
from app.kernel.ids import new_id, region_of
from app.kernel.problems import AppError, Code, FieldError
from app.kernel.regions import is_region
from app.kernel.vocabulary import ApprovalKind, ProgrammeStatus, Role, RuleVersionStatus, VoucherKind
from app.models import AuditEvent, Organisation, Pool, Programme, RuleVersion
from app.services import audit
from app.services.approvals.requests import Decision, request_approval
from app.services.identity.principals import Caller
from app.services.reach import within_reach
from app.services.rules.checks import raise_if_wrong
from app.services.rules.model import Rules
from app.sql import now

OFFICIALS = (Role.MAKER, Role.CHECKER, Role.FINANCE, Role.AUDITOR)


@dataclass(frozen=True, slots=True)
class ProgrammeDraft:
    """What a maker writes down."""

    region_code: str
    authority_id: str
    title: str
    voucher_kind: VoucherKind
    fiscal_year: int
    opens_at: datetime
    closes_at: datetime
    document_no: str
    rules: Rules
    effective_on: date | None = None


@dataclass(frozen=True, slots=True)
class ProgrammeRecord:
    """A programme as it is read."""

    region_code: str
    id: str
    authority_id: str
    title: str
    voucher_kind: str
    fiscal_year: int
    opens_at: datetime
    closes_at: datetime
    document_no: str
    status: str
    version: int
    created_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True)
class RuleVersionRecord:
    """A rule version as it is read; `rules` is the canonical document whose SHA-256 stands beside it."""

    id: str
    programme_id: str
    number: int
    effective_on: date
    rules: str
    rules_sha256: str
    status: str
    created_by: str
    published_at: datetime | None
    published_by: str | None


def create_programme(tx: Connection, *, caller: Caller, draft: ProgrammeDraft) -> ProgrammeRecord:
    """Write down a programme and its first rule version as drafts.

    The caller must be a maker of the authority in that region. Raises `forbidden`, `validation_failed`.
    """
    _check_draft(draft)
    caller.require(Role.MAKER)
    if not caller.holds_in(Role.MAKER, draft.region_code, draft.authority_id):
        raise AppError(Code.FORBIDDEN, role=f"maker {draft.region_code}")
    authority = tx.execute(
        select(Organisation.region_code).where(Organisation.id == draft.authority_id, Organisation.kind == "authority")
    ).one_or_none()
    if authority is None or authority.region_code != draft.region_code:
        raise _invalid("/authority_id", "not_an_authority_of_the_region")
    at = now(tx)
    programme_id = new_id("prg", draft.region_code)
    tx.execute(
        insert(Programme).values(
            region_code=draft.region_code,
            id=programme_id,
            authority_id=draft.authority_id,
            title=draft.title,
            voucher_kind=draft.voucher_kind,
            fiscal_year=draft.fiscal_year,
            opens_at=draft.opens_at,
            closes_at=draft.closes_at,
            document_no=draft.document_no,
            status=ProgrammeStatus.DRAFT,
            created_at=at,
            created_by=caller.principal_id,
        )
    )
    _write_rules(tx, caller=caller, programme_id=programme_id, draft=draft, at=at)
    audit.record(
        tx, caller=caller, region_code=draft.region_code, action="programme.created", object_id=programme_id, at=at
    )
    return read_programme(tx, caller=caller, programme_id=programme_id)


def change_programme(
    tx: Connection, *, caller: Caller, programme_id: str, version: int, draft: ProgrammeDraft
) -> ProgrammeRecord:
    """Rewrite a draft. Raises `wrong_state` once it is submitted, `etag_stale` where somebody was faster."""
    programme = lock_programme(tx, caller=caller, programme_id=programme_id, role=Role.MAKER)
    if programme.version != version:
        raise AppError(Code.ETAG_STALE)
    if programme.status != ProgrammeStatus.DRAFT:
        raise AppError(Code.WRONG_STATE, actual=programme.status, expected=ProgrammeStatus.DRAFT)
    _check_draft(draft)
    if (draft.region_code, draft.authority_id) != (programme.region_code, programme.authority_id):
        raise _invalid("/region_code", "cannot_change")
    at = now(tx)
    tx.execute(
        update(Programme)
        .where(Programme.region_code == programme.region_code, Programme.id == programme.id)
        .values(
            title=draft.title,
            voucher_kind=draft.voucher_kind,
            fiscal_year=draft.fiscal_year,
            opens_at=draft.opens_at,
            closes_at=draft.closes_at,
            document_no=draft.document_no,
            version=Programme.version + 1,
        )
    )
    written = draft.rules.canonical()
    tx.execute(
        update(RuleVersion)
        .where(
            RuleVersion.region_code == programme.region_code,
            RuleVersion.programme_id == programme.id,
            RuleVersion.status == RuleVersionStatus.DRAFT,
        )
        .values(
            rules=written.decode(),
            rules_sha256=sha256_hex(written),
            effective_on=draft.effective_on or civil_date(draft.opens_at),
        )
    )
    audit.record(
        tx,
        caller=caller,
        region_code=programme.region_code,
        action="programme.changed",
        object_id=programme.id,
        at=at,
        details={"rules_sha256": sha256_hex(written)},
    )
    return read_programme(tx, caller=caller, programme_id=programme_id)


def submit_programme(tx: Connection, *, caller: Caller, programme_id: str) -> tuple[ProgrammeRecord, str]:
    """Ask a checker to publish a draft; returns the programme and the approval's id."""
    programme = lock_programme(tx, caller=caller, programme_id=programme_id, role=Role.MAKER)
    if programme.status != ProgrammeStatus.DRAFT:
        raise AppError(Code.WRONG_STATE, actual=programme.status, expected=ProgrammeStatus.DRAFT)
    version = tx.execute(
        select(RuleVersion.id, RuleVersion.effective_on, RuleVersion.rules, RuleVersion.rules_sha256).where(
            RuleVersion.region_code == programme.region_code,
            RuleVersion.programme_id == programme.id,
            RuleVersion.status == RuleVersionStatus.DRAFT,
        )
    ).one()
    rules = Rules.model_validate_json(version.rules)
    warnings = raise_if_wrong(rules, opens_at=programme.opens_at, closes_at=programme.closes_at)
    set_status(tx, programme, ProgrammeStatus.SUBMITTED)
    approval_id = request_approval(
        tx,
        caller=caller,
        kind=ApprovalKind.PUBLISH_PROGRAMME,
        region_code=programme.region_code,
        authority_id=programme.authority_id,
        required_role=Role.CHECKER,
        subject_id=programme.id,
        command={
            "programme_id": programme.id,
            "rule_version_id": version.id,
            "rules_sha256": version.rules_sha256,
            "effective_on": version.effective_on.isoformat(),
            "programme_version": programme.version + 1,
            "programme": {
                "authority_id": programme.authority_id,
                "title": programme.title,
                "voucher_kind": programme.voucher_kind,
                "fiscal_year": programme.fiscal_year,
                "opens_at": rfc3339(programme.opens_at),
                "closes_at": rfc3339(programme.closes_at),
                "document_no": programme.document_no,
            },
        },
        effect={
            "title": programme.title,
            "fiscal_year": programme.fiscal_year,
            "status": ProgrammeStatus.PUBLISHED,
            "rules": json.loads(version.rules),
            "warnings": [asdict(warning) for warning in warnings],
        },
        barred_ids=_authors(tx, programme),
    )
    return read_programme(tx, caller=caller, programme_id=programme_id), approval_id


def _authors(tx: Connection, programme: ProgrammeRecord) -> set[str]:
    """Who wrote any of a programme: none of them takes a step of its publication."""
    wrote = tx.execute(
        select(AuditEvent.principal_id).where(
            AuditEvent.region_code == programme.region_code,
            AuditEvent.object_id == programme.id,
            AuditEvent.action.in_(["programme.created", "programme.changed"]),
        )
    )
    return {programme.created_by, *wrote.scalars()}


def execute_publish_programme(tx: Connection, *, command: Mapping[str, Any], decision: Decision) -> None:
    """Publish the programme and the very rules that were submitted."""
    programme = lock_for_decision(tx, region_code=decision.region_code, programme_id=command["programme_id"])
    if programme.status != ProgrammeStatus.SUBMITTED or programme.version != command["programme_version"]:
        raise AppError(Code.WRONG_STATE, actual=programme.status, expected=ProgrammeStatus.SUBMITTED)
    published = tx.execute(
        update(RuleVersion)
        .where(
            RuleVersion.region_code == decision.region_code,
            RuleVersion.id == command["rule_version_id"],
            RuleVersion.rules_sha256 == command["rules_sha256"],
            RuleVersion.status == RuleVersionStatus.DRAFT,
        )
        .values(
            status=RuleVersionStatus.PUBLISHED,
            published_at=decision.at,
            published_by=decision.checker.principal_id,
        )
        .returning(RuleVersion.id)
    ).one_or_none()
    assert published is not None, "a submitted programme's rules do not change"
    set_status(tx, programme, ProgrammeStatus.PUBLISHED)


def reject_publish_programme(tx: Connection, *, command: Mapping[str, Any], decision: Decision) -> None:
    """Give the programme back to its maker as a draft."""
    programme = lock_for_decision(tx, region_code=decision.region_code, programme_id=command["programme_id"])
    set_status(tx, programme, ProgrammeStatus.DRAFT)


def pause_programme(tx: Connection, *, caller: Caller, programme_id: str) -> ProgrammeRecord:
    """Stop redemptions and issuing at once, by one person: it moves nothing; going on again takes two."""
    programme = lock_programme(tx, caller=caller, programme_id=programme_id, role=Role.MAKER)
    _require(programme, ProgrammeStatus.PUBLISHED)
    set_status(tx, programme, ProgrammeStatus.PAUSED)
    audit.record(
        tx,
        caller=caller,
        region_code=programme.region_code,
        action=f"programme.{ProgrammeStatus.PAUSED}",
        object_id=programme.id,
        at=now(tx),
    )
    return read_programme(tx, caller=caller, programme_id=programme_id)


def request_resume(tx: Connection, *, caller: Caller, programme_id: str) -> str:
    """Ask a checker that a paused programme may go on; returns the approval's id. Raises `wrong_state`."""
    programme = lock_programme(tx, caller=caller, programme_id=programme_id, role=Role.MAKER)
    _require(programme, ProgrammeStatus.PAUSED)
    return request_approval(
        tx,
        caller=caller,
        kind=ApprovalKind.RESUME_PROGRAMME,
        region_code=programme.region_code,
        authority_id=programme.authority_id,
        required_role=Role.CHECKER,
        subject_id=programme.id,
        command={"programme_id": programme.id},
        effect={"title": programme.title, "status": ProgrammeStatus.PUBLISHED},
    )


def execute_resume_programme(tx: Connection, *, command: Mapping[str, Any], decision: Decision) -> None:
    """Let the paused programme go on. Raises `wrong_state` where it is not paused any more."""
    programme = lock_for_decision(tx, region_code=decision.region_code, programme_id=command["programme_id"])
    _require(programme, ProgrammeStatus.PAUSED)
    set_status(tx, programme, ProgrammeStatus.PUBLISHED)


def read_programme(tx: Connection, *, caller: Caller, programme_id: str) -> ProgrammeRecord:
    """One programme within the caller's reach. Published ones exist for everybody. Raises `not_found`."""
    row = tx.execute(
        select(Programme).where(
            Programme.region_code == region_of(programme_id), Programme.id == programme_id, _visible_to(caller)
        )
    ).one_or_none()
    if row is None:
        raise AppError(Code.NOT_FOUND, what="programme")
    return _record(row)


def list_programmes(
    tx: Connection, *, caller: Caller, limit: int, before_id: str | None = None, region_code: str | None = None
) -> list[ProgrammeRecord]:
    """Programmes within the caller's reach, newest first."""
    query = select(Programme).where(_visible_to(caller)).order_by(Programme.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(Programme.id < before_id)
    if region_code is not None:
        query = query.where(Programme.region_code == region_code)
    return [_record(row) for row in tx.execute(query)]


def list_rule_versions(tx: Connection, *, caller: Caller, programme_id: str) -> list[RuleVersionRecord]:
    """The rule versions of a programme, newest first; who is no official sees the published ones."""
    programme = read_programme(tx, caller=caller, programme_id=programme_id)
    query = (
        select(RuleVersion)
        .where(RuleVersion.region_code == programme.region_code, RuleVersion.programme_id == programme.id)
        .order_by(RuleVersion.number.desc())
    )
    if not is_official_of(caller, programme):
        query = query.where(RuleVersion.status == RuleVersionStatus.PUBLISHED)
    return [
        RuleVersionRecord(**{name: getattr(row, name) for name in RuleVersionRecord.__slots__})
        for row in tx.execute(query)
    ]


def is_official_of(caller: Caller, programme: ProgrammeRecord) -> bool:
    """Whether the caller is an official of the programme's authority, or finance or audit of its region."""
    return any(caller.holds_in(role, programme.region_code, programme.authority_id) for role in OFFICIALS)


def lock_programme(tx: Connection, *, caller: Caller, programme_id: str, role: Role) -> ProgrammeRecord:
    """Lock a programme for a change by an official who holds `role` for it.

    Raises `forbidden` where the caller holds the role nowhere, `not_found` where the programme is not his.
    """
    caller.require(role)
    region_code = region_of(programme_id)
    programme = lock_for_decision(tx, region_code=region_code, programme_id=programme_id) if region_code else None
    if programme is None or not caller.holds_in(role, programme.region_code, programme.authority_id):
        raise AppError(Code.NOT_FOUND, what="programme")
    return programme


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who issues under a programme: its own authority, or that of a county from the county's pool."""

    authority_id: str
    county_code: str | None

    def sees(self, county_code: str | None, authority_id: str | None) -> bool:
        """Whether it may be told of a batch of theirs: a county of its own, the programme's authority of all."""
        return self.county_code is None or (self.county_code, self.authority_id) == (county_code, authority_id)


def lock_programme_to_issue(tx: Connection, *, caller: Caller, programme_id: str) -> tuple[ProgrammeRecord, Issuer]:
    """The same for a maker who issues; one of a county below may, where the county has a pool of the programme's."""
    caller.require(Role.MAKER)
    region_code = region_of(programme_id)
    programme = lock_for_decision(tx, region_code=region_code, programme_id=programme_id) if region_code else None
    if programme is None:
        raise AppError(Code.NOT_FOUND, what="programme")
    if caller.holds_in(Role.MAKER, programme.region_code, programme.authority_id):
        return programme, Issuer(programme.authority_id, None)
    counties = set(
        tx.execute(
            select(Pool.county_code).where(
                Pool.region_code == programme.region_code,
                Pool.programme_id == programme.id,
                Pool.fiscal_year == programme.fiscal_year,
                Pool.county_code.is_not(None),
            )
        ).scalars()
    )
    for grant in caller.regions(Role.MAKER):
        if grant.region_code in counties and grant.authority_id is not None:
            return programme, Issuer(grant.authority_id, grant.region_code)
    raise AppError(Code.NOT_FOUND, what="programme")


def _require(programme: ProgrammeRecord, status: ProgrammeStatus) -> None:
    if programme.status != status:
        raise AppError(Code.WRONG_STATE, actual=programme.status, expected=status)


def lock_for_decision(tx: Connection, *, region_code: str, programme_id: str) -> ProgrammeRecord:
    """Lock a programme for an act that was approved. Raises `not_found`."""
    row = tx.execute(
        select(Programme)
        .where(Programme.region_code == region_code, Programme.id == programme_id)
        .with_for_update(key_share=True)
    ).one_or_none()
    if row is None:
        raise AppError(Code.NOT_FOUND, what="programme")
    return _record(row)


def set_status(tx: Connection, programme: ProgrammeRecord, status: ProgrammeStatus) -> None:
    """Write the status of a locked programme; its version follows."""
    tx.execute(
        update(Programme)
        .where(Programme.region_code == programme.region_code, Programme.id == programme.id)
        .values(status=status, version=Programme.version + 1)
    )


def _write_rules(tx: Connection, *, caller: Caller, programme_id: str, draft: ProgrammeDraft, at: datetime) -> None:
    written = draft.rules.canonical()
    tx.execute(
        insert(RuleVersion).values(
            region_code=draft.region_code,
            id=new_id("rul", draft.region_code),
            programme_id=programme_id,
            number=1,
            effective_on=draft.effective_on or civil_date(draft.opens_at),
            rules=written.decode(),
            rules_sha256=sha256_hex(written),
            status=RuleVersionStatus.DRAFT,
            created_at=at,
            created_by=caller.principal_id,
        )
    )


def _check_draft(draft: ProgrammeDraft) -> None:
    if not is_region(draft.region_code):
        raise _invalid("/region_code", "unknown_region", actual=draft.region_code)
    if draft.opens_at >= draft.closes_at:
        raise _invalid("/closes_at", "before_opening", limit=draft.opens_at.isoformat())
    raise_if_wrong(draft.rules, opens_at=draft.opens_at, closes_at=draft.closes_at)


def _invalid(pointer: str, code: str, *, limit: str | int | None = None, actual: str | int | None = None) -> AppError:
    return AppError(Code.VALIDATION_FAILED, count=1, errors=[FieldError(pointer, code, limit=limit, actual=actual)])


def _visible_to(caller: Caller) -> ColumnElement[bool]:
    published = Programme.status.in_([ProgrammeStatus.PUBLISHED, ProgrammeStatus.PAUSED, ProgrammeStatus.CLOSED])
    return within_reach(caller, region=Programme.region_code, authority=Programme.authority_id, always=published)


def _record(row: Row[Any]) -> ProgrammeRecord:
    return ProgrammeRecord(**{name: getattr(row, name) for name in ProgrammeRecord.__slots__})
