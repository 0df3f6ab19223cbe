"""Where the pass over old answers stands, and what it may not take: an answer younger than 400 days.

Why: an answer is kept under its key so that a repetition gets the same bytes, and the bodies are most of what the
database holds. After 400 days they go; fingerprint, status and resource stay. They are found by a slow pass over the
primary key, slice by slice: an index by age would be written with every redemption, and one that knows who still has a
body would make each answer's update write it too. The row says where the pass stands, and its lock lets one process at a
time go on. That 400 days are the least is held below the code as well.

Revision: 0013, after 0012
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

APP = "voucher_app"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "answer_passes",
        sa.Column("region_code", sa.Text(collation="C"), nullable=False),
        sa.Column("principal_id", sa.Text(collation="C"), nullable=False),
        sa.Column("route", sa.Text(collation="C"), nullable=False),
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("region_code ~ '^[0-9]{6}$'", name=op.f("ck_answer_passes_region_code_format")),
        sa.PrimaryKeyConstraint("region_code", name=op.f("pk_answer_passes")),
    )
    op.execute(f"GRANT SELECT, INSERT ON answer_passes TO {APP}")
    op.execute(f"GRANT UPDATE (principal_id, route, key, began_at, ended_at) ON answer_passes TO {APP}")
    op.execute(
        "CREATE OR REPLACE TRIGGER answer_is_final BEFORE UPDATE ON idempotency_keys FOR EACH ROW"
        " WHEN (OLD.status IS NOT NULL AND (NEW.status IS DISTINCT FROM OLD.status OR NEW.body IS NOT NULL"
        " OR NEW.resource_id IS DISTINCT FROM OLD.resource_id"
        " OR (OLD.body IS NOT NULL AND OLD.created_at > clock_timestamp() - interval '400 days')))"
        " EXECUTE FUNCTION refuse_change()"
    )


def downgrade() -> None:
    raise NotImplementedError("The journal has no way back: restore a backup instead.")
