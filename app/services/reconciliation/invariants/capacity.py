"""What is counted of providers' capacity against what redemptions and refunds say they counted."""

from __future__ import annotations

from app.services.reconciliation.invariants.invariant import Invariant

_REDEEMED = """
    (SELECT region_code, id FROM rule_versions WHERE strpos(rules, '"beyond":"') > 0) AS v
    JOIN redemptions r ON r.region_code = v.region_code AND r.rule_version_id = v.id
"""
"""Those of other versions count nothing, and their facts need not be fetched: hence OFFSET 0 below."""

_REFUNDED = f"{_REDEEMED} JOIN refunds f ON f.region_code = r.region_code AND f.redemption_id = r.id"


def _uses(facts: str, source: str) -> str:
    """What was counted, cut out as text as in `counted`: no bracket stands within, for a site's code has none."""
    return f"""
    SELECT region_code, provider_id, '[{{' || split_part(split_part(facts, '"uses":[{{', 2), ']', 1) || ']' AS uses
    FROM (SELECT r.region_code, r.provider_id, {facts} AS facts FROM {source} OFFSET 0) AS of_these
    WHERE strpos(facts, '"uses":[{{') > 0
    """


_CAPACITY = f"""
    WITH counted AS (
        SELECT told.region_code, told.provider_id, row.first_on, row.last_on, coalesce(row.site, '') AS site, row.unit,
            sum(row.amount) AS amount
        FROM ({_uses("r.facts", _REDEEMED)} UNION ALL {_uses("f.facts", _REFUNDED)}) AS told
        CROSS JOIN LATERAL json_to_recordset(told.uses::json) AS row(
            site text, unit text, first_on date, last_on date, amount numeric)
        GROUP BY 1, 2, 3, 4, 5, 6
    ), stored AS (
        SELECT * FROM capacity_uses WHERE unit <> ''
    )
    SELECT coalesce(s.region_code, c.region_code) AS region_code,
        concat_ws(' ', 'capacity', coalesce(s.provider_id, c.provider_id), coalesce(s.first_on, c.first_on),
            coalesce(s.last_on, c.last_on), nullif(coalesce(s.site, c.site), ''), coalesce(s.unit, c.unit)) AS subject,
        trim_scale(coalesce(c.amount, 0))::text AS expected, trim_scale(coalesce(s.amount, 0))::text AS actual
    FROM stored s FULL JOIN counted c ON c.region_code = s.region_code AND c.provider_id = s.provider_id
        AND c.first_on = s.first_on AND c.last_on = s.last_on AND c.site = s.site AND c.unit = s.unit
    WHERE coalesce(c.amount, 0) <> coalesce(s.amount, 0)
"""

INVARIANTS: tuple[Invariant, ...] = (
    Invariant(
        4,
        "capacity_uses",
        "What is counted of providers' capacity equals what redemptions and refunds counted",
        "机构算力占用的计数＝核销与退款所计之和",
        _CAPACITY,
    ),
)
