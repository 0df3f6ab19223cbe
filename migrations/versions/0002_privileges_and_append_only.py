"""What the service's role may do, and what nobody may.

Why: the last line of defence lies below the code. The service runs as `voucher_app`, which owns nothing: it may
insert and read journal entries, postings and audit events and nothing more, and may update only the columns that
are meant to change. On a single server triggers refuse UPDATE, DELETE and TRUNCATE of the journal for the owner too,
and freeze published rules and answered idempotency keys.

Revision: 0002, after 0001
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

APP = "voucher_app"

COUNTERS = "face_fen, balance_fen, held_fen, redeemed_fen, recovered_fen, expired_fen, voided_fen, surrendered_fen"

APPEND_ONLY = ("entries", "postings", "audit_events")

UPDATABLE: dict[str, str | None] = {
    "entries": None,
    "postings": None,
    "audit_events": None,
    "seal_queue": None,
    "refunds": None,
    "reconciliations": None,
    "order_numbers": None,
    "idempotency_keys": "status, body, resource_id",
    "vouchers": f"{COUNTERS}, posting_count, valid_until, redeemable_until, frozen_at, ended_as, ended_at",
    "allotments": COUNTERS,
    "pools": "available_fen",
    "mandates": "used_fen, revoked_at, revoked_by",
    "redemptions": "refunded_fen, bill_refunded_fen, status",
    "approvals": "status, decided_at, decided_by, decision_note",
    "programmes": "title, voucher_kind, fiscal_year, opens_at, closes_at, document_no, status, version",
    "rule_versions": "effective_on, rules, rules_sha256, status, published_at, published_by",
    "admissions": "categories, status, version, updated_at, updated_by",
    "issuance_batches": "status, decided_at",
    "issuance_rows": "voucher_id, rejected_at",
    "organisations": "name, region_code, profile, version",
    "users": "name, password_hash, tokens_valid_from, disabled_at",
    "clients": "name, secret_sha256, disabled_at",
    "role_grants": "granted_at, granted_by, revoked_at",
    "invitations": "used_at",
    "portal_sessions": "seen_at, expires_at, ended_at",
}
"""Every table may be read and inserted into; these columns may be updated besides."""

DELETABLE = ("idempotency_keys", "order_numbers")
"""Claims that a command gives back when it is put off or refused."""


def upgrade() -> None:
    _require_role()
    op.execute(f"REVOKE ALL ON SCHEMA public FROM PUBLIC; GRANT USAGE ON SCHEMA public TO {APP}")
    for table, columns in UPDATABLE.items():
        op.execute(f"GRANT SELECT, INSERT ON {table} TO {APP}")
        if columns:
            op.execute(f"GRANT UPDATE ({columns}) ON {table} TO {APP}")
    for table in DELETABLE:
        op.execute(f"GRANT DELETE ON {table} TO {APP}")
    op.execute(f"GRANT USAGE ON SEQUENCE seal_queue_no TO {APP}")
    op.execute(f"GRANT SELECT ON alembic_version TO {APP}")
    _guard()


def _require_role() -> None:
    known = op.get_bind().execute(text("SELECT 1 FROM pg_roles WHERE rolname = :name"), {"name": APP}).first()
    if known is None:
        raise RuntimeError(
            f"The role {APP} does not exist. Create it as an administrator before migrating:"
            f" CREATE ROLE {APP} LOGIN PASSWORD '…'; it must own nothing."
        )


def _guard() -> None:
    op.execute(
        """
        CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '% on % is refused: what is written here is answered by a new row', TG_OP, TG_TABLE_NAME
                USING ERRCODE = 'insufficient_privilege';
        END $$
        """
    )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    op.execute(
        "CREATE TRIGGER published_is_final BEFORE UPDATE OR DELETE ON rule_versions FOR EACH ROW"
        " WHEN (OLD.status = 'published') EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER answered_stays BEFORE DELETE ON idempotency_keys FOR EACH ROW"
        " WHEN (OLD.status IS NOT NULL) EXECUTE FUNCTION refuse_change()"
    )
    op.execute(  # but for the body, which may be dropped when it is old
        "CREATE TRIGGER answer_is_final BEFORE UPDATE ON idempotency_keys FOR EACH ROW"
        " WHEN (OLD.status IS NOT NULL AND (NEW.status IS DISTINCT FROM OLD.status OR NEW.body IS NOT NULL"
        " OR NEW.resource_id IS DISTINCT FROM OLD.resource_id)) EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        """
        CREATE FUNCTION refuse_giving_back_a_used_number() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF EXISTS (
                SELECT 1 FROM redemptions
                WHERE region_code = OLD.region_code AND provider_id = OLD.provider_id AND order_no = OLD.order_no
            ) THEN
                RAISE EXCEPTION 'order number % is used: giving it back is refused', OLD.order_no
                    USING ERRCODE = 'insufficient_privilege';
            END IF;
            RETURN OLD;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER used_stays BEFORE DELETE ON order_numbers FOR EACH ROW"
        " EXECUTE FUNCTION refuse_giving_back_a_used_number()"
    )


def downgrade() -> None:
    raise NotImplementedError("The journal has no way back: restore a backup instead.")
