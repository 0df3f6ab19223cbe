"""The log of each region: heads, leaves, tiles, signed batches, cosignatures, and marks of accounts.

Why: a ledger that nobody can edit is worth as much as the proof that nobody did. The sealer appends what waits in the
queue to the region's Merkle tree and signs the head, in one transaction; heads, leaves and marks are never changed
again. What may change is guarded by triggers: a log only grows and keeps its name, a tile only widens, and a row of
the queue is deleted only when its leaf is in the log, so that nobody drops one unsealed.

Revision: 0009, after 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

APP = "voucher_app"
APPEND_ONLY = ("log_leaves", "log_batches", "log_cosignatures", "account_marks")
ACCOUNTS = (
    "account IN ('appropriation', 'authorised', 'available', 'committed', 'held', 'obligated', 'in_payment',"
    " 'disbursed', 'lapsed', 'recovery_claimed', 'recovery_due', 'treasury')"
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    _create_heads()
    _create_leaves()
    _create_batches()
    _create_marks()
    _grant()
    _guard()


def _id(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(collation="C"), nullable=False)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=False)


def _instant(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False)


def _create_heads() -> None:
    op.create_table(
        "logs",
        _id("region_code"),
        sa.Column("origin", sa.Text(), nullable=False),
        _number("size"),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("frontier", sa.LargeBinary(), nullable=False),
        sa.Column("checkpoint", sa.Text(), nullable=False),
        _instant("sealed_at"),
        _number("batch_count"),
        sa.CheckConstraint("size >= 0 AND batch_count >= 0", name=op.f("ck_logs_counts_not_negative")),
        sa.CheckConstraint(
            "octet_length(root) = 32 AND octet_length(frontier) % 32 = 0", name=op.f("ck_logs_hashes_whole")
        ),
        sa.CheckConstraint("region_code ~ '^[0-9]{6}$'", name=op.f("ck_logs_region_code_format")),
        sa.PrimaryKeyConstraint("region_code", name=op.f("pk_logs")),
    )


def _create_leaves() -> None:
    op.create_table(
        "log_leaves",
        _id("region_code"),
        _number("leaf_index"),
        _id("leaf_kind"),
        _id("leaf_id"),
        sa.Column("leaf_hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("leaf_kind IN ('entry', 'audit_event')", name=op.f("ck_log_leaves_leaf_kind_known")),
        sa.CheckConstraint("leaf_index >= 0", name=op.f("ck_log_leaves_index_not_negative")),
        sa.CheckConstraint("octet_length(leaf_hash) = 32", name=op.f("ck_log_leaves_hash_length")),
        sa.PrimaryKeyConstraint("region_code", "leaf_index", name=op.f("pk_log_leaves")),
        sa.UniqueConstraint("region_code", "leaf_id", name=op.f("uq_log_leaves_region_code_leaf_id")),
    )
    op.create_table(
        "log_tiles",
        _id("region_code"),
        sa.Column("level", sa.SmallInteger(), autoincrement=False, nullable=False),
        _number("tile_no"),
        sa.Column("width", sa.SmallInteger(), nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("level >= 0 AND tile_no >= 0", name=op.f("ck_log_tiles_place_not_negative")),
        sa.CheckConstraint(
            "width BETWEEN 1 AND 256 AND octet_length(hashes) = width * 32", name=op.f("ck_log_tiles_hashes_whole")
        ),
        sa.ForeignKeyConstraint(["region_code"], ["logs.region_code"], name=op.f("fk_log_tiles_region_code")),
        sa.PrimaryKeyConstraint("region_code", "level", "tile_no", name=op.f("pk_log_tiles")),
    )
    op.execute("ALTER TABLE log_tiles ALTER COLUMN hashes SET STORAGE EXTERNAL")  # hashes do not compress


def _create_batches() -> None:
    op.create_table(
        "log_batches",
        _id("region_code"),
        _number("batch_no"),
        _number("first_index"),
        _number("size"),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("checkpoint", sa.Text(), nullable=False),
        _instant("sealed_at"),
        _instant("at_min"),
        _instant("at_max"),
        _instant("at_max_so_far"),
        sa.CheckConstraint(
            "batch_no > 0 AND first_index >= 0 AND size > first_index", name=op.f("ck_log_batches_leaves_counted")
        ),
        sa.CheckConstraint(
            "at_min <= at_max AND at_max <= at_max_so_far", name=op.f("ck_log_batches_instants_ordered")
        ),
        sa.CheckConstraint("octet_length(root) = 32", name=op.f("ck_log_batches_root_length")),
        sa.ForeignKeyConstraint(["region_code"], ["logs.region_code"], name=op.f("fk_log_batches_region_code")),
        sa.PrimaryKeyConstraint("region_code", "batch_no", name=op.f("pk_log_batches")),
        sa.UniqueConstraint("region_code", "size", name=op.f("uq_log_batches_region_code_size")),
        sa.UniqueConstraint("region_code", "first_index", name=op.f("uq_log_batches_region_code_first_index")),
    )
    op.create_index(
        op.f("ix_log_batches_region_code_at_max_so_far_batch_no"),
        "log_batches",
        ["region_code", "at_max_so_far", "batch_no"],
    )
    op.create_index(op.f("ix_log_batches_region_code_at_max"), "log_batches", ["region_code", "at_max"])
    op.create_index(
        "ix_log_batches_late",
        "log_batches",
        ["region_code", "at_max"],
        postgresql_where=sa.text("at_max < at_max_so_far"),
    )
    op.create_index(
        "ix_log_batches_long",
        "log_batches",
        ["region_code", "at_max"],
        postgresql_where=sa.text("at_max - at_min > interval '1 minute'"),
    )
    op.create_table(
        "log_cosignatures",
        _id("region_code"),
        _number("size"),
        sa.Column("witness", sa.Text(), nullable=False),
        sa.Column("cosignature", sa.Text(), nullable=False),
        _instant("received_at"),
        sa.CheckConstraint("position(chr(10) in cosignature) = 0", name=op.f("ck_log_cosignatures_one_line")),
        sa.ForeignKeyConstraint(
            ["region_code", "size"],
            ["log_batches.region_code", "log_batches.size"],
            name=op.f("fk_log_cosignatures_region_code_size"),
        ),
        sa.PrimaryKeyConstraint("region_code", "size", "witness", name=op.f("pk_log_cosignatures")),
    )


def _create_marks() -> None:
    op.create_table(
        "account_marks",
        _id("region_code"),
        _id("holder_kind"),
        _id("holder_id"),
        _id("account"),
        _number("batch_no"),
        sa.Column("change_fen", sa.BigInteger(), nullable=False),
        sa.Column("balance_fen", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("holder_kind IN ('pool', 'payee')", name=op.f("ck_account_marks_holder_kind_known")),
        sa.CheckConstraint(ACCOUNTS, name=op.f("ck_account_marks_account_known")),
        sa.ForeignKeyConstraint(
            ["region_code", "batch_no"],
            ["log_batches.region_code", "log_batches.batch_no"],
            name=op.f("fk_account_marks_region_code_batch_no"),
        ),
        sa.PrimaryKeyConstraint(
            "region_code", "holder_kind", "holder_id", "account", "batch_no", name=op.f("pk_account_marks")
        ),
    )
    op.create_index(op.f("ix_account_marks_region_code_batch_no"), "account_marks", ["region_code", "batch_no"])


def _grant() -> None:
    for table in ("logs", "log_tiles", *APPEND_ONLY):
        op.execute(f"GRANT SELECT, INSERT ON {table} TO {APP}")
    op.execute(f"GRANT UPDATE (size, root, frontier, checkpoint, sealed_at, batch_count) ON logs TO {APP}")
    op.execute(f"GRANT UPDATE (width, hashes) ON log_tiles TO {APP}")
    op.execute(f"GRANT DELETE ON seal_queue TO {APP}")


def _guard() -> None:
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    op.execute(
        "CREATE TRIGGER log_only_grows BEFORE UPDATE ON logs FOR EACH ROW"
        " WHEN (NEW.size < OLD.size OR NEW.batch_count < OLD.batch_count OR NEW.origin <> OLD.origin"
        " OR NEW.region_code <> OLD.region_code) EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER log_stays BEFORE DELETE OR TRUNCATE ON logs FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER tile_only_widens BEFORE UPDATE ON log_tiles FOR EACH ROW"
        " WHEN (substring(NEW.hashes FROM 1 FOR octet_length(OLD.hashes)) IS DISTINCT FROM OLD.hashes)"
        " EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        """
        CREATE FUNCTION refuse_dropping_unsealed() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            missing text;
        BEGIN
            SELECT gone.leaf_id INTO missing FROM gone WHERE NOT EXISTS (
                SELECT 1 FROM log_leaves
                WHERE log_leaves.region_code = gone.region_code AND log_leaves.leaf_id = gone.leaf_id
            ) LIMIT 1;
            IF missing IS NOT NULL THEN
                RAISE EXCEPTION '% is not in the log: dropping it from the queue is refused', missing
                    USING ERRCODE = 'insufficient_privilege';
            END IF;
            RETURN NULL;
        END $$
        """
    )
    op.execute(  # for reconciliation, which must also get past a leaf that somebody has made unreadable
        """
        CREATE FUNCTION leaf_as_json(leaf bytea) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT AS $$
        BEGIN
            RETURN convert_from(leaf, 'UTF8')::jsonb;
        EXCEPTION WHEN OTHERS THEN
            RETURN NULL;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER sealed_first AFTER DELETE ON seal_queue REFERENCING OLD TABLE AS gone"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_dropping_unsealed()"
    )


def downgrade() -> None:
    raise NotImplementedError("The journal has no way back: restore a backup instead.")
