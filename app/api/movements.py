"""Movements with running balance, of whoever is asked for."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from app.api.authentication import CallerDep
from app.api.context import ServiceDep
from app.api.fields import AnyId, Read, RegionCode, ShownInstant
from app.api.paging import Cursor, Limit, Page, page_of
from app.kernel.ids import region_of
from app.kernel.problems import AppError, Code, FieldError
from app.kernel.vocabulary import Account, EntryKind
from app.services.ledger.movements import Whose, list_movements

router = APIRouter(prefix="/v1/ledger", tags=["ledger"])


class MovementRead(Read):
    """What an entry changed on the account in fen, and what lay there after it."""

    id: Annotated[str, Field(description="The entry")]
    at: ShownInstant
    kind: EntryKind
    subject_id: str
    voucher_id: str | None
    change_fen: int
    balance_fen: int


@router.get("/movements")
def read_ledger_movements(
    caller: CallerDep,
    service: ServiceDep,
    limit: Limit = 50,
    cursor: Cursor = None,
    voucher_id: Annotated[AnyId | None, Query()] = None,
    firm_id: Annotated[AnyId | None, Query(description="With region_code")] = None,
    provider_id: Annotated[AnyId | None, Query(description="With region_code")] = None,
    pool_id: Annotated[AnyId | None, Query()] = None,
    region_code: Annotated[RegionCode | None, Query()] = None,
    account: Annotated[
        Account | None,
        Query(description="Default: committed of a voucher or firm, obligated of a provider, available of a pool"),
    ] = None,
) -> Page[MovementRead]:
    """Movements on one account of a voucher, firm, provider or pool, newest first, each with the balance after it.

    Finance and auditors of the region see all; a provider what it is paid, a firm what its vouchers did.
    """
    given = {
        Whose.VOUCHER: voucher_id,
        Whose.FIRM: firm_id,
        Whose.PROVIDER: provider_id,
        Whose.POOL: pool_id,
    }
    asked = [(whose, holder_id) for whose, holder_id in given.items() if holder_id is not None]
    if len(asked) != 1:
        raise _wrong("voucher_id", "either_or", "give one of the four ids / 四个编号须给且仅给其一")
    ((whose, holder_id),) = asked
    region = region_of(holder_id) or region_code
    if region is None:
        raise _wrong("region_code", "missing", "an organisation is paid in many regions: which one / 须指明地区")
    movements = service.database.snapshot(
        lambda tx: list_movements(
            tx,
            caller=caller,
            region_code=region,
            whose=whose,
            holder_id=holder_id,
            account=account,
            limit=limit + 1,
            before_id=cursor,
        )
    )
    return page_of([MovementRead.model_validate(movement) for movement in movements], limit)


def _wrong(name: str, code: str, told: str) -> AppError:
    place = FieldError(f"/query/{name}", code, detail=told)
    return AppError(Code.VALIDATION_FAILED, count=1, errors=[place])
