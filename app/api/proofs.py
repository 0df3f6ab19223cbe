"""Proofs over a region's log: that a leaf is in it, and that it only grew."""

from __future__ import annotations

import base64
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from app.api.authentication import CallerDep
from app.api.context import ServiceDep
from app.api.fields import AnyId, Read, RegionCode
from app.services.sealing.proofs import prove_consistency, prove_inclusion

router = APIRouter(prefix="/v1/ledger/proofs", tags=["logs"])

MOST = 2**63 - 1


class InclusionRead(Read):
    """The audit path (RFC 6962 section 2.1.1), lowest hash first, each in base64.

    Hashing `leaf_sha256` up along it gives the root that the checkpoint of this size has signed.
    """

    log: str
    region_code: str
    entry_id: str
    leaf_index: int
    leaf_sha256: Annotated[str, Field(description="Hexadecimal SHA-256 of a zero byte and the leaf")]
    size: int
    proof: list[str]
    checkpoint: Annotated[str | None, Field(description="The signed head of exactly this size, where there is one.")]


class ConsistencyRead(Read):
    """What shows that the log of `from_size` leaves is the beginning of that of `to_size` (RFC 6962 section 2.1.2)."""

    log: str
    region_code: str
    from_size: int
    to_size: int
    proof: list[str]


@router.get("/inclusion")
def read_inclusion_proof(
    caller: CallerDep,
    service: ServiceDep,
    entry_id: Annotated[AnyId, Query(description="An entry, or an audit event")],
    size: Annotated[int | None, Query(ge=0, le=MOST, description="Of the tree; default: the newest head's")] = None,
) -> InclusionRead:
    """That an entry is in the log. Providers ask for their own entries, finance and auditors for all of a region."""
    promise_s = service.settings.seal_promise_s
    proof = service.database.transact(
        lambda tx: prove_inclusion(tx, caller=caller, entry_id=entry_id, size=size, promise_s=promise_s)
    )
    return InclusionRead(
        log=proof.log,
        region_code=proof.region_code,
        entry_id=proof.entry_id,
        leaf_index=proof.leaf_index,
        leaf_sha256=proof.leaf_hash.hex(),
        size=proof.size,
        proof=_written(proof.proof),
        checkpoint=proof.checkpoint,
    )


@router.get("/consistency")
def read_consistency_proof(
    caller: CallerDep,
    service: ServiceDep,
    region_code: Annotated[RegionCode, Query()],
    from_size: Annotated[int, Query(alias="from", ge=0, le=MOST)],
    to_size: Annotated[int | None, Query(alias="to", ge=0, le=MOST, description="Default: the newest head's")] = None,
) -> ConsistencyRead:
    """That the log only grew between two sizes: nothing in it was changed or taken out."""
    proof = service.database.transact(
        lambda tx: prove_consistency(tx, caller=caller, region_code=region_code, first=from_size, second=to_size)
    )
    return ConsistencyRead(
        log=proof.log,
        region_code=proof.region_code,
        from_size=proof.first,
        to_size=proof.second,
        proof=_written(proof.proof),
    )


def _written(hashes: tuple[bytes, ...]) -> list[str]:
    return [base64.b64encode(value).decode() for value in hashes]
