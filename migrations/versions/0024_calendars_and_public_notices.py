"""Tables of holidays, and lists that are shown to the public before the next step (公示).

Why: deadlines and periods of public notice are counted in working days, which nobody can reckon: the State Council says
year by year which days are off and which weekends are worked. A year's table is loaded with the number of that notice;
a later one of the same year is a new version, and the old one stays. The tables of 2024 to 2026 come with this step,
taken from the notices' text, so that the service can count from its first day.
A public notice shows a list (vouchers, rows to be issued, admissions, redemptions to be paid) for some working days, and
anybody may object to one item, which is then frozen alone. What was shown and what was answered stays; who objected
stands in a table of its own, the only one here from which rows may be deleted, so that personal data can be erased.

Revision: 0024, after 0023
"""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

APP = "voucher_app"

# The year's notice; then each holiday's name, its days (MMDD, a span or one), and the days worked for it.
TABLES = {
    2024: (
        "国办发明电〔2023〕7号",
        (
            ("元旦", "0101", ()),
            ("春节", "0210-0217", ("0204", "0218")),
            ("清明节", "0404-0406", ("0407",)),
            ("劳动节", "0501-0505", ("0428", "0511")),
            ("端午节", "0610", ()),
            ("中秋节", "0915-0917", ("0914",)),
            ("国庆节", "1001-1007", ("0929", "1012")),
        ),
    ),
    2025: (
        "国办发明电〔2024〕12号",
        (
            ("元旦", "0101", ()),
            ("春节", "0128-0204", ("0126", "0208")),
            ("清明节", "0404-0406", ()),
            ("劳动节", "0501-0505", ("0427",)),
            ("端午节", "0531-0602", ()),
            ("国庆节、中秋节", "1001-1008", ("0928", "1011")),
        ),
    ),
    2026: (
        "国办发明电〔2025〕7号",
        (
            ("元旦", "0101-0103", ("0104",)),
            ("春节", "0215-0223", ("0214", "0228")),
            ("清明节", "0404-0406", ()),
            ("劳动节", "0501-0505", ("0509",)),
            ("端午节", "0619-0621", ()),
            ("中秋节", "0925-0927", ()),
            ("国庆节", "1001-1007", ("0920", "1010")),
        ),
    ),
}


def _id(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(collation="C"), nullable=nullable)


