"""Providers' statements, and the case that each difference is.

Why: what providers say they redeemed is held against the redemptions here. A statement and its lines are evidence, so
they never change; a later file of the same period replaces a statement, which is dated once and for good. A difference
is one case, found again and not doubled, with notes that nobody rewrites.

Revision: 0010, after 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

APP = "voucher_app"
REGION_FORMAT = "region_code ~ '^[0-9]{6}$'"
CASE_UPDATES = (
    "kind, happened_on, here_fen, there_fen, evidence, fingerprint, state, owner_id, found_at, found_in_id,"
    " resolved_at, resolved_by, resolved_in_id, resolving_entry_id, resolving_statement_id"
)


def _id(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(collation="C"), nullable=nullable)


def _fen(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def _instant(name: str, *, nullable: bool = False) -> sa.Column[sa.DateTime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _points_to(table: str, column: str, target: str, *, late: bool = False) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["region_code", column],
        [f"{target}.region_code", f"{target}.id"],
        name=op.f(f"fk_{table}_region_code_{column}"),
        deferrable=late or None,
        initially="DEFERRED" if late else None,
    )


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    _statements()
    _lines()
    _cases()
    _privileges()


def _statements() -> None:
    op.create_table(
        "statements",
        _id("region_code"),
        _id("id"),
        _id("provider_id"),
        sa.Column("period_from", sa.Date(), nullable=False),
        sa.Column("period_until", sa.Date(), nullable=False),
        sa.Column("line_count", sa.Integer(), nullable=False),
        _fen("subsidy_total_fen"),
        sa.Column("file_name", sa.Text(), nullable=False),
        _id("file_sha256"),
        _instant("uploaded_at"),
        _id("uploaded_by"),
        _instant("replaced_at", nullable=True),
        _id("replaced_by_id", nullable=True),
        sa.CheckConstraint("period_from <= period_until", name=op.f("ck_statements_period_in_order")),
        sa.CheckConstraint("line_count >= 0 AND subsidy_total_fen >= 0", name=op.f("ck_statements_not_negative")),
        sa.CheckConstraint("length(file_sha256) = 64", name=op.f("ck_statements_file_sha256_length")),
        sa.CheckConstraint(
            "(replaced_at IS NULL) = (replaced_by_id IS NULL)", name=op.f("ck_statements_replacement_complete")
        ),
        sa.CheckConstraint(REGION_FORMAT, name=op.f("ck_statements_region_code_format")),
        sa.ForeignKeyConstraint(["provider_id"], ["organisations.id"], name=op.f("fk_statements_provider_id")),
        _points_to("statements", "replaced_by_id", "statements", late=True),
        sa.PrimaryKeyConstraint("region_code", "id", name=op.f("pk_statements")),
    )
    op.create_index(
        "uq_statements_live_period",
        "statements",
        ["region_code", "provider_id", "period_from", "period_until"],
        unique=True,
        postgresql_where=sa.text("replaced_at IS NULL"),
    )


def _lines() -> None:
    op.create_table(
        "statement_lines",
        _id("region_code"),
        _id("statement_id"),
        sa.Column("row_no", sa.Integer(), nullable=False),
        _id("provider_id"),
        _id("order_no", nullable=True),
        _id("redemption_id", nullable=True),
        sa.Column("redeemed_on", sa.Date(), nullable=True),
        _fen("bill_total_fen", nullable=True),
        _fen("subsidy_fen"),
        _fen("refunded_fen", nullable=True),
        _id("voucher_code", nullable=True),
        sa.CheckConstraint("num_nonnulls(order_no, redemption_id) > 0", name=op.f("ck_statement_lines_identified")),
        sa.CheckConstraint(
            "subsidy_fen >= 0 AND coalesce(bill_total_fen, 0) >= 0 AND coalesce(refunded_fen, 0) >= 0",
            name=op.f("ck_statement_lines_not_negative"),
        ),
        _points_to("statement_lines", "statement_id", "statements"),
        sa.PrimaryKeyConstraint("region_code", "statement_id", "row_no", name=op.f("pk_statement_lines")),
        sa.UniqueConstraint(
            "region_code", "statement_id", "order_no", name=op.f("uq_statement_lines_region_code_statement_id_order_no")
        ),
    )
    op.create_index(
        op.f("ix_statement_lines_region_code_provider_id_order_no"),
        "statement_lines",
        ["region_code", "provider_id", "order_no"],
    )
    op.create_index(
        op.f("ix_statement_lines_region_code_redemption_id"),
        "statement_lines",
        ["region_code", "redemption_id"],
        postgresql_where=sa.text("redemption_id IS NOT NULL"),
    )


def _cases() -> None:
    op.create_table(
        "reconciliation_cases",
        _id("region_code"),
        _id("id"),
        _id("sides"),
        _id("subject"),
        _id("kind"),
        _id("party_id"),
        sa.Column("happened_on", sa.Date(), nullable=False),
        _fen("here_fen", nullable=True),
        _fen("there_fen", nullable=True),
        sa.Column("evidence", sa.dialects.postgresql.JSONB(), nullable=False),
        _id("fingerprint"),
        _id("state"),
        _id("owner_id", nullable=True),
        _instant("opened_at"),
        _id("opened_in_id"),
        _instant("found_at"),
        _id("found_in_id"),
        _instant("resolved_at", nullable=True),
        _id("resolved_by", nullable=True),
        _id("resolved_in_id", nullable=True),
        _id("resolving_entry_id", nullable=True),
        _id("resolving_statement_id", nullable=True),
        sa.CheckConstraint("sides IN ('statements')", name=op.f("ck_reconciliation_cases_sides_known")),
        sa.CheckConstraint(
            "kind IN ('missing_here', 'missing_there', 'differing_amount')",
            name=op.f("ck_reconciliation_cases_kind_known"),
        ),
        sa.CheckConstraint(
            "state IN ('open', 'explained', 'resolved')", name=op.f("ck_reconciliation_cases_state_known")
        ),
        sa.CheckConstraint(
            "(state = 'resolved') = (resolved_at IS NOT NULL)", name=op.f("ck_reconciliation_cases_resolution_dated")
        ),
        sa.CheckConstraint(
            "(resolved_at IS NULL) = (resolved_by IS NULL)", name=op.f("ck_reconciliation_cases_resolution_signed")
        ),
        sa.CheckConstraint(
            "state = 'resolved' OR num_nonnulls(resolving_entry_id, resolving_statement_id, resolved_in_id) = 0",
            name=op.f("ck_reconciliation_cases_resolution_only_of_resolved"),
        ),
        sa.CheckConstraint(
            "state <> 'resolved' OR resolved_in_id IS NOT NULL OR resolving_entry_id IS NOT NULL",
            name=op.f("ck_reconciliation_cases_resolution_names_entry"),
        ),
        sa.CheckConstraint(REGION_FORMAT, name=op.f("ck_reconciliation_cases_region_code_format")),
        sa.ForeignKeyConstraint(["party_id"], ["organisations.id"], name=op.f("fk_reconciliation_cases_party_id")),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f("fk_reconciliation_cases_owner_id")),
        _points_to("reconciliation_cases", "resolving_entry_id", "entries"),
        _points_to("reconciliation_cases", "resolving_statement_id", "statements"),
        sa.PrimaryKeyConstraint("region_code", "id", name=op.f("pk_reconciliation_cases")),
        sa.UniqueConstraint(
            "region_code", "sides", "subject", name=op.f("uq_reconciliation_cases_region_code_sides_subject")
        ),
    )
    op.create_index(
        op.f("ix_reconciliation_cases_region_code_state_id"), "reconciliation_cases", ["region_code", "state", "id"]
    )
    op.create_index(op.f("ix_reconciliation_cases_party_id_id"), "reconciliation_cases", ["party_id", "id"])
    op.create_table(
        "case_notes",
        _id("region_code"),
        _id("case_id"),
        _id("id"),
        _instant("at"),
        _id("by"),
        _id("organisation_id"),
        _id("act"),
        sa.Column("words", sa.Text(), nullable=False),
        _points_to("case_notes", "case_id", "reconciliation_cases"),
        sa.PrimaryKeyConstraint("region_code", "case_id", "id", name=op.f("pk_case_notes")),
    )


def _privileges() -> None:
    for table in ("statements", "statement_lines", "reconciliation_cases", "case_notes"):
        op.execute(f"GRANT SELECT, INSERT ON {table} TO {APP}")
    op.execute(f"GRANT UPDATE (replaced_at, replaced_by_id) ON statements TO {APP}")
    op.execute(f"GRANT UPDATE ({CASE_UPDATES}) ON reconciliation_cases TO {APP}")
    op.execute(
        "CREATE TRIGGER replaced_once BEFORE UPDATE ON statements FOR EACH ROW"
        " WHEN (OLD.replaced_at IS NOT NULL) EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON statements"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    for table in ("statement_lines", "case_notes"):
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    raise NotImplementedError("The journal has no way back: restore a backup instead.")
