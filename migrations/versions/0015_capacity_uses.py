"""What bills take of the capacity that their providers declare, counted by site, measure and days.

Why: whether two bills can both be true is seen only by adding up what all bills of a provider say of the same days. Each
use counts between its first and its last day, which is all that is needed to prove that there is too much. The row of a
day without a unit is the lock of that day, so that two bills for it are decided one after the other, and bills for
different days side by side. Counters begin with this version: what was redeemed before said nothing of them.

Revision: 0015, after 0014
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

APP = "voucher_app"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "capacity_uses",
        sa.Column("region_code", sa.Text(collation="C"), nullable=False),
        sa.Column("provider_id", sa.Text(collation="C"), nullable=False),
        sa.Column("first_on", sa.Date(), nullable=False),
        sa.Column("last_on", sa.Date(), nullable=False),
        sa.Column("site", sa.Text(collation="C"), nullable=False),
        sa.Column("unit", sa.Text(collation="C"), nullable=False),
        sa.Column("amount", sa.Numeric(), nullable=False),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_capacity_uses_not_negative")),
        sa.CheckConstraint(
            "first_on <= last_on AND last_on - first_on < 366", name=op.f("ck_capacity_uses_days_in_order")
        ),
        sa.CheckConstraint("unit IN ('', 'card_hour', 'pflops_hour')", name=op.f("ck_capacity_uses_unit_known")),
        sa.CheckConstraint(
            "unit <> '' OR (first_on = last_on AND site = '' AND amount = 0)",
            name=op.f("ck_capacity_uses_lock_is_a_day"),
        ),
        sa.CheckConstraint("region_code ~ '^[0-9]{6}$'", name=op.f("ck_capacity_uses_region_code_format")),
        sa.PrimaryKeyConstraint(
            "region_code", "provider_id", "first_on", "last_on", "site", "unit", name=op.f("pk_capacity_uses")
        ),
    )
    op.execute(f"GRANT SELECT, INSERT ON capacity_uses TO {APP}")
    op.execute(f"GRANT UPDATE (amount) ON capacity_uses TO {APP}")


def downgrade() -> None:
    raise NotImplementedError("The journal has no way back: restore a backup instead.")
