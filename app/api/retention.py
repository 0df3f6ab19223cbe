"""Retention (留存期限): how long personal data are kept, set by audit administrators."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from app.api.authentication import CallerDep
from app.api.context import ServiceDep
from app.api.fields import Read, Reason, RegionCode, ShownInstant, Wire
from app.kernel.vocabulary import RetentionKind
from app.services.auditing.retention import LONGEST, SHORTEST, list_retention, set_retention

router = APIRouter(prefix="/v1/retention-settings", tags=["audit events"])


class RetentionWrite(Wire):
    """For how many days, counted from when it is needed no more: an objection answered, its notice shown no longer."""

    region_code: RegionCode
    kind: RetentionKind
    keep_days: Annotated[int, Field(strict=True, ge=SHORTEST, le=LONGEST)]
    reason: Reason


class RetentionRead(Read):
    """A setting; it counts in its region, and in those below it that have none of their own."""

    region_code: str
    kind: RetentionKind
    keep_days: int
    reason: str
    set_at: ShownInstant
    set_by: str


@router.get("")
def read_retention_settings(caller: CallerDep, service: ServiceDep) -> tuple[RetentionRead, ...]:
    """The settings that count in your regions. Where there is none, contacts of objections are kept for 365 days."""
    found = service.database.transact(lambda tx: list_retention(tx, caller=caller))
    return tuple(RetentionRead.model_validate(one) for one in found)


@router.put("")
def change_retention_setting(body: RetentionWrite, caller: CallerDep, service: ServiceDep) -> RetentionRead:
    """Set how long it is kept in a region of yours from now on. Audit events and the ledger are kept for good."""
    return RetentionRead.model_validate(
        service.database.transact(
            lambda tx: set_retention(
                tx,
                caller=caller,
                region_code=body.region_code,
                kind=body.kind,
                keep_days=body.keep_days,
                reason=body.reason,
            )
        )
    )
