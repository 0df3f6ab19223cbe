"""Holds: part of a voucher reserved before work, redeemed in parts, released or expired.

Why: a provider that starts a job of weeks must know that the subsidy is there when the bill is. A hold's money lies on
the account `held`; every posting from or to it names the hold, so that no hold's part is ever below zero, and a hold
ends exactly once. Its provider and its firm are told (`events`) when it is nearly used and when it has expired. A redemption from a hold may draw nothing (the bills before it drew all that is due), and then it
has no entry; a refund may take from other redemptions of its hold, each by a row of its own.

Revision: 0005, after 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

APP = "voucher_app"

ADDS_UP = "held_fen + redeemed_fen + released_fen = amount_fen"
NOT_NEGATIVE = "held_fen >= 0 AND redeemed_fen >= 0 AND released_fen >= 0"
REGION_FORMAT = "region_code ~ '^[0-9]{6}$'"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    _hold_numbers()
    _holds()
    _hold_shares()
    _postings()
    _redemptions()
    _events()
    _privileges()


def _id(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(collation="C"), nullable=nullable)


def _fen(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def _instant(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _points_to(table: str, column: str, target: str, **options: object) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["region_code", column],
        [f"{target}.region_code", f"{target}.id"],
        name=op.f(f"fk_{table}_region_code_{column}"),
        **options,  # type: ignore[arg-type]
    )


def _hold_numbers() -> None:
    op.create_table(
        "hold_numbers",
        _id("region_code"),
        _id("provider_id"),
        _id("hold_no"),
        _id("hold_id"),
        sa.CheckConstraint(REGION_FORMAT, name=op.f("ck_hold_numbers_region_code_format")),
        sa.PrimaryKeyConstraint("region_code", "provider_id", "hold_no", name=op.f("pk_hold_numbers")),
    )


def _holds() -> None:
    op.create_table(
        "holds",
        _id("region_code"),
        _id("id"),
        _id("voucher_id"),
        _id("programme_id"),
        _id("firm_id"),
        _id("provider_id"),
        _id("mandate_id"),
        _id("hold_no"),
        _id("rule_version_id"),
        _fen("bill_total_fen"),
        _id("status"),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("trace", sa.Text(), nullable=False),
        _id("entry_id"),
        _instant("held_at"),
        _id("held_by"),
        _instant("expires_at"),
        _instant("ended_at", nullable=True),
        sa.Column("end_counted", sa.Text(), nullable=True),
        _fen("amount_fen"),
        _fen("held_fen"),
        _fen("redeemed_fen"),
        _fen("released_fen"),
        sa.CheckConstraint("amount_fen > 0 AND amount_fen <= bill_total_fen", name=op.f("ck_holds_amount_within_bill")),
        sa.CheckConstraint(ADDS_UP, name=op.f("ck_holds_parts_add_up")),
        sa.CheckConstraint(NOT_NEGATIVE, name=op.f("ck_holds_not_negative")),
        sa.CheckConstraint("(status = 'open') = (ended_at IS NULL)", name=op.f("ck_holds_end_complete")),
        sa.CheckConstraint("status = 'open' OR held_fen = 0", name=op.f("ck_holds_ended_holds_nothing")),
        sa.CheckConstraint("status IN ('open', 'redeemed', 'released', 'expired')", name=op.f("ck_holds_status_known")),
        sa.CheckConstraint(REGION_FORMAT, name=op.f("ck_holds_region_code_format")),
        sa.ForeignKeyConstraint(["provider_id"], ["organisations.id"], name=op.f("fk_holds_provider_id")),
        _points_to("holds", "voucher_id", "vouchers"),
        _points_to("holds", "mandate_id", "mandates"),
        _points_to("holds", "rule_version_id", "rule_versions"),
        _points_to("holds", "entry_id", "entries", deferrable=True, initially="DEFERRED"),
        sa.PrimaryKeyConstraint("region_code", "id", name=op.f("pk_holds")),
        sa.UniqueConstraint(
            "region_code", "provider_id", "hold_no", name=op.f("uq_holds_region_code_provider_id_hold_no")
        ),
        sa.UniqueConstraint("region_code", "entry_id", name=op.f("uq_holds_region_code_entry_id")),
    )
    op.create_index(op.f("ix_holds_region_code_voucher_id_id"), "holds", ["region_code", "voucher_id", "id"])
    op.create_index("ix_holds_open", "holds", ["expires_at"], postgresql_where=sa.text("status = 'open'"))


def _hold_shares() -> None:
    op.create_table(
        "hold_shares",
        _id("region_code"),
        _id("hold_id"),
        _id("pool_id"),
        sa.Column("line", sa.SmallInteger(), nullable=False),
        _fen("amount_fen"),
        _fen("held_fen"),
        _fen("redeemed_fen"),
        _fen("released_fen"),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_hold_shares_amount_positive")),
        sa.CheckConstraint(ADDS_UP, name=op.f("ck_hold_shares_parts_add_up")),
        sa.CheckConstraint(NOT_NEGATIVE, name=op.f("ck_hold_shares_not_negative")),
        _points_to("hold_shares", "hold_id", "holds"),
        _points_to("hold_shares", "pool_id", "pools"),
        sa.PrimaryKeyConstraint("region_code", "hold_id", "pool_id", name=op.f("pk_hold_shares")),
        sa.UniqueConstraint("region_code", "hold_id", "line", name=op.f("uq_hold_shares_region_code_hold_id_line")),
    )


def _postings() -> None:
    op.add_column("postings", _id("hold_id", nullable=True))
    op.create_foreign_key(
        op.f("fk_postings_region_code_hold_id"),
        "postings",
        "holds",
        ["region_code", "hold_id"],
        ["region_code", "id"],
    )
    op.create_check_constraint(
        op.f("ck_postings_hold_set"),
        "postings",
        "(source = 'held' OR destination = 'held') = (hold_id IS NOT NULL)",
    )


def _redemptions() -> None:
    op.add_column("redemptions", _id("hold_id", nullable=True))
    op.add_column("redemptions", sa.Column("part_no", sa.SmallInteger(), nullable=True))
    op.alter_column("redemptions", "entry_id", nullable=True)
    op.create_foreign_key(
        op.f("fk_redemptions_region_code_hold_id"),
        "redemptions",
        "holds",
        ["region_code", "hold_id"],
        ["region_code", "id"],
    )
    op.create_index(
        "uq_redemptions_hold_part",
        "redemptions",
        ["region_code", "hold_id", "part_no"],
        unique=True,
        postgresql_where=sa.text("hold_id IS NOT NULL"),
    )
    op.drop_constraint(op.f("ck_redemptions_split_adds_up"), "redemptions")
    for name, condition in {
        "split_adds_up": "subsidy_fen + firm_pays_fen = bill_total_fen",
        "draws_something": "subsidy_fen > 0 OR (subsidy_fen = 0 AND hold_id IS NOT NULL)",
        "entry_where_money_moved": "subsidy_fen = 0 OR entry_id IS NOT NULL",
        "part_numbered": "(hold_id IS NULL) = (part_no IS NULL) AND part_no > 0",
    }.items():
        op.create_check_constraint(op.f(f"ck_redemptions_{name}"), "redemptions", condition)
    op.add_column("refunds", _id("because_of_id", nullable=True))
    op.create_foreign_key(
        op.f("fk_refunds_region_code_because_of_id"),
        "refunds",
        "refunds",
        ["region_code", "because_of_id"],
        ["region_code", "id"],
    )
    op.drop_constraint(op.f("ck_refunds_bill_refund_positive"), "refunds")
    op.create_check_constraint(
        op.f("ck_refunds_bill_refund_positive"),
        "refunds",
        "bill_refund_fen > 0 OR (bill_refund_fen = 0 AND because_of_id IS NOT NULL)",
    )


def _events() -> None:
    op.create_table(
        "events",
        _id("region_code"),
        _id("id"),
        _id("recipient_id"),
        sa.Column(
            "tx_no", sa.BigInteger(), server_default=sa.text("pg_current_xact_id()::text::bigint"), nullable=False
        ),
        _id("kind"),
        _id("subject_id"),
        sa.Column("data", sa.Text(), nullable=False),
        _instant("at"),
        sa.CheckConstraint("kind IN ('hold.nearly_used', 'hold.expired')", name=op.f("ck_events_kind_known")),
        sa.CheckConstraint(REGION_FORMAT, name=op.f("ck_events_region_code_format")),
        sa.ForeignKeyConstraint(["recipient_id"], ["organisations.id"], name=op.f("fk_events_recipient_id")),
        sa.PrimaryKeyConstraint("region_code", "id", name=op.f("pk_events")),
    )
    op.create_index(op.f("ix_events_recipient_id_tx_no_id"), "events", ["recipient_id", "tx_no", "id"])


def _privileges() -> None:
    for table in ("hold_numbers", "holds", "hold_shares", "events"):
        op.execute(f"GRANT SELECT, INSERT ON {table} TO {APP}")
    op.execute(f"GRANT DELETE ON hold_numbers TO {APP}")
    op.execute(
        "GRANT UPDATE (held_fen, redeemed_fen, released_fen, status, expires_at, ended_at, end_counted)"
        f" ON holds TO {APP}"
    )
    op.execute(f"GRANT UPDATE (held_fen, redeemed_fen, released_fen) ON hold_shares TO {APP}")
    op.execute(
        """
        CREATE FUNCTION refuse_giving_back_a_used_hold_number() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF EXISTS (
                SELECT 1 FROM holds
                WHERE region_code = OLD.region_code AND provider_id = OLD.provider_id AND hold_no = OLD.hold_no
            ) THEN
                RAISE EXCEPTION 'hold number % is used: giving it back is refused', OLD.hold_no
                    USING ERRCODE = 'insufficient_privilege';
            END IF;
            RETURN OLD;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER used_stays BEFORE DELETE ON hold_numbers FOR EACH ROW"
        " EXECUTE FUNCTION refuse_giving_back_a_used_hold_number()"
    )
    op.execute(
        "CREATE TRIGGER ended_is_final BEFORE UPDATE ON holds FOR EACH ROW"
        " WHEN (OLD.status <> 'open') EXECUTE FUNCTION refuse_change()"
    )


def downgrade() -> None:
    raise NotImplementedError("The journal has no way back: restore a backup instead.")
