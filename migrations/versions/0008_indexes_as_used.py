"""Indexes as they are used: none for entries that reverse nothing, one for a provider's own lists.

Why: of the entries hardly one reverses another, and the unique key over `reverses_id` was written with every one. A
provider lists its redemptions and holds newest first, in all its regions: without an index that reads the whole table.

Revision: 0008, after 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_constraint(op.f("uq_entries_region_code_reverses_id"), "entries")
    op.create_index(
        "uq_entries_reverses",
        "entries",
        ["region_code", "reverses_id"],
        unique=True,
        postgresql_where=sa.text("reverses_id IS NOT NULL"),
    )
    for table in ("redemptions", "holds"):
        op.create_index(op.f(f"ix_{table}_provider_id_id"), table, ["provider_id", "id"])


def downgrade() -> None:
    raise NotImplementedError("The journal has no way back: restore a backup instead.")
