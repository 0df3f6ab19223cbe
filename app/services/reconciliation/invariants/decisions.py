"""What two persons decided stands as they decided it: who may draw, where money is paid, what is debarred or lent.

An act's command is named by its hash in the sealed event that decided it (`approvals`, `causes`), so the rows that it
left are held against the command, both ways: a row that nobody decided, and a decision whose row is gone. Of several
acts on one thing the last counts, by the ids of their events, which are drawn under the locks of the act.
"""

from __future__ import annotations

from app.services.reconciliation.invariants.invariant import Invariant, listed, union

_KINDS = (
    *("publish_programme", "resume_programme", "close_programme", "publish_rule_version"),
    *("admit_provider", "suspend_provider", "resume_provider", "delist_provider"),
    *("freeze_voucher", "unfreeze_voucher", "decide_objection", "change_payee_account", "close_year"),
    *("debar", "lift_debarment", "delegate_power", "set_approval_bands"),
)
_BESIDE = ("programme.paused", "rule_version.written", "objection.received", "delegation.revoked")
"""Events of one person that change the same things."""

_TOLD = f"""
    told AS MATERIALIZED (
        SELECT region_code, id, at, action, object_id, principal_id, details::jsonb AS said FROM audit_events
        WHERE result = 'done' AND action IN ({listed((*(f"{kind}.approved" for kind in _KINDS), *_BESIDE))}) OFFSET 0
    ), acts AS MATERIALIZED (
        SELECT a.region_code, a.id AS approval_id, a.kind, a.subject_id, a.made_by, t.principal_id AS checked_by,
            t.id AS event_id, t.at, a.command::jsonb AS c, a.effect
        FROM told t JOIN approvals a ON a.region_code = t.region_code AND a.id = t.said ->> 'approval'
            AND t.action = a.kind || '.approved'
    )
"""
"""The events, and the acts that were approved: `c` is the command, `at` when, by the database's clock."""


def _instant(column: str) -> str:
    """SQL for an instant as commands write it."""
    return f"to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"


_ADMISSIONS = """
    SELECT coalesce(a.region_code, d.region_code) AS region_code,
        concat_ws(' ', 'admission', coalesce(a.programme_id, d.programme_id), coalesce(a.provider_id, d.provider_id))
            AS subject,
        coalesce(d.stands || ' ' || d.categories || ' ' || coalesce(d.prices::text, ''), 'nobody admitted it')
            AS expected,
        coalesce(a.status || ' ' || to_jsonb(a.categories) || ' ' || coalesce(a.prices, ''), 'none') AS actual
    FROM admissions a FULL JOIN (
        SELECT region_code, c ->> 'programme_id' AS programme_id, c ->> 'provider_id' AS provider_id,
            (array_agg(CASE kind WHEN 'suspend_provider' THEN 'suspended' WHEN 'delist_provider' THEN 'delisted'
                ELSE 'listed' END ORDER BY event_id DESC))[1] AS stands,
            (array_agg(c -> 'categories' ORDER BY event_id DESC) FILTER (WHERE kind = 'admit_provider'))[1]
                AS categories,
            nullif((array_agg(c -> 'prices' ORDER BY event_id DESC) FILTER (WHERE kind = 'admit_provider'))[1], '[]')
                AS prices
        FROM acts WHERE kind IN ('admit_provider', 'suspend_provider', 'resume_provider', 'delist_provider')
        GROUP BY 1, 2, 3
    ) AS d ON d.region_code = a.region_code AND d.programme_id = a.programme_id AND d.provider_id = a.provider_id
    WHERE (a.provider_id IS NULL OR d.stands IS NOT NULL OR a.status IN ('listed', 'suspended'))
        AND (d.stands, d.categories, d.prices) IS DISTINCT FROM (a.status, to_jsonb(a.categories), a.prices::jsonb)
"""
"""One that nobody has approved yet is proposed, or was turned down: then it lets nobody redeem."""

