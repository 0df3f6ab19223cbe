"""Open totals (信息公开) per programme, for everybody."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from app.api.context import ServiceDep
from app.api.fields import Read, RegionCode, ShownInstant
from app.kernel.regions import covers
from app.kernel.vocabulary import VoucherKind

router = APIRouter(prefix="/v1/reports", tags=["reports"])


class ProgrammeTotalsRead(Read):
    """One programme. Redeemed is net of refunds; ended is what expired, was voided or given back of what was issued."""

    region_code: str
    programme_id: str
    title: str
    document_no: str
    fiscal_year: int
    voucher_kind: VoucherKind
    authority_name: str
    voucher_count: int
    firm_count: int
    issued_fen: int
    redeemed_fen: int
    ended_fen: int


class DisclosureRead(Read):
    """The published programmes as of `at`, which is a minute ago at most."""

    at: ShownInstant
    programmes: tuple[ProgrammeTotalsRead, ...]


@router.get("/disclosure")
def read_disclosure(
    service: ServiceDep,
    region_code: Annotated[RegionCode | None, Query(description="With the regions below it")] = None,
    fiscal_year: Annotated[int | None, Query(ge=2000, le=2999)] = None,
) -> DisclosureRead:
    """What each programme has issued and redeemed: totals without names, for everybody."""
    totals = service.disclosure.read()
    shown = tuple(
        ProgrammeTotalsRead.model_validate(one)
        for one in totals.programmes
        if (region_code is None or covers(region_code, one.region_code))
        and (fiscal_year is None or one.fiscal_year == fiscal_year)
    )
    return DisclosureRead(at=totals.at, programmes=shown)
