"""Programmes, their dated rules, and the providers admitted to them."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Text

from app.kernel.vocabulary import AdmissionStatus, ProgrammeStatus, RuleVersionStatus, VoucherKind
from app.models.base import (
    Base,
    CanonicalJson,
    CivilDate,
    Count,
    Id,
    Instant,
    RegionCode,
    Small,
    Words,
    one_of,
    region_code_format,
)


class Programme(Base):
    """A city's voucher scheme for one fiscal year, run by one authority."""

    __tablename__ = "programmes"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    id: Mapped[Id] = mapped_column(primary_key=True)
    authority_id: Mapped[Id] = mapped_column(ForeignKey("organisations.id"))
    title: Mapped[Words]
    voucher_kind: Mapped[Id]
    fiscal_year: Mapped[Small]
    opens_at: Mapped[Instant]
    closes_at: Mapped[Instant]
    document_no: Mapped[Words]
    status: Mapped[Id]
    version: Mapped[Count] = mapped_column(default=1)
    created_at: Mapped[Instant]
    created_by: Mapped[Id]

    __table_args__ = (
        Index(None, "region_code", "authority_id", "id"),
        one_of("voucher_kind", VoucherKind),
        one_of("status", ProgrammeStatus),
        CheckConstraint("opens_at < closes_at", name="opens_before_closes"),
        CheckConstraint("fiscal_year BETWEEN 2000 AND 2999", name="fiscal_year_range"),
        CheckConstraint("version > 0", name="version_positive"),
        region_code_format(),
    )


class RuleVersion(Base):
    """The rules of a programme from a day on. Published ones never change (a trigger holds it)."""

    __tablename__ = "rule_versions"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    id: Mapped[Id] = mapped_column(primary_key=True)
    programme_id: Mapped[Id]
    number: Mapped[Small]
    effective_on: Mapped[CivilDate]
    rules: Mapped[CanonicalJson]
    rules_sha256: Mapped[Id]
    status: Mapped[Id]
    created_at: Mapped[Instant]
    created_by: Mapped[Id]
    published_at: Mapped[Instant | None]
    published_by: Mapped[Id | None]

    __table_args__ = (
        ForeignKeyConstraint(["region_code", "programme_id"], ["programmes.region_code", "programmes.id"]),
        UniqueConstraint("region_code", "programme_id", "number"),
        one_of("status", RuleVersionStatus),
        CheckConstraint("(status = 'published') = (published_at IS NOT NULL)", name="published_at_set"),
        CheckConstraint("published_by IS NULL OR published_by <> created_by", name="published_by_second_person"),
    )


class Admission(Base):
    """A provider admitted to a programme for certain service categories."""

    __tablename__ = "admissions"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    programme_id: Mapped[Id] = mapped_column(primary_key=True)
    provider_id: Mapped[Id] = mapped_column(ForeignKey("organisations.id"), primary_key=True)
    categories: Mapped[list[str]] = mapped_column(ARRAY(Text))
    prices: Mapped[CanonicalJson | None]
    """The price list that was approved with it, None where there is none."""
    status: Mapped[Id]
    version: Mapped[Count] = mapped_column(default=1)
    updated_at: Mapped[Instant]
    updated_by: Mapped[Id]

    __table_args__ = (
        ForeignKeyConstraint(["region_code", "programme_id"], ["programmes.region_code", "programmes.id"]),
        one_of("status", AdmissionStatus),
        CheckConstraint("cardinality(categories) > 0", name="categories_present"),
    )
