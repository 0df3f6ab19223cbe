"""Approvals: every official act that needs a second person, as the exact command with its hash."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.vocabulary import ApprovalKind, ApprovalStatus, Role
from app.models.base import Base, CanonicalJson, Fen, Id, Instant, RegionCode, Words, one_of, region_code_format


class Approval(Base):
    """What a maker asked for. Approving executes exactly `command`; nobody approves what he made."""

    __tablename__ = "approvals"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    id: Mapped[Id] = mapped_column(primary_key=True)
    kind: Mapped[Id]
    authority_id: Mapped[Id | None]
    county_code: Mapped[RegionCode | None]
    """Where a county's officials ask and decide in a programme of the region above: there they hold their roles."""
    required_role: Mapped[Id]
    subject_id: Mapped[Id]
    """The programme, batch, voucher or person that the act is about."""
    command: Mapped[CanonicalJson]
    command_sha256: Mapped[Id]
    effect: Mapped[CanonicalJson]
    """What approving will do, in numbers: counts, totals, before and after."""
    amount_fen: Mapped[Fen | None]
    status: Mapped[Id]
    reason: Mapped[Words | None]
    made_at: Mapped[Instant]
    made_by: Mapped[Id]
    decided_at: Mapped[Instant | None]
    decided_by: Mapped[Id | None]
    decision_note: Mapped[Words | None]

    __table_args__ = (
        Index(None, "region_code", "status", "id"),
        Index(
            "uq_approvals_pending_subject",
            "region_code",
            "kind",
            "subject_id",
            unique=True,
            postgresql_where="status = 'pending' AND kind <> 'appropriate'",
        ),
        CheckConstraint("decided_by IS NULL OR decided_by <> made_by", name="two_persons"),
        CheckConstraint(
            "(status = 'pending') = (decided_at IS NULL) AND (decided_at IS NULL) = (decided_by IS NULL)",
            name="decision_complete",
        ),
        one_of("kind", ApprovalKind),
        one_of("status", ApprovalStatus),
        one_of("required_role", Role),
        region_code_format(),
    )
