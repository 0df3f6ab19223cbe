"""Four eyes: approvals in one to three steps by amount, decisions one by one, delegations, payee accounts, persons.

Why: how many persons an act needs follows from its amount and from a dated table that is itself decided by two; the
steps are frozen with the command. Who decided which step, in whose place, is a row that never changes, and keys and
CHECKs hold that nobody decides twice or what he made: neither as another account of the same natural person, nor in
the maker's place. A maker may withdraw what he asked for. Where payments go is a row that a second person has agreed to.
What was decided before had one step, decided by one person.

Revision: 0023, after 0022
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

APP = "voucher_app"
REGION_FORMAT = "region_code ~ '^[0-9]{6}$'"
ROLES = (
    "registrar",
    "maker",
    "checker",
    "finance",
    "auditor",
    "provider",
    "firm",
    "system_admin",
    "security_admin",
    "audit_admin",
)


def _id(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(collation="C"), nullable=nullable)


def _instant(name: str, *, nullable: bool = False) -> sa.Column[sa.DateTime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(f"'{word}'" for word in words)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    _persons()
    _approvals()
    _bands()
    _delegations()
    _decisions()
    _payee_accounts()
    _privileges()


def _persons() -> None:
    op.add_column("users", _id("person_id", nullable=True))
    op.create_index(
        op.f("ix_users_person_id"), "users", ["person_id"], postgresql_where=sa.text("person_id IS NOT NULL")
    )


def _approvals() -> None:
    table = "approvals"
    op.add_column(table, sa.Column("steps", postgresql.ARRAY(sa.Text()), nullable=True))
    op.add_column(table, sa.Column("steps_done", sa.SmallInteger(), nullable=True))
    op.add_column(table, _id("bands_id", nullable=True))
    op.add_column(table, _id("within_id", nullable=True))
    op.add_column(table, sa.Column("barred_ids", postgresql.ARRAY(sa.Text()), nullable=True))
    op.add_column(table, _instant("expires_at", nullable=True))
    op.execute(
        "UPDATE approvals SET steps = ARRAY[required_role], barred_ids = '{}',"
        " steps_done = CASE WHEN status = 'approved' THEN 1 ELSE 0 END"
    )
    op.execute(
        "UPDATE approvals a SET barred_ids = r.authors FROM (SELECT region_code, programme_id,"
        " array_agg(DISTINCT created_by) AS authors FROM rule_versions WHERE status = 'draft' GROUP BY 1, 2) r"
        " WHERE a.kind = 'publish_programme' AND a.status = 'pending' AND r.region_code = a.region_code"
        " AND r.programme_id = a.subject_id"
    )
    for column in ("steps", "steps_done", "barred_ids"):
        op.alter_column(table, column, nullable=False)
    op.create_index(
        op.f("ix_approvals_region_code_kind_made_by_made_at"), table, ["region_code", "kind", "made_by", "made_at"]
    )
    op.create_unique_constraint(op.f("uq_approvals_region_code_id_made_by"), table, ["region_code", "id", "made_by"])
    _check(table, "status_known", "status IN ('pending', 'approved', 'rejected', 'withdrawn')")
    _check(table, "two_persons", "decided_by IS NULL OR (decided_by = made_by) = (status = 'withdrawn')")
    new = {
        "one_to_three_steps": "cardinality(steps) BETWEEN 1 AND 3",
        "steps_known": "steps <@ ARRAY['checker', 'finance', 'security_admin']",
        "steps_complete": "steps_done BETWEEN 0 AND cardinality(steps)"
        " AND (steps_done = cardinality(steps)) = (status = 'approved')",
    }
    for name, condition in new.items():
        op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, condition)


def _check(table: str, name: str, condition: str) -> None:
    op.drop_constraint(op.f(f"ck_{table}_{name}"), table, type_="check")
    op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, condition)


def _bands() -> None:
    op.create_table(
        "approval_bands",
        _id("region_code"),
        _id("id"),
        _id("authority_id", nullable=True),
        _id("kind"),
        _instant("effective_from"),
        sa.Column("bands", sa.Text(), nullable=False),
        sa.Column("expires_after_days", sa.SmallInteger(), nullable=True),
        _id("approval_id"),
        _instant("decided_at"),
        sa.CheckConstraint("expires_after_days > 0", name=op.f("ck_approval_bands_expiry_positive")),
        sa.CheckConstraint(REGION_FORMAT, name=op.f("ck_approval_bands_region_code_format")),
        _of_approval("approval_bands"),
        sa.PrimaryKeyConstraint("region_code", "id", name=op.f("pk_approval_bands")),
    )
    op.create_index(
        op.f("ix_approval_bands_region_code_kind_effective_from"),
        "approval_bands",
        ["region_code", "kind", "effective_from"],
    )


def _of_approval(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["region_code", "approval_id"],
        ["approvals.region_code", "approvals.id"],
        name=op.f(f"fk_{table}_region_code_approval_id"),
    )


def _delegations() -> None:
    op.create_table(
        "delegations",
        _id("region_code"),
        _id("id"),
        _id("role"),
        _id("authority_id", nullable=True),
        _id("delegator_id"),
        _id("delegate_id"),
        _instant("starts_at"),
        _instant("ends_at"),
        sa.Column("reason", sa.Text(), nullable=False),
        _id("approval_id"),
        _instant("granted_at"),
        _instant("revoked_at", nullable=True),
        _id("revoked_by", nullable=True),
        sa.CheckConstraint("delegator_id <> delegate_id", name=op.f("ck_delegations_two_persons")),
        sa.CheckConstraint("starts_at < ends_at", name=op.f("ck_delegations_ends_later")),
        sa.CheckConstraint("role IN ('checker', 'finance')", name=op.f("ck_delegations_role_decides")),
        sa.CheckConstraint(
            "(revoked_at IS NULL) = (revoked_by IS NULL)", name=op.f("ck_delegations_revocation_complete")
        ),
        sa.CheckConstraint(REGION_FORMAT, name=op.f("ck_delegations_region_code_format")),
        _of_approval("delegations"),
        sa.PrimaryKeyConstraint("region_code", "id", name=op.f("pk_delegations")),
    )
    for whose in ("delegate_id", "delegator_id"):
        op.create_index(op.f(f"ix_delegations_{whose}_ends_at"), "delegations", [whose, "ends_at"])


def _decisions() -> None:
    op.create_table(
        "approval_decisions",
        _id("region_code"),
        _id("approval_id"),
        sa.Column("step", sa.SmallInteger(), nullable=False),
        _id("outcome"),
        _id("role"),
        _instant("decided_at"),
        _id("decided_by"),
        _id("person_id"),
        _id("on_behalf_of", nullable=True),
        _id("delegation_id", nullable=True),
        _id("made_by"),
        _id("maker_person_id"),
        sa.Column("note", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "decided_by <> made_by AND person_id <> maker_person_id", name=op.f("ck_approval_decisions_two_persons")
        ),
        sa.CheckConstraint(
            "(on_behalf_of IS NULL) = (delegation_id IS NULL)"
            " AND (on_behalf_of IS NULL OR (on_behalf_of <> made_by AND on_behalf_of <> decided_by))",
            name=op.f("ck_approval_decisions_behalf_complete"),
        ),
        sa.CheckConstraint("step BETWEEN 1 AND 3", name=op.f("ck_approval_decisions_step_counted")),
        sa.CheckConstraint("outcome IN ('approved', 'rejected')", name=op.f("ck_approval_decisions_outcome_known")),
        sa.CheckConstraint(f"role IN ({_listed(ROLES)})", name=op.f("ck_approval_decisions_role_known")),
        sa.CheckConstraint(REGION_FORMAT, name=op.f("ck_approval_decisions_region_code_format")),
        sa.ForeignKeyConstraint(
            ["region_code", "approval_id", "made_by"],
            ["approvals.region_code", "approvals.id", "approvals.made_by"],
            name=op.f("fk_approval_decisions_region_code_approval_id_made_by"),
        ),
        sa.ForeignKeyConstraint(
            ["region_code", "delegation_id"],
            ["delegations.region_code", "delegations.id"],
            name=op.f("fk_approval_decisions_region_code_delegation_id"),
        ),
        sa.PrimaryKeyConstraint("region_code", "approval_id", "step", name=op.f("pk_approval_decisions")),
        sa.UniqueConstraint(
            "region_code",
            "approval_id",
            "decided_by",
            name=op.f("uq_approval_decisions_region_code_approval_id_decided_by"),
        ),
        sa.UniqueConstraint(
            "region_code",
            "approval_id",
            "person_id",
            name=op.f("uq_approval_decisions_region_code_approval_id_person_id"),
        ),
    )
    op.execute(
        "INSERT INTO approval_decisions (region_code, approval_id, step, outcome, role, decided_at, decided_by,"
        " person_id, made_by, maker_person_id, note)"
        " SELECT region_code, id, 1, status, required_role, decided_at, decided_by, decided_by, made_by, made_by,"
        " decision_note FROM approvals WHERE decided_at IS NOT NULL"
    )


def _payee_accounts() -> None:
    op.create_table(
        "payee_accounts",
        _id("region_code"),
        _id("id"),
        _id("authority_id"),
        _id("payee_id"),
        sa.Column("account_name", sa.Text(), nullable=False),
        sa.Column("bank_name", sa.Text(), nullable=False),
        _id("cnaps"),
        _id("account_no"),
        _id("status"),
        _instant("proposed_at"),
        _id("proposed_by"),
        _instant("decided_at", nullable=True),
        _id("decided_by", nullable=True),
        _instant("replaced_at", nullable=True),
        sa.CheckConstraint(
            "status IN ('proposed', 'listed', 'replaced', 'rejected')", name=op.f("ck_payee_accounts_status_known")
        ),
        sa.CheckConstraint("cnaps ~ '^[0-9]{12}$'", name=op.f("ck_payee_accounts_cnaps_twelve_digits")),
        sa.CheckConstraint("account_no ~ '^[0-9]{8,32}$'", name=op.f("ck_payee_accounts_account_no_digits")),
        sa.CheckConstraint(
            "(status = 'proposed') = (decided_at IS NULL) AND (decided_at IS NULL) = (decided_by IS NULL)"
            " AND (status = 'replaced') = (replaced_at IS NOT NULL)",
            name=op.f("ck_payee_accounts_decision_complete"),
        ),
        sa.CheckConstraint(
            "status NOT IN ('listed', 'replaced') OR decided_by <> proposed_by",
            name=op.f("ck_payee_accounts_two_persons"),
        ),
        sa.CheckConstraint(REGION_FORMAT, name=op.f("ck_payee_accounts_region_code_format")),
        sa.ForeignKeyConstraint(["authority_id"], ["organisations.id"], name=op.f("fk_payee_accounts_authority_id")),
        sa.ForeignKeyConstraint(["payee_id"], ["organisations.id"], name=op.f("fk_payee_accounts_payee_id")),
        sa.PrimaryKeyConstraint("region_code", "id", name=op.f("pk_payee_accounts")),
    )
    op.create_index(
        "uq_payee_accounts_listed",
        "payee_accounts",
        ["region_code", "authority_id", "payee_id"],
        unique=True,
        postgresql_where=sa.text("status = 'listed'"),
    )
    op.create_index(op.f("ix_payee_accounts_payee_id_id"), "payee_accounts", ["payee_id", "id"])
    op.drop_constraint(op.f("ck_payment_orders_two_persons"), "payment_orders", type_="check")
    op.create_check_constraint(
        op.f("ck_payment_orders_two_persons"),
        "payment_orders",
        "decided_by IS NULL OR decided_by <> proposed_by OR status = 'rejected'",
    )
    op.add_column("payment_orders", _id("payee_account_id", nullable=True))
    op.create_foreign_key(
        op.f("fk_payment_orders_region_code_payee_account_id"),
        "payment_orders",
        "payee_accounts",
        ["region_code", "payee_account_id"],
        ["region_code", "id"],
    )


def _privileges() -> None:
    for table in ("approval_bands", "delegations", "approval_decisions", "payee_accounts"):
        op.execute(f"GRANT SELECT, INSERT ON {table} TO {APP}")
    op.execute(f"GRANT UPDATE (person_id) ON users TO {APP}")
    op.execute(f"GRANT UPDATE (required_role, steps_done) ON approvals TO {APP}")
    op.execute(f"GRANT UPDATE (revoked_at, revoked_by) ON delegations TO {APP}")
    op.execute(f"GRANT UPDATE (status, decided_at, decided_by, replaced_at) ON payee_accounts TO {APP}")
    for table in ("approval_bands", "approval_decisions"):
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    for table in ("delegations", "payee_accounts"):
        op.execute(
            f"CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    op.execute(
        "CREATE TRIGGER revoked_once BEFORE UPDATE ON delegations FOR EACH ROW"
        " WHEN (OLD.revoked_at IS NOT NULL) EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER ended_stays BEFORE UPDATE ON payee_accounts FOR EACH ROW"
        " WHEN (OLD.status IN ('replaced', 'rejected')) EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER decision_is_final BEFORE UPDATE ON approvals FOR EACH ROW"
        " WHEN (OLD.decided_at IS NOT NULL) EXECUTE FUNCTION refuse_change()"
    )


def downgrade() -> None:
    raise NotImplementedError("The journal has no way back: restore a backup instead.")
