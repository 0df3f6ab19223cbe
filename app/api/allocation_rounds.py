"""Allocation rounds (分配轮次): a list is frozen, a lottery drawn, the awards asked for, and the record open to all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import Connection

from app.api.allocation_bodies import (
    CandidatePage,
    RecordRead,
    RoundCreate,
    RoundProposed,
    RoundRead,
    SeedBody,
    proposed,
    shown_candidate,
    shown_round,
)
from app.api.approvals import ApprovalRead, shown_approval
from app.api.authentication import CallerDep
from app.api.context import Service, ServiceDep
from app.api.fields import AnyId, Reason, Wire
from app.api.keys import IdempotencyKey, created, do_once
from app.api.paging import Cursor, Limit, Page, page_of
from app.api.problems import language_of
from app.kernel.ids import require_region
from app.kernel.vocabulary import Role
from app.services.allocation.columns import MAX_CANDIDATES
from app.services.allocation.freezing import RoundRequest, freeze_round
from app.services.allocation.reads import list_candidates, list_rounds, read_record, read_round
from app.services.allocation.rounds import cancel_round, draw_round, submit_round
from app.services.approvals.decisions import read_approval
from app.services.identity.principals import Caller

router = APIRouter(prefix="/v1", tags=["allocation"])


class CancelBody(Wire):
    """Why the round is given up."""

    reason: Reason


@router.post(
    "/programmes/{programme_id}/allocation-rounds",
    status_code=201,
    response_model=RoundProposed,
    responses={200: {"model": RoundProposed, "description": "What would come of it (`dry_run`)"}},
)
def create_round(
    programme_id: AnyId,
    body: RoundCreate,
    caller: CallerDep,
    key: IdempotencyKey,
    service: ServiceDep,
    request: Request,
) -> Response:
    """Freeze a list of candidates, to be served by the rules in force. Nothing of it can be changed afterwards."""
    caller.require(Role.MAKER)
    region_code = require_region(programme_id, what="programme")
    rows, layout, errors = body.listed(language_of(request))
    asked = RoundRequest(
        programme_id, body.title, body.budget_fen, body.announced(), rows, layout, errors=tuple(errors)
    )
    if body.dry_run:
        report = service.database.transact(lambda tx: freeze_round(tx, caller=caller, request=asked, dry_run=True))
        return Response(proposed(report, kept=False).model_dump_json(), media_type="application/json")
    return do_once(
        service,
        request,
        caller=caller,
        region_code=region_code,
        route="POST /v1/programmes/{id}/allocation-rounds",
        key=key,
        command={"programme_id": programme_id} | body.model_dump(mode="json", exclude={"dry_run"}),
        work=lambda tx: freeze_round(tx, caller=caller, request=asked, dry_run=False),
        render=lambda report: created(proposed(report, kept=True), report.frozen.round_id),
    )


@router.get("/allocation-rounds")
def read_rounds(
    caller: CallerDep,
    service: ServiceDep,
    limit: Limit = 50,
    cursor: Cursor = None,
    programme_id: Annotated[AnyId | None, Query()] = None,
) -> Page[RoundRead]:
    """Rounds within your reach, newest first; for a firm those in which it is a candidate."""
    records = service.database.transact(
        lambda tx: list_rounds(tx, caller=caller, limit=limit + 1, before_id=cursor, programme_id=programme_id)
    )
    return page_of([shown_round(record) for record in records], limit)


@router.get("/allocation-rounds/{round_id}")
def read_one_round(round_id: AnyId, caller: CallerDep, service: ServiceDep) -> RoundRead:
    """One round."""
    return shown_round(service.database.transact(lambda tx: read_round(tx, caller=caller, round_id=round_id)))


@router.get("/allocation-rounds/{round_id}/candidates")
def read_candidates(
    round_id: AnyId,
    caller: CallerDep,
    service: ServiceDep,
    limit: Limit = 50,
    cursor: Annotated[int, Query(ge=0, le=MAX_CANDIDATES, description="`next_cursor` of the page before")] = 0,
) -> CandidatePage:
    """The list in its order with what each gets, as far as it is known; a firm sees its own rows, once decided."""
    records = service.database.transact(
        lambda tx: list_candidates(tx, caller=caller, round_id=round_id, limit=limit + 1, after_place=cursor)
    )
    shown = tuple(shown_candidate(record) for record in records[:limit])
    return CandidatePage(data=shown, next_cursor=str(shown[-1].place) if len(records) > limit else None)


@router.get("/allocation-rounds/{round_id}/record")
def read_round_record(round_id: AnyId, service: ServiceDep) -> RecordRead:
    """The record of a round, for anybody to compute it again. Public; firms stand in it by their ids.

    Before the round is decided it shows the hash of the list and how the seed is announced, afterwards everything.
    """
    return RecordRead(**service.database.transact(lambda tx: read_record(tx, round_id=round_id)))


@router.post("/allocation-rounds/{round_id}/draw", response_model=RoundRead)
def draw_one_round(
    round_id: AnyId, body: SeedBody, caller: CallerDep, key: IdempotencyKey, service: ServiceDep, request: Request
) -> Response:
    """Record the announced public number, by which the lottery is drawn (抽签). Once, and not before its time."""
    caller.require(Role.MAKER)

    def work(tx: Connection) -> RoundRead:
        draw_round(tx, caller=caller, round_id=round_id, seed=body.seed)
        return shown_round(read_round(tx, caller=caller, round_id=round_id))

    return do_once(
        service,
        request,
        caller=caller,
        region_code=require_region(round_id, what="allocation_round"),
        route="POST /v1/allocation-rounds/{id}/draw",
        key=key,
        command={"round_id": round_id, "seed": body.seed},
        work=work,
        render=lambda drawn: created(drawn, drawn.id, status=200),
    )


@router.post("/allocation-rounds/{round_id}/submit", status_code=202, response_model=ApprovalRead)
def submit_one_round(
    round_id: AnyId, caller: CallerDep, key: IdempotencyKey, service: ServiceDep, request: Request
) -> Response:
    """Ask a checker for the awards: approving issues the vouchers and puts the others on the waiting list."""
    caller.require(Role.MAKER)
    return _asked(
        service,
        request,
        caller,
        key,
        route="POST /v1/allocation-rounds/{id}/submit",
        command={"round_id": round_id},
        region_code=require_region(round_id, what="allocation_round"),
        ask=lambda tx: submit_round(tx, caller=caller, round_id=round_id),
    )


@router.post("/allocation-rounds/{round_id}/cancel", status_code=202, response_model=ApprovalRead)
def cancel_one_round(
    round_id: AnyId, body: CancelBody, caller: CallerDep, key: IdempotencyKey, service: ServiceDep, request: Request
) -> Response:
    """Ask a checker to give the round up. Its list, its seed and the reason stay on the public record."""
    caller.require(Role.MAKER)
    return _asked(
        service,
        request,
        caller,
        key,
        route="POST /v1/allocation-rounds/{id}/cancel",
        command={"round_id": round_id, "reason": body.reason},
        region_code=require_region(round_id, what="allocation_round"),
        ask=lambda tx: cancel_round(tx, caller=caller, round_id=round_id, reason=body.reason),
    )


def _asked(
    service: Service,
    request: Request,
    caller: Caller,
    key: str,
    *,
    route: str,
    command: dict[str, str],
    region_code: str,
    ask: Callable[[Connection], str],
) -> Response:
    def work(tx: Connection) -> ApprovalRead:
        return shown_approval(read_approval(tx, caller=caller, approval_id=ask(tx)))

    return do_once(
        service,
        request,
        caller=caller,
        region_code=region_code,
        route=route,
        key=key,
        command=command,
        work=work,
        render=lambda approval: created(approval, approval.id, status=202),
    )
