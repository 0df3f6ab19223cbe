"""Who is linked with whom, and who is debarred.

Why: a subsidy between related parties is none, and one to somebody on the debarment list is not either; both were
known only as far as an official wrote them on a voucher. They are kept by legal person (type and value of its
identifier), because one that is firm and provider is registered twice, and one that is on a list may register tomorrow.
Both are ended or lifted once and never rewritten; what was decided under them can be told years later.

Revision: 0019, after 0018
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

APP = "voucher_app"


def _id(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(collation="C"), nullable=nullable)


def _words(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _day(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.Date(), nullable=nullable)


def _instant(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    _relations()
    _debarments()
    _privileges()


def _relations() -> None:
    op.create_table(
        "organisation_relations",
        _id("id"),
        _id("kind"),
        _id("person"),
        _words("name"),
        _id("other_person", nullable=True),
        _words("other_name", nullable=True),
        _words("group_name", nullable=True),
        sa.Column("share", sa.Numeric(5, 4), nullable=True),
        _day("from_on"),
        _day("until_on", nullable=True),
        _words("evidence"),
        _instant("recorded_at"),
        _id("recorded_by"),
        _day("ended_on", nullable=True),
        _instant("ended_at", nullable=True),
        _id("ended_by", nullable=True),
        _words("end_reason", nullable=True),
        sa.CheckConstraint(
            "kind IN ('holding', 'same_controller', 'same_legal_representative', 'shared_contact', 'group')",
            name=op.f("ck_organisation_relations_kind_known"),
        ),
        sa.CheckConstraint(
            "(kind = 'group') = (group_name IS NOT NULL) AND (kind = 'group') = (other_person IS NULL)"
            " AND (other_person IS NULL) = (other_name IS NULL)",
            name=op.f("ck_organisation_relations_group_or_other"),
        ),
        sa.CheckConstraint(
            "(kind = 'holding') = (share IS NOT NULL) AND (share IS NULL OR (share > 0 AND share <= 1))",
            name=op.f("ck_organisation_relations_share_of_holdings"),
        ),
        sa.CheckConstraint("person <> other_person", name=op.f("ck_organisation_relations_two_parties")),
        sa.CheckConstraint(
            "kind = 'holding' OR person < other_person", name=op.f("ck_organisation_relations_lesser_first")
        ),
        sa.CheckConstraint("from_on <= until_on", name=op.f("ck_organisation_relations_days_in_order")),
        sa.CheckConstraint(
            "num_nonnulls(ended_on, ended_at, ended_by, end_reason) IN (0, 4)",
            name=op.f("ck_organisation_relations_end_complete"),
        ),
        sa.CheckConstraint("ended_on >= from_on - 1", name=op.f("ck_organisation_relations_ended_in_order")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organisation_relations")),
    )
    op.create_index(op.f("ix_organisation_relations_person"), "organisation_relations", ["person"])
    op.create_index(
        op.f("ix_organisation_relations_other_person"),
        "organisation_relations",
        ["other_person"],
        postgresql_where=sa.text("other_person IS NOT NULL"),
    )


def _debarments() -> None:
    op.create_table(
        "debarments",
        _id("region_code"),
        _id("id"),
        _id("authority_id"),
        _id("person"),
        _words("name"),
        _words("reason"),
        _words("document_no"),
        sa.Column("checkpoints", ARRAY(sa.Text()), nullable=False),
        _day("from_on"),
        _day("until_on", nullable=True),
        _id("approval_id"),
        _instant("debarred_at"),
        _id("made_by"),
        _id("decided_by"),
        _instant("lifted_at", nullable=True),
        _id("lift_approval_id", nullable=True),
        _words("lift_document_no", nullable=True),
        _words("lift_reason", nullable=True),
        sa.CheckConstraint("person ~ '^(uscc|maker):.'", name=op.f("ck_debarments_person_format")),
        sa.CheckConstraint("from_on <= until_on", name=op.f("ck_debarments_days_in_order")),
        sa.CheckConstraint("made_by <> decided_by", name=op.f("ck_debarments_two_persons")),
        sa.CheckConstraint(
            "cardinality(checkpoints) > 0 AND checkpoints <@ ARRAY['apply', 'issue', 'redeem', 'pay']",
            name=op.f("ck_debarments_checkpoints_known"),
        ),
        sa.CheckConstraint(
            "num_nonnulls(lifted_at, lift_approval_id, lift_document_no, lift_reason) IN (0, 4)",
            name=op.f("ck_debarments_lift_complete"),
        ),
        sa.CheckConstraint("region_code ~ '^[0-9]{6}$'", name=op.f("ck_debarments_region_code_format")),
        sa.ForeignKeyConstraint(
            ["region_code", "approval_id"],
            ["approvals.region_code", "approvals.id"],
            name=op.f("fk_debarments_region_code_approval_id"),
        ),
        sa.ForeignKeyConstraint(
            ["region_code", "lift_approval_id"],
            ["approvals.region_code", "approvals.id"],
            name=op.f("fk_debarments_region_code_lift_approval_id"),
        ),
        sa.PrimaryKeyConstraint("region_code", "id", name=op.f("pk_debarments")),
    )
    op.create_index(
        op.f("ix_debarments_person"), "debarments", ["person"], postgresql_where=sa.text("lifted_at IS NULL")
    )
    op.create_index(
        "uq_debarments_live_document",
        "debarments",
        ["region_code", "person", "document_no"],
        unique=True,
        postgresql_where=sa.text("lifted_at IS NULL"),
    )


def _privileges() -> None:
    op.execute(f"GRANT SELECT, INSERT ON organisation_relations, debarments TO {APP}")
    op.execute(f"GRANT UPDATE (ended_on, ended_at, ended_by, end_reason) ON organisation_relations TO {APP}")
    op.execute(f"GRANT UPDATE (lifted_at, lift_approval_id, lift_document_no, lift_reason) ON debarments TO {APP}")
    for table, told in (("organisation_relations", "ended_at"), ("debarments", "lifted_at")):
        op.execute(
            f"CREATE TRIGGER end_is_final BEFORE UPDATE ON {table} FOR EACH ROW"
            f" WHEN (OLD.{told} IS NOT NULL) EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            f"CREATE TRIGGER nothing_is_deleted BEFORE DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    raise NotImplementedError("The journal has no way back: restore a backup instead.")
