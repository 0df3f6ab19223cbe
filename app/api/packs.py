"""The auditor's pack over HTTP: the same files as `voucher export` writes, as one archive."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from app.api.authentication import CallerDep
from app.api.context import ServiceDep
from app.api.fields import Reason, RegionCode
from app.services.export.handing_out import hand_out

router = APIRouter(prefix="/v1/ledger", tags=["ledger"])

ARCHIVE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The pack, as a stream. Cut off, it has no manifest, and no verifier takes it for whole.",
        "content": {"application/x-tar": {"schema": {"type": "string", "format": "binary"}}},
        "headers": {
            "Tree-Size": {
                "description": "The size of each log in the pack: `330100=20852163, 330200=17`.",
                "schema": {"type": "string"},
            }
        },
    }
}


@router.get("/export", response_class=StreamingResponse, responses=ARCHIVE)
def export_pack(
    caller: CallerDep,
    service: ServiceDep,
    region_code: Annotated[RegionCode, Query(description="With those below it")],
    purpose: Annotated[Reason, Query(description="What it is for; recorded in the audit event `export`")],
    *,
    tree_size: Annotated[
        int,
        Query(ge=0, le=2**63 - 1, description="How many leaves the region's log must have: those of a head you hold"),
    ] = 0,
    every_head: Annotated[bool, Query(description="Every signed head, not the last of each day alone")] = False,
) -> StreamingResponse:
    """An auditor's pack (`docs/packs.md`) of a region and of those below it, to be checked with `voucher verify`.

    All of it is one instant of the database; redemptions go on meanwhile. It is sent while it is read, so its length is
    not known before. For auditors; two at a time in each process.
    """
    pack = hand_out(
        service.database,
        service.log_keys,
        caller=caller,
        region_code=region_code,
        purpose=purpose,
        tree_size=tree_size,
        every_head=every_head,
        witnesses=service.settings.witnesses,
    )
    sizes = ", ".join(f"{region}={size}" for region, size in pack.sizes.items())
    headers = {"Content-Disposition": f'attachment; filename="voucher-pack-{region_code}.tar"', "Tree-Size": sizes}
    return StreamingResponse(pack, media_type="application/x-tar", headers=headers)
