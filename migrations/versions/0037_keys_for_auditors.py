"""The auditor's role reads the public keys of machines.

Why: reconciliation holds them against the events that tell when each was added and retired, and `voucher reconcile` runs
as that role. A public key is no secret; secrets' hashes stay out of its reach.

Revision: 0037, after 0036
"""

from __future__ import annotations

from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("GRANT SELECT ON client_keys TO voucher_auditor")


def downgrade() -> None:
    raise NotImplementedError("The journal has no way back: restore a backup instead.")
