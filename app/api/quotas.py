"""Sub-quotas: what of a programme's budget a county may issue from."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import Field

from app.api.approvals import ApprovalRead, shown_approval
from app.api.authentication import CallerDep
from app.api.context import ServiceDep
from app.api.fields import AnyId, Reason, RegionCode, SignedFen, Title, Wire
from app.api.keys import IdempotencyKey, created, do_once
from app.kernel.ids import require_region
from app.kernel.vocabulary import Role
from app.services.approvals.decisions import read_approval
from app.services.budgets.quotas import QuotaMove, request_move
from app.services.rules.parts import Slug

router = APIRouter(prefix="/v1/programmes/{programme_id}/quotas", tags=["programmes"])


class QuotaBody(Wire):
    """A share of the programme's pool for a county; a negative amount takes back what the county has not promised."""

    county_code: Annotated[RegionCode, Field(description="A region below the programme's")]
    amount_fen: SignedFen
    document_no: Title
    fund_source: Annotated[Slug | None, Field(description="May be left out where the rules know only one")] = None
    reason: Reason | None = None


@router.post("", status_code=202, response_model=ApprovalRead)
def move_quota(
    programme_id: AnyId,
    body: QuotaBody,
    caller: CallerDep,
    key: IdempotencyKey,
    service: ServiceDep,
    request: Request,
) -> Response:
    """Ask finance to share part of the programme's pool out to a county, or to take it back.

    Only what is available moves. The county's officials issue from the county's pool, and from nothing else.
    """
    caller.require(Role.MAKER, Role.FINANCE)
    region_code = require_region(programme_id, what="programme")
    move = QuotaMove(programme_id, body.county_code, body.amount_fen, body.document_no, body.fund_source, body.reason)
    return do_once(
        service,
        request,
        caller=caller,
        region_code=region_code,
        route="POST /v1/programmes/{id}/quotas",
        key=key,
        command={"programme_id": programme_id, **body.model_dump(mode="json")},
        work=lambda tx: read_approval(tx, caller=caller, approval_id=request_move(tx, caller=caller, move=move)),
        render=lambda approval: created(shown_approval(approval), approval.id, status=202),
    )
