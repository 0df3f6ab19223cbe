"""Allocation rounds: who was on the list, what was decided, and who waits for money that comes back."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.vocabulary import AllocationStatus, AwardReason, WaitingEnd
from app.models.base import Base, CanonicalJson, Fen, Id, Instant, RegionCode, Words, one_of, region_code_format


class AllocationRound(Base):
    """A budget given out to a frozen list by the programme's rules. This row is the lock of all that happens to it."""

    __tablename__ = "allocation_rounds"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    id: Mapped[Id] = mapped_column(primary_key=True)
    programme_id: Mapped[Id]
    rule_version_id: Mapped[Id]
    """The version that was in force when the list was frozen; the round is judged by it to its end."""
    title: Mapped[Words]
    status: Mapped[Id]
    method: Mapped[Id]
    budget_fen: Mapped[Fen]
    """What the round gives out at most."""
    candidate_count: Mapped[int] = mapped_column(Integer)
    asked_total_fen: Mapped[Fen]
    frozen_sha256: Mapped[Id]
    """Of the list with all that decides except the seed: nothing of it changes from here on."""
    announcement: Mapped[Words | None]
    """Of a lottery: which public number will be the seed, and where it is published."""
    seed_format: Mapped[Words | None]
    """Of a lottery: how the number is written, `#` for a digit, so that nobody can choose between spellings later."""
    draws_at: Mapped[Instant | None]
    """Of a lottery: from when on the seed may be recorded."""
    file_sha256: Mapped[Id | None]
    """Of the file that the list was read from."""
    frozen_at: Mapped[Instant]
    frozen_by: Mapped[Id]
    seed: Mapped[Words | None]
    drawn_at: Mapped[Instant | None]
    drawn_by: Mapped[Id | None]
    left_out: Mapped[CanonicalJson | None]
    """Places of those who had withdrawn, been rejected or been granted otherwise when the awards were submitted."""
    awards_sha256: Mapped[Id | None]
    """Of the awards that were submitted for approval."""
    granted_total_fen: Mapped[Fen | None]
    batch_id: Mapped[Id | None]
    """The batch that issues them; none where nobody gets anything and all wait."""
    approval_id: Mapped[Id | None]
    """The approval that is asked, or that decided it: of the awards, or of the cancellation."""
    decided_at: Mapped[Instant | None]
    reason: Mapped[Words | None]
    """Why it was cancelled."""

    __table_args__ = (
        ForeignKeyConstraint(["region_code", "programme_id"], ["programmes.region_code", "programmes.id"]),
        ForeignKeyConstraint(["region_code", "rule_version_id"], ["rule_versions.region_code", "rule_versions.id"]),
        ForeignKeyConstraint(["region_code", "batch_id"], ["issuance_batches.region_code", "issuance_batches.id"]),
        ForeignKeyConstraint(["region_code", "approval_id"], ["approvals.region_code", "approvals.id"]),
        UniqueConstraint("region_code", "batch_id"),
        Index(None, "region_code", "programme_id", "id"),
        Index(
            "uq_allocation_rounds_open",
            "region_code",
            "programme_id",
            unique=True,
            postgresql_where="status NOT IN ('executed', 'cancelled')",
        ),
        Index(
            "uq_allocation_rounds_live_file",
            "region_code",
            "programme_id",
            "file_sha256",
            unique=True,
            postgresql_where="status <> 'cancelled' AND file_sha256 IS NOT NULL",
        ),
        one_of("status", AllocationStatus),
        CheckConstraint("budget_fen >= 0 AND candidate_count > 0 AND asked_total_fen > 0", name="amounts"),
        CheckConstraint("length(frozen_sha256) = 64", name="frozen_sha256_length"),
        CheckConstraint("length(file_sha256) = 64", name="file_sha256_length"),
        CheckConstraint(
            "num_nonnulls(announcement, seed_format, draws_at) = CASE method WHEN 'lottery' THEN 3 ELSE 0 END",
            name="lottery_announced",
        ),
        CheckConstraint("num_nonnulls(seed, drawn_at, drawn_by) IN (0, 3)", name="draw_complete"),
        CheckConstraint("seed IS NULL OR drawn_at >= draws_at AND draws_at > frozen_at", name="seed_after_the_list"),
        CheckConstraint(
            "status NOT IN ('submitted', 'executed') OR method <> 'lottery' OR seed IS NOT NULL", name="drawn_first"
        ),
        CheckConstraint(
            "(awards_sha256 IS NOT NULL) = (status IN ('submitted', 'executed'))"
            " AND (awards_sha256 IS NULL) = (granted_total_fen IS NULL)"
            " AND (awards_sha256 IS NULL) = (left_out IS NULL)",
            name="awards_while",
        ),
        CheckConstraint("granted_total_fen BETWEEN 0 AND budget_fen", name="within_budget"),
        CheckConstraint("(batch_id IS NOT NULL) = (coalesce(granted_total_fen, 0) > 0)", name="batch_where_granted"),
        CheckConstraint("(decided_at IS NOT NULL) = (status IN ('executed', 'cancelled'))", name="decided_at_set"),
        CheckConstraint("status <> 'cancelled' OR reason IS NOT NULL", name="cancelled_with_reason"),
        region_code_format(),
    )


