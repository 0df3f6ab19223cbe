"""What clients, vouchers and addresses have used of their rate limits, over all processes.

Why: a limit that each process keeps for itself is as many limits as there are processes, and forgotten when one is
restarted. A row is what one subject has been given in one window of one limit; processes take shares of it in blocks
(`app/services/limits`), so a row is written some twenty times a window and not at every request. It is no evidence:
rows of windows that are over are deleted. Nothing here is a region's: an address and a client call for any.

Revision: 0031, after 0029
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0029"
branch_labels = None
depends_on = None

APP = "voucher_app"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "rate_uses",
        sa.Column("scope", sa.Text(collation="C"), nullable=False),
        sa.Column("subject_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("window_no", sa.BigInteger(), nullable=False),
        sa.Column("given", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("scope IN ('client', 'source', 'voucher')", name=op.f("ck_rate_uses_scope_known")),
        sa.CheckConstraint("octet_length(subject_sha256) = 32", name=op.f("ck_rate_uses_subject_hashed")),
        sa.CheckConstraint("given >= 0", name=op.f("ck_rate_uses_given_not_negative")),
        sa.PrimaryKeyConstraint("scope", "subject_sha256", name=op.f("pk_rate_uses")),
    )
    op.create_index(op.f("ix_rate_uses_ends_at"), "rate_uses", ["ends_at"])
    op.execute(f"GRANT SELECT, INSERT, DELETE, UPDATE (window_no, given, ends_at) ON rate_uses TO {APP}")


def downgrade() -> None:
    raise NotImplementedError("The journal has no way back: restore a backup instead.")
