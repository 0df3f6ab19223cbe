"""Reports for officials: budget execution, as JSON and as a spreadsheet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response

from app.api.authentication import CallerDep
from app.api.context import ServiceDep
from app.api.fields import AnyId, Read, ShownInstant
from app.api.spreadsheets import XLSX, xlsx_response
from app.database import now
from app.services.budgets.execution import ACCOUNTS, ExecutionRow, Standing, execution, total_of
from app.services.budgets.execution_sheet import write_execution

router = APIRouter(prefix="/v1/reports", tags=["reports"])


class StandingRead(Read):
    """Amounts in fen. The appropriation is the sum of the others; `execution_rate` is disbursed over appropriation."""

    appropriation_fen: int
    available_fen: int
    committed_fen: int
    held_fen: int
    obligated_fen: int
    in_payment_fen: int
    disbursed_fen: int
    lapsed_fen: int
    execution_rate: str | None


class PoolExecutionRead(StandingRead):
    """One pool. `GET /v1/ledger/entries?pool_id=…&account=…` gives the entries behind each amount."""

    region_code: str
    programme_id: str
    programme_title: str
    document_no: str
    fiscal_year: int
    fund_source: str
    pool_id: str


class ExecutionRead(Read):
    """Every pool within your reach, and their sum."""

    at: ShownInstant
    pools: tuple[PoolExecutionRead, ...]
    total: StandingRead


def shown_pool(row: ExecutionRow) -> PoolExecutionRead:
    """A pool's standing on the wire."""
    names = {name: getattr(row, name) for name in ExecutionRow.__slots__ if name != "standing"}
    return PoolExecutionRead(**names, **_amounts(row.standing))


def shown_total(rows: Sequence[ExecutionRow]) -> StandingRead:
    """The sum of these pools on the wire."""
    return StandingRead(**_amounts(total_of(rows)))


@router.get("/execution", response_model=ExecutionRead, responses={200: {"content": {XLSX: {}}}})
def read_execution(
    caller: CallerDep,
    service: ServiceDep,
    request: Request,
    fiscal_year: Annotated[int | None, Query(ge=2000, le=2999)] = None,
    programme_id: Annotated[AnyId | None, Query()] = None,
    format: Annotated[  # noqa: A002 - the name on the wire
        Literal["json", "xlsx"] | None, Query(description="Default: by the Accept header")
    ] = None,
) -> ExecutionRead | Response:
    """Budget execution (预算执行) per programme, fiscal year and fund source; amounts of the sheet are in 元."""
    at, rows = service.database.transact(
        lambda tx: (
            now(tx),
            execution(tx, caller=caller, fiscal_year=fiscal_year, programme_id=programme_id),
        )
    )
    if format == "xlsx" or (format is None and XLSX in request.headers.get("accept", "")):
        return xlsx_response(write_execution(rows, at=at), "budget-execution.xlsx")
    return ExecutionRead(at=at, pools=tuple(shown_pool(row) for row in rows), total=shown_total(rows))


def _amounts(standing: Standing) -> dict[str, Any]:
    return {name: getattr(standing, name) for name in (*ACCOUNTS.values(), "execution_rate")}
