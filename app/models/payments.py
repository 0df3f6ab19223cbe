"""Payment orders: what was sent to the treasury, redemption by redemption, and what the bank said of it."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.vocabulary import PaymentItemStatus, PaymentOrderStatus, PaymentResultKind
from app.models.base import Base, Count, Fen, Id, Instant, RegionCode, Words, one_of, region_code_format

LIVE = "status IN ('proposed', 'in_payment', 'confirmed')"
"""An item that waits, is under way or has arrived: its redemption is in no other one."""


class PaymentOrder(Base):
    """Redemptions of one payee that are paid together. Its row is the lock of what happens to its items."""

    __tablename__ = "payment_orders"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    id: Mapped[Id] = mapped_column(primary_key=True)
    authority_id: Mapped[Id] = mapped_column(ForeignKey("organisations.id"))
    payee_id: Mapped[Id] = mapped_column(ForeignKey("organisations.id"))
    item_count: Mapped[Count]
    total_fen: Mapped[Fen]
    status: Mapped[Id]
    reason: Mapped[Words | None]
    proposed_at: Mapped[Instant]
    proposed_by: Mapped[Id]
    decided_at: Mapped[Instant | None]
    decided_by: Mapped[Id | None]
    payee_account_id: Mapped[Id | None]
    """The account that it is paid to, as it was listed when the order was proposed; none where none was."""

    __table_args__ = (
        Index(None, "payee_id", "id"),
        ForeignKeyConstraint(["region_code", "payee_account_id"], ["payee_accounts.region_code", "payee_accounts.id"]),
        one_of("status", PaymentOrderStatus),
        CheckConstraint("item_count > 0 AND total_fen > 0", name="pays_something"),
        CheckConstraint(
            "(status = 'proposed') = (decided_at IS NULL) AND (decided_at IS NULL) = (decided_by IS NULL)",
            name="decision_complete",
        ),
        CheckConstraint(
            "decided_by IS NULL OR decided_by <> proposed_by OR status = 'rejected'",  # its maker may withdraw it
            name="two_persons",
        ),
        region_code_format(),
    )


class PaymentResult(Base):
    """What the bank said, once for each of its references."""

    __tablename__ = "payment_results"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    id: Mapped[Id] = mapped_column(primary_key=True)
    order_id: Mapped[Id]
    kind: Mapped[Id]
    bank_reference: Mapped[Id]
    total_fen: Mapped[Fen]
    reason: Mapped[Words | None]
    recorded_at: Mapped[Instant]
    recorded_by: Mapped[Id]

    __table_args__ = (
        ForeignKeyConstraint(["region_code", "order_id"], ["payment_orders.region_code", "payment_orders.id"]),
        UniqueConstraint("region_code", "kind", "bank_reference"),
        Index(None, "region_code", "order_id", "id"),
        one_of("kind", PaymentResultKind),
        CheckConstraint("total_fen > 0", name="total_positive"),
        region_code_format(),
    )


class PaymentItem(Base):
    """One redemption in a payment order, with the entries that moved its money."""

    __tablename__ = "payment_items"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    order_id: Mapped[Id] = mapped_column(primary_key=True)
    redemption_id: Mapped[Id] = mapped_column(primary_key=True)
    amount_fen: Mapped[Fen]
    status: Mapped[Id]
    order_entry_id: Mapped[Id | None]
    confirm_entry_id: Mapped[Id | None]
    confirm_result_id: Mapped[Id | None]
    bounce_entry_id: Mapped[Id | None]
    bounce_result_id: Mapped[Id | None]

    __table_args__ = (
        ForeignKeyConstraint(["region_code", "order_id"], ["payment_orders.region_code", "payment_orders.id"]),
        ForeignKeyConstraint(["region_code", "redemption_id"], ["redemptions.region_code", "redemptions.id"]),
        *(
            ForeignKeyConstraint(["region_code", column], ["entries.region_code", "entries.id"])
            for column in ("order_entry_id", "confirm_entry_id", "bounce_entry_id")
        ),
        *(
            ForeignKeyConstraint(["region_code", column], ["payment_results.region_code", "payment_results.id"])
            for column in ("confirm_result_id", "bounce_result_id")
        ),
        Index("uq_payment_items_live", "region_code", "redemption_id", unique=True, postgresql_where=LIVE),
        one_of("status", PaymentItemStatus),
        CheckConstraint("amount_fen > 0", name="amount_positive"),
        CheckConstraint("(status IN ('proposed', 'rejected')) = (order_entry_id IS NULL)", name="ordered_by_an_entry"),
        CheckConstraint(
            "(confirm_entry_id IS NULL) = (confirm_result_id IS NULL)"
            " AND (status <> 'confirmed' OR confirm_entry_id IS NOT NULL)"
            " AND (status NOT IN ('proposed', 'rejected', 'in_payment') OR confirm_entry_id IS NULL)",
            name="confirmed_by_an_entry",
        ),
        CheckConstraint(
            "(bounce_entry_id IS NULL) = (bounce_result_id IS NULL)"
            " AND (status = 'bounced') = (bounce_entry_id IS NOT NULL)",
            name="bounced_by_an_entry",
        ),
    )
