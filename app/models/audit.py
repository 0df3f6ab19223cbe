"""Audit events: every change that posts no entry, every read of sensitive data. Append-only, sealed like entries."""

from __future__ import annotations

from sqlalchemy import Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, CanonicalJson, Id, Instant, RegionCode, Words, region_code_format


class AuditEvent(Base):
    """Who did what to which object, when, from where, why, and how it ended."""

    __tablename__ = "audit_events"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    id: Mapped[Id] = mapped_column(primary_key=True)
    at: Mapped[Instant]
    principal_id: Mapped[Id]
    organisation_id: Mapped[Id]
    action: Mapped[Id]
    object_id: Mapped[Id]
    result: Mapped[Id]
    source: Mapped[Words]
    """Network address of the caller, or `cli`."""
    request_id: Mapped[Id]
    details: Mapped[CanonicalJson]
    leaf: Mapped[bytes] = mapped_column(LargeBinary)

    __table_args__ = (
        Index(None, "region_code", "object_id", "id"),
        Index(None, "region_code", "at", "id"),
        Index(None, "region_code", "principal_id", "at"),
        region_code_format(),
    )
