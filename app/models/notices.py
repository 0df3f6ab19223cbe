"""Public notices (公示): lists shown to everybody for some working days, and the objections to their items."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.vocabulary import NoticeItemStatus, NoticeState, NoticeSubject, ObjectionStatus
from app.models.base import (
    Base,
    CanonicalJson,
    CivilDate,
    Count,
    Encrypted,
    Fen,
    Id,
    Instant,
    RegionCode,
    SearchTag,
    Small,
    Words,
    encrypted,
    one_of,
    region_code_format,
)


class PublicNotice(Base):
    """A list of one programme. Its row is the lock of what happens to its items."""

    __tablename__ = "public_notices"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    id: Mapped[Id] = mapped_column(primary_key=True)
    programme_id: Mapped[Id]
    authority_id: Mapped[Id] = mapped_column(ForeignKey("organisations.id"))
    subject_kind: Mapped[Id]
    subject: Mapped[CanonicalJson]
    """How the items were chosen."""
    batch_id: Mapped[Id | None]
    """The issuance batch whose rows are shown before they are issued."""
    title: Mapped[Words]
    document_no: Mapped[Words]
    contact: Mapped[Words]
    """How the authority is reached with an objection; it is published."""
    basis: Mapped[Words | None]
    working_days: Mapped[Small]
    retention_days: Mapped[Small]
    """Calendar days after the last one on which the page still shows it."""
    item_count: Mapped[Count]
    total_fen: Mapped[Fen]
    state: Mapped[Id]
    created_at: Mapped[Instant]
    created_by: Mapped[Id]
    published_at: Mapped[Instant | None]
    ends_on: Mapped[CivilDate | None]
    """The last working day of the period, included."""
    ends_at: Mapped[Instant | None]
    shown_until: Mapped[Instant | None]
    withdrawn_at: Mapped[Instant | None]
    withdrawal_reason: Mapped[Words | None]

    __table_args__ = (
        ForeignKeyConstraint(["region_code", "programme_id"], ["programmes.region_code", "programmes.id"]),
        ForeignKeyConstraint(["region_code", "batch_id"], ["issuance_batches.region_code", "issuance_batches.id"]),
        Index(None, "region_code", "programme_id", "id"),
        Index(None, "region_code", "batch_id", postgresql_where="batch_id IS NOT NULL"),
        Index("ix_public_notices_shown", "shown_until", postgresql_where="state = 'published'"),
        one_of("state", NoticeState),
        one_of("subject_kind", NoticeSubject),
        CheckConstraint("working_days BETWEEN 1 AND 60 AND retention_days BETWEEN 0 AND 366", name="period_fits"),
        CheckConstraint("item_count > 0 AND total_fen >= 0", name="shows_something"),
        CheckConstraint("(subject_kind = 'batch') = (batch_id IS NOT NULL)", name="batch_named"),
        CheckConstraint(
            "num_nonnulls(published_at, ends_on, ends_at, shown_until) IN (0, 4)"
            " AND (state <> 'published' OR published_at IS NOT NULL)"
            " AND (state NOT IN ('draft', 'submitted') OR published_at IS NULL)",
            name="period_complete",
        ),
        CheckConstraint("published_at < ends_at AND ends_at <= shown_until", name="period_in_order"),
        CheckConstraint(
            "num_nonnulls(withdrawn_at, withdrawal_reason) IN (0, 2)"
            " AND (state = 'withdrawn') = (withdrawn_at IS NOT NULL)",
            name="withdrawal_complete",
        ),
        region_code_format(),
    )


class NoticeItem(Base):
    """One line of a notice as it is shown, and what it stands for."""

    __tablename__ = "notice_items"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    notice_id: Mapped[Id] = mapped_column(primary_key=True)
    item_no: Mapped[int] = mapped_column(Integer, primary_key=True)
    subject_id: Mapped[Id]
    """The voucher, row of a batch, admission or redemption."""
    organisation_id: Mapped[Id] = mapped_column(ForeignKey("organisations.id"))
    name: Mapped[Words]
    identifier: Mapped[Words]
    """Masked where it is no 统一社会信用代码."""
    project: Mapped[Words]
    amount_fen: Mapped[Fen | None]
    note: Mapped[Words | None]
    status: Mapped[Id]
    froze_subject: Mapped[bool]
    """Whether the objection froze the voucher, so that its dismissal unfreezes it."""

    __table_args__ = (
        ForeignKeyConstraint(["region_code", "notice_id"], ["public_notices.region_code", "public_notices.id"]),
        UniqueConstraint("region_code", "notice_id", "subject_id"),
        Index(None, "region_code", "subject_id"),
        one_of("status", NoticeItemStatus),
        CheckConstraint("item_no > 0 AND amount_fen >= 0", name="counts"),
        CheckConstraint("NOT froze_subject OR status <> 'listed'", name="frozen_for_an_objection"),
    )


class Objection(Base):
    """What somebody has to say against one item. Who it was stands apart, so that it can be erased."""

    __tablename__ = "objections"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    id: Mapped[Id] = mapped_column(primary_key=True)
    notice_id: Mapped[Id]
    item_no: Mapped[int] = mapped_column(Integer)
    text: Mapped[Words]
    text_sha256: Mapped[Id]
    status: Mapped[Id]
    received_at: Mapped[Instant]
    decided_at: Mapped[Instant | None]
    reason: Mapped[Words | None]
    """What the authority answers."""
    approval_id: Mapped[Id | None]

    __table_args__ = (
        ForeignKeyConstraint(
            ["region_code", "notice_id", "item_no"],
            ["notice_items.region_code", "notice_items.notice_id", "notice_items.item_no"],
        ),
        UniqueConstraint("region_code", "notice_id", "item_no", "text_sha256"),
        one_of("status", ObjectionStatus),
        CheckConstraint("length(text) BETWEEN 1 AND 4000 AND length(text_sha256) = 64", name="text_fits"),
        CheckConstraint(
            "num_nonnulls(decided_at, reason, approval_id) IN (0, 3) AND (status = 'open') = (decided_at IS NULL)",
            name="decision_complete",
        ),
        region_code_format(),
    )


class ObjectionContact(Base):
    """Who objected, where he said so. The one row of a notice that may be deleted."""

    __tablename__ = "objection_contacts"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    objection_id: Mapped[Id] = mapped_column(primary_key=True)
    name: Mapped[Encrypted | None]
    contact: Mapped[Encrypted | None]
    contact_tag: Mapped[SearchTag | None]

    __table_args__ = (
        Index(None, "contact_tag", postgresql_where="contact_tag IS NOT NULL"),
        encrypted("name", "contact"),
        CheckConstraint("(contact IS NULL) = (contact_tag IS NULL)", name="contact_found"),
        ForeignKeyConstraint(["region_code", "objection_id"], ["objections.region_code", "objections.id"]),
        CheckConstraint("num_nonnulls(name, contact) > 0", name="says_something"),
    )
