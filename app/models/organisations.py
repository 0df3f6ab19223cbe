"""Organisations: authorities, finance bureaus, firms and providers. A shared registry, no region in its key."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.vocabulary import IdentifierType, OrganisationKind
from app.models.base import Base, Count, Id, Instant, RegionCode, Words, one_of, region_code_format


class Organisation(Base):
    """One legal person (or maker team) in one capacity; a firm that is also a provider has two rows."""

    __tablename__ = "organisations"

    id: Mapped[Id] = mapped_column(primary_key=True)
    kind: Mapped[Id]
    identifier_type: Mapped[Id]
    identifier_value: Mapped[Id]
    name: Mapped[Words]
    region_code: Mapped[RegionCode]
    profile: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """Size, industry, tags (firms); sites, facility class, capacity (providers). Shapes: `services/profiles`."""
    version: Mapped[Count] = mapped_column(default=1)
    """Counts the edits; the ETag."""
    created_at: Mapped[Instant]
    created_by: Mapped[Id]

    __table_args__ = (
        UniqueConstraint("kind", "identifier_type", "identifier_value"),
        Index(None, "kind", "region_code", "id"),
        one_of("kind", OrganisationKind),
        one_of("identifier_type", IdentifierType),
        CheckConstraint("identifier_type <> 'uscc' OR length(identifier_value) = 18", name="uscc_length"),
        CheckConstraint("version > 0", name="version_positive"),
        region_code_format(),
    )
