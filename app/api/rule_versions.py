"""Versions of a programme's rules: draft, rewrite, submit for a second person, read, compare."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Query, Response
from pydantic import Field
from sqlalchemy import Connection

from app.api.approvals import ApprovalRead, shown_approval
from app.api.authentication import CallerDep
from app.api.context import ServiceDep
from app.api.fields import AnyId, Day, Read, ShownInstant, Wire
from app.api.rules import FindingRead
from app.kernel.vocabulary import RuleVersionStatus
from app.services.approvals.decisions import read_approval
from app.services.programmes import rule_versions as services
from app.services.programmes.programmes import RuleVersionRecord, list_rule_versions
from app.services.programmes.rule_versions import Written
from app.services.rules.differences import Change
from app.services.rules.model import Rules

router = APIRouter(prefix="/v1/programmes/{programme_id}/rule-versions", tags=["programmes"])

VersionName = Annotated[
    str, Path(pattern=r"^([1-9][0-9]{0,3}|rul_[0-9]{6}_[0-9a-z]{26})$", description="The version's id or its number")
]


class RuleVersionBody(Wire):
    """Rules that hold from a day on."""

    effective_on: Annotated[Day, Field(description="First day (Asia/Shanghai) on which they hold; tomorrow or later")]
    rules: Rules


class RuleVersionRead(Read):
    """A dated version of the rules; `rules_sha256` is over the canonical document."""

    id: str
    programme_id: str
    number: int
    effective_on: date
    rules: dict[str, Any]
    rules_sha256: str
    status: RuleVersionStatus
    created_by: str
    published_at: ShownInstant | None
    published_by: str | None


class ChangeRead(Read):
    """A field that differs, and what it means. What one side does not have is null there."""

    pointer: str
    before: Any
    after: Any
    en: str
    zh: str


class RuleVersionWritten(Read):
    """The draft as it was saved (null after a dry run), its warnings, and what it changes in the rules in force."""

    version: RuleVersionRead | None
    number: int
    effective_on: date
    rules_sha256: str
    findings: tuple[FindingRead, ...]
    changes: tuple[ChangeRead, ...]


class RuleVersionSubmitted(Read):
    """The draft, which no longer changes, and the approval that waits."""

    version: RuleVersionRead
    approval: ApprovalRead


class ComparedVersion(Read):
    """Which version was compared."""

    id: str
    number: int
    effective_on: date
    status: RuleVersionStatus
    rules_sha256: str


class RuleVersionDifference(Read):
    """Every field in which two versions differ."""

    from_: Annotated[ComparedVersion, Field(serialization_alias="from")]
    to: ComparedVersion
    changes: tuple[ChangeRead, ...]


@router.get("")
def read_rule_versions(programme_id: AnyId, caller: CallerDep, service: ServiceDep) -> list[RuleVersionRead]:
    """The versions of the rules, newest first."""
    records = service.database.transact(lambda tx: list_rule_versions(tx, caller=caller, programme_id=programme_id))
    return [_shown(record) for record in records]


@router.post("", status_code=201)
def write_rule_version(
    programme_id: AnyId,
    body: RuleVersionBody,
    caller: CallerDep,
    service: ServiceDep,
    response: Response,
    *,
    dry_run: Annotated[bool, Query(description="Check and compare, and save nothing")] = False,
) -> RuleVersionWritten:
    """Write down the next version as a draft. It holds once a second person has published it and its day has come."""
    written = service.database.transact(
        lambda tx: services.write_rule_version(
            tx,
            caller=caller,
            programme_id=programme_id,
            effective_on=body.effective_on,
            rules=body.rules,
            dry_run=dry_run,
        )
    )
    if dry_run:
        response.status_code = 200
    return _shown_written(written)


@router.get("/{version}")
def read_one_rule_version(
    programme_id: AnyId, version: VersionName, caller: CallerDep, service: ServiceDep
) -> RuleVersionRead:
    """One version, by its id or number."""
    return _shown(
        service.database.transact(
            lambda tx: services.read_rule_version(tx, caller=caller, programme_id=programme_id, version=version)
        )
    )


@router.put("/{version}")
def rewrite_rule_version(
    programme_id: AnyId, version: VersionName, body: RuleVersionBody, caller: CallerDep, service: ServiceDep
) -> RuleVersionWritten:
    """Rewrite a draft. Once submitted, it has to be rejected first; once published, it never changes."""
    return _shown_written(
        service.database.transact(
            lambda tx: services.rewrite_rule_version(
                tx,
                caller=caller,
                programme_id=programme_id,
                version=version,
                effective_on=body.effective_on,
                rules=body.rules,
            )
        )
    )


@router.post("/{version}/submit", status_code=202)
def submit_rule_version(
    programme_id: AnyId, version: VersionName, caller: CallerDep, service: ServiceDep
) -> RuleVersionSubmitted:
    """Ask a checker to publish the draft. The approval shows every field it changes, and the warnings."""

    def work(tx: Connection) -> RuleVersionSubmitted:
        record, approval_id = services.submit_rule_version(
            tx, caller=caller, programme_id=programme_id, version=version
        )
        approval = read_approval(tx, caller=caller, approval_id=approval_id)
        return RuleVersionSubmitted(version=_shown(record), approval=shown_approval(approval))

    return service.database.transact(work)


@router.get("/{before}/diff/{after}")
def compare_rule_versions(
    programme_id: AnyId, before: VersionName, after: VersionName, caller: CallerDep, service: ServiceDep
) -> RuleVersionDifference:
    """What changed from one version to another, field by field, with what each field means."""
    one, other, changes = service.database.transact(
        lambda tx: services.compare_rule_versions(
            tx, caller=caller, programme_id=programme_id, before=before, after=after
        )
    )
    return RuleVersionDifference(
        from_=ComparedVersion.model_validate(one),
        to=ComparedVersion.model_validate(other),
        changes=_shown_changes(changes),
    )


def _shown(record: RuleVersionRecord) -> RuleVersionRead:
    values = {name: getattr(record, name) for name in RuleVersionRead.model_fields}
    return RuleVersionRead(**values | {"rules": orjson.loads(record.rules)})


def _shown_written(written: Written) -> RuleVersionWritten:
    return RuleVersionWritten(
        version=_shown(written.version) if written.version else None,
        number=written.number,
        effective_on=written.effective_on,
        rules_sha256=written.rules_sha256,
        findings=tuple(FindingRead.model_validate(one) for one in written.findings),
        changes=_shown_changes(written.changes),
    )


def _shown_changes(changes: tuple[Change, ...]) -> tuple[ChangeRead, ...]:
    return tuple(ChangeRead.model_validate(change) for change in changes)
