"""Tables of holidays, and lists that are shown to the public before the next step (公示).

Why: deadlines and periods of public notice are counted in working days, which nobody can reckon: the State Council says
year by year which days are off and which weekends are worked. A year's table is loaded with the number of that notice;
a later one of the same year is a new version, and the old one stays. The tables of 2024 to 2026 come with this step,
taken from the notices' text, so that the service can count from its first day.

Revision: 0024, after 0019
"""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0019"
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


def downgrade() -> None:
    raise NotImplementedError("The journal has no way back: restore a backup instead.")
