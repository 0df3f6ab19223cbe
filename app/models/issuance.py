"""Issuance batches: what a maker asks to issue, row by row, before a checker lets vouchers exist."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.vocabulary import BatchStatus
from app.models.base import Base, CanonicalJson, Fen, Id, Instant, RegionCode, Words, one_of, region_code_format


class IssuanceBatch(Base):
    """One request to issue vouchers; all of it is issued or nothing."""

    __tablename__ = "issuance_batches"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    id: Mapped[Id] = mapped_column(primary_key=True)
    programme_id: Mapped[Id]
    status: Mapped[Id]
    row_count: Mapped[int] = mapped_column(Integer)
    total_fen: Mapped[Fen]
    file_name: Mapped[Words | None]
    file_sha256: Mapped[Id | None]
    created_at: Mapped[Instant]
    created_by: Mapped[Id]
    decided_at: Mapped[Instant | None]

    __table_args__ = (
        ForeignKeyConstraint(["region_code", "programme_id"], ["programmes.region_code", "programmes.id"]),
        Index(
            "uq_issuance_batches_live_file",
            "region_code",
            "programme_id",
            "file_sha256",
            unique=True,
            postgresql_where="status <> 'rejected' AND file_sha256 IS NOT NULL",
        ),
        one_of("status", BatchStatus),
        CheckConstraint("row_count > 0 AND total_fen > 0", name="not_empty"),
        region_code_format(),
    )


class IssuanceRow(Base):
    """One voucher to be: firm, face value, validity."""

    __tablename__ = "issuance_rows"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    batch_id: Mapped[Id] = mapped_column(primary_key=True)
    row_no: Mapped[int] = mapped_column(Integer, primary_key=True)
    """The row of the sheet (the heading is row 1), or the position in the JSON list from 1."""
    programme_id: Mapped[Id]
    reference_no: Mapped[Id]
    """The authority's own number for the grant (申领编号); one live row per programme."""
    firm_id: Mapped[Id] = mapped_column(ForeignKey("organisations.id"))
    face_value_fen: Mapped[Fen]
    valid_from: Mapped[Instant | None]
    valid_until: Mapped[Instant | None]
    note: Mapped[Words | None]
    terms: Mapped[CanonicalJson | None]
    rejected_at: Mapped[Instant | None]
    voucher_id: Mapped[Id | None]
    application_id: Mapped[Id | None]
    """The application that it grants, None for what an authority issues by itself."""

    __table_args__ = (
        ForeignKeyConstraint(["region_code", "batch_id"], ["issuance_batches.region_code", "issuance_batches.id"]),
        Index(
            "uq_issuance_rows_live_reference",
            "region_code",
            "programme_id",
            "reference_no",
            unique=True,
            postgresql_where="rejected_at IS NULL",
        ),
        UniqueConstraint("region_code", "voucher_id"),
        ForeignKeyConstraint(["region_code", "application_id"], ["applications.region_code", "applications.id"]),
        Index(
            "uq_issuance_rows_live_application",
            "region_code",
            "application_id",
            unique=True,
            postgresql_where="rejected_at IS NULL AND application_id IS NOT NULL",
        ),
        CheckConstraint("face_value_fen > 0", name="face_value_positive"),
    )
