"""Rejecting many applications, or letting many wait, at once: one command, one approval, all or nothing."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import Field, model_validator
from sqlalchemy import Connection

from app.api.approvals import ApprovalRead, shown_approval
from app.api.authentication import CallerDep
from app.api.context import ServiceDep
from app.api.fields import AnyId, Reason, Wire, wrong
from app.api.keys import IdempotencyKey, created, do_once
from app.kernel.ids import require_region
from app.kernel.vocabulary import ApplicationAct, Role
from app.services.applications.deciding import MOST, Reasoned, request_many
from app.services.approvals.decisions import read_approval

router = APIRouter(prefix="/v1/application-acts", tags=["applications"])


class ManyAct(StrEnum):
    """What a maker asks for many applications."""

    REJECT = "reject"
    WAITLIST = "waitlist"


class ReasonedApplication(Wire):
    """One of them; without a reason of its own that of all is told."""

    application_id: AnyId
    reason: Reason | None = None


class ApplicationActs(Wire):
    """One act on many applications of one programme, each with its reason or one for all that have none."""

    act: ManyAct
    applications: Annotated[list[ReasonedApplication], Field(min_length=1, max_length=MOST, description="Each once")]
    reason: Annotated[Reason | None, Field(description="For those that have none of their own")] = None

    @model_validator(mode="after")
    def _each_once_and_with_a_reason(self) -> ApplicationActs:
        seen: set[str] = set()
        for one in self.applications:
            if one.application_id in seen:
                raise wrong("listed_twice", "applications", limit=1, actual=one.application_id)
            seen.add(one.application_id)
            if one.reason is None and self.reason is None:
                raise wrong("needs_a_reason", "applications", limit="reason", actual=one.application_id)
        return self

    def reasoned(self) -> list[Reasoned]:
        """Each with its reason."""
        return [Reasoned(one.application_id, one.reason or self.reason or "") for one in self.applications]


@router.post("", status_code=202, response_model=ApprovalRead)
def ask_for_application_acts(
    body: ApplicationActs, caller: CallerDep, key: IdempotencyKey, service: ServiceDep, request: Request
) -> Response:
    """Ask a checker to refuse many applications, or to put many on the waiting list. All of it is done or nothing.

    Each firm learns of it, with its own reason, when that is approved, and not before.
    """
    caller.require(Role.MAKER)
    region_code = require_region(body.applications[0].application_id, what="application")
    act = ApplicationAct(body.act)

    def work(tx: Connection) -> ApprovalRead:
        asked = request_many(tx, caller=caller, act=act, asked=body.reasoned())
        return shown_approval(read_approval(tx, caller=caller, approval_id=asked))

    return do_once(
        service,
        request,
        caller=caller,
        region_code=region_code,
        route="POST /v1/application-acts",
        key=key,
        command=body.model_dump(mode="json"),
        work=work,
        render=lambda approval: created(approval, approval.id, status=202),
    )
