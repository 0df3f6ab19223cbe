"""Later versions of a programme's rules: written as dated drafts, compared, published by a second person.

The first version goes with its programme. A version never changes once it is published, and it holds from a day on
that has not begun: what was judged stays judged by the version that was in force then. While an approval waits for a
version its draft does not change; a rejection leaves it a draft that may be rewritten and submitted again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, func, insert, select, update

from app.kernel.canonical import sha256_hex
from app.kernel.clock import civil_date
from app.kernel.ids import new_id
from app.kernel.problems import AppError, Code, FieldError
from app.kernel.vocabulary import ApprovalKind, ApprovalStatus, ProgrammeStatus, Role, RuleVersionStatus
from app.models import Approval, AuditEvent, RuleVersion
from app.services import audit
from app.services.approvals.requests import Decision, request_approval
from app.services.identity.principals import Caller
from app.services.programmes.programmes import (
    ProgrammeRecord,
    RuleVersionRecord,
    is_official_of,
    lock_for_decision,
    lock_programme,
    read_programme,
)
from app.services.rules.checks import begins_anew, raise_if_wrong
from app.services.rules.differences import Change, differences
from app.services.rules.findings import Finding
from app.services.rules.model import Rules
from app.sql import now

WRITTEN, REWRITTEN = "rule_version.written", "rule_version.rewritten"
IN_USE = (ProgrammeStatus.PUBLISHED, ProgrammeStatus.PAUSED)


@dataclass(frozen=True, slots=True)
class Written:
    """A draft as it stands, or as it would stand (`version` is None): its warnings, and what it changes."""

    version: RuleVersionRecord | None
    number: int
    effective_on: date
    rules_sha256: str
    findings: tuple[Finding, ...]
    changes: tuple[Change, ...]


def write_rule_version(
    tx: Connection, *, caller: Caller, programme_id: str, effective_on: date, rules: Rules, dry_run: bool = False
) -> Written:
    """Write down the next version of a published programme's rules as a draft; a dry run saves nothing.

    The caller must be a maker of the programme's authority. Raises `wrong_state` where the programme is not published
    yet (its first version is changed with it), `effective_too_early`, and `validation_failed` for rules that
    contradict themselves or change what the programme's pools and vouchers hang on.
    """
    programme, at = _locked(tx, caller, programme_id)
    findings, changes = _judged(tx, programme, effective_on, rules, at=at)
    number = _next_number(tx, programme)
    written = rules.canonical()
    version_id = new_id("rul", programme.region_code)
    if not dry_run:
        tx.execute(
            insert(RuleVersion).values(
                region_code=programme.region_code,
                id=version_id,
                programme_id=programme.id,
                number=number,
                effective_on=effective_on,
                rules=written.decode(),
                rules_sha256=sha256_hex(written),
                status=RuleVersionStatus.DRAFT,
                created_at=at,
                created_by=caller.principal_id,
            )
        )
        _record(tx, caller, programme, WRITTEN, version_id, effective_on, sha256_hex(written), at=at)
    version = None if dry_run else _version(tx, programme, version_id)
    return Written(version, number, effective_on, sha256_hex(written), findings, changes)


def rewrite_rule_version(
    tx: Connection, *, caller: Caller, programme_id: str, version: str, effective_on: date, rules: Rules
) -> Written:
    """Rewrite a draft. Raises `wrong_state` once it is submitted or published, else as `write_rule_version`."""
    programme, at = _locked(tx, caller, programme_id)
    draft = _draft(tx, programme, version)
    findings, changes = _judged(tx, programme, effective_on, rules, at=at)
    written = rules.canonical()
    tx.execute(
        update(RuleVersion)
        .where(RuleVersion.region_code == programme.region_code, RuleVersion.id == draft.id)
        .values(effective_on=effective_on, rules=written.decode(), rules_sha256=sha256_hex(written))
    )
    _record(tx, caller, programme, REWRITTEN, draft.id, effective_on, sha256_hex(written), at=at)
    rewritten = _version(tx, programme, draft.id)
    return Written(rewritten, draft.number, effective_on, rewritten.rules_sha256, findings, changes)


def submit_rule_version(
    tx: Connection, *, caller: Caller, programme_id: str, version: str
) -> tuple[RuleVersionRecord, str]:
    """Ask a checker to publish a draft; returns it and the approval's id. What it changes stands in the effect."""
    programme, at = _locked(tx, caller, programme_id)
    draft = _draft(tx, programme, version)
    findings, changes = _judged(tx, programme, draft.effective_on, Rules.model_validate_json(draft.rules), at=at)
    in_force = _in_force(tx, programme, civil_date(at))
    approval_id = request_approval(
        tx,
        caller=caller,
        kind=ApprovalKind.PUBLISH_RULE_VERSION,
        region_code=programme.region_code,
        authority_id=programme.authority_id,
        required_role=Role.CHECKER,
        subject_id=draft.id,
        command={
            "programme_id": programme.id,
            "rule_version_id": draft.id,
            "rules_sha256": draft.rules_sha256,
            "effective_on": draft.effective_on.isoformat(),
        },
        effect={
            "title": programme.title,
            "fiscal_year": programme.fiscal_year,
            "number": draft.number,
            "effective_on": draft.effective_on.isoformat(),
            "compared_with": in_force.number,
            "changes": [_storable(change) for change in changes],
            "warnings": [asdict(warning) for warning in findings],
        },
        within_id=programme.id,
        barred_ids=tx.execute(_wrote(programme.region_code, draft.id)).scalars().all(),
    )
    return draft, approval_id


