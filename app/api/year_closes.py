"""Year close: one person of finance proposes it and sees what it would do, another approves, and then it is done."""

from __future__ import annotations

from typing import Annotated, Self

import orjson
from fastapi import APIRouter, Query, Request, Response
from pydantic import Field, model_validator
from sqlalchemy import Connection

from app.api.approvals import ApprovalRead, shown_approval
from app.api.authentication import CallerDep
from app.api.context import ServiceDep
from app.api.fields import AnyId, Fen, Read, Reason, ShownInstant, Title, Wire, wrong
from app.api.keys import IdempotencyKey, created, do_once
from app.api.paging import Cursor, Limit, Page, page_of
from app.kernel.ids import require_region
from app.kernel.vocabulary import Role
from app.services.approvals.decisions import read_approval
from app.services.budgets.close_reads import YearCloseRecord, list_year_closes, read_year_close
from app.services.budgets.year_close import CloseReport, CloseRequest, request_year_close
from app.services.idempotency import Answer

router = APIRouter(prefix="/v1/year-closes", tags=["year-closes"])


class AvailableBody(Wire):
    """How much of what one fund source has available goes to the successor programme; the rest lapses."""

    fund_source: Annotated[str, Field(min_length=1, max_length=63)]
    carry_fen: Fen


class YearCloseBody(Wire):
    """What is decided about a programme's year.

    With `carries_promises` everything that is promised (free and held on vouchers, owed to providers and on no payment
    order yet) moves to the same programme's pools of the next year, and vouchers go on. Without it what is promised
    stays in the closed year: nothing more is drawn on it, and it lapses as the vouchers end.
    """

    programme_id: AnyId
    fiscal_year: Annotated[int | None, Field(strict=True, ge=2000, le=2999, description="Default: the programme's")] = (
        None
    )
    document_no: Title
    carries_promises: Annotated[bool, Field(strict=True)]
    available: Annotated[
        list[AvailableBody], Field(max_length=50, description="What is not named lapses as a whole")
    ] = Field(default_factory=list)
    successor_programme_id: Annotated[
        AnyId | None, Field(description="Where available money goes: a programme of the next year")
    ] = None
    reason: Reason | None = None
    dry_run: Annotated[bool, Field(strict=True, description="Only say what it would do; nothing is stored")] = False

    @model_validator(mode="after")
    def _each_source_once(self) -> Self:
        sources = [row.fund_source for row in self.available]
        for source in sources:
            if sources.count(source) > 1:
                raise wrong("named_twice", "available", limit=1, actual=source)
        return self

    def request(self) -> CloseRequest:
        """The decision as the domain's value."""
        carried = {row.fund_source: row.carry_fen for row in self.available}
        return CloseRequest(
            programme_id=self.programme_id,
            fiscal_year=self.fiscal_year,
            document_no=self.document_no,
            carries_promises=self.carries_promises,
            available_fen=carried,
            successor_programme_id=self.successor_programme_id,
            reason=self.reason,
        )


class PoolOutcomeRead(Read):
    """What a close does to one pool, in fen. `lapsed_fen` is what is available and not carried, and `expired_fen`."""

    pool_id: str
    fund_source: str
    available_fen: int
    carried_available_fen: int
    expired_fen: int
    lapsed_fen: int
    carried_committed_fen: int
    carried_held_fen: int
    carried_obligated_fen: int
    left_committed_fen: int
    left_held_fen: int
    left_obligated_fen: int


class YearCloseProposed(Read):
    """What the close would do as things stand; `approval` is what another person of finance decides, None if tried."""

    programme_id: str
    fiscal_year: int
    at: ShownInstant
    pools: tuple[PoolOutcomeRead, ...]
    lapsing_fen: int
    carried_fen: int
    approval: ApprovalRead | None


class YearCloseRead(Read):
    """A year that was closed, and what that did."""

    id: str
    region_code: str
    programme_id: str
    fiscal_year: int
    document_no: str
    approval_id: str
    closed_at: ShownInstant
    made_by: str
    decided_by: str
    pools: tuple[PoolOutcomeRead, ...]


def _shown(record: YearCloseRecord) -> YearCloseRead:
    values = {name: getattr(record, name) for name in YearCloseRecord.__slots__ if name != "effect"}
    pools = tuple(PoolOutcomeRead(**pool) for pool in orjson.loads(record.effect)["pools"])
    return YearCloseRead(**values, pools=pools)


def _proposed(report: CloseReport, approval: ApprovalRead | None) -> YearCloseProposed:
    pools = tuple(PoolOutcomeRead.model_validate(pool) for pool in report.pools)
    return YearCloseProposed(
        programme_id=report.programme_id,
        fiscal_year=report.fiscal_year,
        at=report.at,
        pools=pools,
        lapsing_fen=sum(pool.lapsed_fen for pool in pools),
        carried_fen=sum(
            pool.carried_available_fen + pool.carried_committed_fen + pool.carried_held_fen + pool.carried_obligated_fen
            for pool in pools
        ),
        approval=approval,
    )


@router.post(
    "",
    status_code=202,
    response_model=YearCloseProposed,
    responses={200: {"model": YearCloseProposed, "description": "What it would do (`dry_run`)"}},
)
def propose_year_close(
    body: YearCloseBody, caller: CallerDep, key: IdempotencyKey, service: ServiceDep, request: Request
) -> Response:
    """Ask another person of finance to close a programme's budget year (年终关账), or only see what that would do."""
    caller.require(Role.FINANCE)
    region_code = require_region(body.programme_id, what="programme")

    def render(proposed: YearCloseProposed) -> Answer:
        if proposed.approval is None:
            return created(proposed, proposed.programme_id, status=200)
        return created(proposed, proposed.approval.id, status=202)

    def work(tx: Connection) -> YearCloseProposed:
        report = request_year_close(tx, caller=caller, request=body.request(), dry_run=body.dry_run)
        if report.approval_id is None:
            return _proposed(report, None)
        return _proposed(report, shown_approval(read_approval(tx, caller=caller, approval_id=report.approval_id)))

    return do_once(
        service,
        request,
        caller=caller,
        region_code=region_code,
        route="POST /v1/year-closes",
        key=key,
        command=body.model_dump(mode="json"),
        work=work,
        render=render,
    )


@router.get("")
def read_year_closes(
    caller: CallerDep,
    service: ServiceDep,
    limit: Limit = 50,
    cursor: Cursor = None,
    programme_id: Annotated[AnyId | None, Query()] = None,
) -> Page[YearCloseRead]:
    """Closed years within your reach, newest first."""
    records = service.database.transact(
        lambda tx: list_year_closes(tx, caller=caller, limit=limit + 1, before_id=cursor, programme_id=programme_id)
    )
    return page_of([_shown(record) for record in records], limit)


@router.get("/{year_close_id}")
def read_one_year_close(year_close_id: AnyId, caller: CallerDep, service: ServiceDep) -> YearCloseRead:
    """One closed year, with what that did to each pool."""
    return _shown(service.database.transact(lambda tx: read_year_close(tx, caller=caller, year_close_id=year_close_id)))
