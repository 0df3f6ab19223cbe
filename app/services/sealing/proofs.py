"""Proofs that a leaf is in the log, and that the log only grew. Read from tiles, never from all leaves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection

from app.kernel.ids import region_of
from app.kernel.problems import AppError, Code, FieldError
from app.kernel.vocabulary import LeafKind, Role
from app.services.identity.principals import Caller
from app.services.sealing.reading import load_size, load_tiles, reads_all
from app.sql import Statement
from app.tlog.merkle import Node, consistency_proof, inclusion_proof
from app.tlog.tiles import node_reader, tiles_read

_LEAF = Statement(
    """
    SELECT given.kind, given.organisation_id, given.at, l.leaf_index,
        sha256(CAST('\\x00' AS bytea) || given.leaf) AS leaf_hash
    FROM (
        SELECT 'entry' AS kind, id, organisation_id, at, leaf FROM entries WHERE region_code = :region AND id = :id
        UNION ALL
        SELECT 'audit_event', id, organisation_id, at, leaf FROM audit_events WHERE region_code = :region AND id = :id
    ) AS given
    LEFT JOIN log_leaves l ON l.region_code = :region AND l.leaf_id = given.id
    """
)
_SIGNED = Statement("SELECT checkpoint FROM log_batches WHERE region_code = :region AND size = :size")


@dataclass(frozen=True, slots=True)
class Inclusion:
    """The audit path of one leaf in the tree of `size` leaves (RFC 6962 section 2.1.1), lowest hash first."""

    log: str
    region_code: str
    entry_id: str
    leaf_index: int
    leaf_hash: bytes
    size: int
    proof: tuple[bytes, ...]
    checkpoint: str | None
    """The signed head of exactly this size, where one was signed."""


@dataclass(frozen=True, slots=True)
class Consistency:
    """What shows that the tree of `first` leaves is the beginning of the tree of `second`."""

    log: str
    region_code: str
    first: int
    second: int
    proof: tuple[bytes, ...]


def prove_inclusion(tx: Connection, *, caller: Caller, entry_id: str, size: int | None, promise_s: int) -> Inclusion:
    """The proof for an entry or audit event, in the newest head or in the tree of `size` leaves.

    Finance and auditors have it for every leaf of their regions, audit administrators for audit events, a provider for
    the entries that it caused: whoever holds a receipt can hold us to it. Raises `not_found`, `not_yet_sealed`, and
    `validation_failed` for a size that the log does not have or at which the leaf was not in it yet.
    """
    region_code = region_of(entry_id) or ""
    caller.require(Role.FINANCE, Role.AUDITOR, Role.PROVIDER, Role.AUDIT_ADMIN)
    rows = _LEAF(tx, {"region": region_code, "id": entry_id})
    if not rows or not _may_see(caller, region_code, rows[0]):
        raise AppError(Code.NOT_FOUND, what="entry")
    (leaf,) = rows
    if leaf.leaf_index is None:
        raise AppError(Code.NOT_YET_SEALED, retry_after_s=2, promised_by=leaf.at + timedelta(seconds=promise_s))
    log = load_size(tx, region_code)
    size = log.size if size is None else size
    _require_size("size", size, leaf.leaf_index + 1, log.size)
    signed = _SIGNED(tx, {"region": region_code, "size": size})
    proof = _read(tx, region_code, partial(inclusion_proof, leaf.leaf_index, size))
    return Inclusion(
        log=log.origin,
        region_code=region_code,
        entry_id=entry_id,
        leaf_index=leaf.leaf_index,
        leaf_hash=leaf.leaf_hash,
        size=size,
        proof=tuple(proof),
        checkpoint=signed[0].checkpoint if signed else None,
    )


def prove_consistency(
    tx: Connection, *, caller: Caller, region_code: str, first: int, second: int | None
) -> Consistency:
    """The proof between two sizes of a region's log, the second the newest head's where none is given.

    For finance, auditors and audit administrators of the region and for providers. Raises `not_found`, and
    `validation_failed` for sizes that the log does not have.
    """
    caller.require(Role.FINANCE, Role.AUDITOR, Role.PROVIDER, Role.AUDIT_ADMIN)
    log = load_size(tx, region_code)
    may_ask = caller.holds(Role.PROVIDER) or caller.holds_in(Role.AUDIT_ADMIN, region_code)
    if log is None or not (may_ask or reads_all(caller, region_code)):
        raise AppError(Code.NOT_FOUND, what="log")
    second = log.size if second is None else second
    _require_size("to", second, 0, log.size)
    _require_size("from", first, 0, second)
    proof = _read(tx, region_code, partial(consistency_proof, first, second))
    return Consistency(log.origin, region_code, first, second, tuple(proof))


def _read(tx: Connection, region_code: str, prove: Any) -> list[bytes]:
    """Make a proof from the tiles that it needs, fetched at once."""
    node: Node = node_reader(load_tiles(tx, region_code, tiles_read(prove)))
    proof: list[bytes] = prove(node)
    return proof


def _may_see(caller: Caller, region_code: str, leaf: Any) -> bool:
    own = caller.holds(Role.PROVIDER) and leaf.organisation_id == caller.organisation_id
    audited = leaf.kind == LeafKind.AUDIT_EVENT and caller.holds_in(Role.AUDIT_ADMIN, region_code)
    return own or audited or reads_all(caller, region_code)


def _require_size(name: str, size: int, least: int, most: int) -> None:
    if least <= size <= most:
        return
    code, limit, told = "beyond_the_log", most, f"there are {most} leaves / 仅有 {most} 条"
    if size < least:
        code, limit, told = "before_the_leaf", least, f"its leaf is number {least} / 该记录为第 {least} 条"
    place = FieldError(f"/query/{name}", code, detail=told, limit=limit, actual=size)
    raise AppError(Code.VALIDATION_FAILED, count=1, errors=[place])
