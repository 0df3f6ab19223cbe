"""What is stored beside the journal: counters, heads, cosignatures, rules; rows as they are, one at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

import orjson
from sqlalchemy import Connection, text

from app.kernel.clock import rfc3339
from app.sql import Statement

_COUNTERS = "face_fen, balance_fen, held_fen, redeemed_fen, recovered_fen, expired_fen, voided_fen, surrendered_fen"
_HOLD = "amount_fen, held_fen, redeemed_fen, released_fen"

TABLES: Mapping[str, str] = {
    "pools": "id, programme_id, fiscal_year, fund_source, county_code, available_fen, closed_at",
    "vouchers": f"id, programme_id, firm_id, batch_id, {_COUNTERS}, posting_count, valid_from, valid_until,"
    " redeemable_until, frozen_at, ended_as, ended_at, issued_at",
    "allotments": f"voucher_id, pool_id, line, {_COUNTERS}",
    "mandates": "id, voucher_id, provider_id, limit_fen, used_fen, valid_until, granted_at, revoked_at",
    "holds": "id, voucher_id, programme_id, provider_id, mandate_id, payment_code_id, rule_version_id, bill_total_fen,"
    f" {_HOLD}, status, entry_id, held_at, expires_at, ended_at",
    "hold_shares": f"hold_id, pool_id, line, {_HOLD}",
    "redemptions": "id, voucher_id, programme_id, firm_id, provider_id, mandate_id, payment_code_id, hold_id, part_no,"
    " rule_version_id, bill_total_fen, subsidy_fen, firm_pays_fen, refunded_fen, recovered_fen, bill_refunded_fen,"
    " status, entry_id, redeemed_at",
    "refunds": "id, redemption_id, because_of_id, bill_refund_fen, subsidy_refund_fen, entry_id, refunded_at",
    "recoveries": "id, refund_id, redemption_id, payee_id, amount_fen, treasury_fen, status, claim_entry_id,"
    " receipt_entry_id, refunded_as_id, recorded_at, ended_at",
    "payment_orders": "id, authority_id, payee_id, item_count, total_fen, status, proposed_at, decided_at",
    "payment_items": "order_id, redemption_id, amount_fen, status, order_entry_id, confirm_entry_id, bounce_entry_id",
}
"""Columns by table: ids, amounts, instants and states; no names, no words, no provider's own numbers."""

_ORDER = {
    "allotments": "voucher_id, line",
    "hold_shares": "hold_id, line",
    "payment_items": "order_id, redemption_id",
}

_HEADS = """
    SELECT batch_no AS batch, size, checkpoint AS note, sealed_at FROM log_batches b
    WHERE region_code = :region AND (:every_head
        OR size IN (SELECT size FROM log_cosignatures WHERE region_code = :region)
        OR batch_no IN (
            SELECT max(batch_no) FROM log_batches WHERE region_code = :region
            GROUP BY (sealed_at AT TIME ZONE 'Asia/Shanghai')::date))
    UNION ALL
    SELECT batch_count, size, checkpoint, sealed_at FROM logs
    WHERE region_code = :region AND size > 0 AND NOT EXISTS (
        SELECT 1 FROM log_batches b WHERE b.region_code = :region AND b.checkpoint = logs.checkpoint)
    ORDER BY 2, 1
"""
"""The last head of each day, the newest, and those that witnesses cosigned; and the log's own, should it differ."""

_COSIGNATURES = (
    "SELECT size, witness, cosignature AS line, received_at FROM log_cosignatures"
    " WHERE region_code = :region ORDER BY size, witness"
)
_RULES = (
    "SELECT id, programme_id, number, effective_on, status, rules_sha256, rules FROM rule_versions"
    " WHERE region_code = :region AND status = 'published' ORDER BY id"
)
_PUBLICATIONS = Statement(
    """
    SELECT p.id AS approval_id, p.command, a.id AS event_id, a.details
    FROM approvals p
    JOIN audit_events a ON a.region_code = p.region_code AND a.object_id = p.subject_id
        AND a.action = p.kind || '.approved' AND a.result = 'done'
    WHERE p.region_code = :region AND p.status = 'approved' AND p.kind IN ('publish_programme', 'publish_rule_version')
    ORDER BY a.id
    """
)


def table_lines(tx: Connection, name: str, *, region_code: str) -> Iterator[bytes]:
    """A stored table of a region as JSON lines."""
    query = f"SELECT {TABLES[name]} FROM {name} WHERE region_code = :region ORDER BY {_ORDER.get(name, 'id')}"
    return _lines(tx, query, {"region": region_code})


def head_lines(tx: Connection, *, region_code: str, every_head: bool) -> Iterator[bytes]:
    """Signed heads, the smallest first."""
    return _lines(tx, _HEADS, {"region": region_code, "every_head": every_head})


def cosignature_lines(tx: Connection, *, region_code: str) -> Iterator[bytes]:
    """What witnesses added to heads."""
    return _lines(tx, _COSIGNATURES, {"region": region_code})


def rule_lines(tx: Connection, *, region_code: str) -> Iterator[bytes]:
    """Published rule versions, their texts and hashes, and the event that sealed the publication of each."""
    publications = _publications(tx, region_code)
    for row in _rows(tx, _RULES, {"region": region_code}):
        yield orjson.dumps(row | {"publication": publications.get(row["id"])}) + b"\n"


def _publications(tx: Connection, region_code: str) -> dict[str, dict[str, str]]:
    """By version, what binds it to the log: the event of the decision, its details, and the command they name."""
    found = {}
    for row in _PUBLICATIONS(tx, {"region": region_code}):
        if _member(row.details, "approval") == row.approval_id:
            told = {"event": row.event_id, "details": row.details, "command": row.command}
            found[str(_member(row.command, "rule_version_id"))] = told
    return found


def _member(document: str, name: str) -> object:
    """A member of a document, None where it is no object any more: that is the verifier's to say."""
    try:
        read = orjson.loads(document)
    except orjson.JSONDecodeError:
        return None
    return read.get(name) if isinstance(read, dict) else None


def _lines(tx: Connection, query: str, bound: Mapping[str, Any]) -> Iterator[bytes]:
    for row in _rows(tx, query, bound):
        yield orjson.dumps(row) + b"\n"


def _rows(tx: Connection, query: str, bound: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for row in tx.execute(text(query), bound, execution_options={"yield_per": 1_000}):
        yield {name: _plain(value) for name, value in row._mapping.items()}


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return rfc3339(value)
    return value.isoformat() if isinstance(value, date) else value
