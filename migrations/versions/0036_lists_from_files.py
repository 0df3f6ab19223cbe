"""An allocation round remembers the file that its list was read from.

Why: lists come as sheets now, and the same file twice is to allocate nothing twice. A cancelled round's file may be sent
again.

Revision: 0036, after 0035
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("allocation_rounds", sa.Column("file_sha256", sa.Text(collation="C")))
    op.create_check_constraint(
        op.f("ck_allocation_rounds_file_sha256_length"), "allocation_rounds", "length(file_sha256) = 64"
    )
    op.create_index(
        "uq_allocation_rounds_live_file",
        "allocation_rounds",
        ["region_code", "programme_id", "file_sha256"],
        unique=True,
        postgresql_where=sa.text("status <> 'cancelled' AND file_sha256 IS NOT NULL"),
    )


def downgrade() -> None:
    raise NotImplementedError("The journal has no way back: restore a backup instead.")
