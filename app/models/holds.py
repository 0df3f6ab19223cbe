"""Holds: part of a voucher reserved by a provider before work, until it is redeemed, released or expired."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.vocabulary import HoldStatus
from app.models.base import Base, CanonicalJson, Fen, Id, Instant, RegionCode, Small, one_of, region_code_format

PARTS_ADD_UP = "held_fen + redeemed_fen + released_fen = amount_fen"
NOT_NEGATIVE = "held_fen >= 0 AND redeemed_fen >= 0 AND released_fen >= 0"


class HoldNumber(Base):
    """A provider's own number of a hold, taken for ever: claimed before the voucher is locked."""

    __tablename__ = "hold_numbers"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    provider_id: Mapped[Id] = mapped_column(primary_key=True)
    hold_no: Mapped[Id] = mapped_column(primary_key=True)
    hold_id: Mapped[Id]

    __table_args__ = (region_code_format(),)


class Whereabouts:
    """Where the fen of a hold are; they always add up to its amount."""

    amount_fen: Mapped[Fen]
    held_fen: Mapped[Fen]
    redeemed_fen: Mapped[Fen] = mapped_column(default=0)
    """Drawn from it; a refund goes to the voucher and changes nothing here."""
    released_fen: Mapped[Fen] = mapped_column(default=0)


class Hold(Whereabouts, Base):
    """A hold is its bill: what is redeemed from it later is assessed as one bill, under the rules it was made under."""

    __tablename__ = "holds"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    id: Mapped[Id] = mapped_column(primary_key=True)
    voucher_id: Mapped[Id]
    programme_id: Mapped[Id]
    firm_id: Mapped[Id]
    provider_id: Mapped[Id] = mapped_column(ForeignKey("organisations.id"))
    mandate_id: Mapped[Id | None]
    payment_code_id: Mapped[Id | None]
    hold_no: Mapped[Id]
    rule_version_id: Mapped[Id]
    bill_total_fen: Mapped[Fen]
    status: Mapped[Id]
    facts: Mapped[CanonicalJson]
    trace: Mapped[CanonicalJson]
    entry_id: Mapped[Id]
    held_at: Mapped[Instant]
    held_by: Mapped[Id]
    expires_at: Mapped[Instant]
    """Exclusive. A freeze of the voucher stops the clock: lifting it moves this instant."""
    ended_at: Mapped[Instant | None]
    end_counted: Mapped[CanonicalJson | None]
    """What its end changed in the counters of cumulative rules, where no redemption did."""

    __table_args__ = (
        ForeignKeyConstraint(["region_code", "voucher_id"], ["vouchers.region_code", "vouchers.id"]),
        ForeignKeyConstraint(["region_code", "mandate_id"], ["mandates.region_code", "mandates.id"]),
        ForeignKeyConstraint(["region_code", "payment_code_id"], ["payment_codes.region_code", "payment_codes.id"]),
        ForeignKeyConstraint(["region_code", "rule_version_id"], ["rule_versions.region_code", "rule_versions.id"]),
        ForeignKeyConstraint(
            ["region_code", "entry_id"],
            ["entries.region_code", "entries.id"],
            deferrable=True,  # the hold names its entry, whose postings name the hold
            initially="DEFERRED",
        ),
        UniqueConstraint("region_code", "provider_id", "hold_no"),
        UniqueConstraint("region_code", "entry_id"),
        Index(None, "region_code", "voucher_id", "id"),
        Index(None, "provider_id", "id"),
        Index("ix_holds_open", "expires_at", postgresql_where="status = 'open'"),
        one_of("status", HoldStatus),
        UniqueConstraint("region_code", "payment_code_id"),
        CheckConstraint("num_nonnulls(mandate_id, payment_code_id) = 1", name="one_consent"),
        CheckConstraint("amount_fen > 0 AND amount_fen <= bill_total_fen", name="amount_within_bill"),
        CheckConstraint(PARTS_ADD_UP, name="parts_add_up"),
        CheckConstraint(NOT_NEGATIVE, name="not_negative"),
        CheckConstraint("(status = 'open') = (ended_at IS NULL)", name="end_complete"),
        CheckConstraint("status = 'open' OR held_fen = 0", name="ended_holds_nothing"),
        region_code_format(),
    )


class HoldShare(Whereabouts, Base):
    """A hold's share in one pool, with the same counters as the hold. A carry forward moves its amount too."""

    __tablename__ = "hold_shares"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    hold_id: Mapped[Id] = mapped_column(primary_key=True)
    pool_id: Mapped[Id] = mapped_column(primary_key=True)
    line: Mapped[Small]
    """The declared order of the fund sources."""

    __table_args__ = (
        ForeignKeyConstraint(["region_code", "hold_id"], ["holds.region_code", "holds.id"]),
        ForeignKeyConstraint(["region_code", "pool_id"], ["pools.region_code", "pools.id"]),
        UniqueConstraint("region_code", "hold_id", "line"),
        CheckConstraint("amount_fen >= 0", name="amount_not_negative"),  # 0: all of it was carried to another year
        CheckConstraint(PARTS_ADD_UP, name="parts_add_up"),
        CheckConstraint(NOT_NEGATIVE, name="not_negative"),
    )
