"""Events: what an organisation may want to know at once. Written with what they tell, pulled in order."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.vocabulary import EventKind
from app.models.base import Base, CanonicalJson, Id, Instant, RegionCode, one_of, region_code_format


class Event(Base):
    """Something that happened, told to one organisation.

    `tx_no` is the number of the transaction that wrote it: those below the oldest one still running are complete, and
    in their order nobody who asks for what is new ever misses one that commits late.
    """

    __tablename__ = "events"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    id: Mapped[Id] = mapped_column(primary_key=True)
    recipient_id: Mapped[Id] = mapped_column(ForeignKey("organisations.id"))
    tx_no: Mapped[int] = mapped_column(BigInteger, server_default=text("pg_current_xact_id()::text::bigint"))
    kind: Mapped[Id]
    subject_id: Mapped[Id]
    data: Mapped[CanonicalJson]
    at: Mapped[Instant]

    __table_args__ = (
        Index(None, "recipient_id", "tx_no", "id"),
        one_of("kind", EventKind),
        region_code_format(),
    )


class ReminderMark(Base):
    """How far a programme's reminders have come. Its row is the lock of whoever makes them."""

    __tablename__ = "reminder_marks"

    region_code: Mapped[RegionCode] = mapped_column(primary_key=True)
    programme_id: Mapped[Id] = mapped_column(primary_key=True)
    looked_at: Mapped[Instant]
    """All reminders that were due by then have been made."""
    until: Mapped[Instant | None]
    """The instant up to which they are being made, in portions; None between two looks."""
    after_id: Mapped[Id]
    """The last voucher of the portions so far."""

    __table_args__ = (
        ForeignKeyConstraint(["region_code", "programme_id"], ["programmes.region_code", "programmes.id"]),
        CheckConstraint("until > looked_at", name="until_later"),
        region_code_format(),
    )
