"""Account numbers, and who sent an objection, are kept encrypted; who did what is read; personal data are erased.

Why: they lay in clear, so whoever read the database, a backup or a replica read them. The keys are not the database's,
so this migration encrypts nothing: it says that what is written from now on is encrypted, and `voucher migrate` (or the
start of the service on its own database) encrypts what there is (`app/services/encrypted_fields/rotation.py`) before
anything else is done. Until then such a row can be neither read nor changed; hence NOT VALID. The masked form of a
number is kept beside it, so that showing it needs no key.

An account that was replaced or refused never changes, but under which key its number lies may.

Audit events are read over the API now, by time and by who did it, hence two indexes; and for how long personal data are
kept is a setting of a region (`retention_settings`), after which the service erases them. Old browser sessions go too.

Revision: 0032, after 0031
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

APP = "voucher_app"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    _payee_accounts()
    _objection_contacts()
    _audit_events()
    _retention()


def _payee_accounts() -> None:
    op.execute("DROP TRIGGER ended_stays ON payee_accounts")
    op.add_column("payee_accounts", sa.Column("account_no_tag", sa.LargeBinary()))
    op.add_column("payee_accounts", sa.Column("account_no_masked", sa.Text(collation="C")))
    op.execute(
        "UPDATE payee_accounts SET account_no_tag = '', account_no_masked ="
        " CASE WHEN length(account_no) >= 12 THEN left(account_no, 4) ELSE '' END || '****' || right(account_no, 4)"
    )
    op.alter_column("payee_accounts", "account_no_tag", nullable=False)
    op.alter_column("payee_accounts", "account_no_masked", nullable=False)
    op.drop_constraint(op.f("ck_payee_accounts_account_no_digits"), "payee_accounts", type_="check")
    _not_valid("payee_accounts", "encrypted", "account_no ~ '^f1[.]'")
    op.create_check_constraint(
        op.f("ck_payee_accounts_masked"), "payee_accounts", "account_no_masked ~ '^([0-9]{4})?[*]{4}[0-9]{4}$'"
    )
    op.create_index(op.f("ix_payee_accounts_account_no_tag"), "payee_accounts", ["account_no_tag"])
    kept = "'{account_no,account_no_tag}'::text[]"
    op.execute(
        "CREATE TRIGGER ended_stays BEFORE UPDATE ON payee_accounts FOR EACH ROW"
        " WHEN (OLD.status IN ('replaced', 'rejected')"
        f" AND to_jsonb(OLD) - {kept} IS DISTINCT FROM to_jsonb(NEW) - {kept}) EXECUTE FUNCTION refuse_change()"
    )


def _objection_contacts() -> None:
    op.add_column("objection_contacts", sa.Column("contact_tag", sa.LargeBinary()))
    _not_valid("objection_contacts", "encrypted", "name ~ '^f1[.]' AND contact ~ '^f1[.]'")
    _not_valid("objection_contacts", "contact_found", "(contact IS NULL) = (contact_tag IS NULL)")
    op.create_index(
        op.f("ix_objection_contacts_contact_tag"),
        "objection_contacts",
        ["contact_tag"],
        postgresql_where=sa.text("contact_tag IS NOT NULL"),
    )


def _audit_events() -> None:
    """They are read now: by time, and by who did it."""
    op.create_index(op.f("ix_audit_events_region_code_at_id"), "audit_events", ["region_code", "at", "id"])
    op.create_index(
        op.f("ix_audit_events_region_code_principal_id_at"), "audit_events", ["region_code", "principal_id", "at"]
    )


def _retention() -> None:
    op.create_table(
        "retention_settings",
        sa.Column("region_code", sa.Text(collation="C"), nullable=False),
        sa.Column("kind", sa.Text(collation="C"), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("keep_days", sa.SmallInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("set_by", sa.Text(collation="C"), nullable=False),
        sa.CheckConstraint("kind IN ('objection_contacts')", name=op.f("ck_retention_settings_kind_known")),
        sa.CheckConstraint("keep_days BETWEEN 30 AND 3660", name=op.f("ck_retention_settings_days_fit")),
        sa.CheckConstraint("region_code ~ '^[0-9]{6}$'", name=op.f("ck_retention_settings_region_code_format")),
        sa.PrimaryKeyConstraint("region_code", "kind", "set_at", name=op.f("pk_retention_settings")),
    )
    op.execute(f"GRANT SELECT, INSERT ON retention_settings TO {APP}")
    op.execute(f"GRANT DELETE ON portal_sessions TO {APP}")
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON retention_settings"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def _not_valid(table: str, name: str, condition: str) -> None:
    """Hold for what is written from now on; of what there is once it has been encrypted, at once where nothing is."""
    empty = op.get_bind().execute(sa.text(f"SELECT NOT EXISTS (SELECT FROM {table})")).scalar_one()
    op.execute(
        f"ALTER TABLE {table} ADD CONSTRAINT ck_{table}_{name} CHECK ({condition})" + ("" if empty else " NOT VALID")
    )


def downgrade() -> None:
    raise NotImplementedError("The journal has no way back: restore a backup instead.")
