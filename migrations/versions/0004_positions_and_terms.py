"""What cumulative rules count, and what officials fix with a grant.

Why: a yearly cap, a bracket over the year's base or a rolling ceiling needs to know what a firm (its group, a contract,
a voucher) has come to. Each holder's counters are rows under a lock of their own, taken after the vouchers' locks, so
programmes without such rules pay nothing. `terms` holds the facts that belong to a grant and not to the registry: an
approved rate, a project's level, an exception, another level's decision.

Revision: 0004, after 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

APP = "voucher_app"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "positions",
        sa.Column("region_code", sa.Text(collation="C"), nullable=False),
        sa.Column("programme_id", sa.Text(collation="C"), nullable=False),
        sa.Column("holder", sa.Text(collation="C"), nullable=False),
        sa.Column("holder_id", sa.Text(collation="C"), nullable=False),
        sa.Column("period", sa.Text(collation="C"), nullable=False),
        sa.Column("category", sa.Text(collation="C"), nullable=False),
        sa.Column("base_fen", sa.BigInteger(), nullable=False),
        sa.Column("gross_fen", sa.BigInteger(), nullable=False),
        sa.Column("granted_fen", sa.BigInteger(), nullable=False),
        sa.Column("claims", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "base_fen >= 0 AND gross_fen >= 0 AND granted_fen >= 0 AND claims >= 0",
            name=op.f("ck_positions_not_negative"),
        ),
        sa.CheckConstraint(
            "holder IN ('firm', 'group', 'contract', 'voucher')", name=op.f("ck_positions_holder_known")
        ),
        sa.CheckConstraint("region_code ~ '^[0-9]{6}$'", name=op.f("ck_positions_region_code_format")),
        sa.ForeignKeyConstraint(
            ["region_code", "programme_id"],
            ["programmes.region_code", "programmes.id"],
            name=op.f("fk_positions_region_code_programme_id"),
        ),
        sa.PrimaryKeyConstraint(
            "region_code", "programme_id", "holder", "holder_id", "period", "category", name=op.f("pk_positions")
        ),
    )
    op.execute(f"GRANT SELECT, INSERT ON positions TO {APP}")
    op.execute(f"GRANT UPDATE (base_fen, gross_fen, granted_fen, claims) ON positions TO {APP}")
    op.add_column("vouchers", sa.Column("terms", sa.Text(), nullable=True))
    op.add_column("issuance_rows", sa.Column("terms", sa.Text(), nullable=True))


def downgrade() -> None:
    raise NotImplementedError("The journal has no way back: restore a backup instead.")
