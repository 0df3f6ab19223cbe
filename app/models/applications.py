"""Applications (申领): what a firm asks for, its papers, and everything that was done about it."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.vocabulary import ApplicationAct, ApplicationLevel, ApplicationStatus
from app.models.base import (
    Base,
    CanonicalJson,
    CivilDate,
    Count,
    Fen,
    Id,
    Instant,
    RegionCode,
    Small,
    Words,
    one_of,
    region_code_format,
)


class Application(Base):
    """One firm's application to one programme, as it stands now. This row is the lock of all that happens to it."""

    __tablename__ = "applications"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    id: Mapped[Id] = mapped_column(primary_key=True)
    programme_id: Mapped[Id]
    authority_id: Mapped[Id] = mapped_column(ForeignKey("organisations.id"))
    """The programme's, which never changes: queues are read by it."""
    firm_id: Mapped[Id] = mapped_column(ForeignKey("organisations.id"))
    district_code: Mapped[RegionCode]
    """The firm's registered region when it was submitted (or written): its county's queue."""
    status: Mapped[Id]
    level: Mapped[Id]
    amount_fen: Mapped[Fen]
    purpose: Mapped[Words]
    valid_until_on: Mapped[CivilDate | None]
    claim: Mapped[CanonicalJson]
    """What the firm states of its claim."""
    plan: Mapped[CanonicalJson]
    """What it means to buy: lines of a bill to come."""
    version: Mapped[Count] = mapped_column(default=1)
    event_count: Mapped[Small] = mapped_column(default=0)
    created_at: Mapped[Instant]
    created_by: Mapped[Id]
    submitted_at: Mapped[Instant | None]
    """The first time; a correction keeps the place in the order."""
    accepted_at: Mapped[Instant | None]
    clock_from_on: Mapped[CivilDate | None]
    """The officials' time runs after this Shanghai day, None while nothing is due of them."""
    clock_days: Mapped[Small | None]
    """Working days that they have, those added during which the clock stood."""
    clock_stopped_on: Mapped[CivilDate | None]
    correction_due_on: Mapped[CivilDate | None]
    """Last day on which the firm may send its correction."""
    correction: Mapped[CanonicalJson | None]
    """What was missing, item by item."""
    assessed_fen: Mapped[Fen | None]
    terms: Mapped[CanonicalJson | None]
    """What officials fix with the grant; see `services/issuance/terms.py`."""
    exception: Mapped[CanonicalJson | None]
    """Which conditions it may fail, why and by which document; the approval of the grant approves that too."""
    batch_id: Mapped[Id | None]
    """The batch that grants it: while that waits for a checker, and once it is issued."""
    voucher_id: Mapped[Id | None]
    decided_at: Mapped[Instant | None]
    decision_reason: Mapped[Words | None]
    """Why it was rejected, withdrawn or put on the waiting list."""

    __table_args__ = (
        ForeignKeyConstraint(["region_code", "programme_id"], ["programmes.region_code", "programmes.id"]),
        ForeignKeyConstraint(["region_code", "batch_id"], ["issuance_batches.region_code", "issuance_batches.id"]),
        ForeignKeyConstraint(["region_code", "voucher_id"], ["vouchers.region_code", "vouchers.id"]),
        UniqueConstraint("region_code", "voucher_id"),
        Index(None, "region_code", "authority_id", "status", "id"),
        Index(None, "region_code", "programme_id", "status", "submitted_at"),
        Index(None, "region_code", "district_code", "status", "id"),
        Index(None, "firm_id", "region_code", "id"),
        one_of("status", ApplicationStatus),
        one_of("level", ApplicationLevel),
        CheckConstraint("amount_fen > 0", name="amount_positive"),
        CheckConstraint("assessed_fen > 0 AND assessed_fen <= amount_fen", name="assessed_within_amount"),
        CheckConstraint("status IN ('draft', 'withdrawn') OR submitted_at IS NOT NULL", name="submitted_at_set"),
        CheckConstraint(
            "(status = 'correction') = (correction_due_on IS NOT NULL AND clock_stopped_on IS NOT NULL)",
            name="correction_complete",
        ),
        CheckConstraint(
            "status NOT IN ('reviewed', 'waitlisted', 'approved') OR assessed_fen IS NOT NULL", name="assessed_first"
        ),
        CheckConstraint("(status = 'approved') = (voucher_id IS NOT NULL)", name="approved_has_voucher"),
        CheckConstraint("voucher_id IS NULL OR batch_id IS NOT NULL", name="voucher_has_batch"),
        CheckConstraint("batch_id IS NULL OR status IN ('reviewed', 'waitlisted', 'approved')", name="batch_while"),
        CheckConstraint(
            "(decided_at IS NOT NULL) = (status IN ('approved', 'rejected', 'withdrawn'))", name="decided_at_set"
        ),
        CheckConstraint("num_nonnulls(clock_from_on, clock_days) IN (0, 2)", name="clock_complete"),
        CheckConstraint("version > 0 AND event_count >= 0", name="counts"),
        CheckConstraint("district_code ~ '^[0-9]{6}$'", name="district_code_format"),
        region_code_format(),
    )


class ApplicationEvent(Base):
    """One act: who, when, why, and the facts it was decided from. Insert and select only."""

    __tablename__ = "application_events"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    application_id: Mapped[Id] = mapped_column(primary_key=True)
    seq: Mapped[Small] = mapped_column(primary_key=True)
    """From 1, without a gap."""
    act: Mapped[Id]
    from_status: Mapped[Id | None]
    to_status: Mapped[Id]
    at: Mapped[Instant]
    principal_id: Mapped[Id]
    organisation_id: Mapped[Id]
    reason: Mapped[Words | None]
    details: Mapped[CanonicalJson]
    facts: Mapped[CanonicalJson | None]
    """All that was judged from: the application, its papers by hash, the registry's facts, the rule version."""
    facts_sha256: Mapped[Id | None]
    trace: Mapped[CanonicalJson | None]
    """What the judgement came to, condition by condition."""

    __table_args__ = (
        ForeignKeyConstraint(["region_code", "application_id"], ["applications.region_code", "applications.id"]),
        one_of("act", ApplicationAct),
        one_of("from_status", ApplicationStatus),
        one_of("to_status", ApplicationStatus),
        CheckConstraint("seq > 0", name="seq_from_one"),
        CheckConstraint("num_nonnulls(facts, facts_sha256, trace) IN (0, 3)", name="facts_complete"),
        CheckConstraint("act NOT IN ('return', 'reject') OR reason IS NOT NULL", name="reason_given"),
    )


class ApplicationDocument(Base):
    """A paper that belongs to an application, or did before a correction took it out."""

    __tablename__ = "application_documents"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    application_id: Mapped[Id] = mapped_column(primary_key=True)
    line: Mapped[int] = mapped_column(Integer, primary_key=True)
    document: Mapped[Id]
    """Which paper of the rules' list it is, or `other`."""
    upload_id: Mapped[Id]
    added_at: Mapped[Instant]
    removed_at: Mapped[Instant | None]

    __table_args__ = (
        ForeignKeyConstraint(["region_code", "application_id"], ["applications.region_code", "applications.id"]),
        ForeignKeyConstraint(["region_code", "upload_id"], ["uploads.region_code", "uploads.id"]),
        Index(None, "region_code", "upload_id"),
        Index(
            "uq_application_documents_live",
            "region_code",
            "application_id",
            "document",
            "upload_id",
            unique=True,
            postgresql_where="removed_at IS NULL",
        ),
        CheckConstraint("line > 0", name="line_from_one"),
    )