_ACCOUNTS = """
    SELECT coalesce(p.region_code, d.region_code), 'account ' || coalesce(p.id, d.account_id),
        coalesce(nullif(concat_ws(' ', d.subject_id, d.stands, d.at, d.checked_by, d.made_by, d.next_at,
            d.account), ''), 'nobody agreed to it'),
        coalesce(nullif(concat_ws(' ', p.authority_id || '/' || p.payee_id, p.status, p.decided_at, p.decided_by,
            p.proposed_by, p.replaced_at, stored.account), ''), 'none')
    FROM payee_accounts p
    CROSS JOIN LATERAL (SELECT jsonb_build_object('account_name', p.account_name, 'bank_name', p.bank_name,
        'cnaps', p.cnaps, 'account_no', p.account_no_masked) AS account) AS stored
    FULL JOIN (
        SELECT region_code, c ->> 'account_id' AS account_id, subject_id, made_by, checked_by, at,
            lead(at) OVER later AS next_at,
            CASE WHEN lead(at) OVER later IS NULL THEN 'listed' ELSE 'replaced' END AS stands,
            coalesce(c -> 'account', effect::jsonb -> 'account') AS account
        FROM acts WHERE kind = 'change_payee_account'
        WINDOW later AS (PARTITION BY region_code, subject_id ORDER BY event_id)
    ) AS d ON d.region_code = p.region_code AND d.account_id = p.id
    WHERE (p.id IS NULL OR d.account_id IS NOT NULL OR p.status IN ('listed', 'replaced'))
        AND (d.subject_id, d.stands, d.at, d.checked_by, d.made_by, d.next_at, d.account) IS DISTINCT FROM
            (p.authority_id || '/' || p.payee_id, p.status, p.decided_at, p.decided_by, p.proposed_by, p.replaced_at,
                stored.account)
"""
"""Of the number its first and last digits; the rest is encrypted for this very row, so nobody can put in another.

Commands of the first releases do not name the account; then it is what the approval showed.
"""

_FREEZES = """
    SELECT v.region_code, 'freeze of ' || v.id,
        CASE WHEN f.kind = 'freeze_voucher' THEN 'frozen at ' || f.at
            WHEN o.open_at < v.redeemable_until THEN 'frozen by an objection at ' || o.open_at ELSE 'not frozen' END,
        coalesce('frozen at ' || v.frozen_at || CASE WHEN v.stands_still THEN ', standing still' ELSE '' END,
            'not frozen')
    FROM vouchers v
    LEFT JOIN (
        SELECT DISTINCT ON (a.region_code, named.voucher_id) a.region_code, named.voucher_id, a.kind, a.at
        FROM acts a CROSS JOIN LATERAL (
            SELECT a.c ->> 'voucher_id' WHERE a.c ? 'voucher_id'
            UNION ALL SELECT * FROM jsonb_array_elements_text(a.c -> 'voucher_ids')
        ) AS named(voucher_id)
        WHERE a.kind IN ('freeze_voucher', 'unfreeze_voucher')
        ORDER BY a.region_code, named.voucher_id, a.event_id DESC
    ) AS f ON f.region_code = v.region_code AND f.voucher_id = v.id
    LEFT JOIN (
        SELECT t.region_code, t.said ->> 'subject' AS voucher_id, min(t.at) AS first_at, max(t.at) AS last_at,
            min(t.at) FILTER (WHERE a.event_id IS NULL) AS open_at
        FROM told t LEFT JOIN acts a ON a.region_code = t.region_code AND a.kind = 'decide_objection'
            AND a.c ->> 'objection_id' = t.object_id
        WHERE t.action = 'objection.received' GROUP BY 1, 2
    ) AS o ON o.region_code = v.region_code AND o.voucher_id = v.id
    WHERE v.ended_as IS NULL AND CASE
        WHEN v.frozen_at IS NULL THEN f.kind = 'freeze_voucher' OR o.open_at < v.redeemable_until
        ELSE v.stands_still <> coalesce((
            SELECT r.rules::jsonb ->> 'while_frozen' = 'stands' FROM rule_versions r
            WHERE r.region_code = v.region_code AND r.programme_id = v.programme_id AND r.status = 'published'
                AND r.effective_on <= (v.frozen_at AT TIME ZONE 'Asia/Shanghai')::date
            ORDER BY r.effective_on DESC, r.number DESC LIMIT 1
        ), false) OR CASE
            WHEN f.kind = 'freeze_voucher' THEN v.frozen_at
                NOT BETWEEN f.at - interval '1 minute' AND f.at + interval '1 hour'
            WHEN o.open_at IS NOT NULL THEN v.frozen_at
                NOT BETWEEN o.first_at - interval '1 minute' AND o.last_at + interval '1 hour'
            ELSE true END
        END
"""
"""A freeze is written down a moment after it was decided, in the same transaction, by a clock that may be set.

An objection freezes a voucher that is not, until it is decided. What a freeze was to one that has ended since is past.
"""

