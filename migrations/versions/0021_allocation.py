"""Allocation rounds: a frozen list, a lottery's seed, the awards a second person approved, and who waits.

Why: who gets what, when the money is not enough for all, must not be anybody's choice. The list is written down and
hashed before a lottery's seed can be known, and neither changes afterwards: the rows of the list and of the awards are
append-only, the seed and what it was announced as are set once, and what decides is compared with its hash before
anything is issued. One round of a programme is open at a time, so that nobody stands on two lists for the same money.

Revision: 0021, after 0020
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

APP = "voucher_app"
REGION_FORMAT = "region_code ~ '^[0-9]{6}$'"


def _id(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(collation="C"), nullable=nullable)


def _words(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _fen(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=False)


def _instant(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _to(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["region_code", column],
        [f"{other}.region_code", f"{other}.id"],
        name=op.f(f"fk_{table}_region_code_{column}"),
    )


def _check(table: str, name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"ck_{table}_{name}"))


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    _rounds()
    _candidates()
    _awards()
    _waitlist()
    _privileges()


def _rounds() -> None:
    table = "allocation_rounds"
    op.create_table(
        table,
        _id("region_code"),
        _id("id"),
        _id("programme_id"),
        _id("rule_version_id"),
        _words("title"),
        _id("status"),
        _id("method"),
        _fen("budget_fen"),
        _number("candidate_count"),
        _fen("asked_total_fen"),
        _id("frozen_sha256"),
        _words("announcement", nullable=True),
        _words("seed_format", nullable=True),
        _instant("draws_at", nullable=True),
        _instant("frozen_at"),
        _id("frozen_by"),
        _words("seed", nullable=True),
        _instant("drawn_at", nullable=True),
        _id("drawn_by", nullable=True),
        _words("left_out", nullable=True),
        _id("awards_sha256", nullable=True),
        _fen("granted_total_fen", nullable=True),
        _id("batch_id", nullable=True),
        _id("approval_id", nullable=True),
        _instant("decided_at", nullable=True),
        _words("reason", nullable=True),
        _check(table, "status_known", "status IN ('frozen', 'drawn', 'submitted', 'executed', 'cancelled')"),
        _check(table, "amounts", "budget_fen >= 0 AND candidate_count > 0 AND asked_total_fen > 0"),
        _check(table, "frozen_sha256_length", "length(frozen_sha256) = 64"),
        _check(
            table,
            "lottery_announced",
            "num_nonnulls(announcement, seed_format, draws_at) = CASE method WHEN 'lottery' THEN 3 ELSE 0 END",
        ),
        _check(table, "draw_complete", "num_nonnulls(seed, drawn_at, drawn_by) IN (0, 3)"),
        _check(table, "seed_after_the_list", "seed IS NULL OR drawn_at >= draws_at AND draws_at > frozen_at"),
        _check(
            table,
            "drawn_first",
            "status NOT IN ('submitted', 'executed') OR method <> 'lottery' OR seed IS NOT NULL",
        ),
        _check(
            table,
            "awards_while",
            "(awards_sha256 IS NOT NULL) = (status IN ('submitted', 'executed'))"
            " AND (awards_sha256 IS NULL) = (granted_total_fen IS NULL)"
            " AND (awards_sha256 IS NULL) = (left_out IS NULL)",
        ),
        _check(table, "within_budget", "granted_total_fen BETWEEN 0 AND budget_fen"),
        _check(table, "batch_where_granted", "(batch_id IS NOT NULL) = (coalesce(granted_total_fen, 0) > 0)"),
        _check(table, "decided_at_set", "(decided_at IS NOT NULL) = (status IN ('executed', 'cancelled'))"),
        _check(table, "cancelled_with_reason", "status <> 'cancelled' OR reason IS NOT NULL"),
        _check(table, "region_code_format", REGION_FORMAT),
        _to(table, "programme_id", "programmes"),
        _to(table, "rule_version_id", "rule_versions"),
        _to(table, "batch_id", "issuance_batches"),
        _to(table, "approval_id", "approvals"),
        sa.PrimaryKeyConstraint("region_code", "id", name=op.f(f"pk_{table}")),
        sa.UniqueConstraint("region_code", "batch_id", name=op.f(f"uq_{table}_region_code_batch_id")),
    )
    op.create_index(op.f(f"ix_{table}_region_code_programme_id_id"), table, ["region_code", "programme_id", "id"])
    op.create_index(
        "uq_allocation_rounds_open",
        table,
        ["region_code", "programme_id"],
        unique=True,
        postgresql_where=sa.text("status NOT IN ('executed', 'cancelled')"),
    )


def _candidates() -> None:
    table = "allocation_candidates"
    op.create_table(
        table,
        _id("region_code"),
        _id("round_id"),
        _number("place"),
        _id("reference_no"),
        _id("firm_id"),
        _fen("asked_fen"),
        _id("score", nullable=True),
        _words("tier", nullable=True),
        _words("project", nullable=True),
        _words("project_level", nullable=True),
        _fen("granted_before_fen"),
        _words("terms", nullable=True),
        _id("application_id", nullable=True),
        _check(table, "amounts", "asked_fen > 0 AND granted_before_fen >= 0 AND place > 0"),
        _check(table, "project_complete", "(project IS NULL) = (project_level IS NULL)"),
        sa.ForeignKeyConstraint(["firm_id"], ["organisations.id"], name=op.f(f"fk_{table}_firm_id")),
        _to(table, "round_id", "allocation_rounds"),
        _to(table, "application_id", "applications"),
        sa.PrimaryKeyConstraint("region_code", "round_id", "place", name=op.f(f"pk_{table}")),
        sa.UniqueConstraint(
            "region_code", "round_id", "reference_no", name=op.f(f"uq_{table}_region_code_round_id_reference_no")
        ),
    )
    op.create_index(op.f(f"ix_{table}_firm_id_region_code_round_id"), table, ["firm_id", "region_code", "round_id"])
    op.create_index(
        op.f(f"ix_{table}_region_code_application_id"),
        table,
        ["region_code", "application_id"],
        postgresql_where=sa.text("application_id IS NOT NULL"),
    )


def _awards() -> None:
    table = "allocation_awards"
    op.create_table(
        table,
        _id("region_code"),
        _id("round_id"),
        _number("place"),
        _number("rank"),
        _fen("granted_fen"),
        _id("reason", nullable=True),
        _fen("waits_fen"),
        _check(
            table,
            "reason_known",
            "reason IN ('BUDGET_EXHAUSTED', 'TIER_FULL', 'TIER_UNKNOWN', 'ENTITLEMENT', 'LEFT_OUT')",
        ),
        _check(table, "amounts", "granted_fen >= 0 AND waits_fen >= 0 AND rank > 0"),
        sa.ForeignKeyConstraint(
            ["region_code", "round_id", "place"],
            ["allocation_candidates.region_code", "allocation_candidates.round_id", "allocation_candidates.place"],
            name=op.f(f"fk_{table}_region_code_round_id_place"),
        ),
        sa.PrimaryKeyConstraint("region_code", "round_id", "place", name=op.f(f"pk_{table}")),
        sa.UniqueConstraint("region_code", "round_id", "rank", name=op.f(f"uq_{table}_region_code_round_id_rank")),
    )


def _waitlist() -> None:
    table = "waitlist"
    op.create_table(
        table,
        _id("region_code"),
        _id("round_id"),
        _number("place"),
        _id("programme_id"),
        _number("rank"),
        _id("firm_id"),
        _fen("waits_fen"),
        _instant("since_at"),
        _id("batch_id", nullable=True),
        _instant("ended_at", nullable=True),
        _id("ended_as", nullable=True),
        _id("approval_id", nullable=True),
        _check(table, "ended_as_known", "ended_as IN ('promoted', 'ended')"),
        _check(table, "waits_for_something", "waits_fen > 0"),
        _check(table, "end_complete", "num_nonnulls(ended_at, ended_as, approval_id) IN (0, 3)"),
        _check(table, "promoted_by_a_batch", "ended_as <> 'promoted' OR batch_id IS NOT NULL"),
        _check(table, "ended_without_a_batch", "ended_as <> 'ended' OR batch_id IS NULL"),
        sa.ForeignKeyConstraint(
            ["region_code", "round_id", "place"],
            ["allocation_awards.region_code", "allocation_awards.round_id", "allocation_awards.place"],
            name=op.f(f"fk_{table}_region_code_round_id_place"),
        ),
        _to(table, "programme_id", "programmes"),
        _to(table, "batch_id", "issuance_batches"),
        _to(table, "approval_id", "approvals"),
        sa.ForeignKeyConstraint(["firm_id"], ["organisations.id"], name=op.f(f"fk_{table}_firm_id")),
        sa.PrimaryKeyConstraint("region_code", "round_id", "place", name=op.f(f"pk_{table}")),
    )
    op.create_index(
        "ix_waitlist_live",
        table,
        ["region_code", "programme_id", "round_id", "rank"],
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index(
        op.f(f"ix_{table}_region_code_batch_id"),
        table,
        ["region_code", "batch_id"],
        postgresql_where=sa.text("batch_id IS NOT NULL"),
    )


def _privileges() -> None:
    for table in ("allocation_rounds", "allocation_candidates", "allocation_awards", "waitlist"):
        op.execute(f"GRANT SELECT, INSERT ON {table} TO {APP}")
    op.execute(
        "GRANT UPDATE (status, seed, drawn_at, drawn_by, left_out, awards_sha256, granted_total_fen, batch_id, approval_id,"
        f" decided_at, reason) ON allocation_rounds TO {APP}"
    )
    op.execute(f"GRANT UPDATE (batch_id, ended_at, ended_as, approval_id) ON waitlist TO {APP}")
    for table, name, condition in (
        ("allocation_rounds", "decided_once", "OLD.decided_at IS NOT NULL"),
        ("allocation_rounds", "seed_stays", "OLD.seed IS NOT NULL AND NEW.seed IS DISTINCT FROM OLD.seed"),
        ("waitlist", "ended_once", "OLD.ended_at IS NOT NULL"),
    ):
        op.execute(
            f"CREATE TRIGGER {name} BEFORE UPDATE ON {table} FOR EACH ROW"
            f" WHEN ({condition}) EXECUTE FUNCTION refuse_change()"
        )
    for table in ("allocation_rounds", "waitlist"):
        op.execute(
            f"CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    for table in ("allocation_candidates", "allocation_awards"):
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    raise NotImplementedError("The journal has no way back: restore a backup instead.")
