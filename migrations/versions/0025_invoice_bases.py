"""Invoice lines and contracts: how much of each has been subsidised, in the whole country, and by which bills.

Why: a cost is to be subsidised once, and one invoice can be presented in two cities, which see nothing of each other. So
what is claimed of an invoice line is counted in one place for all of them: the only tables of this schema, beside the
shared registries, that have no region in their key. An invoice is known there by its fingerprint, so the table shows
neither its number nor whose it is. Which bill claimed what stands in the region's own uses, which are never changed: the
counters are their sums, and reconciliation recounts them. A line's amount stands as it was first stated as long as
anything of it is claimed; only red-letter invoices, recorded with the refund that they belong to, take something off it. Counters begin with this version: bills of before
named no invoice.

Revision: 0025, after 0024
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

APP = "voucher_app"
NAMES_INVOICES = sa.text("""strpos(facts, '"invoice_uses":[{') > 0""")
REGION_FORMAT = "region_code ~ '^[0-9]{6}$'"


def _id(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(collation="C"), nullable=False)


def _fen(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def _small(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.SmallInteger(), nullable=False)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    _bases()
    _uses()
    _red_letters()
    _privileges()


def _bases() -> None:
    table = "invoice_bases"
    op.create_table(
        table,
        _id("fingerprint"),
        _small("line_no"),
        _id("layer"),
        _fen("stated_fen", nullable=True),
        _fen("limit_fen", nullable=True),
        _fen("used_fen"),
        _fen("granted_fen"),
        sa.CheckConstraint("length(fingerprint) = 64", name=op.f(f"ck_{table}_fingerprint_length")),
        sa.CheckConstraint("line_no >= 0", name=op.f(f"ck_{table}_line_no_not_negative")),
        sa.CheckConstraint("(stated_fen IS NULL) = (limit_fen IS NULL)", name=op.f(f"ck_{table}_amount_known_or_not")),
        sa.CheckConstraint("limit_fen BETWEEN 0 AND stated_fen", name=op.f(f"ck_{table}_limit_within_stated")),
        sa.CheckConstraint("used_fen BETWEEN 0 AND coalesce(limit_fen, 0)", name=op.f(f"ck_{table}_used_within_limit")),
        sa.CheckConstraint("granted_fen >= 0", name=op.f(f"ck_{table}_granted_not_negative")),
        sa.PrimaryKeyConstraint("fingerprint", "line_no", "layer", name=op.f(f"pk_{table}")),
    )


def _uses() -> None:
    table = "invoice_uses"
    op.create_table(
        table,
        _id("region_code"),
        _id("redemption_id"),
        _id("cause_id"),
        _small("bill_line"),
        _id("fingerprint"),
        _small("line_no"),
        _id("layer"),
        _id("provider_id"),
        _fen("base_fen"),
        _fen("granted_fen"),
        sa.CheckConstraint(
            "CASE WHEN cause_id = redemption_id THEN base_fen >= 0 AND granted_fen >= 0"
            " ELSE base_fen <= 0 AND granted_fen <= 0 END",
            name=op.f(f"ck_{table}_claims_or_gives_back"),
        ),
        sa.CheckConstraint("base_fen <> 0 OR granted_fen <> 0", name=op.f(f"ck_{table}_changes_something")),
        sa.CheckConstraint(REGION_FORMAT, name=op.f(f"ck_{table}_region_code_format")),
        sa.ForeignKeyConstraint(
            ["region_code", "redemption_id"],
            ["redemptions.region_code", "redemptions.id"],
            name=op.f(f"fk_{table}_region_code_redemption_id"),
        ),
        sa.PrimaryKeyConstraint(
            "region_code", "redemption_id", "cause_id", "bill_line", "fingerprint", "line_no", name=op.f(f"pk_{table}")
        ),
    )
    op.create_index(op.f(f"ix_{table}_fingerprint_line_no_layer"), table, ["fingerprint", "line_no", "layer"])
    for told in ("redemptions", "refunds"):
        op.create_index(f"ix_{told}_invoice_uses", told, ["region_code", "id"], postgresql_where=NAMES_INVOICES)


def _red_letters() -> None:
    op.create_table(
        "red_invoices",
        _id("fingerprint"),
        _id("blue_fingerprint"),
        sa.CheckConstraint("length(fingerprint) = 64", name=op.f("ck_red_invoices_fingerprint_length")),
        sa.CheckConstraint("fingerprint <> blue_fingerprint", name=op.f("ck_red_invoices_takes_from_another")),
        sa.PrimaryKeyConstraint("fingerprint", name=op.f("pk_red_invoices")),
    )
    table = "red_letters"
    op.create_table(
        table,
        _id("region_code"),
        _id("refund_id"),
        _id("blue_fingerprint"),
        _small("line_no"),
        _id("fingerprint"),
        _fen("amount_fen"),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount_fen > 0", name=op.f(f"ck_{table}_amount_positive")),
        sa.CheckConstraint(REGION_FORMAT, name=op.f(f"ck_{table}_region_code_format")),
        sa.ForeignKeyConstraint(
            ["region_code", "refund_id"],
            ["refunds.region_code", "refunds.id"],
            name=op.f(f"fk_{table}_region_code_refund_id"),
        ),
        sa.PrimaryKeyConstraint("region_code", "refund_id", "blue_fingerprint", "line_no", name=op.f(f"pk_{table}")),
    )
    op.create_index(op.f(f"ix_{table}_blue_fingerprint_line_no"), table, ["blue_fingerprint", "line_no"])


def _privileges() -> None:
    for table in ("invoice_bases", "invoice_uses", "red_invoices", "red_letters"):
        op.execute(f"GRANT SELECT, INSERT ON {table} TO {APP}")
    op.execute(f"GRANT UPDATE (stated_fen, limit_fen, used_fen, granted_fen) ON invoice_bases TO {APP}")
    op.execute(
        "CREATE TRIGGER stated_while_claimed BEFORE UPDATE ON invoice_bases FOR EACH ROW"
        " WHEN (OLD.stated_fen <> NEW.stated_fen AND (OLD.used_fen > 0 OR OLD.limit_fen <> OLD.stated_fen))"
        " EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER limit_only_falls BEFORE UPDATE ON invoice_bases FOR EACH ROW"
        " WHEN (NEW.limit_fen > OLD.limit_fen AND NEW.stated_fen = OLD.stated_fen) EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON invoice_bases"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    for table in ("invoice_uses", "red_invoices", "red_letters"):
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    raise NotImplementedError("The journal has no way back: restore a backup instead.")