_PROGRAMMES = f"""
    SELECT coalesce(p.region_code, d.region_code), 'programme ' || coalesce(p.id, d.programme_id),
        coalesce(nullif(concat_ws(' ', d.stands, d.named), ''), 'nobody published it'),
        coalesce(nullif(concat_ws(' ', p.status, stored.named), ''), 'none')
    FROM programmes p
    CROSS JOIN LATERAL (SELECT jsonb_build_object('authority_id', p.authority_id, 'title', p.title, 'voucher_kind',
        p.voucher_kind, 'fiscal_year', p.fiscal_year, 'opens_at', {_instant("p.opens_at")}, 'closes_at',
        {_instant("p.closes_at")}, 'document_no', p.document_no) AS named) AS stored
    FULL JOIN (
        SELECT region_code, programme_id, (array_agg(stands ORDER BY event_id DESC))[1] AS stands,
            (array_agg(named) FILTER (WHERE named IS NOT NULL))[1] AS named
        FROM (
            SELECT region_code, c ->> 'programme_id' AS programme_id, event_id, c -> 'programme' AS named,
                CASE kind WHEN 'close_programme' THEN 'closed' ELSE 'published' END AS stands
            FROM acts WHERE kind IN ('publish_programme', 'resume_programme', 'close_programme')
            UNION ALL
            SELECT region_code, object_id, id, NULL, 'paused' FROM told WHERE action = 'programme.paused'
        ) AS step GROUP BY 1, 2
    ) AS d ON d.region_code = p.region_code AND d.programme_id = p.id
    WHERE (p.id IS NULL OR d.stands IS NOT NULL OR p.status IN ('published', 'paused', 'closed'))
        AND (d.stands IS DISTINCT FROM p.status OR d.named <> stored.named)
"""
"""Commands of the first releases do not say what was published besides the rules."""

_VERSIONS = """
    SELECT d.region_code, 'version ' || d.version_id,
        concat_ws(' ', 'published', d.programme_id, d.at, d.checked_by),
        coalesce(nullif(concat_ws(' ', v.status, v.programme_id, v.published_at, v.published_by), ''), 'none')
    FROM (
        SELECT region_code, c ->> 'rule_version_id' AS version_id, c ->> 'programme_id' AS programme_id, at, checked_by
        FROM acts WHERE kind IN ('publish_programme', 'publish_rule_version')
    ) AS d LEFT JOIN rule_versions v ON v.region_code = d.region_code AND v.id = d.version_id
    WHERE ('published', d.programme_id, d.at, d.checked_by)
        IS DISTINCT FROM (v.status, v.programme_id, v.published_at, v.published_by)
    UNION ALL
    SELECT region_code, 'number of ' || id, written::text, number::text
    FROM (
        SELECT v.region_code, v.id, v.number,
            row_number() OVER (PARTITION BY v.region_code, v.programme_id ORDER BY t.at NULLS FIRST) AS written
        FROM rule_versions v LEFT JOIN told t ON t.region_code = v.region_code AND t.object_id = v.id
            AND t.action = 'rule_version.written'
    ) AS version WHERE written <> number
"""
"""Of two versions of one day the later counts: they are numbered as they were written, the first with the scheme."""

