"""Payment codes: the firm's consent for one hold or redemption.

Why: a voucher's code alone spends nothing. A firm that does not want to leave a standing mandate gives one provider a
code that is good once, for minutes, up to a maximum. That it is used once is a claim like an order number's: a row
whose key is the code, inserted before anything is locked, deleted where the command is refused or put off, and
not to be deleted any more once there is a redemption by it.

Revision: 0006, after 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

APP = "voucher_app"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "payment_codes",
        sa.Column("region_code", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("voucher_id", sa.Text(collation="C"), nullable=False),
        sa.Column("provider_id", sa.Text(collation="C"), nullable=False),
        sa.Column("limit_fen", sa.BigInteger(), nullable=False),
        sa.Column("key_id", sa.Text(collation="C"), nullable=False),
        sa.Column("digits_mac", sa.LargeBinary(), nullable=False),
        sa.Column("wrong_digits", sa.SmallInteger(), nullable=False),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(collation="C"), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_by", sa.Text(collation="C"), nullable=True),
        sa.CheckConstraint("limit_fen > 0", name=op.f("ck_payment_codes_limit_positive")),
        sa.CheckConstraint("octet_length(digits_mac) = 32", name=op.f("ck_payment_codes_digits_mac_length")),
        sa.CheckConstraint("wrong_digits BETWEEN 0 AND 5", name=op.f("ck_payment_codes_wrong_digits_counted")),
        sa.CheckConstraint(
            "created_at < valid_until AND valid_until <= created_at + interval '60 minutes'",
            name=op.f("ck_payment_codes_good_for_minutes"),
        ),
        sa.CheckConstraint(
            "(withdrawn_at IS NULL) = (withdrawn_by IS NULL)", name=op.f("ck_payment_codes_withdrawal_complete")
        ),
        sa.CheckConstraint("region_code ~ '^[0-9]{6}$'", name=op.f("ck_payment_codes_region_code_format")),
        sa.ForeignKeyConstraint(["provider_id"], ["organisations.id"], name=op.f("fk_payment_codes_provider_id")),
        sa.ForeignKeyConstraint(
            ["region_code", "voucher_id"],
            ["vouchers.region_code", "vouchers.id"],
            name=op.f("fk_payment_codes_region_code_voucher_id"),
        ),
        sa.PrimaryKeyConstraint("region_code", "id", name=op.f("pk_payment_codes")),
        sa.UniqueConstraint("region_code", "digits_mac", name=op.f("uq_payment_codes_region_code_digits_mac")),
    )
    op.create_index(
        op.f("ix_payment_codes_region_code_voucher_id_provider_id_id"),
        "payment_codes",
        ["region_code", "voucher_id", "provider_id", "id"],
    )
    op.create_table(
        "payment_code_uses",
        sa.Column("region_code", sa.Text(collation="C"), nullable=False),
        sa.Column("payment_code_id", sa.Text(collation="C"), nullable=False),
        sa.Column("used_by", sa.Text(collation="C"), nullable=False),
        sa.ForeignKeyConstraint(
            ["region_code", "payment_code_id"],
            ["payment_codes.region_code", "payment_codes.id"],
            name=op.f("fk_payment_code_uses_region_code_payment_code_id"),
        ),
        sa.PrimaryKeyConstraint("region_code", "payment_code_id", name=op.f("pk_payment_code_uses")),
    )
    for table in ("redemptions", "holds"):
        op.add_column(table, sa.Column("payment_code_id", sa.Text(collation="C"), nullable=True))
        op.alter_column(table, "mandate_id", nullable=True)
        op.create_foreign_key(
            op.f(f"fk_{table}_region_code_payment_code_id"),
            table,
            "payment_codes",
            ["region_code", "payment_code_id"],
            ["region_code", "id"],
        )
        op.create_check_constraint(
            op.f(f"ck_{table}_one_consent"), table, "num_nonnulls(mandate_id, payment_code_id) = 1"
        )
    op.create_unique_constraint(
        op.f("uq_holds_region_code_payment_code_id"), "holds", ["region_code", "payment_code_id"]
    )
    op.create_index(
        "uq_redemptions_payment_code",
        "redemptions",
        ["region_code", "payment_code_id"],
        unique=True,
        postgresql_where=sa.text("payment_code_id IS NOT NULL AND hold_id IS NULL"),
    )
    op.execute(f"GRANT SELECT, INSERT ON payment_codes TO {APP}")
    op.execute(f"GRANT UPDATE (wrong_digits, withdrawn_at, withdrawn_by) ON payment_codes TO {APP}")
    op.execute(f"GRANT SELECT, INSERT, DELETE ON payment_code_uses TO {APP}")
    op.execute(
        """
        CREATE FUNCTION refuse_giving_back_a_used_payment_code() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF EXISTS (SELECT 1 FROM redemptions WHERE region_code = OLD.region_code AND id = OLD.used_by)
                OR EXISTS (SELECT 1 FROM holds WHERE region_code = OLD.region_code AND id = OLD.used_by)
            THEN
                RAISE EXCEPTION 'payment code % is used: giving it back is refused', OLD.payment_code_id
                    USING ERRCODE = 'insufficient_privilege';
            END IF;
            RETURN OLD;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER used_stays BEFORE DELETE ON payment_code_uses FOR EACH ROW"
        " EXECUTE FUNCTION refuse_giving_back_a_used_payment_code()"
    )


def downgrade() -> None:
    raise NotImplementedError("The journal has no way back: restore a backup instead.")
