"""A voucher's life after its issue: extensions, each a sealed fact of its own.

Why: validity decides what may be drawn, and auditors judge by it. What a voucher was issued with stands in the leaf of
its issue; so whatever makes it valid longer is written down once, by two persons, and sealed as an audit event, and a
trigger lets the columns of the voucher change only to what such a row says, and only later. Where the rules say so, a
frozen voucher's validity stands still meanwhile; lifting the freeze is then an extension too. Firms are reminded before a
balance expires, each time once: a programme's mark says how far its reminders have come. And a city shares a programme's
pool out to counties, whose officials issue from their own pool: batches and approvals name the county.

Revision: 0022, after 0021
"""

from __future__ import annotations

import re

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

APP = "voucher_app"


def _id(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(collation="C"), nullable=nullable)


def _instant(name: str) -> sa.Column[sa.DateTime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("vouchers", sa.Column("stands_still", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.create_check_constraint(
        op.f("ck_vouchers_stands_while_frozen"), "vouchers", "NOT stands_still OR frozen_at IS NOT NULL"
    )
    op.execute(f"GRANT UPDATE (stands_still) ON vouchers TO {APP}")
    _extensions()
    _know("events", "ck_events_kind_known", "kind", ("voucher.expiring",))
    _reminder_marks()
    for table, columns in (("issuance_batches", ("county_code", "authority_id")), ("approvals", ("county_code",))):
        for column in columns:
            op.add_column(table, _id(column, nullable=True))
    op.create_check_constraint(
        op.f("ck_issuance_batches_county_complete"),
        "issuance_batches",
        "(county_code IS NULL) = (authority_id IS NULL)",
    )


def _know(table: str, name: str, column: str, more: tuple[str, ...]) -> None:
    """Let a closed list know more words, whatever words it knows by now."""
    written = op.get_bind().execute(
        sa.text(
            "SELECT pg_get_constraintdef(c.oid) FROM pg_constraint c"
            " WHERE c.conname = :name AND c.conrelid = CAST(:table AS regclass)"
        ),
        {"name": name, "table": table},
    )
    known = re.findall(r"'([^']+)'", written.scalar_one())
    listed = ", ".join(f"'{word}'" for word in dict.fromkeys((*known, *more)))
    op.drop_constraint(op.f(name), table, type_="check")
    op.create_check_constraint(op.f(name), table, f"{column} IN ({listed})")


def _extensions() -> None:
    op.create_table(
        "extensions",
        _id("region_code"),
        _id("voucher_id"),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        _id("ground"),
        _instant("valid_until_before"),
        _instant("redeemable_until_before"),
        _instant("valid_until"),
        _instant("redeemable_until"),
        sa.Column("document_no", sa.Text(), nullable=True),
        _id("approval_id"),
        _id("event_id"),
        _instant("extended_at"),
        _id("made_by"),
        _id("decided_by"),
        sa.CheckConstraint("ground IN ('rules', 'exception', 'freeze')", name=op.f("ck_extensions_ground_known")),
        sa.CheckConstraint("number > 0", name=op.f("ck_extensions_number_positive")),
        sa.CheckConstraint("made_by <> decided_by", name=op.f("ck_extensions_two_persons")),
        sa.CheckConstraint(
            "valid_until >= valid_until_before AND redeemable_until >= redeemable_until_before"
            " AND (valid_until > valid_until_before OR redeemable_until > redeemable_until_before)"
            " AND valid_until <= redeemable_until",
            name=op.f("ck_extensions_grows"),
        ),
        sa.CheckConstraint(
            "(ground = 'exception') = (document_no IS NOT NULL)", name=op.f("ck_extensions_exception_has_a_document")
        ),
        sa.CheckConstraint("region_code ~ '^[0-9]{6}$'", name=op.f("ck_extensions_region_code_format")),
        *(
            sa.ForeignKeyConstraint(
                ["region_code", column],
                [f"{table}.region_code", f"{table}.id"],
                name=op.f(f"fk_extensions_region_code_{column}"),
            )
            for column, table in (
                ("voucher_id", "vouchers"),
                ("approval_id", "approvals"),
                ("event_id", "audit_events"),
            )
        ),
        sa.UniqueConstraint("region_code", "event_id", name=op.f("uq_extensions_region_code_event_id")),
        sa.UniqueConstraint(
            "region_code", "approval_id", "voucher_id", name=op.f("uq_extensions_region_code_approval_id_voucher_id")
        ),
        sa.PrimaryKeyConstraint("region_code", "voucher_id", "number", name=op.f("pk_extensions")),
    )
    op.execute(f"GRANT SELECT, INSERT ON extensions TO {APP}")
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON extensions"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        """
        CREATE FUNCTION refuse_validity_without_extension() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF OLD.ended_as IS NOT NULL OR NOT EXISTS (
                SELECT 1 FROM extensions x
                WHERE x.region_code = OLD.region_code AND x.voucher_id = OLD.id
                    AND x.valid_until_before = OLD.valid_until AND x.valid_until = NEW.valid_until
                    AND x.redeemable_until_before = OLD.redeemable_until AND x.redeemable_until = NEW.redeemable_until
            ) THEN
                RAISE EXCEPTION 'the validity of % changes by an extension, and by nothing else', OLD.id
                    USING ERRCODE = 'insufficient_privilege';
            END IF;
            RETURN NEW;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER validity_grows_by_extension"
        " BEFORE UPDATE OF valid_from, valid_until, redeemable_until ON vouchers FOR EACH ROW"
        " WHEN ((OLD.valid_from, OLD.valid_until, OLD.redeemable_until)"
        " IS DISTINCT FROM (NEW.valid_from, NEW.valid_until, NEW.redeemable_until))"
        " EXECUTE FUNCTION refuse_validity_without_extension()"
    )


def _reminder_marks() -> None:
    op.create_table(
        "reminder_marks",
        _id("region_code"),
        _id("programme_id"),
        _instant("looked_at"),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        _id("after_id"),
        sa.CheckConstraint("until > looked_at", name=op.f("ck_reminder_marks_until_later")),
        sa.CheckConstraint("region_code ~ '^[0-9]{6}$'", name=op.f("ck_reminder_marks_region_code_format")),
        sa.ForeignKeyConstraint(
            ["region_code", "programme_id"],
            ["programmes.region_code", "programmes.id"],
            name=op.f("fk_reminder_marks_region_code_programme_id"),
        ),
        sa.PrimaryKeyConstraint("region_code", "programme_id", name=op.f("pk_reminder_marks")),
    )
    op.execute(f"GRANT SELECT, INSERT ON reminder_marks TO {APP}")
    op.execute(f"GRANT UPDATE (looked_at, until, after_id) ON reminder_marks TO {APP}")


def downgrade() -> None:
    raise NotImplementedError("The journal has no way back: restore a backup instead.")
