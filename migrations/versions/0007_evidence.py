"""Evidence of bills: each usage is billed once, and providers are admitted with a price list.

Why: a provider's job or metering number on two bills is either a mistake or a fraud, and only a key over all bills of
that provider sees it. References are claims like order numbers: inserted before the decision, deleted where nothing
came of it, or where the whole bill was cancelled so that it can be billed anew; a trigger holds that. The list of
prices belongs to the admission that a second person approved.

Revision: 0007, after 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

APP = "voucher_app"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "usage_references",
        sa.Column("region_code", sa.Text(collation="C"), nullable=False),
        sa.Column("provider_id", sa.Text(collation="C"), nullable=False),
        sa.Column("usage_ref", sa.Text(collation="C"), nullable=False),
        sa.Column("redemption_id", sa.Text(collation="C"), nullable=False),
        sa.Column("line", sa.SmallInteger(), nullable=False),
        sa.CheckConstraint("line > 0", name=op.f("ck_usage_references_line_positive")),
        sa.CheckConstraint("region_code ~ '^[0-9]{6}$'", name=op.f("ck_usage_references_region_code_format")),
        sa.PrimaryKeyConstraint("region_code", "provider_id", "usage_ref", name=op.f("pk_usage_references")),
    )
    op.create_index(
        op.f("ix_usage_references_region_code_redemption_id"), "usage_references", ["region_code", "redemption_id"]
    )
    op.execute(f"GRANT SELECT, INSERT, DELETE ON usage_references TO {APP}")
    op.execute(
        """
        CREATE FUNCTION refuse_giving_back_a_billed_usage() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF EXISTS (
                SELECT 1 FROM redemptions
                WHERE region_code = OLD.region_code AND id = OLD.redemption_id AND bill_refunded_fen < bill_total_fen
            ) THEN
                RAISE EXCEPTION 'usage % is billed: giving it back is refused', OLD.usage_ref
                    USING ERRCODE = 'insufficient_privilege';
            END IF;
            RETURN OLD;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER billed_stays BEFORE DELETE ON usage_references FOR EACH ROW"
        " EXECUTE FUNCTION refuse_giving_back_a_billed_usage()"
    )
    op.add_column("admissions", sa.Column("prices", sa.Text(), nullable=True))
    op.execute(f"GRANT UPDATE (prices) ON admissions TO {APP}")


def downgrade() -> None:
    raise NotImplementedError("The journal has no way back: restore a backup instead.")
