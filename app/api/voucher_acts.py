"""Official acts on many vouchers at once: one command, one approval, all or nothing."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import Field, model_validator

from app.api.approvals import ApprovalRead, shown_approval
from app.api.authentication import CallerDep
from app.api.context import ServiceDep
from app.api.fields import AnyId, Day, Reason, Title, wrong
from app.api.keys import IdempotencyKey, created, do_once
from app.api.void_grounds import OF_RELATED, VoidGrounds
from app.kernel.ids import region_of
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import Role
from app.services.approvals.decisions import read_approval
from app.services.vouchers.extending import Wanted
from app.services.vouchers.official_acts import MOST, Act, OfficialAct, request_acts

router = APIRouter(prefix="/v1/voucher-acts", tags=["vouchers"])


class VoucherActs(VoidGrounds):
    """One act on many vouchers of one authority. An extension says until when, like that of a single voucher."""

    act: Act
    voucher_ids: Annotated[list[AnyId], Field(min_length=1, max_length=MOST, description="Each once")]
    reason: Reason
    last_day: Annotated[Day | None, Field(description="To extend: the new last day of all of them")] = None
    days: Annotated[int | None, Field(strict=True, ge=1, le=3660, description="To extend: days more each")] = None
    exception_document_no: Annotated[
        Title | None, Field(description="To extend beyond the rules: the document that grants the exception")
    ] = None

    @model_validator(mode="after")
    def _fits_the_act(self) -> VoucherActs:
        given = [name for name in ("last_day", "days") if getattr(self, name) is not None]
        if self.act is Act.EXTEND and len(given) != 1:
            raise wrong("give_one", "last_day", limit="last_day, days", actual=len(given))
        others = [*given, *(["exception_document_no"] if self.exception_document_no is not None else [])]
        if self.act is not Act.EXTEND and others:
            raise wrong("only_for_the_act", others[0], limit=Act.EXTEND, actual=self.act)
        grounds = [name for name in ("ground", *OF_RELATED) if getattr(self, name) is not None]
        if self.act is not Act.VOID and grounds:
            raise wrong("only_for_the_act", grounds[0], limit=Act.VOID, actual=self.act)
        if len(set(self.voucher_ids)) < len(self.voucher_ids):
            twice = next(one for one in self.voucher_ids if self.voucher_ids.count(one) > 1)
            raise wrong("listed_twice", "voucher_ids", limit=1, actual=twice)
        return self

    def asked(self) -> OfficialAct:
        """The act as the domain's value."""
        wanted = Wanted(self.last_day, self.days, self.exception_document_no) if self.act is Act.EXTEND else None
        return OfficialAct(self.act, self.reason, wanted, self.grounds())


@router.post("", status_code=202, response_model=ApprovalRead)
def ask_for_acts(
    body: VoucherActs, caller: CallerDep, key: IdempotencyKey, service: ServiceDep, request: Request
) -> Response:
    """Ask a checker to freeze, unfreeze, void or extend all of these vouchers, in one approval with its totals.

    Refused where one of them does not allow it (`vouchers_unfit`, each with its reason), now and again when it is
    approved: nothing is done to any of them then.
    """
    caller.require(Role.MAKER)
    region_code = region_of(body.voucher_ids[0])
    if region_code is None:
        raise AppError(Code.VOUCHER_NOT_FOUND)
    asked = body.asked()
    return do_once(
        service,
        request,
        caller=caller,
        region_code=region_code,
        route="POST /v1/voucher-acts",
        key=key,
        command={"voucher_ids": sorted(body.voucher_ids), **asked.command()},
        work=lambda tx: read_approval(
            tx, caller=caller, approval_id=request_acts(tx, caller=caller, voucher_ids=body.voucher_ids, asked=asked)
        ),
        render=lambda approval: created(shown_approval(approval), approval.id, status=202),
    )
