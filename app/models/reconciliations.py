"""Reconciliation runs, what they found, and the case that each difference between two sides is."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, Integer, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.vocabulary import CaseState, DifferenceGroup, Sides
from app.models.base import Base, CivilDate, Fen, Id, Instant, RegionCode, Words, one_of, region_code_format


class Reconciliation(Base):
    """One check of the books of a region: each invariant with its differences, over one snapshot."""

    __tablename__ = "reconciliations"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    id: Mapped[Id] = mapped_column(primary_key=True)
    started_at: Mapped[Instant]
    finished_at: Mapped[Instant]
    run_by: Mapped[Id]
    difference_count: Mapped[int] = mapped_column(Integer)
    report: Mapped[dict[str, Any]] = mapped_column(JSONB)

    __table_args__ = (region_code_format(),)


class ReconciliationCase(Base):
    """A difference between two sides, followed until it is resolved. One subject has one case, however often found."""

    __tablename__ = "reconciliation_cases"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    id: Mapped[Id] = mapped_column(primary_key=True)
    sides: Mapped[Id]
    """Which two sides were compared."""
    subject: Mapped[Id]
    """What differs: for statements the provider and its order number, for bank lists result and reference."""
    kind: Mapped[Id]
    """The group that the last run put it in."""
    party_id: Mapped[Id] = mapped_column(ForeignKey("organisations.id"))
    """The organisation whose it is: the provider; the finance bureau, where the bank names money that nobody knows."""
    happened_on: Mapped[CivilDate]
    here_fen: Mapped[Fen | None]
    there_fen: Mapped[Fen | None]
    evidence: Mapped[dict[str, Any]] = mapped_column(JSONB)
    fingerprint: Mapped[Id]
    """What a person's verdict holds for: kind and figures. Where they change the case is open again."""
    state: Mapped[Id]
    owner_id: Mapped[Id | None] = mapped_column(ForeignKey("users.id"))
    opened_at: Mapped[Instant]
    opened_in_id: Mapped[Id]
    """The reconciliation that found it first."""
    found_at: Mapped[Instant]
    found_in_id: Mapped[Id]
    """The reconciliation that found it last."""
    resolved_at: Mapped[Instant | None]
    resolved_by: Mapped[Id | None]
    resolved_in_id: Mapped[Id | None]
    """The reconciliation that no longer found it; None where a person resolved it."""
    resolving_entry_id: Mapped[Id | None]
    resolving_statement_id: Mapped[Id | None]
    resolving_bank_list_id: Mapped[Id | None]

    __table_args__ = (
        ForeignKeyConstraint(["region_code", "resolving_entry_id"], ["entries.region_code", "entries.id"]),
        ForeignKeyConstraint(["region_code", "resolving_statement_id"], ["statements.region_code", "statements.id"]),
        ForeignKeyConstraint(["region_code", "resolving_bank_list_id"], ["bank_lists.region_code", "bank_lists.id"]),
        UniqueConstraint("region_code", "sides", "subject"),
        Index(None, "region_code", "state", "id"),
        Index(None, "party_id", "id"),
        one_of("sides", Sides),
        one_of("kind", DifferenceGroup),
        one_of("state", CaseState),
        CheckConstraint("(state = 'resolved') = (resolved_at IS NOT NULL)", name="resolution_dated"),
        CheckConstraint("(resolved_at IS NULL) = (resolved_by IS NULL)", name="resolution_signed"),
        CheckConstraint(
            "state = 'resolved' OR num_nonnulls(resolving_entry_id, resolving_statement_id, resolving_bank_list_id,"
            " resolved_in_id) = 0",
            name="resolution_only_of_resolved",
        ),
        CheckConstraint(
            "state <> 'resolved' OR resolved_in_id IS NOT NULL OR resolving_entry_id IS NOT NULL",
            name="resolution_names_entry",
        ),
        region_code_format(),
    )


class CaseNote(Base):
    """What was said or done about a case, in order. Append-only."""

    __tablename__ = "case_notes"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    case_id: Mapped[Id] = mapped_column(primary_key=True)
    id: Mapped[Id] = mapped_column(primary_key=True)
    at: Mapped[Instant]
    by: Mapped[Id]
    organisation_id: Mapped[Id]
    act: Mapped[Id]
    words: Mapped[Words]

    __table_args__ = (
        ForeignKeyConstraint(
            ["region_code", "case_id"], ["reconciliation_cases.region_code", "reconciliation_cases.id"]
        ),
    )
