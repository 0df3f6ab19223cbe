"""People sign in at outside OpenID Connect providers; tokens are bound to keys; personal tokens are listed.

Why: a city has one platform at which its officials and firms sign in already, and it asks for their second factor.
`outside_identities` says which subject of which issuer is which person here. A subject signs in as one person, and a
person has one subject with an issuer. The subject itself is not kept, only its digest. A row is ended once, so that an
audit event that names it says for good what it was.

`sign_in_codes` carries such a sign-in from the browser to the command line: minutes long, once. `personal_tokens` lists
what was given out, with its scope, so that a person sees and ends it. A session says whether a provider vouched for a
second factor. `spent_tokens` takes two more kinds: the answer of
a provider, and a machine's proof of its key (RFC 9449); `clients.dpop_required` is for machines that must have one.

Revision: 0029, after 0028
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

APP = "voucher_app"


def _id(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(collation="C"), nullable=nullable)


def _instant(name: str, *, nullable: bool = False) -> sa.Column[sa.DateTime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _digest(name: str) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary(), nullable=False)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "outside_identities",
        _id("id"),
        _id("user_id"),
        sa.Column("issuer", sa.Text(), nullable=False),
        _digest("subject_sha256"),
        _id("invitation_id"),
        _instant("linked_at"),
        _instant("ended_at", nullable=True),
        _id("ended_by", nullable=True),
        sa.CheckConstraint("octet_length(subject_sha256) = 32", name=op.f("ck_outside_identities_subject_is_a_digest")),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (ended_by IS NULL)", name=op.f("ck_outside_identities_ended_by_somebody")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_outside_identities_user_id")),
        sa.ForeignKeyConstraint(
            ["invitation_id"], ["invitations.id"], name=op.f("fk_outside_identities_invitation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outside_identities")),
    )
    live = sa.text("ended_at IS NULL")
    op.create_index(
        "uq_outside_identities_live",
        "outside_identities",
        ["issuer", "subject_sha256"],
        unique=True,
        postgresql_where=live,
    )
    op.create_index(
        "uq_outside_identities_live_user",
        "outside_identities",
        ["user_id", "issuer"],
        unique=True,
        postgresql_where=live,
    )
    op.create_index(op.f("ix_outside_identities_user_id"), "outside_identities", ["user_id"])
    op.create_table(
        "sign_in_codes",
        _digest("secret_sha256"),
        _id("user_id"),
        _digest("challenge_sha256"),
        sa.Column("second_factor", sa.Boolean(), nullable=False),
        _instant("signed_in_at"),
        _instant("created_at"),
        _instant("expires_at"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sign_in_codes_user_id")),
        sa.PrimaryKeyConstraint("secret_sha256", name=op.f("pk_sign_in_codes")),
    )
    op.create_index(op.f("ix_sign_in_codes_user_id"), "sign_in_codes", ["user_id"])
    op.create_table(
        "personal_tokens",
        _id("id"),
        _id("user_id"),
        _digest("jti_sha256"),
        _id("scope"),
        _instant("created_at"),
        _instant("expires_at"),
        _instant("revoked_at", nullable=True),
        sa.CheckConstraint("scope IN ('read', 'write', 'read write')", name=op.f("ck_personal_tokens_scope_known")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_personal_tokens_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_personal_tokens")),
        sa.UniqueConstraint("jti_sha256", name=op.f("uq_personal_tokens_jti_sha256")),
    )
    op.create_index(op.f("ix_personal_tokens_user_id"), "personal_tokens", ["user_id"])
    op.add_column("clients", sa.Column("dpop_required", sa.Boolean(), server_default=sa.false(), nullable=False))
    outside_factor = sa.Column("outside_factor", sa.Boolean(), server_default=sa.false(), nullable=False)
    op.add_column("portal_sessions", outside_factor)
    op.drop_constraint(op.f("ck_spent_tokens_kind_known"), "spent_tokens", type_="check")
    op.create_check_constraint(
        op.f("ck_spent_tokens_kind_known"), "spent_tokens", "kind IN ('assertion', 'access', 'sign_in', 'proof')"
    )
    op.execute(f"GRANT SELECT, INSERT, UPDATE (ended_at, ended_by) ON outside_identities TO {APP}")
    op.execute(f"GRANT SELECT, INSERT, DELETE ON sign_in_codes TO {APP}")
    op.execute(f"GRANT SELECT, INSERT, DELETE, UPDATE (revoked_at) ON personal_tokens TO {APP}")
    op.execute(f"GRANT UPDATE (dpop_required) ON clients TO {APP}")
    op.execute(
        "CREATE TRIGGER ended_for_good BEFORE UPDATE ON outside_identities FOR EACH ROW"
        " WHEN (OLD.ended_at IS NOT NULL) EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER never_deleted BEFORE DELETE ON outside_identities FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )


def downgrade() -> None:
    raise NotImplementedError("The journal has no way back: restore a backup instead.")
