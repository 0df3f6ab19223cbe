"""The journal: the one place where money moves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from operator import itemgetter

from sqlalchemy import Connection

from app.kernel.vocabulary import Account, LeafKind
from app.models import Entry, Posting, SealQueue
from app.services.ledger.entries import (
    COUNTERS,
    HOLD_COUNTERS,
    HOLD_SHARE_COUNTERS,
    JournalEntry,
    details_json,
    hold_effect,
    voucher_effect,
)
from app.sql import BulkInsert, Statement, together

_ENTRIES = BulkInsert(
    Entry.__table__,
    (
        "region_code",
        "id",
        "kind",
        "at",
        "programme_id",
        "voucher_id",
        "subject_id",
        "principal_id",
        "organisation_id",
        "maker_id",
        "checker_id",
        "approval_id",
        "rule_version_id",
        "request_id",
        "reverses_id",
        "pair_id",
        "voucher_end",
        "details",
        "leaf",
    ),
)
_POSTINGS = BulkInsert(
    Posting.__table__,
    (
        "region_code",
        "entry_id",
        "line",
        "pool_id",
        "source",
        "destination",
        "amount_fen",
        "voucher_id",
        "voucher_seq",
        "payee_id",
        "hold_id",
    ),
)
_QUEUE = BulkInsert(SealQueue.__table__, ("region_code", "leaf_kind", "leaf_id"))


def _advance(table: str, keys: tuple[str, ...], counters: tuple[str, ...]) -> Statement:
    arrays = [f"CAST(:{key} AS text[])" for key in keys] + [f"CAST(:{counter} AS bigint[])" for counter in counters]
    changes = ", ".join(f"{counter} = {table}.{counter} + change.{counter}" for counter in counters)
    match = " AND ".join(f"{table}.{key} = change.{key}" for key in keys)
    return Statement(
        f"UPDATE {table} SET {changes} FROM unnest({', '.join(arrays)}) "
        f"AS change({', '.join(keys + counters)}) WHERE {match}"
    )


_VOUCHER_COUNTERS = (*COUNTERS, "posting_count")
_VOUCHERS = _advance("vouchers", ("region_code", "id"), _VOUCHER_COUNTERS)
_ALLOTMENTS = _advance("allotments", ("region_code", "voucher_id", "pool_id"), COUNTERS)
_HOLDS = _advance("holds", ("region_code", "id"), HOLD_COUNTERS)
_HOLD_SHARES = _advance("hold_shares", ("region_code", "hold_id", "pool_id"), HOLD_SHARE_COUNTERS)
_POOLS = _advance("pools", ("region_code", "id"), ("available_fen",))


def post(tx: Connection, entries: Sequence[JournalEntry], *, opening: bool = False) -> None:
    """Append entries and their postings, advance every stored counter, queue the leaves for sealing.

    Set-based: at most eight statements, however many entries, run as one. The caller holds the locks of the vouchers
    (and of the pools, where money leaves or reaches `available`) and has already decided that this may happen.
    A hold that is made by one of the entries is written with it (`together`) or before. With `opening` the vouchers and
    allotments come into being with these entries: the caller writes them in the same way, with `opening_counters`.
    Nothing is rounded here. A counter that would turn negative or break its identity violates a CHECK.
    """
    assert entries, "posting nothing is a bug of the caller"
    assert all(movement.amount_fen > 0 for entry in entries for movement in entry.movements)
    assert all(entry.movements for entry in entries), "an entry without postings is an audit event"
    with together(tx):
        _ENTRIES.send(tx, [_entry_row(entry) for entry in entries])
        _POSTINGS.send(
            tx,
            [
                {
                    "region_code": entry.region_code,
                    "entry_id": entry.id,
                    "line": line,
                    "pool_id": movement.pool_id,
                    "source": movement.source,
                    "destination": movement.destination,
                    "amount_fen": movement.amount_fen,
                    "voucher_id": movement.voucher_id,
                    "voucher_seq": movement.voucher_seq,
                    "payee_id": movement.payee_id,
                    "hold_id": movement.hold_id,
                }
                for entry in entries
                for line, movement in enumerate(entry.movements, start=1)
            ],
        )
        _QUEUE.send(
            tx,
            [{"region_code": entry.region_code, "leaf_kind": LeafKind.ENTRY, "leaf_id": entry.id} for entry in entries],
        )
        _advance_counters(tx, entries, opening=opening)


def _entry_row(entry: JournalEntry) -> dict[str, object]:
    cause = entry.cause
    return {
        "region_code": entry.region_code,
        "id": entry.id,
        "kind": entry.kind,
        "at": entry.at,
        "programme_id": entry.programme_id,
        "voucher_id": entry.voucher_id,
        "subject_id": entry.subject_id,
        "principal_id": cause.principal_id,
        "organisation_id": cause.organisation_id,
        "maker_id": cause.maker_id,
        "checker_id": cause.checker_id,
        "approval_id": cause.approval_id,
        "rule_version_id": entry.rule_version_id,
        "request_id": cause.request_id,
        "reverses_id": entry.reverses_id,
        "pair_id": entry.pair_id,
        "voucher_end": entry.voucher_end,
        "details": details_json(entry).decode(),
        "leaf": entry.written,
    }


_Change = defaultdict[str, int]
_Changes = defaultdict[tuple[str, ...], _Change]
"""By the key of a row, what is added to each of its counters."""


def _none_yet() -> _Change:
    return defaultdict(int)  # a Counter takes ten times as long to make, and a batch makes hundreds


def _advance_counters(tx: Connection, entries: Sequence[JournalEntry], *, opening: bool) -> None:
    vouchers: _Changes = defaultdict(_none_yet)
    allotments: _Changes = defaultdict(_none_yet)
    holds: _Changes = defaultdict(_none_yet)
    hold_shares: _Changes = defaultdict(_none_yet)
    pools: _Changes = defaultdict(_none_yet)
    for entry in entries:
        region = entry.region_code
        for movement in entry.movements:
            if movement.voucher_id is not None and not opening:
                effect = voucher_effect(entry, movement)
                voucher = vouchers[region, movement.voucher_id]
                allotment = allotments[region, movement.voucher_id, movement.pool_id]
                voucher["posting_count"] += 1
                for counter, change in effect.items():
                    voucher[counter] += change
                    allotment[counter] += change
            if movement.hold_id is not None:
                for counter, change in hold_effect(entry, movement).items():
                    holds[region, movement.hold_id][counter] += change
                    hold_shares[region, movement.hold_id, movement.pool_id][counter] += change
            if movement.destination is Account.AVAILABLE:
                pools[region, movement.pool_id]["available_fen"] += movement.amount_fen
            if movement.source is Account.AVAILABLE:
                pools[region, movement.pool_id]["available_fen"] -= movement.amount_fen
    _apply(tx, _VOUCHERS, ("region_code", "id"), vouchers, _VOUCHER_COUNTERS)
    _apply(tx, _ALLOTMENTS, ("region_code", "voucher_id", "pool_id"), allotments, COUNTERS)
    _apply(tx, _HOLDS, ("region_code", "id"), holds, HOLD_COUNTERS)
    _apply(tx, _HOLD_SHARES, ("region_code", "hold_id", "pool_id"), hold_shares, HOLD_SHARE_COUNTERS)
    _apply(tx, _POOLS, ("region_code", "id"), pools, ("available_fen",))


def _apply(
    tx: Connection,
    statement: Statement,
    keys: tuple[str, ...],
    changes: _Changes,
    counters: tuple[str, ...],
) -> None:
    if not changes:
        return
    ordered = sorted(changes.items(), key=itemgetter(0))
    parameters: dict[str, object] = {key: [place[n] for place, _ in ordered] for n, key in enumerate(keys)}
    parameters |= {counter: [change[counter] for _, change in ordered] for counter in counters}
    statement.send(tx, parameters)
