"""What officials do with applications: accept, return, review, assess, and ask a checker to decide."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, Response
from sqlalchemy import Connection

from app.api.application_bodies import ApplicationJudged, AssessBody, GrantsBody, GrantsProposed, ReasonBody, ReturnBody
from app.api.application_once import Filled, Once, OnceDep
from app.api.approvals import ApprovalRead, shown_approval
from app.api.fields import AnyId
from app.api.keys import created
from app.api.problems import language_of
from app.kernel.vocabulary import Role
from app.services.applications import deciding, granting, reviewing
from app.services.approvals.decisions import read_approval

router = APIRouter(prefix="/v1/applications", tags=["applications"])


@router.post("/grants", status_code=202, response_model=GrantsProposed)
def propose_grants(body: GrantsBody, once: OnceDep) -> Response:
    """Ask a checker to grant reviewed applications of one programme together: all of them or none."""
    return _propose(once, "POST /v1/applications/grants", body.application_ids)


@router.post("/{application_id}/accept", response_model=ApplicationJudged)
def accept_application(application_id: AnyId, once: OnceDep) -> Response:
    """Accept (受理): the papers are complete, and the time for the decision begins."""
    once.caller.require(Role.MAKER)
    return once.act(
        "accept",
        application_id,
        None,
        lambda tx: (reviewing.accept_application(tx, caller=once.caller, application_id=application_id), None),
    )


@router.post("/{application_id}/return", response_model=ApplicationJudged)
def return_application(application_id: AnyId, body: ReturnBody, once: OnceDep) -> Response:
    """Return for correction (补正) with all that is missing and a day; the officials' clock stands until it is back."""
    once.caller.require(Role.MAKER)

    def work(tx: Connection) -> Filled:
        returned = reviewing.return_application(
            tx,
            caller=once.caller,
            application_id=application_id,
            reason=body.reason,
            items=body.items,
            working_days=body.working_days,
        )
        return returned, None

    return once.act("return", application_id, body, work)


@router.post("/{application_id}/first-review", response_model=ApplicationJudged)
def pass_first_review(application_id: AnyId, body: ReasonBody, once: OnceDep) -> Response:
    """The firm's county passes an accepted application on to the city (初审)."""
    once.caller.require(Role.MAKER)
    return once.act(
        "first-review",
        application_id,
        body,
        lambda tx: (
            reviewing.first_review(tx, caller=once.caller, application_id=application_id, reason=body.reason),
            None,
        ),
    )


@router.post("/{application_id}/assess", response_model=ApplicationJudged)
def assess_application(application_id: AnyId, body: AssessBody, once: OnceDep) -> Response:
    """Fix the amount (核定), at most the computed maximum. What the conditions forbid needs an exemption."""
    once.caller.require(Role.MAKER)

    def work(tx: Connection) -> Filled:
        return reviewing.assess_application(
            tx,
            caller=once.caller,
            application_id=application_id,
            assessed_fen=body.assessed_fen,
            reason=body.reason,
            language=language_of(once.request),
            terms=body.terms,
            exemption=body.as_exemption(),
        )

    return once.act("assess", application_id, body, work)


@router.post("/{application_id}/approve", status_code=202, response_model=GrantsProposed)
def approve_application(application_id: AnyId, once: OnceDep) -> Response:
    """Ask a checker to grant a reviewed application: approving issues its voucher."""
    return _propose(once, "POST /v1/applications/{id}/approve", [application_id])


@router.post("/{application_id}/reject", status_code=202, response_model=ApprovalRead)
def reject_application(application_id: AnyId, body: ReasonBody, once: OnceDep) -> Response:
    """Ask a checker to refuse it. The firm learns of it, with the reason, when that is approved, and not before."""
    return _ask(once, "reject", application_id, body, deciding.request_rejection)


@router.post("/{application_id}/waitlist", status_code=202, response_model=ApprovalRead)
def waitlist_application(application_id: AnyId, body: ReasonBody, once: OnceDep) -> Response:
    """Ask a checker to put a reviewed one on the waiting list (候补); it keeps its place in the order.

    Only where the pool cannot carry it, now and when it is approved (`pool_suffices`).
    """
    return _ask(once, "waitlist", application_id, body, deciding.request_waiting)


def _ask(once: Once, act: str, application_id: str, body: ReasonBody, ask: Callable[..., str]) -> Response:
    once.caller.require(Role.MAKER)

    def work(tx: Connection) -> ApprovalRead:
        asked = ask(tx, caller=once.caller, application_id=application_id, reason=body.reason)
        return shown_approval(read_approval(tx, caller=once.caller, approval_id=asked))

    return once.do(
        f"POST /v1/applications/{{id}}/{act}",
        application_id,
        {"application_id": application_id, **body.model_dump(mode="json")},
        work,
        render=lambda approval: created(approval, approval.id, status=202),
    )


def _propose(once: Once, route: str, application_ids: list[str]) -> Response:
    once.caller.require(Role.MAKER)
    wanted = list(dict.fromkeys(application_ids))

    def work(tx: Connection) -> GrantsProposed:
        report, proposed = granting.propose_grants(
            tx, caller=once.caller, application_ids=wanted, language=language_of(once.request)
        )
        return GrantsProposed(
            batch_id=report.batch_id or "",
            approval_id=report.approval_id or "",
            programme_id=report.programme_id,
            count=report.row_count,
            total_fen=report.total_fen,
            application_ids=tuple(one.id for one in proposed),
        )

    return once.do(
        route,
        wanted[0],
        {"application_ids": wanted},
        work,
        render=lambda read: created(read, read.batch_id, status=202),
    )
