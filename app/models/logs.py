"""The log of a region: its signed head, its leaves in order, the tiles of its tree, every head that was ever signed."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, LargeBinary, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.vocabulary import Account, HolderKind, LeafKind
from app.models.base import Base, Count, Fen, Id, Instant, RegionCode, Small, Words, one_of, region_code_format


class Log(Base):
    """The head of a region's log. Whoever seals holds this row's lock, so there is one sealer at a time."""

    __tablename__ = "logs"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    origin: Mapped[Words]
    """Name of the log and of its key, chosen with the first leaf and never changed."""
    size: Mapped[Count]
    root: Mapped[bytes] = mapped_column(LargeBinary)
    frontier: Mapped[bytes] = mapped_column(LargeBinary)
    """Hashes of the complete subtrees along the right edge, the largest first: what appending needs to know."""
    checkpoint: Mapped[Words]
    """The head as a signed note (C2SP tlog-checkpoint), without the lines of witnesses."""
    sealed_at: Mapped[Instant]
    batch_count: Mapped[Count]

    __table_args__ = (
        CheckConstraint("size >= 0 AND batch_count >= 0", name="counts_not_negative"),
        CheckConstraint("octet_length(root) = 32 AND octet_length(frontier) % 32 = 0", name="hashes_whole"),
        region_code_format(),
    )


class LogLeaf(Base):
    """The place of an entry or audit event in the log. Its bytes stay where they are: `entries.leaf` and the like."""

    __tablename__ = "log_leaves"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    leaf_index: Mapped[Count] = mapped_column(primary_key=True, autoincrement=False)
    leaf_kind: Mapped[Id]
    leaf_id: Mapped[Id]
    leaf_hash: Mapped[bytes] = mapped_column(LargeBinary)
    """SHA-256 of a zero byte and the leaf (RFC 6962)."""

    __table_args__ = (
        UniqueConstraint("region_code", "leaf_id"),
        one_of("leaf_kind", LeafKind),
        CheckConstraint("leaf_index >= 0", name="index_not_negative"),
        CheckConstraint("octet_length(leaf_hash) = 32", name="hash_length"),
    )


class LogTile(Base):
    """Up to 256 hashes of one level of the tree (C2SP tlog-tiles); the right edge is written anew as it grows."""

    __tablename__ = "log_tiles"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    level: Mapped[Small] = mapped_column(primary_key=True, autoincrement=False)
    tile_no: Mapped[Count] = mapped_column(primary_key=True, autoincrement=False)
    width: Mapped[Small]
    hashes: Mapped[bytes] = mapped_column(LargeBinary)

    __table_args__ = (
        ForeignKeyConstraint(["region_code"], ["logs.region_code"]),
        CheckConstraint("level >= 0 AND tile_no >= 0", name="place_not_negative"),
        CheckConstraint("width BETWEEN 1 AND 256 AND octet_length(hashes) = width * 32", name="hashes_whole"),
    )


class LogBatch(Base):
    """One signed head: the leaves from `first_index` up to `size` were appended by it."""

    __tablename__ = "log_batches"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    batch_no: Mapped[Count] = mapped_column(primary_key=True, autoincrement=False)
    """From 1."""
    first_index: Mapped[Count]
    size: Mapped[Count]
    root: Mapped[bytes] = mapped_column(LargeBinary)
    checkpoint: Mapped[Words]
    sealed_at: Mapped[Instant]
    at_min: Mapped[Instant]
    """The earliest instant of its leaves."""
    at_max: Mapped[Instant]
    at_max_so_far: Mapped[Instant]
    """The latest instant of its leaves and of all before them: never falls from one batch to the next."""

    __table_args__ = (
        ForeignKeyConstraint(["region_code"], ["logs.region_code"]),
        UniqueConstraint("region_code", "size"),
        UniqueConstraint("region_code", "first_index"),
        Index(None, "region_code", "at_max_so_far", "batch_no"),
        Index(None, "region_code", "at_max"),
        Index(
            "ix_log_batches_late",
            "region_code",
            "at_max",
            postgresql_where=text("at_max < at_max_so_far"),  # sealed after something that happened later
        ),
        Index(
            "ix_log_batches_long",
            "region_code",
            "at_max",
            postgresql_where=text("at_max - at_min > interval '1 minute'"),  # few, and found apart from the short ones
        ),
        CheckConstraint("batch_no > 0 AND first_index >= 0 AND size > first_index", name="leaves_counted"),
        CheckConstraint("at_min <= at_max AND at_max <= at_max_so_far", name="instants_ordered"),
        CheckConstraint("octet_length(root) = 32", name="root_length"),
    )


class LogCosignature(Base):
    """The line that a witness added to the checkpoint of this size."""

    __tablename__ = "log_cosignatures"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    size: Mapped[Count] = mapped_column(primary_key=True, autoincrement=False)
    witness: Mapped[Words] = mapped_column(primary_key=True)
    """The name of the witness's key."""
    cosignature: Mapped[Words]
    received_at: Mapped[Instant]

    __table_args__ = (
        ForeignKeyConstraint(["region_code", "size"], ["log_batches.region_code", "log_batches.size"]),
        CheckConstraint("position(chr(10) in cosignature) = 0", name="one_line"),
    )


class AccountMark(Base):
    """What lay on an account after a batch, for the accounts that it touched."""

    __tablename__ = "account_marks"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    holder_kind: Mapped[Id] = mapped_column(primary_key=True)
    holder_id: Mapped[Id] = mapped_column(primary_key=True)
    """A pool, or the organisation that is paid."""
    account: Mapped[Id] = mapped_column(primary_key=True)
    batch_no: Mapped[Count] = mapped_column(primary_key=True, autoincrement=False)
    change_fen: Mapped[Fen]
    """What the batch itself moved; zero where it moved as much to as from the account."""
    balance_fen: Mapped[Fen]

    __table_args__ = (
        ForeignKeyConstraint(["region_code", "batch_no"], ["log_batches.region_code", "log_batches.batch_no"]),
        one_of("holder_kind", HolderKind),
        one_of("account", Account),
    )
