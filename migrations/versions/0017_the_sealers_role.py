"""Sealing as a role of its own, whose plans do not hang on statistics.

Why: whoever takes over the web process could have appended leaves of his own, moved a log's head or dropped what waits.
`voucher_sealer` may do that and nothing else: of entries and audit events it reads what is sealed, of postings what moves
on accounts. The service's role reads the logs, and puts into the queue what it has posted.

In a database too young to have statistics the sealer took twenty times as long. A table believed empty has no
better index than any other that begins with the region, so each leaf's look-up read the whole region. The sealer's
statements now ask for the first key in the order of the index that they need, and so does the guard of the queue. The
index of marks by batch could be taken for that by account, and is gone: a batch's mark of an account is found by the
primary key.

Revision: 0017, after 0016
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

APP = "voucher_app"
SEALER = "voucher_sealer"

HEAD = "size, root, frontier, checkpoint, sealed_at, batch_count"
TILE = "width, hashes"
LOGS = ("logs", "log_leaves", "log_tiles", "log_batches", "log_cosignatures", "account_marks")
READ = ("seal_queue", "restorations", "restoration_releases", "alembic_version")
SEALED = "region_code, id, at, leaf"
MOVED = "region_code, entry_id, line, pool_id, payee_id, source, destination, amount_fen"


def upgrade() -> None:
    _require_role()
    op.execute("SET LOCAL lock_timeout = '5s'")
    _grant()
    _go_by_order()


def _require_role() -> None:
    known = op.get_bind().execute(text("SELECT 1 FROM pg_roles WHERE rolname = :name"), {"name": SEALER}).first()
    if known is None:
        raise RuntimeError(
            f"The role {SEALER} does not exist. Create it as an administrator before migrating:"
            f" CREATE ROLE {SEALER} LOGIN PASSWORD '…'; GRANT CONNECT ON DATABASE … TO {SEALER}; it must own nothing."
        )


def _grant() -> None:
    op.execute(f"GRANT USAGE ON SCHEMA public TO {SEALER}")
    for table in LOGS:
        op.execute(f"REVOKE INSERT ON {table} FROM {APP}")
        op.execute(f"GRANT SELECT, INSERT ON {table} TO {SEALER}")
    for table, columns in (("logs", HEAD), ("log_tiles", TILE)):
        op.execute(f"REVOKE UPDATE ({columns}) ON {table} FROM {APP}")
        op.execute(f"GRANT UPDATE ({columns}) ON {table} TO {SEALER}")
    for table in READ:
        op.execute(f"GRANT SELECT ON {table} TO {SEALER}")
    for table, columns in (("entries", SEALED), ("audit_events", SEALED), ("postings", MOVED)):
        op.execute(f"GRANT SELECT ({columns}) ON {table} TO {SEALER}")
    op.execute(f"REVOKE DELETE ON seal_queue FROM {APP}")
    op.execute(f"GRANT DELETE ON seal_queue TO {SEALER}")


def _go_by_order() -> None:
    op.execute(
        """
        CREATE OR REPLACE FUNCTION refuse_dropping_unsealed() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            missing text;
        BEGIN
            SELECT gone.leaf_id INTO missing FROM gone WHERE gone.leaf_id IS DISTINCT FROM (
                SELECT log_leaves.leaf_id FROM log_leaves
                WHERE log_leaves.region_code = gone.region_code
                    AND log_leaves.leaf_id >= gone.leaf_id AND log_leaves.leaf_id <= gone.leaf_id
                ORDER BY log_leaves.leaf_id LIMIT 1
            ) LIMIT 1;
            IF missing IS NOT NULL THEN
                RAISE EXCEPTION '% is not in the log: dropping it from the queue is refused', missing
                    USING ERRCODE = 'insufficient_privilege';
            END IF;
            RETURN NULL;
        END $$
        """
    )
    op.drop_index(op.f("ix_account_marks_region_code_batch_no"), "account_marks")


def downgrade() -> None:
    raise NotImplementedError("The journal has no way back: restore a backup instead.")
