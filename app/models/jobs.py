"""Jobs: requests that are answered before they are done."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Index, Integer, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.vocabulary import JobKind, JobStage
from app.models.base import Base, Id, Instant, RegionCode, Small, Words, one_of, region_code_format


class Job(Base):
    """How far a request has come, and in the end its answer. What it does stands under its Idempotency-Key."""

    __tablename__ = "jobs"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    id: Mapped[Id] = mapped_column(primary_key=True)
    kind: Mapped[Id]
    subject: Mapped[Words]
    """What it is about, for people: the name of a file, the id of an approval."""
    principal_id: Mapped[Id]
    stage: Mapped[Id | None]
    done: Mapped[int] = mapped_column(Integer)
    total: Mapped[int | None] = mapped_column(Integer)
    started_at: Mapped[Instant]
    heard_at: Mapped[Instant]
    """When the process that does it was last heard of."""
    finished_at: Mapped[Instant | None]
    answer_status: Mapped[Small | None]
    answer: Mapped[bytes | None] = mapped_column(LargeBinary)

    __table_args__ = (
        Index(None, "region_code", "principal_id", "started_at"),
        one_of("kind", JobKind),
        one_of("stage", JobStage),
        CheckConstraint("num_nonnulls(finished_at, answer_status, answer) IN (0, 3)", name="answered"),
        CheckConstraint("done >= 0 AND total >= 0", name="not_negative"),
        region_code_format(),
    )
