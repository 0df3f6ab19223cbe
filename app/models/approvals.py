"""Approvals: every official act that needs a second person, as the exact command with its hash; and who decided it."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.vocabulary import ApprovalKind, ApprovalStatus, Role, StepOutcome
from app.models.base import Base, CanonicalJson, Fen, Id, Instant, RegionCode, Small, Words, one_of, region_code_format

MAX_STEPS = 3


class Approval(Base):
    """What a maker asked for. Approving its last step executes exactly `command`; nobody approves what he made."""

    __tablename__ = "approvals"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    id: Mapped[Id] = mapped_column(primary_key=True)
    kind: Mapped[Id]
    authority_id: Mapped[Id | None]
    county_code: Mapped[RegionCode | None]
    """Where a county's officials ask and decide in a programme of the region above: there they hold their roles."""
    required_role: Mapped[Id]
    """Whose turn it is; once decided, whose turn it was last."""
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
    steps: Mapped[list[str]] = mapped_column(ARRAY(Text))
    """The roles that approve one after another, frozen with the command."""
    steps_done: Mapped[Small]
    bands_id: Mapped[Id | None]
    """The table of bands by which the steps were chosen; none where the act's own single step holds."""
    within_id: Mapped[Id | None]
    """The programme, payee or other whole within which smaller requests of one day belong together."""
    barred_ids: Mapped[list[str]] = mapped_column(ARRAY(Text))
    """Who may not decide besides the maker: authors, whom it is about, who registered whom it is about."""
    expires_at: Mapped[Instant | None]

    __table_args__ = (
        Index(None, "region_code", "status", "id"),
        Index(None, "region_code", "kind", "made_by", "made_at"),
        Index(
            "uq_approvals_pending_subject",
            "region_code",
            "kind",
            "subject_id",
            unique=True,
            postgresql_where="status = 'pending' AND kind <> 'appropriate'",
        ),
        UniqueConstraint("region_code", "id", "made_by"),
        CheckConstraint(
            "decided_by IS NULL OR (decided_by = made_by) = (status = 'withdrawn')",
            name="two_persons",
        ),
        CheckConstraint(
            "(status = 'pending') = (decided_at IS NULL) AND (decided_at IS NULL) = (decided_by IS NULL)",
            name="decision_complete",
        ),
        CheckConstraint(f"cardinality(steps) BETWEEN 1 AND {MAX_STEPS}", name="one_to_three_steps"),
        CheckConstraint("steps <@ ARRAY['checker', 'finance', 'security_admin']", name="steps_known"),
        CheckConstraint(
            "steps_done BETWEEN 0 AND cardinality(steps) AND (steps_done = cardinality(steps)) = (status = 'approved')",
            name="steps_complete",
        ),
        one_of("kind", ApprovalKind),
        one_of("status", ApprovalStatus),
        one_of("required_role", Role),
        region_code_format(),
    )


class ApprovalDecision(Base):
    """One step of an approval, decided by one person. Append-only: nobody decides twice, nor what he made."""

    __tablename__ = "approval_decisions"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    approval_id: Mapped[Id] = mapped_column(primary_key=True)
    step: Mapped[Small] = mapped_column(primary_key=True)
    outcome: Mapped[Id]
    role: Mapped[Id]
    decided_at: Mapped[Instant]
    decided_by: Mapped[Id]
    person_id: Mapped[Id]
    """The natural person behind the account, as known then."""
    on_behalf_of: Mapped[Id | None]
    delegation_id: Mapped[Id | None]
    made_by: Mapped[Id]
    maker_person_id: Mapped[Id]
    note: Mapped[Words | None]

    __table_args__ = (
        ForeignKeyConstraint(
            ["region_code", "approval_id", "made_by"],
            ["approvals.region_code", "approvals.id", "approvals.made_by"],
        ),
        ForeignKeyConstraint(["region_code", "delegation_id"], ["delegations.region_code", "delegations.id"]),
        UniqueConstraint("region_code", "approval_id", "decided_by"),
        UniqueConstraint("region_code", "approval_id", "person_id"),
        CheckConstraint("decided_by <> made_by AND person_id <> maker_person_id", name="two_persons"),
        CheckConstraint(
            "(on_behalf_of IS NULL) = (delegation_id IS NULL)"
            " AND (on_behalf_of IS NULL OR (on_behalf_of <> made_by AND on_behalf_of <> decided_by))",
            name="behalf_complete",
        ),
        CheckConstraint(f"step BETWEEN 1 AND {MAX_STEPS}", name="step_counted"),
        one_of("outcome", StepOutcome),
        one_of("role", Role),
        region_code_format(),
    )


class ApprovalBands(Base):
    """A dated table of amounts and steps for one kind of act, of one authority or the whole region. Append-only."""

    __tablename__ = "approval_bands"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    id: Mapped[Id] = mapped_column(primary_key=True)
    authority_id: Mapped[Id | None]
    kind: Mapped[Id]
    effective_from: Mapped[Instant]
    bands: Mapped[CanonicalJson]
    """`[{"steps": ["checker"], "up_to_fen": 10000000}, {"steps": ["checker", "finance"], "up_to_fen": null}]`."""
    expires_after_days: Mapped[Small | None]
    """After so many days a request that still waits cannot be approved any more; none: never."""
    approval_id: Mapped[Id]
    decided_at: Mapped[Instant]

    __table_args__ = (
        Index(None, "region_code", "kind", "effective_from"),
        ForeignKeyConstraint(["region_code", "approval_id"], ["approvals.region_code", "approvals.id"]),
        CheckConstraint("expires_after_days > 0", name="expiry_positive"),
        region_code_format(),
    )


class Delegation(Base):
    """An official's power to decide, lent to a colleague for a time under a security administrator's approval."""

    __tablename__ = "delegations"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    id: Mapped[Id] = mapped_column(primary_key=True)
    role: Mapped[Id]
    authority_id: Mapped[Id | None]
    delegator_id: Mapped[Id]
    delegate_id: Mapped[Id]
    starts_at: Mapped[Instant]
    ends_at: Mapped[Instant]
    reason: Mapped[Words]
    approval_id: Mapped[Id]
    granted_at: Mapped[Instant]
    revoked_at: Mapped[Instant | None]
    revoked_by: Mapped[Id | None]

    __table_args__ = (
        Index(None, "delegate_id", "ends_at"),
        Index(None, "delegator_id", "ends_at"),
        ForeignKeyConstraint(["region_code", "approval_id"], ["approvals.region_code", "approvals.id"]),
        CheckConstraint("delegator_id <> delegate_id", name="two_persons"),
        CheckConstraint("starts_at < ends_at", name="ends_later"),
        CheckConstraint("role IN ('checker', 'finance')", name="role_decides"),
        CheckConstraint("(revoked_at IS NULL) = (revoked_by IS NULL)", name="revocation_complete"),
        region_code_format(),
    )
