"""Jobs: a request that takes long is answered at once, and its progress and answer are read here.

Why: issuing a hundred thousand vouchers takes longer than a browser or a proxy waits. A job promises nothing by itself:
what is done is done under the request's Idempotency-Key, in its own transaction, and a job that is not heard of any
more is lost, so that the same request is sent again. Its row is therefore no evidence, and is deleted after some weeks.

Revision: 0018, after 0017
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

APP = "voucher_app"


def _id(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(collation="C"), nullable=False)


def _instant(name: str, *, nullable: bool = False) -> sa.Column[sa.DateTime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "jobs",
        _id("region_code"),
        _id("id"),
        _id("kind"),
        sa.Column("subject", sa.Text(), nullable=False),
        _id("principal_id"),
        sa.Column("stage", sa.Text(collation="C"), nullable=True),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=True),
        _instant("started_at"),
        _instant("heard_at"),
        _instant("finished_at", nullable=True),
        sa.Column("answer_status", sa.SmallInteger(), nullable=True),
        sa.Column("answer", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint("kind IN ('submit_batch', 'approve')", name=op.f("ck_jobs_kind_known")),
        sa.CheckConstraint("stage IN ('reading', 'checking', 'writing', 'issuing')", name=op.f("ck_jobs_stage_known")),
        sa.CheckConstraint("num_nonnulls(finished_at, answer_status, answer) IN (0, 3)", name=op.f("ck_jobs_answered")),
        sa.CheckConstraint("done >= 0 AND total >= 0", name=op.f("ck_jobs_not_negative")),
        sa.CheckConstraint("region_code ~ '^[0-9]{6}$'", name=op.f("ck_jobs_region_code_format")),
        sa.PrimaryKeyConstraint("region_code", "id", name=op.f("pk_jobs")),
    )
    op.create_index(
        op.f("ix_jobs_region_code_principal_id_started_at"), "jobs", ["region_code", "principal_id", "started_at"]
    )
    op.execute(f"GRANT SELECT, INSERT, DELETE ON jobs TO {APP}")
    op.execute(f"GRANT UPDATE (stage, done, total, heard_at, finished_at, answer_status, answer) ON jobs TO {APP}")
    op.execute(
        "CREATE TRIGGER answer_is_final BEFORE UPDATE ON jobs FOR EACH ROW"
        " WHEN (OLD.finished_at IS NOT NULL) EXECUTE FUNCTION refuse_change()"
    )


def downgrade() -> None:
    raise NotImplementedError("The journal has no way back: restore a backup instead.")
