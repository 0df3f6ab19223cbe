"""For how long personal data are kept: set by a region's audit administrator, for it and the regions below it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select
from sqlalchemy.dialects.postgresql import distinct_on

from app.kernel.problems import AppError, Code
from app.kernel.regions import covers
from app.kernel.vocabulary import RetentionKind, Role
from app.models import RetentionSetting
from app.services import audit
from app.services.identity.principals import Caller
from app.sql import now

DEFAULT_DAYS = {RetentionKind.OBJECTION_CONTACTS: 365}
"""Where no region above has set any."""
SHORTEST, LONGEST = 30, 3660
READERS = (Role.AUDIT_ADMIN, Role.AUDITOR)


@dataclass(frozen=True, slots=True)
class Retention:
    """A setting that counts: in this region and in those below it that have none of their own."""

    region_code: str
    kind: RetentionKind
    keep_days: int
    reason: str
    set_at: datetime
    set_by: str


def days_for(region_code: str, kind: RetentionKind, settings: Sequence[Retention]) -> int:
    """For how long it is kept in a region: what the nearest region says that covers it. Pure."""
    of_kind = {one.region_code: one for one in settings if str(one.kind) == kind}
    fitting = [one for region, one in of_kind.items() if covers(region, region_code)]
    if not fitting:
        return DEFAULT_DAYS[kind]
    return max(fitting, key=lambda one: len(one.region_code.rstrip("0"))).keep_days


def set_retention(
    tx: Connection, *, caller: Caller, region_code: str, kind: RetentionKind, keep_days: int, reason: str
) -> Retention:
    """Let it be kept for so many days from now on. Raises `forbidden`, `not_found` for a region beyond reach."""
    caller.require(Role.AUDIT_ADMIN)
    if not caller.holds_in(Role.AUDIT_ADMIN, region_code):
        raise AppError(Code.NOT_FOUND, what="region")
    before, at = days_for(region_code, kind, load_retention(tx)), now(tx)
    tx.execute(
        insert(RetentionSetting).values(
            region_code=region_code,
            kind=kind,
            set_at=at,
            keep_days=keep_days,
            reason=reason,
            set_by=caller.principal_id,
        )
    )
    audit.record(
        tx,
        caller=caller,
        region_code=region_code,
        action="retention.set",
        object_id=kind,
        at=at,
        details={"keep_days": keep_days, "before_days": before, "reason": reason},
    )
    return Retention(region_code, kind, keep_days, reason, at, caller.principal_id)


def list_retention(tx: Connection, *, caller: Caller) -> list[Retention]:
    """The settings that count in the caller's regions, those of the regions above included. Raises `forbidden`."""
    caller.require(*READERS)
    mine = caller.regions(*READERS)
    return [
        one
        for one in load_retention(tx)
        if any(
            covers(grant.region_code, one.region_code) or covers(one.region_code, grant.region_code) for grant in mine
        )
    ]


def load_retention(tx: Connection) -> list[Retention]:
    """The newest setting of each region and kind, by region."""
    newest = distinct_on(RetentionSetting.region_code, RetentionSetting.kind)
    rows = tx.execute(
        select(RetentionSetting)
        .ext(newest)
        .order_by(RetentionSetting.region_code, RetentionSetting.kind, RetentionSetting.set_at.desc())
    )
    return [
        Retention(row.region_code, RetentionKind(row.kind), row.keep_days, row.reason, row.set_at, row.set_by)
        for row in rows
    ]
