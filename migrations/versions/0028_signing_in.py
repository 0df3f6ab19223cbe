"""Second factors, failed sign-ins that all workers see, known places, and sessions that say how far they have come.

Why: a password alone opened everything, failures were counted in one process alone, and anybody could lock anybody
out. A code of an authenticator counts once: `last_step` only grows, which a trigger holds. A second factor that has
ended keeps no secret, and a recovery code that was used stays used.

Revision: 0028, after 0027
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

APP = "voucher_app"

APPROVAL_KINDS = (
    "publish_programme",
    "admit_provider",
    "appropriate",
    "issue_batch",
    "void_voucher",
    "freeze_voucher",
    "unfreeze_voucher",
    "grant_roles",
    "reset_password",
    "publish_rule_version",
    "order_payment",
    "reverse_entry",
    "close_year",
    "allocate",
    "cancel_allocation",
    "promote_waiting",
    "end_waiting",
    "grant_applications",
    "extend_voucher",
    "publish_notice",
    "withdraw_notice",
    "decide_objection",
    "close_programme",
    "suspend_provider",
    "resume_provider",
    "delist_provider",
    "move_quota",
    "debar",
    "lift_debarment",
    "resume_programme",
    "set_approval_bands",
    "delegate_power",
    "change_payee_account",
    "reset_second_factor",
)


def _id(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(collation="C"), nullable=nullable)


def _instant(name: str, *, nullable: bool = False) -> sa.Column[sa.DateTime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    _tables()
    _sessions()
    op.execute(
        f"GRANT SELECT, INSERT, UPDATE (sealed_secret, confirmed_at, last_step, ended_at, ended_by) ON second_factors TO {APP}"
    )
    op.execute(f"GRANT SELECT, INSERT, UPDATE (used_at) ON recovery_codes TO {APP}")
    op.execute(
        f"GRANT SELECT, INSERT, UPDATE (failures, rests_until, forgotten_at), DELETE ON sign_in_failures TO {APP}"
    )
    op.execute(f"GRANT SELECT, INSERT, UPDATE (seen_at), DELETE ON known_places TO {APP}")
    op.execute(
        "CREATE TRIGGER a_code_counts_once BEFORE UPDATE ON second_factors FOR EACH ROW WHEN ("
        "OLD.ended_at IS NOT NULL OR NEW.last_step < OLD.last_step"
        " OR (OLD.confirmed_at IS NOT NULL AND NEW.confirmed_at IS DISTINCT FROM OLD.confirmed_at)"
        ") EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER used_for_good BEFORE UPDATE ON recovery_codes FOR EACH ROW"
        " WHEN (OLD.used_at IS NOT NULL) EXECUTE FUNCTION refuse_change()"
    )
    listed = ", ".join(f"'{kind}'" for kind in APPROVAL_KINDS)
    op.drop_constraint(op.f("ck_approvals_kind_known"), "approvals", type_="check")
    op.create_check_constraint(op.f("ck_approvals_kind_known"), "approvals", f"kind IN ({listed})")


def _tables() -> None:
    op.create_table(
        "second_factors",
        _id("id"),
        _id("user_id"),
        sa.Column("sealed_secret", sa.Text(), nullable=True),
        _instant("created_at"),
        _instant("confirmed_at", nullable=True),
        sa.Column("last_step", sa.BigInteger(), nullable=True),
        _instant("ended_at", nullable=True),
        _id("ended_by", nullable=True),
        sa.CheckConstraint(
            "(sealed_secret IS NULL) = (ended_at IS NOT NULL)", name=op.f("ck_second_factors_no_secret_after_its_end")
        ),
        sa.CheckConstraint(
            "(confirmed_at IS NULL) = (last_step IS NULL)", name=op.f("ck_second_factors_confirmed_by_a_code")
        ),
        sa.CheckConstraint("(ended_at IS NULL) = (ended_by IS NULL)", name=op.f("ck_second_factors_ended_by_somebody")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_second_factors_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_second_factors")),
    )
    counts, begun = "confirmed_at IS NOT NULL AND ended_at IS NULL", "confirmed_at IS NULL AND ended_at IS NULL"
    op.create_index("uq_second_factors_counts", "second_factors", ["user_id"], unique=True, postgresql_where=counts)
    op.create_index("uq_second_factors_begun", "second_factors", ["user_id"], unique=True, postgresql_where=begun)
    op.create_table(
        "recovery_codes",
        _id("factor_id"),
        sa.Column("code_sha256", sa.LargeBinary(), nullable=False),
        _instant("used_at", nullable=True),
        sa.ForeignKeyConstraint(["factor_id"], ["second_factors.id"], name=op.f("fk_recovery_codes_factor_id")),
        sa.PrimaryKeyConstraint("factor_id", "code_sha256", name=op.f("pk_recovery_codes")),
    )
    op.create_table(
        "sign_in_failures",
        sa.Column("key_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        _instant("rests_until", nullable=True),
        _instant("forgotten_at"),
        sa.CheckConstraint("failures >= 0", name=op.f("ck_sign_in_failures_failures_counted")),
        sa.PrimaryKeyConstraint("key_sha256", name=op.f("pk_sign_in_failures")),
    )
    op.create_index(op.f("ix_sign_in_failures_forgotten_at"), "sign_in_failures", ["forgotten_at"])
    op.create_table(
        "known_places",
        _id("user_id"),
        sa.Column("place_sha256", sa.LargeBinary(), nullable=False),
        _instant("seen_at"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_known_places_user_id")),
        sa.PrimaryKeyConstraint("user_id", "place_sha256", name=op.f("pk_known_places")),
    )


def _sessions() -> None:
    for column, kind, before in (
        ("stage", sa.Text(collation="C"), "full"),
        ("source", sa.Text(), ""),
        ("browser", sa.Text(), ""),
    ):
        op.add_column("portal_sessions", sa.Column(column, kind, nullable=False, server_default=before))
        op.alter_column("portal_sessions", column, server_default=None)
    op.create_check_constraint(
        op.f("ck_portal_sessions_stage_known"), "portal_sessions", "stage IN ('code', 'enrol', 'full')"
    )


def downgrade() -> None:
    raise NotImplementedError("The journal has no way back: restore a backup instead.")