def _instant(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    _calendars()
    _load_tables()
    _notices()
    _items()
    _objections()
    _privileges()


def _calendars() -> None:
    op.create_table(
        "calendar_tables",
        sa.Column("year", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("document_no", sa.Text(), nullable=False),
        _instant("loaded_at"),
        _id("loaded_by"),
        sa.CheckConstraint("year BETWEEN 2000 AND 2999", name=op.f("ck_calendar_tables_year_known")),
        sa.CheckConstraint("version >= 1", name=op.f("ck_calendar_tables_version_counts")),
        sa.PrimaryKeyConstraint("year", "version", name=op.f("pk_calendar_tables")),
    )
    op.create_table(
        "calendar_days",
        sa.Column("year", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        _id("kind"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.CheckConstraint("kind IN ('holiday', 'make_up_day')", name=op.f("ck_calendar_days_kind_known")),
        sa.CheckConstraint(
            "EXTRACT(year FROM day) = year OR (EXTRACT(year FROM day) = year - 1 AND EXTRACT(month FROM day) = 12)",
            name=op.f("ck_calendar_days_day_of_its_year"),
        ),
        sa.CheckConstraint(
            "kind = 'holiday' OR EXTRACT(isodow FROM day) >= 6", name=op.f("ck_calendar_days_made_up_at_weekends")
        ),
        sa.ForeignKeyConstraint(
            ["year", "version"],
            ["calendar_tables.year", "calendar_tables.version"],
            name=op.f("fk_calendar_days_year_version"),
        ),
        sa.PrimaryKeyConstraint("year", "version", "day", name=op.f("pk_calendar_days")),
    )
    for table in ("calendar_tables", "calendar_days"):
        op.execute(f"GRANT SELECT, INSERT ON {table} TO {APP}")
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def _load_tables() -> None:
    table = sa.text(
        "INSERT INTO calendar_tables (year, version, document_no, loaded_at, loaded_by)"
        " VALUES (:year, 1, :document_no, clock_timestamp(), 'system')"
    )
    day = sa.text(
        "INSERT INTO calendar_days (year, version, day, kind, name)"
        " SELECT :year, 1, day, :kind, :name FROM generate_series(CAST(:first AS date), :last, '1 day') AS day"
    )
    connection = op.get_bind()
    for year, (document_no, holidays) in TABLES.items():
        connection.execute(table, {"year": year, "document_no": document_no})
        for name, span, worked in holidays:
            spans = [(span, "holiday"), *((on, "make_up_day") for on in worked)]
            for days, kind in spans:
                first, _, last = days.partition("-")
                bound = {"first": _day(year, first), "last": _day(year, last or first)}
                connection.execute(day, {"year": year, "kind": kind, "name": name} | bound)


def _day(year: int, written: str) -> dt.date:
    return dt.date(year, int(written[:2]), int(written[2:]))


def _notices() -> None:
    table = "public_notices"
    op.create_table(
        table,
        _id("region_code"),
        _id("id"),
        _id("programme_id"),
        _id("authority_id"),
        _id("subject_kind"),
        sa.Column("subject", sa.Text(), nullable=False),
        _id("batch_id", nullable=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("document_no", sa.Text(), nullable=False),
        sa.Column("contact", sa.Text(), nullable=False),
        sa.Column("basis", sa.Text(), nullable=True),
        sa.Column("working_days", sa.SmallInteger(), nullable=False),
        sa.Column("retention_days", sa.SmallInteger(), nullable=False),
        sa.Column("item_count", sa.BigInteger(), nullable=False),
        sa.Column("total_fen", sa.BigInteger(), nullable=False),
        _id("state"),
        _instant("created_at"),
        _id("created_by"),
        _instant("published_at", nullable=True),
        sa.Column("ends_on", sa.Date(), nullable=True),
        _instant("ends_at", nullable=True),
        _instant("shown_until", nullable=True),
        _instant("withdrawn_at", nullable=True),
        sa.Column("withdrawal_reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "state IN ('draft', 'submitted', 'published', 'withdrawn')", name=op.f("ck_public_notices_state_known")
        ),
        sa.CheckConstraint(
            "subject_kind IN ('batch', 'vouchers', 'admissions', 'redemptions')",
            name=op.f("ck_public_notices_subject_kind_known"),
        ),
        sa.CheckConstraint(
            "working_days BETWEEN 1 AND 60 AND retention_days BETWEEN 0 AND 366",
            name=op.f("ck_public_notices_period_fits"),
        ),
        sa.CheckConstraint("item_count > 0 AND total_fen >= 0", name=op.f("ck_public_notices_shows_something")),
        sa.CheckConstraint(
            "(subject_kind = 'batch') = (batch_id IS NOT NULL)", name=op.f("ck_public_notices_batch_named")
        ),
        sa.CheckConstraint(
            "num_nonnulls(published_at, ends_on, ends_at, shown_until) IN (0, 4)"
            " AND (state <> 'published' OR published_at IS NOT NULL)"
            " AND (state NOT IN ('draft', 'submitted') OR published_at IS NULL)",
            name=op.f("ck_public_notices_period_complete"),
        ),
        sa.CheckConstraint(
            "published_at < ends_at AND ends_at <= shown_until", name=op.f("ck_public_notices_period_in_order")
        ),
        sa.CheckConstraint(
            "num_nonnulls(withdrawn_at, withdrawal_reason) IN (0, 2)"
            " AND (state = 'withdrawn') = (withdrawn_at IS NOT NULL)",
            name=op.f("ck_public_notices_withdrawal_complete"),
        ),
        sa.CheckConstraint("region_code ~ '^[0-9]{6}$'", name=op.f("ck_public_notices_region_code_format")),
        sa.ForeignKeyConstraint(["authority_id"], ["organisations.id"], name=op.f("fk_public_notices_authority_id")),
        sa.ForeignKeyConstraint(
            ["region_code", "programme_id"],
            ["programmes.region_code", "programmes.id"],
            name=op.f("fk_public_notices_region_code_programme_id"),
        ),
        sa.ForeignKeyConstraint(
            ["region_code", "batch_id"],
            ["issuance_batches.region_code", "issuance_batches.id"],
            name=op.f("fk_public_notices_region_code_batch_id"),
        ),
        sa.PrimaryKeyConstraint("region_code", "id", name=op.f("pk_public_notices")),
    )
    op.create_index(op.f("ix_public_notices_region_code_programme_id_id"), table, ["region_code", "programme_id", "id"])
    op.create_index(
        op.f("ix_public_notices_region_code_batch_id"),
        table,
        ["region_code", "batch_id"],
        postgresql_where=sa.text("batch_id IS NOT NULL"),
    )
    op.create_index("ix_public_notices_shown", table, ["shown_until"], postgresql_where=sa.text("state = 'published'"))


def _items() -> None:
    table = "notice_items"
    op.create_table(
        table,
        _id("region_code"),
        _id("notice_id"),
        sa.Column("item_no", sa.Integer(), nullable=False),
        _id("subject_id"),
        _id("organisation_id"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("identifier", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        _id("status"),
        sa.Column("froze_subject", sa.Boolean(), nullable=False),
        sa.CheckConstraint("status IN ('listed', 'frozen', 'removed')", name=op.f("ck_notice_items_status_known")),
        sa.CheckConstraint("item_no > 0 AND amount_fen >= 0", name=op.f("ck_notice_items_counts")),
        sa.CheckConstraint(
            "NOT froze_subject OR status <> 'listed'", name=op.f("ck_notice_items_frozen_for_an_objection")
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_notice_items_organisation_id")
        ),
        sa.ForeignKeyConstraint(
            ["region_code", "notice_id"],
            ["public_notices.region_code", "public_notices.id"],
            name=op.f("fk_notice_items_region_code_notice_id"),
        ),
        sa.PrimaryKeyConstraint("region_code", "notice_id", "item_no", name=op.f("pk_notice_items")),
        sa.UniqueConstraint(
            "region_code", "notice_id", "subject_id", name=op.f("uq_notice_items_region_code_notice_id_subject_id")
        ),
    )
    op.create_index(op.f("ix_notice_items_region_code_subject_id"), table, ["region_code", "subject_id"])


def _objections() -> None:
    op.create_table(
        "objections",
        _id("region_code"),
        _id("id"),
        _id("notice_id"),
        sa.Column("item_no", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        _id("text_sha256"),
        _id("status"),
        _instant("received_at"),
        _instant("decided_at", nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        _id("approval_id", nullable=True),
        sa.CheckConstraint("status IN ('open', 'upheld', 'dismissed')", name=op.f("ck_objections_status_known")),
        sa.CheckConstraint(
            "length(text) BETWEEN 1 AND 4000 AND length(text_sha256) = 64", name=op.f("ck_objections_text_fits")
        ),
        sa.CheckConstraint(
            "num_nonnulls(decided_at, reason, approval_id) IN (0, 3) AND (status = 'open') = (decided_at IS NULL)",
            name=op.f("ck_objections_decision_complete"),
        ),
        sa.CheckConstraint("region_code ~ '^[0-9]{6}$'", name=op.f("ck_objections_region_code_format")),
        sa.ForeignKeyConstraint(
            ["region_code", "notice_id", "item_no"],
            ["notice_items.region_code", "notice_items.notice_id", "notice_items.item_no"],
            name=op.f("fk_objections_region_code_notice_id_item_no"),
        ),
        sa.PrimaryKeyConstraint("region_code", "id", name=op.f("pk_objections")),
        sa.UniqueConstraint(
            "region_code",
            "notice_id",
            "item_no",
            "text_sha256",
            name=op.f("uq_objections_region_code_notice_id_item_no_text_sha256"),
        ),
    )
    op.create_table(
        "objection_contacts",
        _id("region_code"),
        _id("objection_id"),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("contact", sa.Text(), nullable=True),
        sa.CheckConstraint("num_nonnulls(name, contact) > 0", name=op.f("ck_objection_contacts_says_something")),
        sa.ForeignKeyConstraint(
            ["region_code", "objection_id"],
            ["objections.region_code", "objections.id"],
            name=op.f("fk_objection_contacts_region_code_objection_id"),
        ),
        sa.PrimaryKeyConstraint("region_code", "objection_id", name=op.f("pk_objection_contacts")),
    )


def _privileges() -> None:
    for table in ("public_notices", "notice_items", "objections", "objection_contacts"):
        op.execute(f"GRANT SELECT, INSERT ON {table} TO {APP}")
    op.execute(f"GRANT DELETE ON objection_contacts TO {APP}")
    op.execute(
        "GRANT UPDATE (state, published_at, ends_on, ends_at, shown_until, withdrawn_at, withdrawal_reason)"
        f" ON public_notices TO {APP}"
    )
    op.execute(f"GRANT UPDATE (status, froze_subject) ON notice_items TO {APP}")
    op.execute(f"GRANT UPDATE (status, decided_at, reason, approval_id) ON objections TO {APP}")
    op.execute(
        "CREATE TRIGGER withdrawal_is_final BEFORE UPDATE ON public_notices FOR EACH ROW"
        " WHEN (OLD.state = 'withdrawn') EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER removal_is_final BEFORE UPDATE ON notice_items FOR EACH ROW"
        " WHEN (OLD.status = 'removed') EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER decision_is_final BEFORE UPDATE ON objections FOR EACH ROW"
        " WHEN (OLD.status <> 'open') EXECUTE FUNCTION refuse_change()"
    )
    for table in ("public_notices", "notice_items", "objections"):
        op.execute(
            f"CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    raise NotImplementedError("The journal has no way back: restore a backup instead.")