def _wrote(region_code: str, version_id: str) -> Select[Any]:
    """Who wrote any of a version."""
    return select(AuditEvent.principal_id).where(
        AuditEvent.region_code == region_code,
        AuditEvent.object_id == version_id,
        AuditEvent.action.in_([WRITTEN, REWRITTEN]),
    )


def execute_publish_rule_version(tx: Connection, *, command: Mapping[str, Any], decision: Decision) -> None:
    """Publish the very rules that were submitted, if their day has still not begun.

    Raises `same_person` where the checker wrote any of it, `effective_too_early`, `wrong_state`.
    """
    programme = lock_for_decision(tx, region_code=decision.region_code, programme_id=command["programme_id"])
    if programme.status not in IN_USE:
        raise AppError(Code.WRONG_STATE, actual=programme.status, expected=ProgrammeStatus.PUBLISHED)
    version_id, checker = command["rule_version_id"], decision.checker.principal_id
    if checker in tx.execute(_wrote(decision.region_code, version_id)).scalars().all():
        raise AppError(Code.SAME_PERSON)
    _lies_ahead(date.fromisoformat(command["effective_on"]), at=decision.at)
    published = tx.execute(
        update(RuleVersion)
        .where(
            RuleVersion.region_code == decision.region_code,
            RuleVersion.id == version_id,
            RuleVersion.rules_sha256 == command["rules_sha256"],
            RuleVersion.effective_on == date.fromisoformat(command["effective_on"]),
            RuleVersion.status == RuleVersionStatus.DRAFT,
        )
        .values(status=RuleVersionStatus.PUBLISHED, published_at=decision.at, published_by=checker)
        .returning(RuleVersion.id)
    ).one_or_none()
    assert published is not None, "a submitted version does not change"


def read_rule_version(tx: Connection, *, caller: Caller, programme_id: str, version: str) -> RuleVersionRecord:
    """One version by its id or number; drafts exist for officials of the programme only. Raises `not_found`."""
    programme = read_programme(tx, caller=caller, programme_id=programme_id)
    found = _version(tx, programme, version)
    if found.status != RuleVersionStatus.PUBLISHED and not is_official_of(caller, programme):
        raise AppError(Code.NOT_FOUND, what="rule_version")
    return found


def compare_rule_versions(
    tx: Connection, *, caller: Caller, programme_id: str, before: str, after: str
) -> tuple[RuleVersionRecord, RuleVersionRecord, tuple[Change, ...]]:
    """Two versions of one programme, each by its id or number, and every field in which they differ."""
    one = read_rule_version(tx, caller=caller, programme_id=programme_id, version=before)
    other = read_rule_version(tx, caller=caller, programme_id=programme_id, version=after)
    return one, other, differences(_written_out(one), _written_out(other))


def _locked(tx: Connection, caller: Caller, programme_id: str) -> tuple[ProgrammeRecord, datetime]:
    """The programme, locked for its maker, and the instant at which that was."""
    programme = lock_programme(tx, caller=caller, programme_id=programme_id, role=Role.MAKER)
    if programme.status not in IN_USE:
        raise AppError(Code.WRONG_STATE, actual=programme.status, expected=ProgrammeStatus.PUBLISHED)
    return programme, now(tx)


def _judged(
    tx: Connection, programme: ProgrammeRecord, effective_on: date, rules: Rules, *, at: datetime
) -> tuple[tuple[Finding, ...], tuple[Change, ...]]:
    """The warnings of a version and what it changes in the rules in force; raises where it may not become one."""
    _lies_ahead(effective_on, at=at)
    findings = raise_if_wrong(rules, opens_at=programme.opens_at, closes_at=programme.closes_at)
    in_force = _in_force(tx, programme, civil_date(at))
    before = Rules.model_validate_json(in_force.rules)
    _keeps_its_ground(before, rules)
    findings += begins_anew(rules, _published(tx, programme))
    return findings, differences(before.model_dump(mode="json"), rules.model_dump(mode="json"))


def _lies_ahead(effective_on: date, *, at: datetime) -> None:
    """Bills of today may have been judged already, so new rules hold from tomorrow on at the earliest."""
    today = civil_date(at)
    if effective_on <= today:
        earliest, asked = (today + timedelta(days=1)).isoformat(), effective_on.isoformat()
        error = FieldError("/effective_on", Code.EFFECTIVE_TOO_EARLY, limit=earliest, actual=asked)
        raise AppError(Code.EFFECTIVE_TOO_EARLY, errors=[error], limit=earliest, actual=asked, today=today.isoformat())


