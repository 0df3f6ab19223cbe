"""Rule versions are published by a second person: the approvals know one more kind of act.

Why: until now only a programme's first rules were published, together with the programme. Later versions are approved
by themselves, so `approvals.kind` takes `publish_rule_version`.

Revision: 0003, after 0002
"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BEFORE = (
    "publish_programme",
    "admit_provider",
    "appropriate",
    "issue_batch",
    "void_voucher",
    "freeze_voucher",
    "unfreeze_voucher",
    "grant_roles",
    "reset_password",
)


def upgrade() -> None:
    _allow((*BEFORE, "publish_rule_version"))


def downgrade() -> None:
    _allow(BEFORE)


def _allow(kinds: tuple[str, ...]) -> None:
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    op.drop_constraint(op.f("ck_approvals_kind_known"), "approvals", type_="check")
    op.create_check_constraint(op.f("ck_approvals_kind_known"), "approvals", f"kind IN ({listed})")
