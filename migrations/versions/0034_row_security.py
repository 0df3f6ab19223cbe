"""Tenancy a second time, below the code: row-level security on every regional table, and the auditor's role.

Why: that a firm, a provider or a city sees its own rows only was a condition in each query, and one forgotten would
have shown another's. Now the database asks as well: a transaction of the service's role sees a row where its region is
one of those that the transaction has declared, or where the row belongs to the organisation that it has declared, and
writes in its regions only. One that has declared nothing sees nothing. The settings are the transaction's own; see
`app/reach.py`, and docs/adr/0020-row-level-security.md for what was weighed and measured.

`voucher_auditor` reads all books and the logs, no passwords, no secrets and nobody's name where he objected, and
writes nothing. The sealer's role goes on sealing all regions.

The registries that all regions share have no policies: what they hold is looked up across regions by nature. They are
listed, each with its reason, in tests/schema/test_row_security.py.

Revision: 0034, after 0033
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

from migrations.row_security import AUDITOR, KNOWN, let_sealer, make_sees, own, protect, seen

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

PARENTS = (
    "vouchers",
    "holds",
    "redemptions",
    "payment_codes",
    "payment_orders",
    "applications",
    "reconciliation_cases",
    "public_notices",
    "refunds",
)

PUBLISHED = f"({KNOWN} AND status NOT IN ('draft', 'submitted'))"
OF_A_LOG = KNOWN

ALSO_SEEN: dict[str, tuple[str, ...]] = {
    "vouchers": (own("firm_id"), seen("holds_on", "id")),
    "allotments": (seen("vouchers", "voucher_id"),),
    "extensions": (seen("vouchers", "voucher_id"),),
    "mandates": (own("provider_id"), seen("vouchers", "voucher_id")),
    "payment_codes": (own("provider_id"), seen("vouchers", "voucher_id")),
    "payment_code_uses": (seen("payment_codes", "payment_code_id"),),
    "holds": (own("firm_id"), own("provider_id")),
    "hold_shares": (seen("holds", "hold_id"),),
    "hold_numbers": (own("provider_id"),),
    "redemptions": (own("firm_id"), own("provider_id")),
    "order_numbers": (own("provider_id"),),
    "usage_references": (own("provider_id"),),
    "capacity_uses": (own("provider_id"),),
    "invoice_uses": (own("provider_id"), seen("redemptions", "redemption_id")),
    "refunds": (seen("redemptions", "redemption_id"),),
    "red_letters": (seen("refunds", "refund_id"),),
    "entries": (own("organisation_id"), seen("vouchers", "voucher_id"), seen("postings", "id")),
    "audit_events": (own("organisation_id"),),
    "postings": (own("payee_id"), seen("vouchers", "voucher_id")),
    "account_marks": (own("holder_id"), seen("vouchers", "holder_id")),
    "payee_accounts": (own("payee_id"),),
    "payment_orders": (own("payee_id"),),
    "payment_items": (seen("payment_orders", "order_id"), seen("redemptions", "redemption_id")),
    "recoveries": (own("payee_id"),),
    "recovery_transfers": (own("payee_id"),),
    "statements": (own("provider_id"),),
    "statement_lines": (own("provider_id"),),
    "reconciliation_cases": (own("party_id"),),
    "case_notes": (seen("reconciliation_cases", "case_id"),),
    "events": (own("recipient_id"),),
    "uploads": (own("organisation_id"),),
    "applications": (own("firm_id"),),
    "application_documents": (seen("applications", "application_id"),),
    "application_events": (seen("applications", "application_id"),),
    "allocation_rounds": (seen("allocation_candidates", "id"),),
    "allocation_candidates": (own("firm_id"),),
    "allocation_awards": (seen("allocation_candidates", "round_id"),),
    "waitlist": (own("firm_id"),),
    "retention_settings": ("covers_reach(region_code)",),
    "debarments": ("covers_reach(region_code)", f"({KNOWN} AND is_own_person(person))"),
    "delegations": (KNOWN,),
    "programmes": (PUBLISHED,),
    "rule_versions": (f"({KNOWN} AND status = 'published')",),
    "admissions": (own("provider_id"), f"({KNOWN} AND status = 'listed')"),
    "public_notices": (f"({KNOWN} AND published_at IS NOT NULL)",),
    "notice_items": (own("organisation_id"), seen("public_notices", "notice_id")),
    "logs": (OF_A_LOG,),
    "log_leaves": (OF_A_LOG,),
    "log_tiles": (OF_A_LOG,),
    "log_batches": (OF_A_LOG,),
    "log_cosignatures": (OF_A_LOG,),
}
"""Under which conditions rows exist outside the regions reached: mostly that they are the organisation's that asks.

