"""The kinds of official act that need a second person, all of them in one list.

Why: the tables of migrations 0019 to 0024 bring acts of their own, and a CHECK holds one list.

Revision: 0027, after 0026
"""

from __future__ import annotations

from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

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
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    listed = ", ".join(f"'{kind}'" for kind in APPROVAL_KINDS)
    op.drop_constraint(op.f("ck_approvals_kind_known"), "approvals", type_="check")
    op.create_check_constraint(op.f("ck_approvals_kind_known"), "approvals", f"kind IN ({listed})")


def downgrade() -> None:
    raise NotImplementedError("The journal has no way back: restore a backup instead.")
