"""The journal: entries, their postings, the queue from which they are sealed. Append-only by privilege and trigger."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    Sequence,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.vocabulary import DUAL_CONTROL, Account, EntryKind, LeafKind, VoucherEnd
from app.models.base import Base, CanonicalJson, Count, Fen, Id, Instant, RegionCode, Small, one_of, region_code_format

_DUAL_CONTROL = ", ".join(f"'{kind}'" for kind in sorted(DUAL_CONTROL))

seal_queue_no = Sequence("seal_queue_no", metadata=Base.metadata)
"""Drawn after the locks are held, so that one voucher's entries queue in the order in which they happened."""


class Entry(Base):
    """One thing that happened, with the bytes that are hashed for the log (`leaf`)."""

    __tablename__ = "entries"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    id: Mapped[Id] = mapped_column(primary_key=True)
    kind: Mapped[Id]
    at: Mapped[Instant]
    programme_id: Mapped[Id]
    voucher_id: Mapped[Id | None]
    subject_id: Mapped[Id]
    """The redemption, refund, batch or approval that the entry records."""
    principal_id: Mapped[Id]
    """Who caused it: the person or client whose request ran."""
    organisation_id: Mapped[Id]
    maker_id: Mapped[Id | None]
    checker_id: Mapped[Id | None]
    approval_id: Mapped[Id | None]
    rule_version_id: Mapped[Id | None]
    request_id: Mapped[Id]
    reverses_id: Mapped[Id | None]
    pair_id: Mapped[Id | None]
    voucher_end: Mapped[Id | None]
    """How the voucher ended, where money moves off an ended voucher."""
    details: Mapped[CanonicalJson]
    """Reason, document number and the like; the leaf holds only its SHA-256."""
    leaf: Mapped[bytes] = mapped_column(LargeBinary)

    __table_args__ = (
        ForeignKeyConstraint(["region_code", "programme_id"], ["programmes.region_code", "programmes.id"]),
        ForeignKeyConstraint(["region_code", "voucher_id"], ["vouchers.region_code", "vouchers.id"]),
        ForeignKeyConstraint(["region_code", "reverses_id"], ["entries.region_code", "entries.id"]),
        Index(
            "uq_entries_reverses",
            "region_code",
            "reverses_id",
            unique=True,
            postgresql_where="reverses_id IS NOT NULL",  # few entries reverse one; the others cost this index nothing
        ),
        Index(None, "region_code", "programme_id", "id"),
        Index(None, "region_code", "subject_id"),
        one_of("kind", EntryKind),
        one_of("voucher_end", VoucherEnd),
        CheckConstraint("maker_id IS NULL OR checker_id IS NULL OR maker_id <> checker_id", name="two_persons"),
        CheckConstraint(
            f"kind NOT IN ({_DUAL_CONTROL}) OR (maker_id IS NOT NULL AND checker_id IS NOT NULL)",
            name="dual_control",
        ),
        CheckConstraint("octet_length(leaf) BETWEEN 1 AND 65535", name="leaf_length"),
        region_code_format(),
    )


class Posting(Base):
    """An amount moved from one account of a pool to another. It cannot be unbalanced."""

    __tablename__ = "postings"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    entry_id: Mapped[Id] = mapped_column(primary_key=True)
    line: Mapped[Small] = mapped_column(primary_key=True)
    pool_id: Mapped[Id]
    source: Mapped[Id]
    destination: Mapped[Id]
    amount_fen: Mapped[Fen]
    voucher_id: Mapped[Id | None]
    voucher_seq: Mapped[Count | None]
    payee_id: Mapped[Id | None]
    hold_id: Mapped[Id | None]
    """The hold that the money comes from or goes to, where one side is `held`."""

    __table_args__ = (
        ForeignKeyConstraint(["region_code", "entry_id"], ["entries.region_code", "entries.id"]),
        ForeignKeyConstraint(["region_code", "pool_id"], ["pools.region_code", "pools.id"]),
        ForeignKeyConstraint(["region_code", "voucher_id"], ["vouchers.region_code", "vouchers.id"]),
        ForeignKeyConstraint(["region_code", "hold_id"], ["holds.region_code", "holds.id"]),
        UniqueConstraint("region_code", "voucher_id", "voucher_seq"),
        Index(None, "region_code", "pool_id", "entry_id"),
        Index(
            "ix_postings_payee",
            "region_code",
            "payee_id",
            "entry_id",
            postgresql_where="payee_id IS NOT NULL",  # only what is owed or paid has one
        ),
        one_of("source", Account),
        one_of("destination", Account),
        CheckConstraint("source <> destination", name="two_accounts"),
        CheckConstraint("amount_fen > 0", name="amount_positive"),
        CheckConstraint("(voucher_id IS NULL) = (voucher_seq IS NULL)", name="voucher_seq_set"),
        CheckConstraint("(source = 'held' OR destination = 'held') = (hold_id IS NOT NULL)", name="hold_set"),
    )


class SealQueue(Base):
    """Leaves that wait to be appended to the region's tree. The sealer deletes what it seals."""

    __tablename__ = "seal_queue"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    queue_no: Mapped[int] = mapped_column(
        BigInteger, seal_queue_no, primary_key=True, server_default=seal_queue_no.next_value(), autoincrement=False
    )
    leaf_kind: Mapped[Id]
    leaf_id: Mapped[Id]

    __table_args__ = (one_of("leaf_kind", LeafKind), UniqueConstraint("region_code", "leaf_id"))
