"""A first look at redemptions and postings in groups, of which there are far fewer: what it finds right is right.

What holds of the earliest and the latest redemption that a mandate made from a voucher holds of all of them. What must
hold of each by itself is asked on the way, so that these wide rows are read once for all invariants that look at them.

That order numbers name redemptions one to one is told by a sum of hashes of both, which begin with a number drawn anew
each time: who cannot know it cannot make other rows come to the same sum. It takes a third of joining them.
"""

from __future__ import annotations

import secrets

from sqlalchemy import Connection, text

from app.services.reconciliation.invariants.boundaries import abroad
from app.services.reconciliation.invariants.causes import OF_VOUCHER_AND_MANDATE, STRANGE
from app.services.reconciliation.invariants.counters import MANDATE_USED, stored_by_moved
from app.services.reconciliation.invariants.payments import ITEM, PAID, RECOVERED
from app.services.reconciliation.invariants.pools import pool_equation
from app.services.reconciliation.invariants.redemptions import REFUNDED
from app.services.reconciliation.invariants.vouchers import MOVED, part_negative
from app.services.reconciliation.screening import Look
from app.services.reconciliation.sealed import marks

_OF_EACH = {"refunds": REFUNDED, "recoveries": RECOVERED, "payment_orders": ITEM, "payments": PAID}
_JOINED = " ".join(of.joined for of in _OF_EACH.values())
_WRONG = ", ".join(f"bool_or({of.wrong}) AS {name}" for name, of in _OF_EACH.items())
_ANY_WRONG = ", ".join(f"coalesce(bool_or(r.{name}), false) AS {name}" for name in _OF_EACH)


def _number(alias: str, redemption_id: str) -> str:
    """SQL for the hash of an order number with its redemption; each part begins with the hash of the one before it."""
    hashed = "CAST(:drawn AS bigint)"
    for column in ("region_code", "provider_id", redemption_id, "order_no"):
        hashed = f"hashtextextended({alias}.{column}, {hashed})"
    return hashed


_REDEEMED = text(f"""
    WITH redeemed AS MATERIALIZED (
        SELECT r.region_code, r.voucher_id, r.mandate_id, r.firm_id, r.programme_id, r.provider_id,
            min(r.redeemed_at) AS first_at, max(r.redeemed_at) AS last_at,
            max(r.redeemed_at) FILTER (WHERE r.hold_id IS NULL) AS last_bill_at,
            sum(r.subsidy_fen - r.refunded_fen) AS used_fen,
            sum({_number("r", "id")}) AS numbers, count(r.entry_id) AS posted,
            bool_or(r.entry_id IS NULL AND r.subsidy_fen <> 0) AS unposted, bool_or({abroad("r.id")}) AS regions,
            {_WRONG}
        FROM redemptions r {_JOINED}
        WHERE starts_with(r.region_code, :prefix)
        GROUP BY 1, 2, 3, 4, 5, 6
    )
    SELECT coalesce(sum(r.posted), 0) AS posted, {_ANY_WRONG},
        coalesce(bool_or(r.regions), false) AS regions,
        coalesce(bool_or(v.id IS NOT NULL AND {STRANGE}), false) AS causes,
        coalesce(bool_or(r.first_at < v.valid_from OR r.last_bill_at >= v.valid_until
            OR r.last_at >= v.redeemable_until), false) AS validity,
        coalesce(bool_or(r.last_at >= least(v.redeemable_until, v.ended_at)), false) AS closed_years,
        coalesce(bool_or(r.unposted), false) OR EXISTS (
            SELECT FROM ({MANDATE_USED.format(used="used_fen", redemptions="redeemed")}) AS mandate
            WHERE starts_with(region_code, :prefix)
        ) AS stored_counters,
        coalesce(sum(r.numbers), 0) <> (
            SELECT coalesce(sum({_number("o", "redemption_id")}), 0) FROM order_numbers o
            WHERE starts_with(o.region_code, :prefix)
        ) AS once
    FROM redeemed r {OF_VOUCHER_AND_MANDATE.replace("JOIN vouchers", "LEFT JOIN vouchers")}
""")

_SEALED = """
    SELECT region_code, pool_id, payee_id, source, destination, fen AS amount_fen FROM moved
    UNION ALL
    SELECT p.region_code, p.pool_id, p.payee_id, p.source, p.destination, -p.amount_fen
    FROM seal_queue q JOIN postings p ON p.region_code = q.region_code AND p.entry_id = q.leaf_id
"""
"""All that moved less what waits to be sealed, which is quicker told than what is sealed."""

_BY_MOVED = {
    "pool_equation": pool_equation("moved"),
    "no_negative_voucher": part_negative("moved"),
    "stored_counters": stored_by_moved("moved", "moved"),
    "marks": marks(_SEALED),
}
_ANY_BY_MOVED = ", ".join(
    f"EXISTS (SELECT FROM ({query}) AS wrong WHERE starts_with(region_code, :prefix)) AS {name}"
    for name, query in _BY_MOVED.items()
)
_POSTED = text(f"""
    WITH moved AS MATERIALIZED ({MOVED.format(condition="WHERE starts_with(region_code, :prefix)")})
    SELECT coalesce(bool_or(o.programme_id <> v.programme_id), false) AS causes,
        coalesce(bool_or({abroad("p.pool_id")} OR {abroad("p.voucher_id")}), false) AS regions, {_ANY_BY_MOVED}
    FROM moved p
    LEFT JOIN pools o ON o.region_code = p.region_code AND o.id = p.pool_id
    LEFT JOIN vouchers v ON v.region_code = p.region_code AND v.id = p.voucher_id
""")


def look_at_groups(tx: Connection, prefix: str) -> Look:
    """Of which invariants redemptions and postings leave a doubt, and how many redemptions name an entry."""
    redeemed = tx.execute(_REDEEMED, {"prefix": prefix, "drawn": secrets.randbits(63)}).mappings().one()
    posted = tx.execute(_POSTED, {"prefix": prefix}).mappings().one()
    found = {name for row in (redeemed, posted) for name, doubt in row.items() if name != "posted" and doubt}
    return Look(frozenset(found), int(redeemed["posted"]))