class AllocationCandidate(Base):
    """One row of a frozen list. Insert and select only."""

    __tablename__ = "allocation_candidates"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    round_id: Mapped[Id] = mapped_column(primary_key=True)
    place: Mapped[int] = mapped_column(Integer, primary_key=True)
    """Where it stands on the list, from 1; the order of service where the method has none of its own."""
    reference_no: Mapped[Id]
    firm_id: Mapped[Id] = mapped_column(ForeignKey("organisations.id"))
    asked_fen: Mapped[Fen]
    score: Mapped[Id | None]
    """A decimal number as it was written."""
    tier: Mapped[Words | None]
    project: Mapped[Words | None]
    project_level: Mapped[Words | None]
    granted_before_fen: Mapped[Fen]
    """What the project was granted in earlier rounds of the programme."""
    terms: Mapped[CanonicalJson | None]
    application_id: Mapped[Id | None]
    """The application that it is about, None where the authority made the list itself."""

    __table_args__ = (
        ForeignKeyConstraint(["region_code", "round_id"], ["allocation_rounds.region_code", "allocation_rounds.id"]),
        UniqueConstraint("region_code", "round_id", "reference_no"),
        ForeignKeyConstraint(["region_code", "application_id"], ["applications.region_code", "applications.id"]),
        Index(None, "firm_id", "region_code", "round_id"),
        Index(None, "region_code", "application_id", postgresql_where="application_id IS NOT NULL"),
        CheckConstraint("asked_fen > 0 AND granted_before_fen >= 0 AND place > 0", name="amounts"),
        CheckConstraint("(project IS NULL) = (project_level IS NULL)", name="project_complete"),
    )


class AllocationAward(Base):
    """What a candidate was awarded, once it is executed. Insert and select only."""

    __tablename__ = "allocation_awards"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    round_id: Mapped[Id] = mapped_column(primary_key=True)
    place: Mapped[int] = mapped_column(Integer, primary_key=True)
    rank: Mapped[int] = mapped_column(Integer)
    """Its turn in the order of service, from 1."""
    granted_fen: Mapped[Fen]
    reason: Mapped[Id | None]
    waits_fen: Mapped[Fen]

    __table_args__ = (
        ForeignKeyConstraint(
            ["region_code", "round_id", "place"],
            ["allocation_candidates.region_code", "allocation_candidates.round_id", "allocation_candidates.place"],
        ),
        UniqueConstraint("region_code", "round_id", "rank"),
        one_of("reason", AwardReason),
        CheckConstraint("granted_fen >= 0 AND waits_fen >= 0 AND rank > 0", name="amounts"),
    )


class Waiting(Base):
    """Somebody who waits for money that comes back, in the order of rounds and, within one, of service."""

    __tablename__ = "waitlist"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    round_id: Mapped[Id] = mapped_column(primary_key=True)
    place: Mapped[int] = mapped_column(Integer, primary_key=True)
    programme_id: Mapped[Id]
    rank: Mapped[int] = mapped_column(Integer)
    firm_id: Mapped[Id] = mapped_column(ForeignKey("organisations.id"))
    waits_fen: Mapped[Fen]
    since_at: Mapped[Instant]
    batch_id: Mapped[Id | None]
    """The batch that grants it: while that waits for a checker, and once it is issued."""
    ended_at: Mapped[Instant | None]
    ended_as: Mapped[Id | None]
    approval_id: Mapped[Id | None]
    """The approval under which the waiting ended."""

    __table_args__ = (
        ForeignKeyConstraint(
            ["region_code", "round_id", "place"],
            ["allocation_awards.region_code", "allocation_awards.round_id", "allocation_awards.place"],
        ),
        ForeignKeyConstraint(["region_code", "programme_id"], ["programmes.region_code", "programmes.id"]),
        ForeignKeyConstraint(["region_code", "batch_id"], ["issuance_batches.region_code", "issuance_batches.id"]),
        ForeignKeyConstraint(["region_code", "approval_id"], ["approvals.region_code", "approvals.id"]),
        Index(
            "ix_waitlist_live",
            "region_code",
            "programme_id",
            "round_id",
            "rank",
            postgresql_where="ended_at IS NULL",
        ),
        Index(None, "region_code", "batch_id", postgresql_where="batch_id IS NOT NULL"),
        one_of("ended_as", WaitingEnd),
        CheckConstraint("waits_fen > 0", name="waits_for_something"),
        CheckConstraint("num_nonnulls(ended_at, ended_as, approval_id) IN (0, 3)", name="end_complete"),
        CheckConstraint("ended_as <> 'promoted' OR batch_id IS NOT NULL", name="promoted_by_a_batch"),
        CheckConstraint("ended_as <> 'ended' OR batch_id IS NULL", name="ended_without_a_batch"),
    )
