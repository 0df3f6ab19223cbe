"""Payment orders, what the bank said of them, and recoveries.

Why: redeemed money is owed until the treasury has paid it. A payment order takes redemptions of one payee, as they stand,
into payment; the bank's confirmation or return is recorded once per reference. A redemption is in one live order at
most, which an index holds and no code has to. A refund of money that has been sent is no refund but a recovery: due
once the payment is confirmed, received at the bank, or a refund after all where the payment bounced. `recovered_fen`
of a redemption is what its payee has to pay back, received or not, so that no part is asked back twice.
A payment order's entries need two persons from now on, and there are two more acts to approve.
`ix_vouchers_not_ended` finds the vouchers that have expired; ended ones leave it.

Revision: 0011, after 0010
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
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
)
DUAL_CONTROL = ("adjust", "appropriate", "authorise", "issue", "move", "order_payment", "reverse", "void")
REGION_FORMAT = "region_code ~ '^[0-9]{6}$'"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    _payment_orders()
    _payment_results()
    _payment_items()
    _recoveries()
    _redemptions()
    _known_kinds()
    op.create_index(
        "ix_vouchers_not_ended", "vouchers", ["redeemable_until"], postgresql_where=sa.text("ended_as IS NULL")
    )
    _privileges()


def _id(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(collation="C"), nullable=nullable)


def _fen(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def _instant(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _points_to(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["region_code", column],
        [f"{target}.region_code", f"{target}.id"],
        name=op.f(f"fk_{table}_region_code_{column}"),
    )


def _payment_orders() -> None:
    op.create_table(
        "payment_orders",
        _id("region_code"),
        _id("id"),
        _id("authority_id"),
        _id("payee_id"),
        _fen("item_count"),
        _fen("total_fen"),
        _id("status"),
        sa.Column("reason", sa.Text(), nullable=True),
        _instant("proposed_at"),
        _id("proposed_by"),
        _instant("decided_at", nullable=True),
        _id("decided_by", nullable=True),
        sa.CheckConstraint(
            "status IN ('proposed', 'ordered', 'rejected')", name=op.f("ck_payment_orders_status_known")
        ),
        sa.CheckConstraint("item_count > 0 AND total_fen > 0", name=op.f("ck_payment_orders_pays_something")),
        sa.CheckConstraint(
            "(status = 'proposed') = (decided_at IS NULL) AND (decided_at IS NULL) = (decided_by IS NULL)",
            name=op.f("ck_payment_orders_decision_complete"),
        ),
        sa.CheckConstraint(
            "decided_by IS NULL OR decided_by <> proposed_by", name=op.f("ck_payment_orders_two_persons")
        ),
        sa.CheckConstraint(REGION_FORMAT, name=op.f("ck_payment_orders_region_code_format")),
        sa.ForeignKeyConstraint(["authority_id"], ["organisations.id"], name=op.f("fk_payment_orders_authority_id")),
        sa.ForeignKeyConstraint(["payee_id"], ["organisations.id"], name=op.f("fk_payment_orders_payee_id")),
        sa.PrimaryKeyConstraint("region_code", "id", name=op.f("pk_payment_orders")),
    )
    op.create_index(op.f("ix_payment_orders_payee_id_id"), "payment_orders", ["payee_id", "id"])


def _payment_results() -> None:
    op.create_table(
        "payment_results",
        _id("region_code"),
        _id("id"),
        _id("order_id"),
        _id("kind"),
        _id("bank_reference"),
        _fen("total_fen"),
        sa.Column("reason", sa.Text(), nullable=True),
        _instant("recorded_at"),
        _id("recorded_by"),
        sa.CheckConstraint("kind IN ('confirmed', 'bounced')", name=op.f("ck_payment_results_kind_known")),
        sa.CheckConstraint("total_fen > 0", name=op.f("ck_payment_results_total_positive")),
        sa.CheckConstraint(REGION_FORMAT, name=op.f("ck_payment_results_region_code_format")),
        _points_to("payment_results", "order_id", "payment_orders"),
        sa.PrimaryKeyConstraint("region_code", "id", name=op.f("pk_payment_results")),
        sa.UniqueConstraint(
            "region_code", "kind", "bank_reference", name=op.f("uq_payment_results_region_code_kind_bank_reference")
        ),
    )
    op.create_index(
        op.f("ix_payment_results_region_code_order_id_id"), "payment_results", ["region_code", "order_id", "id"]
    )


def _payment_items() -> None:
    op.create_table(
        "payment_items",
        _id("region_code"),
        _id("order_id"),
        _id("redemption_id"),
        _fen("amount_fen"),
        _id("status"),
        _id("order_entry_id", nullable=True),
        _id("confirm_entry_id", nullable=True),
        _id("confirm_result_id", nullable=True),
        _id("bounce_entry_id", nullable=True),
        _id("bounce_result_id", nullable=True),
        sa.CheckConstraint(
            "status IN ('proposed', 'rejected', 'in_payment', 'confirmed', 'bounced')",
            name=op.f("ck_payment_items_status_known"),
        ),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_payment_items_amount_positive")),
        sa.CheckConstraint(
            "(status IN ('proposed', 'rejected')) = (order_entry_id IS NULL)",
            name=op.f("ck_payment_items_ordered_by_an_entry"),
        ),
        sa.CheckConstraint(
            "(confirm_entry_id IS NULL) = (confirm_result_id IS NULL)"
            " AND (status <> 'confirmed' OR confirm_entry_id IS NOT NULL)"
            " AND (status NOT IN ('proposed', 'rejected', 'in_payment') OR confirm_entry_id IS NULL)",
            name=op.f("ck_payment_items_confirmed_by_an_entry"),
        ),
        sa.CheckConstraint(
            "(bounce_entry_id IS NULL) = (bounce_result_id IS NULL)"
            " AND (status = 'bounced') = (bounce_entry_id IS NOT NULL)",
            name=op.f("ck_payment_items_bounced_by_an_entry"),
        ),
        _points_to("payment_items", "order_id", "payment_orders"),
        _points_to("payment_items", "redemption_id", "redemptions"),
        _points_to("payment_items", "order_entry_id", "entries"),
        _points_to("payment_items", "confirm_entry_id", "entries"),
        _points_to("payment_items", "bounce_entry_id", "entries"),
        _points_to("payment_items", "confirm_result_id", "payment_results"),
        _points_to("payment_items", "bounce_result_id", "payment_results"),
        sa.PrimaryKeyConstraint("region_code", "order_id", "redemption_id", name=op.f("pk_payment_items")),
    )
    op.create_index(
        "uq_payment_items_live",
        "payment_items",
        ["region_code", "redemption_id"],
        unique=True,
        postgresql_where=sa.text("status IN ('proposed', 'in_payment', 'confirmed')"),
    )


def _recoveries() -> None:
    op.create_table(
        "recoveries",
        _id("region_code"),
        _id("id"),
        _id("refund_id"),
        _id("redemption_id"),
        _id("payee_id"),
        _fen("amount_fen"),
        sa.Column("parts", sa.Text(), nullable=False),
        sa.Column("counted", sa.Text(), nullable=False),
        sa.Column("restored", sa.Boolean(), nullable=False),
        _id("status"),
        _fen("treasury_fen"),
        _id("bank_reference", nullable=True),
        _id("claim_entry_id", nullable=True),
        _id("receipt_entry_id", nullable=True),
        _id("refunded_as_id", nullable=True),
        _instant("recorded_at"),
        _instant("ended_at", nullable=True),
        _id("ended_by", nullable=True),
        sa.CheckConstraint(
            "status IN ('recorded', 'due', 'received', 'refunded')", name=op.f("ck_recoveries_status_known")
        ),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_recoveries_amount_positive")),
        sa.CheckConstraint("treasury_fen BETWEEN 0 AND amount_fen", name=op.f("ck_recoveries_treasury_within_amount")),
        sa.CheckConstraint(
            "(status IN ('recorded', 'due')) = (ended_at IS NULL) AND (ended_at IS NULL) = (ended_by IS NULL)",
            name=op.f("ck_recoveries_end_complete"),
        ),
        sa.CheckConstraint(
            "(status = 'received') = (receipt_entry_id IS NOT NULL)"
            " AND (receipt_entry_id IS NULL) = (bank_reference IS NULL)",
            name=op.f("ck_recoveries_received_by_an_entry"),
        ),
        sa.CheckConstraint(
            "(status = 'refunded') = (refunded_as_id IS NOT NULL)", name=op.f("ck_recoveries_refunded_by_a_refund")
        ),
        sa.CheckConstraint(
            "status NOT IN ('due', 'received') OR claim_entry_id IS NOT NULL",
            name=op.f("ck_recoveries_claimed_by_an_entry"),
        ),
        sa.CheckConstraint("NOT restored OR status = 'received'", name=op.f("ck_recoveries_restored_when_received")),
        sa.CheckConstraint(REGION_FORMAT, name=op.f("ck_recoveries_region_code_format")),
        sa.ForeignKeyConstraint(["payee_id"], ["organisations.id"], name=op.f("fk_recoveries_payee_id")),
        _points_to("recoveries", "refund_id", "refunds"),
        _points_to("recoveries", "redemption_id", "redemptions"),
        _points_to("recoveries", "claim_entry_id", "entries"),
        _points_to("recoveries", "receipt_entry_id", "entries"),
        _points_to("recoveries", "refunded_as_id", "refunds"),
        sa.PrimaryKeyConstraint("region_code", "id", name=op.f("pk_recoveries")),
        sa.UniqueConstraint("region_code", "refund_id", name=op.f("uq_recoveries_region_code_refund_id")),
    )
    op.create_index(
        op.f("ix_recoveries_region_code_redemption_id_id"), "recoveries", ["region_code", "redemption_id", "id"]
    )
    op.create_index(op.f("ix_recoveries_payee_id_id"), "recoveries", ["payee_id", "id"])


def _redemptions() -> None:
    op.add_column("redemptions", sa.Column("recovered_fen", sa.BigInteger(), nullable=False, server_default="0"))
    op.alter_column("redemptions", "recovered_fen", server_default=None)
    op.drop_constraint(op.f("ck_redemptions_refunded_within_subsidy"), "redemptions", type_="check")
    op.create_check_constraint(
        op.f("ck_redemptions_refunded_within_subsidy"),
        "redemptions",
        "refunded_fen >= 0 AND recovered_fen >= 0 AND refunded_fen + recovered_fen <= subsidy_fen",
    )


def _known_kinds() -> None:
    op.drop_constraint(op.f("ck_approvals_kind_known"), "approvals", type_="check")
    op.create_check_constraint(op.f("ck_approvals_kind_known"), "approvals", f"kind IN ({_listed(APPROVAL_KINDS)})")
    op.drop_constraint(op.f("ck_entries_dual_control"), "entries", type_="check")
    op.create_check_constraint(
        op.f("ck_entries_dual_control"),
        "entries",
        f"kind NOT IN ({_listed(DUAL_CONTROL)}) OR (maker_id IS NOT NULL AND checker_id IS NOT NULL)",
    )


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(f"'{word}'" for word in words)


def _privileges() -> None:
    for table in ("payment_orders", "payment_results", "payment_items", "recoveries"):
        op.execute(f"GRANT SELECT, INSERT ON {table} TO {APP}")
    op.execute(f"GRANT UPDATE (status, decided_at, decided_by) ON payment_orders TO {APP}")
    op.execute(
        "GRANT UPDATE (status, order_entry_id, confirm_entry_id, confirm_result_id, bounce_entry_id, bounce_result_id)"
        f" ON payment_items TO {APP}"
    )
    op.execute(
        "GRANT UPDATE (status, restored, treasury_fen, bank_reference, claim_entry_id, receipt_entry_id,"
        f" refunded_as_id, ended_at, ended_by) ON recoveries TO {APP}"
    )
    op.execute(f"GRANT UPDATE (recovered_fen) ON redemptions TO {APP}")
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payment_results"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def downgrade() -> None:
    raise NotImplementedError("The journal has no way back: restore a backup instead.")
