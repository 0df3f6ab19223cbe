"""Payee accounts (收款账户): where an authority's payments to a payee go. A change is a new row, under two persons."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.vocabulary import PayeeAccountStatus
from app.models.base import Base, Id, Instant, RegionCode, Words, one_of, region_code_format


class PayeeAccount(Base):
    """One bank account. Its number is kept whole for the bank, and shown masked to everybody."""

    __tablename__ = "payee_accounts"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    id: Mapped[Id] = mapped_column(primary_key=True)
    authority_id: Mapped[Id] = mapped_column(ForeignKey("organisations.id"))
    payee_id: Mapped[Id] = mapped_column(ForeignKey("organisations.id"))
    account_name: Mapped[Words]
    bank_name: Mapped[Words]
    cnaps: Mapped[Id]
    account_no: Mapped[Id]
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
        CheckConstraint("account_no ~ '^[0-9]{8,32}$'", name="account_no_digits"),
        CheckConstraint(
            "(status = 'proposed') = (decided_at IS NULL) AND (decided_at IS NULL) = (decided_by IS NULL)"
            " AND (status = 'replaced') = (replaced_at IS NOT NULL)",
            name="decision_complete",
        ),
        CheckConstraint("status NOT IN ('listed', 'replaced') OR decided_by <> proposed_by", name="two_persons"),
        region_code_format(),
    )
