"""An application whose waiting is ended is reviewed again, and its history says so.

Why: it stayed on the waiting list for ever, and others were refused because it had waited longer. The act has a word of
its own, and a CHECK holds the list of acts.

Revision: 0033, after 0032
"""

from __future__ import annotations

from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

ACTS = (
    "create",
    "change",
    "submit",
    "accept",
    "return",
    "resubmit",
    "first_review",
    "assess",
    "propose",
    "decline",
    "waitlist",
    "end_waiting",
    "approve",
    "reject",
    "withdraw",
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    listed = ", ".join(f"'{act}'" for act in ACTS)
    op.drop_constraint(op.f("ck_application_events_act_known"), "application_events", type_="check")
    op.create_check_constraint(op.f("ck_application_events_act_known"), "application_events", f"act IN ({listed})")


def downgrade() -> None:
    raise NotImplementedError("The journal has no way back: restore a backup instead.")
