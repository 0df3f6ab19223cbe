"""Year close: when a pool's year was closed, by which decision, and holds whose money moves to the next year's pool.

Why: at the end of a budget year what is not carried forward lapses, and nothing may be spent from a closed year. The
instant stands on the pool, where who draws reads it beside its shares; it is set once. A closed pool has nothing
available: money that comes free there lapses at once, and a CHECK holds it. What is promised may be carried forward;
then a hold's amount moves from its share of one pool to that of another, and the old share may come to nothing.

Revision: 0012, after 0011
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

APP = "voucher_app"

APPROVAL_KINDS = (
    "publish_programme",
    "admit_provider",
    "appropriate",
    "issue_batch",
    "void_voucher",
    "freeze_voucher",
    "unfreeze_voucher",
    "grant_roles",
    "reset_password",
    "publish_rule_version",
    "order_payment",
    "reverse_entry",
    "close_year",
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    listed = ", ".join(f"'{kind}'" for kind in APPROVAL_KINDS)
    op.drop_constraint(op.f("ck_approvals_kind_known"), "approvals", type_="check")
    op.create_check_constraint(op.f("ck_approvals_kind_known"), "approvals", f"kind IN ({listed})")
    _pools()
    _year_closes()
    _hold_shares()


def _pools() -> None:
    op.add_column("pools", sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True))
    op.create_check_constraint(
        op.f("ck_pools_closed_has_nothing_available"), "pools", "closed_at IS NULL OR available_fen = 0"
    )
    op.execute(f"GRANT UPDATE (closed_at) ON pools TO {APP}")
    op.execute(
        "CREATE TRIGGER closed_stays BEFORE UPDATE ON pools FOR EACH ROW"
        " WHEN (OLD.closed_at IS NOT NULL AND NEW.closed_at IS DISTINCT FROM OLD.closed_at)"
        " EXECUTE FUNCTION refuse_change()"
    )


def _year_closes() -> None:
    op.create_table(
        "year_closes",
        sa.Column("region_code", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("programme_id", sa.Text(collation="C"), nullable=False),
        sa.Column("fiscal_year", sa.SmallInteger(), nullable=False),
        sa.Column("approval_id", sa.Text(collation="C"), nullable=False),
        sa.Column("document_no", sa.Text(), nullable=False),
        sa.Column("effect", sa.Text(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_by", sa.Text(collation="C"), nullable=False),
        sa.Column("decided_by", sa.Text(collation="C"), nullable=False),
        sa.CheckConstraint("made_by <> decided_by", name=op.f("ck_year_closes_two_persons")),
        sa.CheckConstraint("region_code ~ '^[0-9]{6}$'", name=op.f("ck_year_closes_region_code_format")),
        sa.ForeignKeyConstraint(
            ["region_code", "programme_id"],
            ["programmes.region_code", "programmes.id"],
            name=op.f("fk_year_closes_region_code_programme_id"),
        ),
        sa.ForeignKeyConstraint(
            ["region_code", "approval_id"],
            ["approvals.region_code", "approvals.id"],
            name=op.f("fk_year_closes_region_code_approval_id"),
        ),
        sa.PrimaryKeyConstraint("region_code", "id", name=op.f("pk_year_closes")),
        sa.UniqueConstraint("region_code", "approval_id", name=op.f("uq_year_closes_region_code_approval_id")),
    )
    op.create_index(
        op.f("ix_year_closes_region_code_programme_id_id"), "year_closes", ["region_code", "programme_id", "id"]
    )
    op.execute(f"GRANT SELECT, INSERT ON year_closes TO {APP}")
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON year_closes"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def _hold_shares() -> None:
    op.drop_constraint(op.f("ck_hold_shares_amount_positive"), "hold_shares", type_="check")
    op.create_check_constraint(op.f("ck_hold_shares_amount_not_negative"), "hold_shares", "amount_fen >= 0")
    op.execute(f"GRANT UPDATE (amount_fen) ON hold_shares TO {APP}")


def downgrade() -> None:
    raise NotImplementedError("The journal has no way back: restore a backup instead.")