_DEBARMENTS = """
    SELECT coalesce(d.region_code, e.region_code), 'debarment ' || coalesce(d.id, e.said ->> 'document_no'),
        coalesce(nullif(concat_ws(' ', e.authority_id, e.made_by, e.checked_by, e.at, e.said), ''),
            'nobody decided it'),
        coalesce(nullif(concat_ws(' ', d.authority_id, d.made_by, d.decided_by, d.debarred_at,
            stored.said), ''), 'none')
    FROM debarments d
    CROSS JOIN LATERAL (SELECT jsonb_build_object('person', d.person, 'name', d.name, 'reason', d.reason,
        'document_no', d.document_no, 'from_on', d.from_on, 'until_on', d.until_on, 'checkpoints',
        to_jsonb(d.checkpoints)) AS said) AS stored
    FULL JOIN (
        SELECT a.region_code, a.approval_id, a.c ->> 'authority_id' AS authority_id, a.made_by, a.checked_by, a.at, said
        FROM acts a CROSS JOIN LATERAL jsonb_array_elements(a.c -> 'entries') AS said WHERE a.kind = 'debar'
    ) AS e ON e.region_code = d.region_code AND e.approval_id = d.approval_id AND e.said ->> 'person' = d.person
        AND e.said ->> 'document_no' = d.document_no
    WHERE (e.authority_id, e.made_by, e.checked_by, e.at, e.said)
            IS DISTINCT FROM (d.authority_id, d.made_by, d.decided_by, d.debarred_at, stored.said)
        AND NOT (d.id IS NULL AND EXISTS (SELECT FROM debarments known WHERE known.region_code = e.region_code
            AND known.person = e.said ->> 'person' AND known.document_no = e.said ->> 'document_no'))
    UNION ALL
    SELECT coalesce(d.region_code, a.region_code), 'lifting of ' || coalesce(d.id, a.debarment_id),
        coalesce(nullif(concat_ws(' ', a.approval_id, a.at, a.document_no, a.reason), ''), 'nobody lifted it'),
        coalesce(nullif(concat_ws(' ', d.lift_approval_id, d.lifted_at, d.lift_document_no, d.lift_reason), ''), 'none')
    FROM (SELECT * FROM debarments WHERE lifted_at IS NOT NULL) AS d FULL JOIN (
        SELECT region_code, approval_id, at, c ->> 'debarment_id' AS debarment_id, c ->> 'document_no' AS document_no,
            c ->> 'reason' AS reason
        FROM acts WHERE kind = 'lift_debarment'
    ) AS a ON a.region_code = d.region_code AND a.debarment_id = d.id
    WHERE (a.approval_id, a.at, a.document_no, a.reason)
        IS DISTINCT FROM (d.lift_approval_id, d.lifted_at, d.lift_document_no, d.lift_reason)
"""
"""What was on the list already when it was decided again stays as it was."""

