"""Uploads: papers that were sent in. Their bytes lie in the state folder by hash; this is what is known of them."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.vocabulary import DocumentType
from app.models.base import Base, Count, Id, Instant, RegionCode, Words, one_of, region_code_format


class Upload(Base):
    """One document of one organisation in one region. Insert and select only; the same bytes twice are one row."""

    __tablename__ = "uploads"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    id: Mapped[Id] = mapped_column(primary_key=True)
    organisation_id: Mapped[Id] = mapped_column(ForeignKey("organisations.id"))
    sha256: Mapped[Id]
    size: Mapped[Count]
    """Bytes."""
    type: Mapped[Id]
    """By its content."""
    file_name: Mapped[Words]
    """As it was called when it was first sent, for people."""
    uploaded_at: Mapped[Instant]
    uploaded_by: Mapped[Id]

    __table_args__ = (
        UniqueConstraint("region_code", "organisation_id", "sha256"),
        one_of("type", DocumentType),
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="sha256_format"),
        CheckConstraint("size > 0 AND size <= 20971520", name="size_within_limit"),
        region_code_format(),
    )
