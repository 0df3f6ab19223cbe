"""What one person records is what was recorded: machines' keys, who is one person, links, calendars.

Registries that all regions share. A row is told to the region in whose log it was recorded; where nobody recorded it,
to that of its organisation. A calendar is every region's.
"""

from __future__ import annotations

from app.services.reconciliation.invariants.invariant import Invariant, listed, union

_ACTIONS = (
    *("client.created", "client.disabled", "client.key_added", "client.key_retired"),
    *("user.disabled", "user.same_person", "roles.granted", "roles.revoked"),
    *("organisation.relation_recorded", "organisation.relation_ended", "calendar.loaded"),
)

_TOLD = f"""
    told AS MATERIALIZED (
        SELECT region_code, id, at, action, object_id, principal_id, details::jsonb AS said FROM audit_events
        WHERE result = 'done' AND action IN ({listed(_ACTIONS)}) OFFSET 0
    )
"""

_KEYS = """
    SELECT coalesce(a.region_code, k.region_code, '000000') AS region_code,
        concat_ws(' ', 'key', coalesce(k.kid, a.kid), 'of', coalesce(k.client_id, a.client_id)) AS subject,
        coalesce(nullif(concat_ws(' ', a.algorithm, a.at, a.principal_id, 'retired ' || r.at, a.jwk_sha256), ''),
            'nobody added it') AS expected,
        coalesce(nullif(concat_ws(' ', k.algorithm, k.created_at, k.created_by, 'retired ' || k.retired_at,
            k.jwk_sha256), ''), 'none') AS actual
    FROM (
        SELECT o.region_code, k.client_id, k.kid, k.algorithm, k.created_at, k.created_by, k.retired_at,
            encode(sha256(convert_to(k.jwk, 'UTF8')), 'hex') AS jwk_sha256
        FROM client_keys k LEFT JOIN clients c ON c.id = k.client_id
        LEFT JOIN organisations o ON o.id = c.organisation_id
    ) AS k
    FULL JOIN (
        SELECT region_code, object_id AS client_id, said ->> 'kid' AS kid, said ->> 'algorithm' AS algorithm, at,
            principal_id, said ->> 'jwk_sha256' AS jwk_sha256
        FROM told WHERE action = 'client.key_added'
    ) AS a ON a.client_id = k.client_id AND a.kid = k.kid
    LEFT JOIN (
        SELECT object_id AS client_id, said ->> 'kid' AS kid, at FROM told WHERE action = 'client.key_retired'
    ) AS r ON r.client_id = k.client_id AND r.kid = k.kid
    WHERE (a.algorithm, a.at, a.principal_id, r.at)
            IS DISTINCT FROM (k.algorithm, k.created_at, k.created_by, k.retired_at)
        OR a.jwk_sha256 <> k.jwk_sha256
    UNION ALL
    SELECT t.region_code, 'machine ' || t.object_id, t.said ->> 'organisation', coalesce(c.organisation_id, 'none')
    FROM told t LEFT JOIN clients c ON c.id = t.object_id
    WHERE t.action = 'client.created' AND t.said ->> 'organisation' IS DISTINCT FROM c.organisation_id
"""
"""Events of the first releases do not name the key by its hash."""

_PEOPLE = """
    SELECT t.region_code, 'end of ' || t.object_id, t.at::text, coalesce(coalesce(u.disabled_at, c.disabled_at)::text,
        'acts on')
    FROM told t LEFT JOIN users u ON u.id = t.object_id LEFT JOIN clients c ON c.id = t.object_id
    WHERE t.action IN ('user.disabled', 'client.disabled')
        AND t.at IS DISTINCT FROM coalesce(u.disabled_at, c.disabled_at)
    UNION ALL
    SELECT p.region_code, 'person of ' || p.account, p.person, coalesce(u.person_id, 'nobody else')
    FROM (
        SELECT DISTINCT ON (account) t.region_code, account, t.said ->> 'person' AS person
        FROM told t CROSS JOIN LATERAL jsonb_array_elements_text(t.said -> 'accounts') AS account
        WHERE t.action = 'user.same_person' ORDER BY account, t.id DESC
    ) AS p LEFT JOIN users u ON u.id = p.account
    WHERE p.person IS DISTINCT FROM u.person_id
    UNION ALL
    SELECT r.region_code, concat_ws(' ', r.role, 'of', r.subject_id),
        CASE r.action WHEN 'roles.granted' THEN 'held' ELSE 'revoked' END,
        CASE WHEN g.id IS NULL THEN 'none' WHEN g.revoked_at IS NULL THEN 'held' ELSE 'revoked' END
    FROM (
        SELECT DISTINCT ON (t.object_id, role) t.region_code, t.object_id AS subject_id, role, t.action, t.at
        FROM told t CROSS JOIN LATERAL jsonb_array_elements_text(t.said -> 'roles') AS role
        WHERE t.action IN ('roles.granted', 'roles.revoked') ORDER BY t.object_id, role, t.id DESC
    ) AS r LEFT JOIN role_grants g ON coalesce(g.user_id, g.client_id) = r.subject_id
        AND g.role || ' ' || g.region_code = r.role
    WHERE CASE r.action WHEN 'roles.granted' THEN g.id IS NULL OR g.revoked_at IS NOT NULL
        ELSE g.revoked_at IS DISTINCT FROM r.at END
"""
"""Of what was granted or taken away last. A grant that no event tells of is not told here."""


