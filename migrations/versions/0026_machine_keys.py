"""Machines sign in with keys of their own, renew their secrets, and tokens can be revoked one by one.

Why: a secret is known to two sides, a private key to one. A key's row never changes but to be retired, and its name is
not used again, so that an audit event that names it says which key it was. `spent_tokens` holds what may not be used
though it has not run out: an assertion (good once) and an access token that was revoked. Its rows are no evidence and
are deleted when the token would have run out.

Revision: 0026, after 0025
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

APP = "voucher_app"


def _id(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(collation="C"), nullable=False)


def _instant(name: str, *, nullable: bool = False) -> sa.Column[sa.DateTime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.alter_column("clients", "secret_sha256", nullable=True)
    op.add_column("clients", sa.Column("previous_secret_sha256", sa.LargeBinary(), nullable=True))
    op.add_column("clients", _instant("previous_secret_until", nullable=True))
    op.create_check_constraint(
        op.f("ck_clients_previous_secret_ends"),
        "clients",
        "(previous_secret_sha256 IS NULL) = (previous_secret_until IS NULL)",
    )
    op.create_table(
        "client_keys",
        _id("client_id"),
        _id("kid"),
        _id("algorithm"),
        sa.Column("jwk", sa.Text(), nullable=False),
        _instant("created_at"),
        _id("created_by"),
        _instant("retired_at", nullable=True),
        sa.CheckConstraint("algorithm IN ('EdDSA', 'ES256', 'PS256')", name=op.f("ck_client_keys_algorithm_known")),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name=op.f("fk_client_keys_client_id")),
        sa.PrimaryKeyConstraint("client_id", "kid", name=op.f("pk_client_keys")),
    )
    op.create_table(
        "spent_tokens",
        _id("subject_id"),
        _id("kind"),
        sa.Column("jti_sha256", sa.LargeBinary(), nullable=False),
        _instant("expires_at"),
        sa.CheckConstraint("kind IN ('assertion', 'access')", name=op.f("ck_spent_tokens_kind_known")),
        sa.PrimaryKeyConstraint("subject_id", "kind", "jti_sha256", name=op.f("pk_spent_tokens")),
    )
    op.execute(f"GRANT UPDATE (previous_secret_sha256, previous_secret_until) ON clients TO {APP}")
    op.execute(f"GRANT SELECT, INSERT, UPDATE (retired_at) ON client_keys TO {APP}")
    op.execute(f"GRANT SELECT, INSERT, DELETE ON spent_tokens TO {APP}")
    op.execute(
        "CREATE TRIGGER retired_for_good BEFORE UPDATE ON client_keys FOR EACH ROW"
        " WHEN (OLD.retired_at IS NOT NULL) EXECUTE FUNCTION refuse_change()"
    )


def downgrade() -> None:
    raise NotImplementedError("The journal has no way back: restore a backup instead.")
