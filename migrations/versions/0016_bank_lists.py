"""Lists of the bank's results, cases about them, and one transfer for all that a payee pays back with it.

Why: payment orders are held against what the bank says became of them, as redemptions are against statements. A list
and its lines are evidence, so they never change; a later file of the same period replaces a list, which is dated once
and for good. Of an account no more than its last digits is kept. Cases know two more ways in which sides differ, and the
list that resolves one.
What a payee pays back comes by a transfer, whose reference could be recorded with any number of recoveries, each time as
if money had come in. A transfer is a row now, claimed once, with all recoveries that it pays back and what they come to.

Revision: 0016, after 0015
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

APP = "voucher_app"
REGION_FORMAT = "region_code ~ '^[0-9]{6}$'"


def _id(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(collation="C"), nullable=nullable)


def _instant(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    _lists()
    _lines()
    _cases()
    _transfers()
    _privileges()


def _lists() -> None:
    op.create_table(
        "bank_lists",
        _id("region_code"),
        _id("id"),
        _id("organisation_id"),
        sa.Column("period_from", sa.Date(), nullable=False),
        sa.Column("period_until", sa.Date(), nullable=False),
        sa.Column("line_count", sa.Integer(), nullable=False),
        sa.Column("total_fen", sa.BigInteger(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        _id("file_sha256"),
        _instant("uploaded_at"),
        _id("uploaded_by"),
        _instant("replaced_at", nullable=True),
        _id("replaced_by_id", nullable=True),
        sa.CheckConstraint("period_from <= period_until", name=op.f("ck_bank_lists_period_in_order")),
        sa.CheckConstraint("line_count >= 0 AND total_fen >= 0", name=op.f("ck_bank_lists_not_negative")),
        sa.CheckConstraint("length(file_sha256) = 64", name=op.f("ck_bank_lists_file_sha256_length")),
        sa.CheckConstraint(
            "(replaced_at IS NULL) = (replaced_by_id IS NULL)", name=op.f("ck_bank_lists_replacement_complete")
        ),
        sa.CheckConstraint(REGION_FORMAT, name=op.f("ck_bank_lists_region_code_format")),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name=op.f("fk_bank_lists_organisation_id")),
        sa.ForeignKeyConstraint(
            ["region_code", "replaced_by_id"],
            ["bank_lists.region_code", "bank_lists.id"],
            name=op.f("fk_bank_lists_region_code_replaced_by_id"),
            deferrable=True,
            initially="DEFERRED",
        ),
        sa.PrimaryKeyConstraint("region_code", "id", name=op.f("pk_bank_lists")),
    )
    op.create_index(
        "uq_bank_lists_live_period",
        "bank_lists",
        ["region_code", "period_from", "period_until"],
        unique=True,
        postgresql_where=sa.text("replaced_at IS NULL"),
    )


def _lines() -> None:
    op.create_table(
        "bank_list_lines",
        _id("region_code"),
        _id("list_id"),
        sa.Column("row_no", sa.Integer(), nullable=False),
        _id("status"),
        _id("bank_reference"),
        _id("order_id", nullable=True),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("settled_on", sa.Date(), nullable=False),
        sa.Column("payee_name", sa.Text(), nullable=True),
        _id("account_tail", nullable=True),
        sa.CheckConstraint("status IN ('paid', 'returned', 'received')", name=op.f("ck_bank_list_lines_status_known")),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_bank_list_lines_amount_positive")),
        sa.CheckConstraint("length(account_tail) <= 4", name=op.f("ck_bank_list_lines_account_tail_only")),
        sa.ForeignKeyConstraint(
            ["region_code", "list_id"],
            ["bank_lists.region_code", "bank_lists.id"],
            name=op.f("fk_bank_list_lines_region_code_list_id"),
        ),
        sa.PrimaryKeyConstraint("region_code", "list_id", "row_no", name=op.f("pk_bank_list_lines")),
    )
    op.create_index(
        op.f("ix_bank_list_lines_region_code_bank_reference"), "bank_list_lines", ["region_code", "bank_reference"]
    )
    op.create_index(
        op.f("ix_bank_list_lines_region_code_order_id"),
        "bank_list_lines",
        ["region_code", "order_id"],
        postgresql_where=sa.text("order_id IS NOT NULL"),
    )


def _cases() -> None:
    table = "reconciliation_cases"
    op.add_column(table, _id("resolving_bank_list_id", nullable=True))
    op.create_foreign_key(
        op.f("fk_reconciliation_cases_region_code_resolving_bank_list_id"),
        table,
        "bank_lists",
        ["region_code", "resolving_bank_list_id"],
        ["region_code", "id"],
    )
    _check(table, "sides_known", "sides IN ('statements', 'bank_lists')")
    _check(
        table,
        "kind_known",
        "kind IN ('missing_here', 'missing_there', 'differing_amount', 'differing_status', 'reference_doubled')",
    )
    _check(
        table,
        "resolution_only_of_resolved",
        "state = 'resolved' OR num_nonnulls(resolving_entry_id, resolving_statement_id, resolving_bank_list_id,"
        " resolved_in_id) = 0",
    )


def _check(table: str, name: str, condition: str) -> None:
    op.drop_constraint(op.f(f"ck_{table}_{name}"), table, type_="check")
    op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, condition)


def _transfers() -> None:
    op.create_table(
        "recovery_transfers",
        _id("region_code"),
        _id("bank_reference"),
        _id("payee_id"),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        _instant("recorded_at"),
        _id("recorded_by"),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_recovery_transfers_amount_positive")),
        sa.CheckConstraint(REGION_FORMAT, name=op.f("ck_recovery_transfers_region_code_format")),
        sa.ForeignKeyConstraint(["payee_id"], ["organisations.id"], name=op.f("fk_recovery_transfers_payee_id")),
        sa.PrimaryKeyConstraint("region_code", "bank_reference", name=op.f("pk_recovery_transfers")),
    )
    op.execute(
        "INSERT INTO recovery_transfers (region_code, bank_reference, payee_id, amount_fen, recorded_at, recorded_by)"
        " SELECT region_code, bank_reference, min(payee_id), sum(amount_fen), min(ended_at),"
        " (array_agg(ended_by ORDER BY ended_at, id))[1] FROM recoveries WHERE bank_reference IS NOT NULL"
        " GROUP BY region_code, bank_reference"
    )
    op.create_foreign_key(
        op.f("fk_recoveries_region_code_bank_reference"),
        "recoveries",
        "recovery_transfers",
        ["region_code", "bank_reference"],
        ["region_code", "bank_reference"],
    )


def _privileges() -> None:
    for table in ("bank_lists", "bank_list_lines", "recovery_transfers"):
        op.execute(f"GRANT SELECT, INSERT ON {table} TO {APP}")
    op.execute(f"GRANT UPDATE (replaced_at, replaced_by_id) ON bank_lists TO {APP}")
    op.execute(f"GRANT UPDATE (resolving_bank_list_id) ON reconciliation_cases TO {APP}")
    op.execute(
        "CREATE TRIGGER replaced_once BEFORE UPDATE ON bank_lists FOR EACH ROW"
        " WHEN (OLD.replaced_at IS NOT NULL) EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON bank_lists"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    for table in ("bank_list_lines", "recovery_transfers"):
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    raise NotImplementedError("The journal has no way back: restore a backup instead.")
