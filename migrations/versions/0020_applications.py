"""Applications (申领) with their papers and their history; the rows of a batch name the application that they grant.

Why: a firm's application is decided by officials within working days, from papers and facts that an auditor must find
as they were. So every act is an event that never changes, with the facts it was decided from; the row itself is only
where things stand. Papers are told by hash, type and size here and lie in the state folder, each once.

Revision: 0020, after 0019
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

APP = "voucher_app"
STATUSES = (
    "('draft', 'submitted', 'accepted', 'correction', 'reviewed', 'waitlisted', 'approved', 'rejected', 'withdrawn')"
)
ACTS = (
    "('create', 'change', 'submit', 'accept', 'return', 'resubmit', 'first_review', 'assess', 'propose', 'decline',"
    " 'waitlist', 'approve', 'reject', 'withdraw')"
)
CHANGING = (
    "district_code, status, level, amount_fen, purpose, valid_until_on, claim, plan, version, event_count, submitted_at,"
    " accepted_at, clock_from_on, clock_days, clock_stopped_on, correction_due_on, correction, assessed_fen, terms,"
    " exception, batch_id, voucher_id, decided_at, decision_reason"
)


def _id(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(collation="C"), nullable=nullable)


def _words(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _instant(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _check(table: str, name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"ck_{table}_{name}"))


def _within_region(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["region_code", column],
        [f"{target}.region_code", f"{target}.id"],
        name=op.f(f"fk_{table}_region_code_{column}"),
    )


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    _uploads()
    _applications()
    _events()
    _documents()
    _rows_of_batches()
    _privileges()


def _uploads() -> None:
    table = "uploads"
    op.create_table(
        table,
        _id("region_code"),
        _id("id"),
        _id("organisation_id"),
        _id("sha256"),
        sa.Column("size", sa.BigInteger(), nullable=False),
        _id("type"),
        _words("file_name"),
        _instant("uploaded_at"),
        _id("uploaded_by"),
        _check(table, "type_known", "type IN ('pdf', 'png', 'jpeg', 'xlsx', 'docx', 'ofd')"),
        _check(table, "sha256_format", "sha256 ~ '^[0-9a-f]{64}$'"),
        _check(table, "size_within_limit", "size > 0 AND size <= 20971520"),
        _check(table, "region_code_format", "region_code ~ '^[0-9]{6}$'"),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name=op.f("fk_uploads_organisation_id")),
        sa.PrimaryKeyConstraint("region_code", "id", name=op.f("pk_uploads")),
        sa.UniqueConstraint(
            "region_code", "organisation_id", "sha256", name=op.f("uq_uploads_region_code_organisation_id_sha256")
        ),
    )


def _applications() -> None:
    table = "applications"
    op.create_table(
        table,
        _id("region_code"),
        _id("id"),
        _id("programme_id"),
        _id("authority_id"),
        _id("firm_id"),
        _id("district_code"),
        _id("status"),
        _id("level"),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        _words("purpose"),
        sa.Column("valid_until_on", sa.Date(), nullable=True),
        _words("claim"),
        _words("plan"),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("event_count", sa.SmallInteger(), nullable=False),
        _instant("created_at"),
        _id("created_by"),
        _instant("submitted_at", nullable=True),
        _instant("accepted_at", nullable=True),
        sa.Column("clock_from_on", sa.Date(), nullable=True),
        sa.Column("clock_days", sa.SmallInteger(), nullable=True),
        sa.Column("clock_stopped_on", sa.Date(), nullable=True),
        sa.Column("correction_due_on", sa.Date(), nullable=True),
        _words("correction", nullable=True),
        sa.Column("assessed_fen", sa.BigInteger(), nullable=True),
        _words("terms", nullable=True),
        _words("exception", nullable=True),
        _id("batch_id", nullable=True),
        _id("voucher_id", nullable=True),
        _instant("decided_at", nullable=True),
        _words("decision_reason", nullable=True),
        _check(table, "status_known", f"status IN {STATUSES}"),
        _check(table, "level_known", "level IN ('county', 'city')"),
        _check(table, "amount_positive", "amount_fen > 0"),
        _check(table, "assessed_within_amount", "assessed_fen > 0 AND assessed_fen <= amount_fen"),
        _check(table, "submitted_at_set", "status IN ('draft', 'withdrawn') OR submitted_at IS NOT NULL"),
        _check(
            table,
            "correction_complete",
            "(status = 'correction') = (correction_due_on IS NOT NULL AND clock_stopped_on IS NOT NULL)",
        ),
        _check(
            table,
            "assessed_first",
            "status NOT IN ('reviewed', 'waitlisted', 'approved') OR assessed_fen IS NOT NULL",
        ),
        _check(table, "approved_has_voucher", "(status = 'approved') = (voucher_id IS NOT NULL)"),
        _check(table, "voucher_has_batch", "voucher_id IS NULL OR batch_id IS NOT NULL"),
        _check(table, "batch_while", "batch_id IS NULL OR status IN ('reviewed', 'waitlisted', 'approved')"),
        _check(table, "decided_at_set", "(decided_at IS NOT NULL) = (status IN ('approved', 'rejected', 'withdrawn'))"),
        _check(table, "clock_complete", "num_nonnulls(clock_from_on, clock_days) IN (0, 2)"),
        _check(table, "counts", "version > 0 AND event_count >= 0"),
        _check(table, "district_code_format", "district_code ~ '^[0-9]{6}$'"),
        _check(table, "region_code_format", "region_code ~ '^[0-9]{6}$'"),
        _within_region(table, "programme_id", "programmes"),
        _within_region(table, "batch_id", "issuance_batches"),
        _within_region(table, "voucher_id", "vouchers"),
        sa.ForeignKeyConstraint(["authority_id"], ["organisations.id"], name=op.f("fk_applications_authority_id")),
        sa.ForeignKeyConstraint(["firm_id"], ["organisations.id"], name=op.f("fk_applications_firm_id")),
        sa.PrimaryKeyConstraint("region_code", "id", name=op.f("pk_applications")),
        sa.UniqueConstraint("region_code", "voucher_id", name=op.f("uq_applications_region_code_voucher_id")),
    )
    for columns in (
        ("region_code", "authority_id", "status", "id"),
        ("region_code", "district_code", "status", "id"),
        ("region_code", "programme_id", "status", "submitted_at"),
        ("firm_id", "region_code", "id"),
    ):
        op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, list(columns))


def _events() -> None:
    table = "application_events"
    op.create_table(
        table,
        _id("region_code"),
        _id("application_id"),
        sa.Column("seq", sa.SmallInteger(), nullable=False),
        _id("act"),
        _id("from_status", nullable=True),
        _id("to_status"),
        _instant("at"),
        _id("principal_id"),
        _id("organisation_id"),
        _words("reason", nullable=True),
        _words("details"),
        _words("facts", nullable=True),
        _id("facts_sha256", nullable=True),
        _words("trace", nullable=True),
        _check(table, "act_known", f"act IN {ACTS}"),
        _check(table, "from_status_known", f"from_status IN {STATUSES}"),
        _check(table, "to_status_known", f"to_status IN {STATUSES}"),
        _check(table, "seq_from_one", "seq > 0"),
        _check(table, "facts_complete", "num_nonnulls(facts, facts_sha256, trace) IN (0, 3)"),
        _check(table, "reason_given", "act NOT IN ('return', 'reject') OR reason IS NOT NULL"),
        _within_region(table, "application_id", "applications"),
        sa.PrimaryKeyConstraint("region_code", "application_id", "seq", name=op.f("pk_application_events")),
    )


def _documents() -> None:
    table = "application_documents"
    op.create_table(
        table,
        _id("region_code"),
        _id("application_id"),
        sa.Column("line", sa.Integer(), nullable=False),
        _id("document"),
        _id("upload_id"),
        _instant("added_at"),
        _instant("removed_at", nullable=True),
        _check(table, "line_from_one", "line > 0"),
        _within_region(table, "application_id", "applications"),
        _within_region(table, "upload_id", "uploads"),
        sa.PrimaryKeyConstraint("region_code", "application_id", "line", name=op.f("pk_application_documents")),
    )
    op.create_index(op.f("ix_application_documents_region_code_upload_id"), table, ["region_code", "upload_id"])
    op.create_index(
        "uq_application_documents_live",
        table,
        ["region_code", "application_id", "document", "upload_id"],
        unique=True,
        postgresql_where=sa.text("removed_at IS NULL"),
    )


def _rows_of_batches() -> None:
    table = "issuance_rows"
    op.add_column(table, _id("application_id", nullable=True))
    op.create_foreign_key(
        op.f("fk_issuance_rows_region_code_application_id"),
        table,
        "applications",
        ["region_code", "application_id"],
        ["region_code", "id"],
    )
    op.create_index(
        "uq_issuance_rows_live_application",
        table,
        ["region_code", "application_id"],
        unique=True,
        postgresql_where=sa.text("rejected_at IS NULL AND application_id IS NOT NULL"),
    )


def _privileges() -> None:
    for table in ("uploads", "applications", "application_events", "application_documents"):
        op.execute(f"GRANT SELECT, INSERT ON {table} TO {APP}")
    op.execute(f"GRANT UPDATE ({CHANGING}) ON applications TO {APP}")
    op.execute(f"GRANT UPDATE (removed_at) ON application_documents TO {APP}")
    for table in ("uploads", "application_events"):
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    for table in ("applications", "application_documents"):
        op.execute(
            f"CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    op.execute(
        "CREATE TRIGGER decided_once BEFORE UPDATE ON applications FOR EACH ROW"
        " WHEN (OLD.decided_at IS NOT NULL) EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER removed_once BEFORE UPDATE ON application_documents FOR EACH ROW"
        " WHEN (OLD.removed_at IS NOT NULL) EXECUTE FUNCTION refuse_change()"
    )


def downgrade() -> None:
    raise NotImplementedError("The journal has no way back: restore a backup instead.")
