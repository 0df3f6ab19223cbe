"""Idempotency keys: the claim of a key, and the answer as it was sent."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Id, Instant, RegionCode, Small, region_code_format


class IdempotencyKey(Base):
    """One command done once. Written in the transaction of its effect; the body may be dropped after 400 days."""

    __tablename__ = "idempotency_keys"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    principal_id: Mapped[Id] = mapped_column(primary_key=True)
    route: Mapped[Id] = mapped_column(primary_key=True)
    key: Mapped[Id] = mapped_column(primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    """SHA-256 of the parsed command."""
    resource_id: Mapped[Id | None]
    status: Mapped[Small | None]
    body: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[Instant]

    __table_args__ = (
        CheckConstraint("body IS NULL OR status IS NOT NULL", name="body_has_status"),
        region_code_format(),
    )


class AnswerPass(Base):
    """Where the pass over a region's keys stands that drops the bodies of old answers: the last key it has seen."""

    __tablename__ = "answer_passes"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    principal_id: Mapped[Id]
    route: Mapped[Id]
    key: Mapped[Id]
    began_at: Mapped[Instant]
    ended_at: Mapped[Instant | None]

    __table_args__ = (region_code_format(),)
