"""Approval bands: how many steps an act of a kind takes by its amount. Changed under two persons like any other act."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BeforeValidator, Field

from app.api.approvals import ApprovalRead, shown_approval
from app.api.authentication import CallerDep, FreshCallerDep
from app.api.context import ServiceDep
from app.api.fields import AnyId, Day, PositiveFen, Read, Reason, RegionCode, ShownInstant, Wire
from app.api.paging import Cursor, Limit, Page, page_of
from app.kernel.vocabulary import ApprovalKind, Role
from app.services.approvals.bands import MAX_BANDS, list_bands, request_bands
from app.services.approvals.decisions import read_approval
from app.services.approvals.steps import Band

router = APIRouter(prefix="/v1/approval-bands", tags=["approvals"])


class BandBody(Wire):
    """Amounts up to `up_to_fen` (null: all above) take these steps, one person each, in this order."""

    up_to_fen: PositiveFen | None
    steps: Annotated[tuple[Literal[Role.CHECKER, Role.FINANCE], ...], Field(min_length=1, max_length=3)]


class BandsBody(Wire):
    """The bands of one kind of act from a day on; of one authority, or without it of the whole region."""

    region_code: RegionCode
    authority_id: AnyId | None = None
    kind: ApprovalKind
    bands: Annotated[tuple[BandBody, ...], Field(min_length=1, max_length=MAX_BANDS)]
    effective_on: Day
    expires_after_days: Annotated[
        int | None,
        Field(strict=True, ge=1, le=366, description="After so many days a request can be approved no more"),
    ] = None
    reason: Reason | None = None


class BandRead(Read):
    """One band."""

    up_to_fen: int | None
    steps: tuple[Role, ...]


class BandsRead(Read):
    """A table of bands. The newest that has begun holds; an authority's own before the region's."""

    id: str
    region_code: str
    authority_id: str | None
    kind: ApprovalKind
    effective_from: ShownInstant
    bands: Annotated[tuple[BandRead, ...], BeforeValidator(tuple)]
    expires_after_days: int | None
    approval_id: str


@router.post("", status_code=202)
def ask_bands(body: BandsBody, caller: FreshCallerDep, service: ServiceDep) -> ApprovalRead:
    """Ask that these bands hold from a day on.

    A maker asks for his authority: its checker agrees, then finance. For a whole region one of finance asks another.
    Requests that wait keep the steps they had.
    """
    return shown_approval(
        service.database.transact(
            lambda tx: read_approval(
                tx,
                caller=caller,
                approval_id=request_bands(
                    tx,
                    caller=caller,
                    region_code=body.region_code,
                    authority_id=body.authority_id,
                    kind=body.kind,
                    bands=[Band(band.up_to_fen, tuple(band.steps)) for band in body.bands],
                    effective_on=body.effective_on,
                    expires_after_days=body.expires_after_days,
                    reason=body.reason,
                ),
            )
        )
    )


@router.get("")
def read_bands(
    caller: CallerDep,
    service: ServiceDep,
    limit: Limit = 50,
    cursor: Cursor = None,
    kind: Annotated[ApprovalKind | None, Query()] = None,
) -> Page[BandsRead]:
    """The tables of your regions and authorities, newest first, past ones too."""
    records = service.database.transact(
        lambda tx: list_bands(tx, caller=caller, limit=limit + 1, before_id=cursor, kind=kind)
    )
    return page_of([BandsRead.model_validate(record) for record in records], limit)
