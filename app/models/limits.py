"""Rate limits: what each subject was given in its present window, over all processes."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.vocabulary import RateScope
from app.models.base import Base, Count, Id, Instant, one_of


class RateUse(Base):
    """One subject's use of one limit. No evidence, and no region's: deleted when its window is over."""

    __tablename__ = "rate_uses"

    scope: Mapped[Id] = mapped_column(primary_key=True)
    subject_sha256: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    window_no: Mapped[Count]
    given: Mapped[Count]
    """In this window, to all processes together."""
    ends_at: Mapped[Instant] = mapped_column(index=True)

    __table_args__ = (
        one_of("scope", RateScope),
        CheckConstraint("octet_length(subject_sha256) = 32", name="subject_hashed"),
        CheckConstraint("given >= 0", name="given_not_negative"),
    )
