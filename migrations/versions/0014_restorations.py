"""Restorations: after one, no region's log goes on before it has been held against what was published.

Why: a database that is brought back to an earlier instant may have a shorter log than the heads that witnesses have
already seen. Sealing on from there would sign a second history, which cannot be taken back and which anybody can prove.
So a restoration leaves a mark in the database itself, which every sealer sees, wherever it runs, and which only
the owner can lift: the service's role may read it and nothing more.

Revision: 0014, after 0013
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

APP = "voucher_app"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "restorations",
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("restored_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("backup", sa.Text(), nullable=False),
        sa.Column("restored_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_commit_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_by", sa.Text(), nullable=True),
        sa.Column("settled_reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "num_nonnulls(settled_at, settled_by, settled_reason) IN (0, 3)",
            name=op.f("ck_restorations_settled_whole"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_restorations")),
    )
    op.create_table(
        "restoration_releases",
        sa.Column("region_code", sa.Text(collation="C"), nullable=False),
        sa.Column("restoration_id", sa.Text(collation="C"), nullable=False),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ground", sa.Text(collation="C"), nullable=False),
        sa.Column("log_size", sa.BigInteger(), nullable=False),
        sa.Column("published_size", sa.BigInteger(), nullable=True),
        sa.Column("published_root", sa.LargeBinary(), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint("ground IN ('agrees', 'decided')", name=op.f("ck_restoration_releases_ground_known")),
        sa.CheckConstraint(
            "num_nonnulls(published_size, published_root) IN (0, 2)",
            name=op.f("ck_restoration_releases_published_whole"),
        ),
        sa.CheckConstraint(
            "(ground = 'agrees' AND published_size IS NOT NULL AND num_nonnulls(decided_by, reason) = 0)"
            " OR (ground = 'decided' AND num_nonnulls(decided_by, reason) = 2)",
            name=op.f("ck_restoration_releases_ground_given"),
        ),
        sa.CheckConstraint("region_code ~ '^[0-9]{6}$'", name=op.f("ck_restoration_releases_region_code_format")),
        sa.ForeignKeyConstraint(
            ["restoration_id"], ["restorations.id"], name=op.f("fk_restoration_releases_restoration_id")
        ),
        sa.PrimaryKeyConstraint("region_code", "restoration_id", name=op.f("pk_restoration_releases")),
    )
    for table in ("restorations", "restoration_releases"):
        op.execute(f"GRANT SELECT ON {table} TO {APP}")
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON restoration_releases"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER settled_is_final BEFORE UPDATE OR DELETE ON restorations FOR EACH ROW"
        " WHEN (OLD.settled_at IS NOT NULL) EXECUTE FUNCTION refuse_change()"
    )


def downgrade() -> None:
    raise NotImplementedError("The journal has no way back: restore a backup instead.")
