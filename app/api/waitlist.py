"""The waiting list (候补名单) of a programme: who waits and where, promoting the next, ending the waiting."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import Field
from sqlalchemy import Connection

from app.api.approvals import ApprovalRead, shown_approval
from app.api.authentication import CallerDep
from app.api.context import ServiceDep
from app.api.fields import AnyId, PositiveFen, Read, Reason, ShownInstant, Wire
from app.api.issuance_bodies import Text
from app.api.keys import IdempotencyKey, created, do_once
from app.kernel.ids import require_region
from app.kernel.vocabulary import Role
from app.services.allocation.columns import MAX_CANDIDATES
from app.services.allocation.waitlist import Promotion, WaitingRecord, end_waiting, list_waiting, promote
from app.services.approvals.decisions import read_approval

router = APIRouter(prefix="/v1/programmes/{programme_id}/waitlist", tags=["allocation"])


class WaitingRead(Read):
    """Somebody who waits: `position` counts from 1, `ahead_fen` is what those before wait for."""

    position: int
    round_id: str
    reference_no: str
    firm_id: str
    firm_name: str
    waits_fen: int
    ahead_fen: int
    since_at: ShownInstant
    batch_id: str | None


class WaitlistRead(Read):
    """Who waits, in order; a firm sees its own rows."""

    data: tuple[WaitingRead, ...]


class PromoteBody(Wire):
    """How much of what is available goes to those who wait; default: as far as it reaches."""

    limit_fen: PositiveFen | None = None
    dry_run: Annotated[bool, Field(strict=True, description="Only say who would be next; nothing is kept")] = False


class PromotionProposed(Read):
    """Who is next, and what is left. A dry run has no ids: nobody was asked."""

    programme_id: str
    available_fen: int
    total_fen: int
    promoted: tuple[WaitingRead, ...]
    left_waiting: int
    batch_id: str | None
    approval_id: str | None


class EndBody(Wire):
    """Whose waiting ends without a grant; default: everybody's."""

    reference_nos: Annotated[list[Text] | None, Field(min_length=1, max_length=MAX_CANDIDATES)] = None
    reason: Reason


@router.get("")
def read_waitlist(programme_id: AnyId, caller: CallerDep, service: ServiceDep) -> WaitlistRead:
    """Who waits for money that comes back, in the original order; a firm sees its own rows with their positions."""
    found = service.database.transact(lambda tx: list_waiting(tx, caller=caller, programme_id=programme_id))
    return WaitlistRead(data=tuple(_shown(one) for one in found))


@router.post(
    "/promote",
    status_code=202,
    response_model=PromotionProposed,
    responses={200: {"model": PromotionProposed, "description": "Who would be next (`dry_run`)"}},
)
def promote_waiting(
    programme_id: AnyId,
    body: PromoteBody,
    caller: CallerDep,
    key: IdempotencyKey,
    service: ServiceDep,
    request: Request,
) -> Response:
    """Ask a checker to issue to the next in line (递补), as far as the money that is there again reaches."""
    caller.require(Role.MAKER)

    def work(tx: Connection) -> Promotion:
        return promote(tx, caller=caller, programme_id=programme_id, limit_fen=body.limit_fen, dry_run=body.dry_run)

    if body.dry_run:
        report = _proposed(service.database.transact(work))
        return Response(report.model_dump_json(), media_type="application/json")
    return do_once(
        service,
        request,
        caller=caller,
        region_code=require_region(programme_id, what="programme"),
        route="POST /v1/programmes/{id}/waitlist/promote",
        key=key,
        command={"programme_id": programme_id, "limit_fen": body.limit_fen},
        work=work,
        render=lambda promotion: created(_proposed(promotion), promotion.approval_id or "", status=202),
    )


@router.post("/end", status_code=202, response_model=ApprovalRead)
def end_waiting_of(
    programme_id: AnyId, body: EndBody, caller: CallerDep, key: IdempotencyKey, service: ServiceDep, request: Request
) -> Response:
    """Ask a checker to take some, or all, off the waiting list without a grant."""
    caller.require(Role.MAKER)

    def work(tx: Connection) -> ApprovalRead:
        asked = end_waiting(
            tx, caller=caller, programme_id=programme_id, reference_nos=body.reference_nos, reason=body.reason
        )
        return shown_approval(read_approval(tx, caller=caller, approval_id=asked))

    return do_once(
        service,
        request,
        caller=caller,
        region_code=require_region(programme_id, what="programme"),
        route="POST /v1/programmes/{id}/waitlist/end",
        key=key,
        command={"programme_id": programme_id} | body.model_dump(mode="json"),
        work=work,
        render=lambda approval: created(approval, approval.id, status=202),
    )


def _proposed(promotion: Promotion) -> PromotionProposed:
    return PromotionProposed(
        programme_id=promotion.programme_id,
        available_fen=promotion.available_fen,
        total_fen=sum(one.waits_fen for one in promotion.promoted),
        promoted=tuple(_shown(one) for one in promotion.promoted),
        left_waiting=promotion.left_waiting,
        batch_id=promotion.batch_id,
        approval_id=promotion.approval_id,
    )


def _shown(record: WaitingRecord) -> WaitingRead:
    return WaitingRead.model_validate(record)
