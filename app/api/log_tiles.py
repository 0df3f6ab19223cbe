"""The log of a region in the layout of C2SP tlog-tiles: checkpoint and keys for everybody, tiles for its readers."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response

from app.api.authentication import CallerDep
from app.api.context import ServiceDep
from app.api.fields import RegionCode
from app.reach import PUBLISHED
from app.services.sealing.reading import read_bundle_of, read_checkpoint, read_log_keys, read_tile

router = APIRouter(prefix="/v1/logs", tags=["logs"])

TEXT: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}
BYTES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
}

Size = Annotated[
    int | None, Query(ge=0, le=2**63 - 1, description="The head signed at this size; default: the newest.")
]
TilePath = Annotated[
    str, Path(description="Number of the tile: `067`, `x001/x234/067`; a partial one ends in `.p/WIDTH`.")
]


@router.get("/{region_code}/checkpoint", response_class=Response, responses=TEXT)
def read_log_checkpoint(region_code: RegionCode, service: ServiceDep, size: Size = None) -> Response:
    """The signed head of the region's log (C2SP tlog-checkpoint) with its witnesses' cosignatures. Public."""
    note = service.database.reaching(PUBLISHED).transact(
        lambda tx: read_checkpoint(tx, region_code=region_code, size=size)
    )
    return Response(note, media_type="text/plain; charset=utf-8")


@router.get("/{region_code}/keys", response_class=Response, responses=TEXT)
def read_log_verification_keys(region_code: RegionCode, service: ServiceDep) -> Response:
    """The keys that checkpoints and receipts of the region are signed with, a line each (signed-note vkey). Public.

    The newest is the first. Write them down when you begin to rely on a log; do not ask for them anew each time.
    """
    keys = service.database.reaching(PUBLISHED).transact(
        lambda tx: read_log_keys(tx, service.log_keys, region_code=region_code)
    )
    return Response("".join(f"{key}\n" for key in keys), media_type="text/plain; charset=utf-8")


@router.get("/{region_code}/tile/entries/{path:path}", response_class=Response, responses=BYTES)
def read_log_entries(region_code: RegionCode, path: TilePath, caller: CallerDep, service: ServiceDep) -> Response:
    """An entry bundle: 256 leaves (or fewer at the right edge), each after its length in two bytes."""
    data = service.database.transact(lambda tx: read_bundle_of(tx, caller=caller, region_code=region_code, path=path))
    return Response(data, media_type="application/octet-stream")


@router.get("/{region_code}/tile/{level}/{path:path}", response_class=Response, responses=BYTES)
def read_log_tile(
    region_code: RegionCode,
    level: Annotated[int, Path(ge=0, le=63)],
    path: TilePath,
    caller: CallerDep,
    service: ServiceDep,
) -> Response:
    """A tile: up to 256 hashes of one level of the Merkle tree, one after the other."""
    data = service.database.transact(
        lambda tx: read_tile(tx, caller=caller, region_code=region_code, level=level, path=path)
    )
    return Response(data, media_type="application/octet-stream")
