"""Regions keep to themselves, and what needs two persons had two."""

from __future__ import annotations

from app.kernel.vocabulary import DUAL_CONTROL
from app.services.reconciliation.invariants.invariant import Invariant, listed

_FEW = """
        SELECT region_code, id, 'programme' AS table_name FROM programmes
        UNION ALL SELECT region_code, id, 'pool' FROM pools
        UNION ALL SELECT region_code, id, 'voucher' FROM vouchers
        UNION ALL SELECT region_code, id, 'hold' FROM holds
        UNION ALL SELECT region_code, id, 'payment code' FROM payment_codes
        UNION ALL SELECT region_code, id, 'refund' FROM refunds
        UNION ALL SELECT region_code, id, 'mandate' FROM mandates
        UNION ALL SELECT region_code, id, 'batch' FROM issuance_batches
        UNION ALL SELECT region_code, programme_id, 'voucher programme' FROM vouchers
"""

_MANY = """
        UNION ALL SELECT region_code, id, 'redemption' FROM redemptions
        UNION ALL SELECT region_code, id, 'entry' FROM entries
        UNION ALL SELECT region_code, pool_id, 'posting pool' FROM postings
        UNION ALL SELECT region_code, voucher_id, 'posting voucher' FROM postings WHERE voucher_id IS NOT NULL
        UNION ALL SELECT region_code, subject_id, 'entry subject' FROM entries
"""


def abroad(name: str) -> str:
    """SQL for whether an id names another region than the row's, of the table called `e`, `p`, `r` or so."""
    alias, _ = name.split(".")
    return f"substr({name}, 5, 6) <> {alias}.region_code"


def _regions(named: str) -> str:
    return f"""
    SELECT region_code, table_name || ' ' || id AS subject, region_code AS expected, substr(id, 5, 6) AS actual
    FROM ({named}) AS row
    WHERE {abroad("row.id")}
    """


_TWO_PERSONS = f"""
    SELECT e.region_code, e.id AS subject, 'two persons' AS expected,
        coalesce(e.maker_id, '-') || ' / ' || coalesce(e.checker_id, '-') AS actual
    FROM entries e LEFT JOIN approvals a ON a.region_code = e.region_code AND a.id = e.approval_id
    WHERE e.kind IN ({listed(DUAL_CONTROL)}) AND (
        e.maker_id IS NULL OR e.checker_id IS NULL OR e.maker_id = e.checker_id
        OR a.id IS NULL OR a.status <> 'approved' OR a.made_by <> e.maker_id OR a.decided_by <> e.checker_id)
"""

_STEPS = """
    SELECT a.region_code, a.id AS subject,
        array_to_string(a.steps, ' > ') || ', ' || CASE WHEN a.status = 'rejected' THEN 'rejected' ELSE 'approved' END
            AS expected,
        coalesce(d.told, '-') AS actual
    FROM approvals a
    LEFT JOIN LATERAL (
        SELECT count(*) FILTER (WHERE outcome = 'approved') AS approved,
            count(*) FILTER (WHERE outcome = 'rejected') AS rejected,
            count(DISTINCT decided_by) AS accounts, count(DISTINCT person_id) AS persons, count(*) AS decided,
            coalesce(bool_or(
                decided_by = a.made_by OR person_id = maker_person_id OR made_by <> a.made_by
                OR decided_by = ANY (a.barred_ids) OR role IS DISTINCT FROM a.steps[step] OR on_behalf_of = a.made_by
                OR (outcome = 'rejected' AND step <= a.steps_done)), false) AS wrong,
            coalesce(max(step), 0) AS last, max(decided_by) FILTER (WHERE step = cardinality(a.steps)) AS last_by,
            string_agg(step || ' ' || role || ' ' || outcome || ' ' || decided_by, ', ' ORDER BY step) AS told
        FROM approval_decisions x WHERE x.region_code = a.region_code AND x.approval_id = a.id
    ) d ON true
    WHERE d.approved <> a.steps_done OR d.accounts <> d.decided OR d.persons <> d.decided OR d.last <> d.decided
        OR d.rejected <> CASE WHEN a.status = 'rejected' THEN 1 ELSE 0 END OR d.wrong
        OR (a.status = 'approved' AND d.last_by IS DISTINCT FROM a.decided_by)
"""

INVARIANTS: tuple[Invariant, ...] = (
    Invariant(
        11,
        "regions",
        "No row points into another region",
        "没有跨地区的记录",
        _regions(_FEW + _MANY),
        rest=_regions(_FEW),
    ),
    Invariant(12, "two_persons", "Maker and checker are two persons", "经办与审核为两人", _TWO_PERSONS),
    Invariant(
        12,
        "approval_steps",
        "Every step of an approval was decided by another person, in order",
        "审批各步骤依序由不同人员作出",
        _STEPS,
    ),
)
