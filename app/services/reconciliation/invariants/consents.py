"""A firm's consents are those that it gave: each mandate and payment code says what its sealed event says.

Both ways: a consent that nobody gave lets a provider draw, and one that is gone was a firm's word. A mandate that had
run out is closed without an event where the firm gives another one.
"""

from __future__ import annotations

from app.services.reconciliation.invariants.invariant import Invariant, union

_TOLD = """
    told AS MATERIALIZED (
        SELECT region_code, object_id, action, at, principal_id, said ->> 'voucher' AS voucher_id,
            said ->> 'provider' AS provider_id, said ->> 'limit_fen' AS limit_fen, said ->> 'minutes' AS minutes,
            said ->> 'valid_until' AS valid_until
        FROM (
            SELECT region_code, object_id, action, at, principal_id, details::jsonb AS said FROM audit_events
            WHERE result = 'done' AND action IN ('mandate.granted', 'mandate.withdrawn', 'payment_code.created',
                'payment_code.withdrawn') OFFSET 0
        ) AS event
    )
"""

_MANDATES = """
    SELECT coalesce(m.region_code, g.region_code) AS region_code, 'grant of ' || coalesce(m.id, g.object_id) AS subject,
        coalesce(nullif(concat_ws(' ', g.voucher_id, g.provider_id, g.limit_fen, g.at, g.principal_id, g.valid_until,
            'withdrawn ' || w.at), ''), 'nobody gave it') AS expected,
        coalesce(nullif(concat_ws(' ', m.voucher_id, m.provider_id, m.limit_fen, m.granted_at, m.granted_by,
            m.valid_until, 'withdrawn ' || m.revoked_at), ''), 'none') AS actual
    FROM mandates m
    FULL JOIN (SELECT * FROM told WHERE action = 'mandate.granted') AS g
        ON g.region_code = m.region_code AND g.object_id = m.id
    LEFT JOIN (SELECT * FROM told WHERE action = 'mandate.withdrawn') AS w
        ON w.region_code = m.region_code AND w.object_id = m.id
    WHERE (g.voucher_id, g.provider_id, g.limit_fen, g.at, g.principal_id)
            IS DISTINCT FROM (m.voucher_id, m.provider_id, m.limit_fen::text, m.granted_at, m.granted_by)
        OR g.valid_until::timestamptz <> m.valid_until
        OR w.at IS DISTINCT FROM CASE WHEN w.at IS NOT NULL OR m.revoked_at < m.valid_until THEN m.revoked_at END
"""

_CODES = """
    SELECT coalesce(p.region_code, g.region_code), 'grant of ' || coalesce(p.id, g.object_id),
        coalesce(nullif(concat_ws(' ', g.voucher_id, g.provider_id, g.limit_fen, g.at, g.principal_id,
            g.minutes || ' min', 'withdrawn ' || w.at), ''), 'nobody gave it'),
        coalesce(nullif(concat_ws(' ', p.voucher_id, p.provider_id, p.limit_fen, p.created_at, p.created_by,
            p.valid_until, 'withdrawn ' || p.withdrawn_at), ''), 'none')
    FROM payment_codes p
    FULL JOIN (SELECT * FROM told WHERE action = 'payment_code.created') AS g
        ON g.region_code = p.region_code AND g.object_id = p.id
    LEFT JOIN (SELECT * FROM told WHERE action = 'payment_code.withdrawn') AS w
        ON w.region_code = p.region_code AND w.object_id = p.id
    WHERE (g.voucher_id, g.provider_id, g.limit_fen, g.at, g.principal_id, w.at) IS DISTINCT FROM
            (p.voucher_id, p.provider_id, p.limit_fen::text, p.created_at, p.created_by, p.withdrawn_at)
        OR p.valid_until > g.at + g.minutes::int * interval '1 minute'
"""

INVARIANTS: tuple[Invariant, ...] = (
    Invariant(
        6,
        "consents",
        "Mandates and payment codes are those that firms gave",
        "授权与付款码正是企业所给出的",
        f"WITH {_TOLD} " + union(_MANDATES, _CODES),
    ),
)
