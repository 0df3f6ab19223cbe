"""Payee accounts (收款账户): where an authority's payments to a payee go. A change is a new row, under two persons."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.vocabulary import PayeeAccountStatus
from app.models.base import (
    Base,
    Encrypted,
    Id,
    Instant,
    RegionCode,
    SearchTag,
    Words,
    encrypted,
    one_of,
    region_code_format,
)


class PayeeAccount(Base):
    """One bank account. Its number is kept encrypted; shown to everybody is its masked form."""

    __tablename__ = "payee_accounts"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    id: Mapped[Id] = mapped_column(primary_key=True)
    authority_id: Mapped[Id] = mapped_column(ForeignKey("organisations.id"))
    payee_id: Mapped[Id] = mapped_column(ForeignKey("organisations.id"))
    account_name: Mapped[Words]
    bank_name: Mapped[Words]
    cnaps: Mapped[Id]
    account_no: Mapped[Encrypted]
    account_no_tag: Mapped[SearchTag]
    account_no_masked: Mapped[Id]
    status: Mapped[Id]
    proposed_at: Mapped[Instant]
    proposed_by: Mapped[Id]
    decided_at: Mapped[Instant | None]
    decided_by: Mapped[Id | None]
    replaced_at: Mapped[Instant | None]

    __table_args__ = (
        Index(
            "uq_payee_accounts_listed",
            "region_code",
            "authority_id",
            "payee_id",
            unique=True,
            postgresql_where="status = 'listed'",
        ),
        Index(None, "payee_id", "id"),
        one_of("status", PayeeAccountStatus),
        CheckConstraint("cnaps ~ '^[0-9]{12}$'", name="cnaps_twelve_digits"),
        Index(None, "account_no_tag"),
        encrypted("account_no"),
        CheckConstraint("account_no_masked ~ '^([0-9]{4})?[*]{4}[0-9]{4}$'", name="masked"),
        CheckConstraint(
            "(status = 'proposed') = (decided_at IS NULL) AND (decided_at IS NULL) = (decided_by IS NULL)"
            " AND (status = 'replaced') = (replaced_at IS NOT NULL)",
            name="decision_complete",
        ),
        CheckConstraint("status NOT IN ('listed', 'replaced') OR decided_by <> proposed_by", name="two_persons"),
        region_code_format(),
    )
