"""Applications (申领) as their firms write, send and take them back; one of them read whole."""

from __future__ import annotations

from fastapi import APIRouter, Response
from sqlalchemy import Connection

from app.api.application_bodies import (
    ApplicationBody,
    ApplicationCreate,
    ApplicationEventRead,
    ApplicationJudged,
    ApplicationRead,
    ReasonBody,
    shown_application,
    shown_event,
)
from app.api.application_once import Filled, OnceDep
from app.api.authentication import CallerDep
from app.api.context import ServiceDep
from app.api.etags import IfMatch, etag
from app.api.fields import AnyId
from app.kernel.vocabulary import Role
from app.services.applications import applying
from app.services.applications.reads import Shown, list_events, read_application, show

router = APIRouter(prefix="/v1/applications", tags=["applications"])


@router.post("", status_code=201, response_model=ApplicationJudged)
def create_application(body: ApplicationCreate, once: OnceDep) -> Response:
    """Apply for a voucher, or with `draft` only write it down. Submitted, it is judged at once by the rules."""
    once.caller.require(Role.FIRM)

    def work(tx: Connection) -> Filled:
        application = applying.create_application(tx, caller=once.caller, draft=body.as_draft())
        if body.is_draft:
            return application, None
        return applying.submit_application(tx, caller=once.caller, application_id=application.id)

    return once.judged("POST /v1/applications", body.programme_id, body.model_dump(mode="json"), work, status=201)


@router.get("/{application_id}")
def read_one_application(
    application_id: AnyId, caller: CallerDep, service: ServiceDep, response: Response
) -> ApplicationRead:
    """One application with its papers. Its ETag is the version."""
    shown = service.database.transact(lambda tx: read_application(tx, caller=caller, application_id=application_id))
    response.headers["ETag"] = etag(shown.record.version)
    return shown_application(shown)


@router.put("/{application_id}")
def change_application(
    application_id: AnyId,
    body: ApplicationBody,
    version: IfMatch,
    caller: CallerDep,
    service: ServiceDep,
    response: Response,
) -> ApplicationRead:
    """Rewrite a draft, or an application that was returned for correction; then submit it."""
    caller.require(Role.FIRM)

    def work(tx: Connection) -> Shown:
        draft = body.as_draft()
        changed = applying.change_application(
            tx, caller=caller, application_id=application_id, version=version, draft=draft
        )
        return show(tx, changed)

    shown = service.database.transact(work)
    response.headers["ETag"] = etag(shown.record.version)
    return shown_application(shown)


@router.get("/{application_id}/events")
def read_application_events(
    application_id: AnyId, caller: CallerDep, service: ServiceDep
) -> list[ApplicationEventRead]:
    """Everything that was done about it, oldest first, each decision with the facts it was made from."""
    events = service.database.transact(lambda tx: list_events(tx, caller=caller, application_id=application_id))
    return [shown_event(event) for event in events]


@router.post("/{application_id}/submit", response_model=ApplicationJudged)
def submit_application(application_id: AnyId, once: OnceDep) -> Response:
    """Send a draft in, or a correction."""
    once.caller.require(Role.FIRM)
    return once.act(
        "submit",
        application_id,
        None,
        lambda tx: applying.submit_application(tx, caller=once.caller, application_id=application_id),
    )


@router.post("/{application_id}/withdraw", response_model=ApplicationJudged)
def withdraw_application(application_id: AnyId, body: ReasonBody, once: OnceDep) -> Response:
    """Take your application back, as long as it is not decided."""
    once.caller.require(Role.FIRM)
    return once.act(
        "withdraw",
        application_id,
        body,
        lambda tx: (
            applying.withdraw_application(tx, caller=once.caller, application_id=application_id, reason=body.reason),
            None,
        ),
    )
