"""Payment codes: the firm's consent for one hold or redemption, good for minutes."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Fen, Id, Instant, RegionCode, Small, region_code_format

WRONG_DIGITS_LIMIT = 5
"""After so many wrong numbers a code's own digits are not taken any more."""


class PaymentCode(Base):
    """One provider may draw on one voucher, once, up to a maximum, until an instant. Holds none of its secrets."""

    __tablename__ = "payment_codes"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    id: Mapped[Id] = mapped_column(primary_key=True)
    voucher_id: Mapped[Id]
    provider_id: Mapped[Id] = mapped_column(ForeignKey("organisations.id"))
    limit_fen: Mapped[Fen]
    key_id: Mapped[Id]
    """The signing key from which token and digits follow."""
    digits_mac: Mapped[bytes] = mapped_column(LargeBinary)
    """HMAC-SHA256 of voucher, provider and digits: finds the code by its digits, and tells nobody what they are."""
    wrong_digits: Mapped[Small] = mapped_column(default=0)
    """How often the provider sent a number for this voucher that none of its codes has, while this one was open."""
    valid_until: Mapped[Instant]
    created_at: Mapped[Instant]
    created_by: Mapped[Id]
    withdrawn_at: Mapped[Instant | None]
    withdrawn_by: Mapped[Id | None]

    __table_args__ = (
        ForeignKeyConstraint(["region_code", "voucher_id"], ["vouchers.region_code", "vouchers.id"]),
        UniqueConstraint("region_code", "digits_mac"),
        Index(None, "region_code", "voucher_id", "provider_id", "id"),
        CheckConstraint("limit_fen > 0", name="limit_positive"),
        CheckConstraint("octet_length(digits_mac) = 32", name="digits_mac_length"),
        CheckConstraint(f"wrong_digits BETWEEN 0 AND {WRONG_DIGITS_LIMIT}", name="wrong_digits_counted"),
        CheckConstraint(
            "created_at < valid_until AND valid_until <= created_at + interval '60 minutes'", name="good_for_minutes"
        ),
        CheckConstraint("(withdrawn_at IS NULL) = (withdrawn_by IS NULL)", name="withdrawal_complete"),
        region_code_format(),
    )


class PaymentCodeUse(Base):
    """The one use of a payment code: claimed before the voucher is locked, given back where nothing comes of it."""

    __tablename__ = "payment_code_uses"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    payment_code_id: Mapped[Id] = mapped_column(primary_key=True)
    used_by: Mapped[Id]
    """Id of the hold or redemption."""

    __table_args__ = (
        ForeignKeyConstraint(["region_code", "payment_code_id"], ["payment_codes.region_code", "payment_codes.id"]),
    )
