"""The debarment list (失信名单): who may not apply, be given vouchers, spend them or be paid, from when until when."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.vocabulary import Checkpoint
from app.models.base import Base, CivilDate, Id, Instant, RegionCode, Words, region_code_format


class Debarment(Base):
    """One entry: a decision about one legal person, registered here or not. It binds the region and all below it."""

    __tablename__ = "debarments"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    id: Mapped[Id] = mapped_column(primary_key=True)
    authority_id: Mapped[Id]
    """Whose maker and checker decided it, and decide on lifting it."""
    person: Mapped[Id]
    """Type and value of the identifier, so that it holds for each capacity in which one is registered."""
    name: Mapped[Words]
    """As the document gives it."""
    reason: Mapped[Words]
    document_no: Mapped[Words]
    checkpoints: Mapped[list[str]] = mapped_column(ARRAY(Text))
    from_on: Mapped[CivilDate]
    until_on: Mapped[CivilDate | None]
    """The last day, included; None until it is lifted."""
    approval_id: Mapped[Id]
    debarred_at: Mapped[Instant]
    made_by: Mapped[Id]
    decided_by: Mapped[Id]
    lifted_at: Mapped[Instant | None]
    lift_approval_id: Mapped[Id | None]
    lift_document_no: Mapped[Words | None]
    lift_reason: Mapped[Words | None]

    __table_args__ = (
        ForeignKeyConstraint(["region_code", "approval_id"], ["approvals.region_code", "approvals.id"]),
        ForeignKeyConstraint(["region_code", "lift_approval_id"], ["approvals.region_code", "approvals.id"]),
        Index(None, "person", postgresql_where="lifted_at IS NULL"),
        Index(
            "uq_debarments_live_document",
            "region_code",
            "person",
            "document_no",
            unique=True,
            postgresql_where="lifted_at IS NULL",
        ),
        CheckConstraint("person ~ '^(uscc|maker):.'", name="person_format"),
        CheckConstraint("from_on <= until_on", name="days_in_order"),
        CheckConstraint("made_by <> decided_by", name="two_persons"),
        CheckConstraint(
            f"cardinality(checkpoints) > 0 AND checkpoints <@ ARRAY[{', '.join(repr(str(one)) for one in Checkpoint)}]",
            name="checkpoints_known",
        ),
        CheckConstraint(
            "num_nonnulls(lifted_at, lift_approval_id, lift_document_no, lift_reason) IN (0, 4)", name="lift_complete"
        ),
        region_code_format(),
    )