def _keeps_its_ground(before: Rules, after: Rules) -> None:
    """What vouchers and pools hang on stays through all versions of a programme."""
    errors = []
    if after.pinned_by != before.pinned_by:
        detail = (
            f"A programme's versions are all pinned by the same event, here {before.pinned_by}: otherwise two versions"
            " could claim one bill. Open a new programme for another event."
            f" / 同一项目各版本须由同一事件确定适用版本，当前为 {before.pinned_by}，否则同一账单可能对应两个版本。"
            "如需更换，请新设项目。"
        )
        errors.append(_fixed("/rules/pinned_by", detail, before.pinned_by, after.pinned_by))
    if after.fund_sources != before.fund_sources:
        detail = (
            "The pools of the fiscal year and the vouchers issued hang on the fund sources and their shares, so they"
            " stay as they are. Open a new programme for other sources."
            " / 本财政年度的资金池与已发放的券均依据现有资金来源及分担比例，不得更改。如需更换，请新设项目。"
        )
        errors.append(_fixed("/rules/fund_sources", detail, _sources(before), _sources(after)))
    if errors:
        raise AppError(Code.VALIDATION_FAILED, count=len(errors), errors=errors)


def _fixed(pointer: str, detail: str, stays: str, asked: str) -> FieldError:
    return FieldError(pointer, "cannot_change", detail=detail, limit=stays, actual=asked)


def _sources(rules: Rules) -> str:
    return ", ".join(f"{share.source} {share.share}" for share in rules.fund_sources)


def _in_force(tx: Connection, programme: ProgrammeRecord, on: date) -> RuleVersionRecord:
    """The version in force on a day; before the first one has begun, the first."""
    published = select(RuleVersion).where(
        RuleVersion.region_code == programme.region_code,
        RuleVersion.programme_id == programme.id,
        RuleVersion.status == RuleVersionStatus.PUBLISHED,
    )
    newest = published.where(RuleVersion.effective_on <= on)
    newest = newest.order_by(RuleVersion.effective_on.desc(), RuleVersion.number.desc()).limit(1)
    row = tx.execute(newest).one_or_none() or tx.execute(published.order_by(RuleVersion.number).limit(1)).one()
    return _shown(row)


def _published(tx: Connection, programme: ProgrammeRecord) -> list[Rules]:
    documents = tx.execute(
        select(RuleVersion.rules).where(
            RuleVersion.region_code == programme.region_code,
            RuleVersion.programme_id == programme.id,
            RuleVersion.status == RuleVersionStatus.PUBLISHED,
        )
    ).scalars()
    return [Rules.model_validate_json(document) for document in documents]


def _draft(tx: Connection, programme: ProgrammeRecord, version: str) -> RuleVersionRecord:
    """A version that may still be changed. Raises `wrong_state` where it was published or waits for a checker."""
    found = _version(tx, programme, version)
    if found.status != RuleVersionStatus.DRAFT:
        raise AppError(Code.WRONG_STATE, actual=found.status, expected=RuleVersionStatus.DRAFT)
    waiting = select(Approval.id).where(
        Approval.region_code == programme.region_code,
        Approval.kind == ApprovalKind.PUBLISH_RULE_VERSION,
        Approval.subject_id == found.id,
        Approval.status == ApprovalStatus.PENDING,
    )
    if tx.execute(waiting).one_or_none() is not None:
        raise AppError(Code.WRONG_STATE, actual=ProgrammeStatus.SUBMITTED, expected=RuleVersionStatus.DRAFT)
    return found


def _version(tx: Connection, programme: ProgrammeRecord, version: str) -> RuleVersionRecord:
    named = RuleVersion.number == int(version) if version.isdecimal() else RuleVersion.id == version
    row = tx.execute(
        select(RuleVersion).where(
            RuleVersion.region_code == programme.region_code, RuleVersion.programme_id == programme.id, named
        )
    ).one_or_none()
    if row is None:
        raise AppError(Code.NOT_FOUND, what="rule_version")
    return _shown(row)


def _next_number(tx: Connection, programme: ProgrammeRecord) -> int:
    highest = select(func.max(RuleVersion.number)).where(
        RuleVersion.region_code == programme.region_code, RuleVersion.programme_id == programme.id
    )
    return int(tx.execute(highest).scalar_one()) + 1


def _record(
    tx: Connection,
    caller: Caller,
    programme: ProgrammeRecord,
    action: str,
    version_id: str,
    effective_on: date,
    rules_sha256: str,
    *,
    at: datetime,
) -> None:
    audit.record(
        tx,
        caller=caller,
        region_code=programme.region_code,
        action=action,
        object_id=version_id,
        at=at,
        details={
            "programme": programme.id,
            "rules_sha256": rules_sha256,
            "effective_on": effective_on.isoformat(),
        },
    )


def _written_out(version: RuleVersionRecord) -> dict[str, Any]:
    """A stored document with all its defaults, also where it is of an older format."""
    document: dict[str, Any] = Rules.model_validate_json(version.rules).model_dump(mode="json")
    return document


def _storable(change: Change) -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(json.dumps(asdict(change)))
    return shown


def _shown(row: Row[Any]) -> RuleVersionRecord:
    return RuleVersionRecord(**{name: getattr(row, name) for name in RuleVersionRecord.__slots__})
