"""Rejecting an application, and letting it wait, are acts of two persons.

Why: they change who gets the money, and one maker did them alone. Each is a kind of approval of its own, and a CHECK holds
the list of kinds.

Revision: 0035, after 0034
"""

from __future__ import annotations

from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

KINDS = (
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
    "reject_application",
    "waitlist_application",
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


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    listed = ", ".join(f"'{kind}'" for kind in KINDS)
    op.drop_constraint(op.f("ck_approvals_kind_known"), "approvals", type_="check")
    op.create_check_constraint(op.f("ck_approvals_kind_known"), "approvals", f"kind IN ({listed})")


def downgrade() -> None:
    raise NotImplementedError("The journal has no way back: restore a backup instead.")