A log holds hashes and ids, and is published. A debarment binds in all regions below its own: if it were not seen there, a
firm that is debarred by the province would redeem in its cities. Whose power somebody has been lent is asked before it
is known where.
"""

COVERS_REACH = """
    CREATE FUNCTION covers_reach(region text) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
    RETURN EXISTS (
        SELECT FROM unnest(reach()) AS r(code) WHERE r.code LIKE regexp_replace(region, '(00){1,2}$', '') || '%'
    )
"""
IS_OWN_PERSON = """
    CREATE FUNCTION is_own_person(wanted text) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
    RETURN EXISTS (
        SELECT FROM organisations o
        WHERE o.id = own_organisation() AND o.identifier_type || ':' || o.identifier_value = wanted
    )
"""

NOTED = "region_code = ANY (string_to_array(current_setting('app.noted', true), ' '))"
ALSO_ADDED: dict[str, tuple[str, ...]] = {
    "audit_events": (NOTED,),
    "seal_queue": (f"(leaf_kind = 'audit_event' AND {NOTED})",),
}
"""What happened is written into the log of the region it is about, also where who acts sees nothing of that region."""

OF_THE_SEALER = (
    "logs",
    "log_leaves",
    "log_tiles",
    "log_batches",
    "log_cosignatures",
    "account_marks",
    "seal_queue",
    "restoration_releases",
    "entries",
    "audit_events",
    "postings",
)

OTHERWISE_FOR_AUDITORS: dict[str, str | None] = {
    "objection_contacts": None,
    "idempotency_keys": "region_code, principal_id, route, key, fingerprint, status, resource_id, created_at",
    "jobs": "region_code, id, kind, subject, stage, done, total, principal_id, started_at, heard_at, finished_at,"
    " answer_status",
    "payment_codes": "region_code, id, voucher_id, provider_id, limit_fen, key_id, wrong_digits, valid_until,"
    " created_at, created_by, withdrawn_at, withdrawn_by",
}
"""What the auditor's role may read instead of the whole row: no contact of who objected, no answer, no secret."""

SHARED_FOR_AUDITORS: dict[str, str | None] = {
    "organisations": None,
    "organisation_relations": None,
    "calendar_tables": None,
    "calendar_days": None,
    "invoice_bases": None,
    "red_invoices": None,
    "restorations": None,
    "role_grants": None,
    "alembic_version": None,
    "users": "id, login, name, organisation_id, person_id, created_at, created_by, disabled_at",
    "clients": "id, name, organisation_id, created_at, created_by, disabled_at",
}

REGIONAL = text(
    "SELECT c.relname FROM pg_class c JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary"
    " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]"
    " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attname = 'region_code' ORDER BY 1"
)


def upgrade() -> None:
    _require_role()
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(
        "CREATE FUNCTION reach() RETURNS text[] LANGUAGE sql STABLE PARALLEL SAFE"
        " RETURN string_to_array(current_setting('app.regions', true), ' ')"
    )
    op.execute(
        "CREATE FUNCTION own_organisation() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE"
        " RETURN NULLIF(current_setting('app.organisation', true), '')"
    )
    for parent in PARENTS:
        make_sees(parent)
    make_sees("allocation_candidates", key="round_id")
    make_sees("postings", key="entry_id")
    make_sees("holds", key="voucher_id", called="holds_on")
    op.execute(COVERS_REACH)
    op.execute(IS_OWN_PERSON)
    op.execute(f"GRANT USAGE ON SCHEMA public TO {AUDITOR}")
    for table in op.get_bind().execute(REGIONAL).scalars().all():
        protect(table, also_seen=ALSO_SEEN.get(table, ()), also_added=ALSO_ADDED.get(table, ()))
    for table in OF_THE_SEALER:
        let_sealer(table)
    for table, columns in OTHERWISE_FOR_AUDITORS.items():
        op.execute(f"REVOKE SELECT ON {table} FROM {AUDITOR}")
        if columns:
            op.execute(f"GRANT SELECT ({columns}) ON {table} TO {AUDITOR}")
    for table, columns in SHARED_FOR_AUDITORS.items():
        op.execute(f"GRANT SELECT{f' ({columns})' if columns else ''} ON {table} TO {AUDITOR}")


def _require_role() -> None:
    known = op.get_bind().execute(text("SELECT 1 FROM pg_roles WHERE rolname = :name"), {"name": AUDITOR}).first()
    if known is None:
        raise RuntimeError(
            f"The role {AUDITOR} does not exist. Create it as an administrator before migrating:"
            f" CREATE ROLE {AUDITOR} LOGIN PASSWORD '…'; GRANT CONNECT ON DATABASE … TO {AUDITOR}; it must own nothing."
        )


def downgrade() -> None:
    raise NotImplementedError("What was closed is not opened again: restore a backup instead.")
