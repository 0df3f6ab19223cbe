"""Many redemptions in one request: each row is judged alone and answered at its place."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

import orjson
import structlog
from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import Field, ValidationError

from app.api.authentication import CallerDep
from app.api.context import Service, ServiceDep
from app.api.edges.rates import count_rows, too_many
from app.api.fields import Read, Wire
from app.api.keys import IdempotencyKey
from app.api.problems import RefusalRenderer, document, language_of, refusal_renderer
from app.api.redemptions import RedemptionCreate, command_of
from app.kernel.places import field_errors
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import Role
from app.services.idempotency import Answer
from app.services.identity.principals import Caller
from app.services.limits.rates import Rates
from app.services.redemption.commands import Redeem

MAX_ROWS = 1_000
SHOWN_ERRORS = 20
"""Wrong places of one row that are told; the problem says how many there are."""

ROUTE = "POST /v1/redemptions:batch"

log = structlog.get_logger(__name__)
router = APIRouter(prefix="/v1", tags=["redemptions"])

_ROW = {"items": {"$ref": "#/components/schemas/RedemptionCreate"}}
_BODY = {"anyOf": [{"$ref": "#/components/schemas/RedemptionRead"}, {"$ref": "#/components/schemas/Problem"}]}


class RedemptionBatchCreate(Wire):
    """Up to 1,000 redemptions. A row that is not valid is refused at its place and touches no other."""

    redemptions: Annotated[list[Any], Field(min_length=1, max_length=MAX_ROWS, json_schema_extra=_ROW)]


class RedemptionBatchRow(Read):
    """What the row would have got alone: the redemption with 201, or a problem with its status."""

    index: Annotated[int, Field(description="The row's place, from 0.")]
    status: int
    body: Annotated[Any, Field(json_schema_extra=_BODY)]


class RedemptionBatchRead(Read):
    """One answer per row, in the order of the rows."""

    data: list[RedemptionBatchRow]


@router.post("/redemptions:batch", response_model=RedemptionBatchRead)
async def create_redemptions(
    body: RedemptionBatchCreate, caller: CallerDep, key: IdempotencyKey, service: ServiceDep, request: Request
) -> Response:
    """Redeem up to 1,000 bills, each judged alone. Repeat the request with the same key until every row is decided.

    The key of a row is the batch's key and its index: a repetition does nothing twice, answers decided rows with
    their first answers and tries the others again. Rows need not be decided in their order.
    """
    caller.require(Role.PROVIDER)
    await count_rows(request.scope, service.rates, caller.principal.id, len(body.redemptions))
    read = await run_in_threadpool(_read_rows, body.redemptions, caller, service, key, request)
    read = await _within_limits(read, service.rates)
    commands = {index: row for index, row in enumerate(read) if isinstance(row, Redeem)}
    decided = dict(zip(commands, await service.desk.submit_all(list(commands.values())), strict=True))
    rows = [_answered(decided.get(index, row), request) for index, row in enumerate(read)]
    data = [{"index": index, "status": row.status, "body": orjson.Fragment(row.body)} for index, row in enumerate(rows)]
    headers = {"Idempotency-Replayed": "true"} if all(row.replayed for row in rows) else None
    return Response(orjson.dumps({"data": data}), media_type="application/json", headers=headers)


def _read_rows(
    rows: list[Any], caller: Caller, service: Service, key: str, request: Request
) -> list[Redeem | AppError]:
    render_refusal = refusal_renderer(request)
    return [_read_row(row, caller, service, f"{key}/{index}", render_refusal) for index, row in enumerate(rows)]


async def _within_limits(rows: list[Redeem | AppError], rates: Rates) -> list[Redeem | AppError]:
    """The rows; those of a voucher that is asked for too often are refused, each as it would be alone."""
    counted = Counter(named for row in rows if isinstance(row, Redeem) and (named := row.voucher_code or row.hold_id))
    refused = {
        named: too_many(standing)
        for named, rows_of_it in counted.items()
        if (standing := await rates.of_voucher(named, rows_of_it)) is not None and not standing.allowed
    }
    return [refused.get(row.voucher_code or row.hold_id or "", row) if isinstance(row, Redeem) else row for row in rows]


def _read_row(
    row: Any, caller: Caller, service: Service, key: str, render_refusal: RefusalRenderer
) -> Redeem | AppError:
    try:
        body = RedemptionCreate.model_validate(row, from_attributes=True)  # as the framework does: the same errors
        return command_of(
            body,
            caller=caller,
            secrets=service.payment_secrets,
            receipts=service.receipts,
            key=key,
            route=ROUTE,
            render_refusal=render_refusal,
        )
    except ValidationError as error:
        places = field_errors(error.errors(include_url=False), row)
        return AppError(Code.VALIDATION_FAILED, count=len(places), errors=places[:SHOWN_ERRORS])
    except AppError as problem:
        return problem


def _answered(outcome: Answer | Redeem | BaseException, request: Request) -> Answer:
    """The row's answer as it goes out. A bug is logged, and the row says that it is one."""
    if isinstance(outcome, Answer):
        return outcome
    request_id = request.state.request_id
    if not isinstance(outcome, AppError):
        log.error("request.failed", path=request.url.path, request_id=request_id, exc_info=outcome)
        outcome = AppError(Code.INTERNAL_ERROR)
    status, body = document(outcome, language=language_of(request), request_id=request_id, instance=request.url.path)
    return Answer(status, body)