def relation_words(ended_on: str) -> str:
    """SQL for what is hashed of a link `r`: the words of `services.standing.relations`, in their order."""
    return f"""concat_ws('|', r.kind, r.person, coalesce(r.other_person, ''), coalesce(r.group_name, ''),
        coalesce(r.share::text, ''), r.from_on, coalesce(r.until_on::text, ''), {ended_on})"""


def _sha(words: str) -> str:
    return f"encode(sha256(convert_to({words}, 'UTF8')), 'hex')"


_RELATIONS = f"""
    SELECT coalesce(a.region_code, e.region_code, r.region_code, '000000'),
        'link ' || coalesce(r.id, a.relation_id),
        coalesce(nullif(concat_ws(' ', a.at, a.principal_id, 'ended ' || e.at, e.principal_id, a.record_sha256), ''),
            'nobody recorded it'),
        coalesce(nullif(concat_ws(' ', r.recorded_at, r.recorded_by, 'ended ' || r.ended_at, r.ended_by,
            r.record_sha256), ''), 'none')
    FROM (
        SELECT r.id, r.recorded_at, r.recorded_by, r.ended_at, r.ended_by, r.kind, r.from_on,
            {_sha(relation_words("''"))} AS record_sha256,
            {_sha(relation_words("coalesce(r.ended_on::text, '')"))} AS end_sha256,
            (SELECT min(o.region_code) FROM organisations o
                WHERE o.identifier_type || ':' || o.identifier_value IN (r.person, r.other_person)) AS region_code
        FROM organisation_relations r
    ) AS r
    FULL JOIN (
        SELECT region_code, said ->> 'relation' AS relation_id, said ->> 'kind' AS kind, said ->> 'from_on' AS from_on,
            at, principal_id, said ->> 'record_sha256' AS record_sha256
        FROM told WHERE action = 'organisation.relation_recorded'
    ) AS a ON a.relation_id = r.id
    LEFT JOIN (
        SELECT region_code, said ->> 'relation' AS relation_id, at, principal_id,
            said ->> 'record_sha256' AS record_sha256
        FROM told WHERE action = 'organisation.relation_ended'
    ) AS e ON e.relation_id = r.id
    WHERE (a.kind, a.from_on, a.at, a.principal_id, e.at, e.principal_id) IS DISTINCT FROM
            (r.kind, r.from_on::text, r.recorded_at, r.recorded_by, r.ended_at, r.ended_by)
        OR a.record_sha256 <> r.record_sha256 OR e.record_sha256 <> r.end_sha256
"""
"""Events of the first releases do not say more of a link than kind and first day."""

_CALENDARS = """
    SELECT everywhere.region_code,
        concat_ws(' ', coalesce(c.name, t.object_id), 'version', coalesce(c.version, t.version)),
        coalesce(nullif(concat_ws(' ', t.document_no, t.at, t.principal_id, t.days), ''), 'nobody loaded it'),
        coalesce(nullif(concat_ws(' ', c.document_no, c.loaded_at, c.loaded_by, c.days), ''), 'none')
    FROM (
        SELECT 'calendar-' || c.year AS name, c.version::text AS version, c.document_no, c.loaded_at, c.loaded_by,
            coalesce(jsonb_agg(d.day || ' ' || d.kind ORDER BY d.day) FILTER (WHERE d.day IS NOT NULL), '[]') AS days
        FROM calendar_tables c LEFT JOIN calendar_days d ON d.year = c.year AND d.version = c.version
        GROUP BY c.year, c.version
    ) AS c
    FULL JOIN (
        SELECT object_id, said ->> 'version' AS version, said ->> 'document_no' AS document_no, at, principal_id,
            said -> 'days' AS days
        FROM told WHERE action = 'calendar.loaded'
    ) AS t ON t.object_id = c.name AND t.version = c.version
    CROSS JOIN (SELECT DISTINCT region_code FROM programmes) AS everywhere
    WHERE (t.document_no, t.at, t.principal_id, t.days)
            IS DISTINCT FROM (c.document_no, c.loaded_at, c.loaded_by, c.days)
        AND (t.object_id IS NOT NULL OR (c.version, c.loaded_by) <> ('1', 'system'))
"""
"""First versions that came with the software (by `system`) have no event."""

INVARIANTS: tuple[Invariant, ...] = (
    Invariant(
        6,
        "registry",
        "Machines' keys, people, roles, links and calendars are those that were recorded",
        "系统密钥、人员、角色、关联关系与节假日安排与其封存记录一致",
        f"WITH {_TOLD} " + union(_KEYS, _PEOPLE, _RELATIONS, _CALENDARS),
    ),
)