_DELEGATIONS = """
    SELECT coalesce(d.region_code, a.region_code), 'delegation ' || coalesce(d.id, a.id),
        coalesce(nullif(concat_ws(' ', a.role, a.authority_id, a.delegator_id, a.delegate_id, a.starts_at, a.ends_at,
            a.approval_id, r.at), ''), 'nobody agreed to it'),
        coalesce(nullif(concat_ws(' ', d.role, d.authority_id, d.delegator_id, d.delegate_id, d.starts_at, d.ends_at,
            d.approval_id, d.revoked_at), ''), 'none')
    FROM delegations d FULL JOIN (
        SELECT region_code, approval_id, c ->> 'delegation_id' AS id, c ->> 'role' AS role,
            c ->> 'authority_id' AS authority_id, c ->> 'delegator_id' AS delegator_id,
            c ->> 'delegate_id' AS delegate_id, greatest((c ->> 'starts_at')::timestamptz, at) AS starts_at,
            (c ->> 'ends_at')::timestamptz AS ends_at, at
        FROM acts WHERE kind = 'delegate_power'
    ) AS a ON a.region_code = d.region_code AND a.id = d.id
    LEFT JOIN told r ON r.region_code = d.region_code AND r.object_id = d.id AND r.action = 'delegation.revoked'
    WHERE (a.role, a.authority_id, a.delegator_id, a.delegate_id, a.starts_at, a.ends_at, a.approval_id, a.at, r.at)
        IS DISTINCT FROM (d.role, d.authority_id, d.delegator_id, d.delegate_id, d.starts_at, d.ends_at, d.approval_id,
            d.granted_at, d.revoked_at)
    UNION ALL
    SELECT coalesce(b.region_code, a.region_code), 'bands ' || coalesce(b.id, a.approval_id),
        coalesce(nullif(concat_ws(' ', a.authority_id, a.kind, a.bands, a.days, a.effective_from), ''),
            'nobody decided them'),
        coalesce(nullif(concat_ws(' ', b.authority_id, b.kind, b.bands, b.expires_after_days,
            b.effective_from), ''), 'none')
    FROM approval_bands b FULL JOIN (
        SELECT region_code, approval_id, c ->> 'authority_id' AS authority_id, c ->> 'kind' AS kind,
            c -> 'bands' AS bands, c ->> 'expires_after_days' AS days, at,
            greatest((c ->> 'effective_on')::date::timestamp AT TIME ZONE 'Asia/Shanghai', at) AS effective_from
        FROM acts WHERE kind = 'set_approval_bands'
    ) AS a ON a.region_code = b.region_code AND a.approval_id = b.approval_id
    WHERE (a.authority_id, a.kind, a.bands, a.days, a.at, a.effective_from) IS DISTINCT FROM (b.authority_id, b.kind,
        b.bands::jsonb, b.expires_after_days::text, b.decided_at, b.effective_from)
"""

_CLOSES = """
    SELECT coalesce(y.region_code, a.region_code), 'close ' || coalesce(y.id, a.approval_id),
        coalesce(nullif(concat_ws(' ', a.programme_id, a.fiscal_year, a.document_no, a.made_by, a.checked_by), ''),
            'nobody decided it'),
        coalesce(nullif(concat_ws(' ', y.programme_id, y.fiscal_year, y.document_no, y.made_by,
            y.decided_by), ''), 'none')
    FROM year_closes y FULL JOIN (
        SELECT region_code, approval_id, c ->> 'programme_id' AS programme_id, c ->> 'fiscal_year' AS fiscal_year,
            c ->> 'document_no' AS document_no, made_by, checked_by
        FROM acts WHERE kind = 'close_year'
    ) AS a ON a.region_code = y.region_code AND a.approval_id = y.approval_id
    WHERE (a.programme_id, a.fiscal_year, a.document_no, a.made_by, a.checked_by)
        IS DISTINCT FROM (y.programme_id, y.fiscal_year::text, y.document_no, y.made_by, y.decided_by)
    UNION ALL
    SELECT p.region_code, 'close of pool ' || p.id, y.closed_at::text, coalesce(p.closed_at::text, 'open')
    FROM pools p JOIN (
        SELECT region_code, programme_id, fiscal_year, min(closed_at) AS closed_at, max(closed_at) AS last_at
        FROM year_closes GROUP BY 1, 2, 3
    ) AS y ON y.region_code = p.region_code AND y.programme_id = p.programme_id AND y.fiscal_year = p.fiscal_year
    WHERE p.closed_at IS NULL AND p.created_at < y.last_at
"""

INVARIANTS: tuple[Invariant, ...] = (
    Invariant(
        12,
        "decisions",
        "What two persons decided stands as they decided it: admissions, accounts, freezes, programmes, debarments",
        "经双人审核的准入、收款账户、冻结、项目状态与失信名单等与其决定一致",
        f"WITH {_TOLD} "
        + union(_ADMISSIONS, _ACCOUNTS, _FREEZES, _PROGRAMMES, _VERSIONS, _DEBARMENTS, _DELEGATIONS, _CLOSES),
    ),
)
