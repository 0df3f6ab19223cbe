"""What the pages show of a voucher at an instant: parts, days left, movements by entry. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from app.kernel.clock import SHANGHAI, civil_date
from app.kernel.vocabulary import EntryKind, PaymentCodeStatus, VoucherStatus
from app.services.vouchers.mandates import MandateRecord
from app.services.vouchers.payment_codes import PaymentCodeRecord
from app.services.vouchers.reads import VoucherMovement, VoucherRecord

WARNING_DAYS = 30
"""A voucher that ends in fewer days than these is shown with a warning."""

BAR_WIDTH = 1000
"""Units of the bar's own drawing; the page stretches it."""

PARTS = ("balance", "held", "redeemed", "recovered", "expired", "voided", "surrendered")
"""The parts that a face value falls into, in the order in which they are shown."""

ENDS = frozenset({VoucherStatus.EXPIRED, VoucherStatus.VOIDED, VoucherStatus.SURRENDERED})


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the face value, and where it lies on the bar."""

    name: str
    amount_fen: int
    x: int
    width: int


@dataclass(frozen=True, slots=True)
class ShownVoucher:
    """A voucher with what follows from the instant at which it is looked at."""

    record: VoucherRecord
    parts: tuple[Part, ...]
    share: int
    """Balance as a share of the face, whole per cent, rounded down."""
    days_left: int | None
    """Days after today on which it is still valid; None where it has ended or has been used up."""
    ends_soon: bool

    @property
    def can_grant(self) -> bool:
        """Whether a mandate on it can still be of use."""
        return self.record.status not in ENDS

    @property
    def can_pay(self) -> bool:
        """Whether a payment code for it can be made now."""
        return self.record.status is VoucherStatus.ACTIVE

    @property
    def last_day(self) -> date:
        """The last day on which it is valid, for at least a part of it."""
        return last_day(self.record.valid_until)


@dataclass(frozen=True, slots=True)
class ShownMovement:
    """An entry on a voucher: what it did to the balance, over all fund sources."""

    at: datetime
    kind: str
    change_fen: int
    balance_fen: int
    provider: str | None
    redemption_id: str | None
    from_hold_fen: int
    """What a redemption drew from its hold: the balance gave it when the hold was made."""
    freed_fen: int
    """What was left of the hold and came back with its last redemption."""


@dataclass(frozen=True, slots=True)
class ShownMandate:
    """A mandate with its state: `live`, `used_up`, `ended` or `withdrawn`."""

    record: MandateRecord
    state: str

    @property
    def left_fen(self) -> int:
        """What may still be drawn under it."""
        return self.record.limit_fen - self.record.used_fen if self.state == "live" else 0


@dataclass(frozen=True, slots=True)
class ShownPaymentCode:
    """A payment code with its state at an instant."""

    record: PaymentCodeRecord
    status: PaymentCodeStatus


def shown_payment_code(record: PaymentCodeRecord, *, at: datetime) -> ShownPaymentCode:
    """The payment code as the pages show it at that instant."""
    return ShownPaymentCode(record, record.status(at))


def shown_voucher(record: VoucherRecord, *, at: datetime) -> ShownVoucher:
    """The voucher as the pages show it at that instant."""
    living = record.status not in ENDS and at < record.valid_until
    days_left = (last_day(record.valid_until) - civil_date(at)).days if living and record.balance_fen else None
    return ShownVoucher(
        record=record,
        parts=tuple(_parts(record)),
        share=record.balance_fen * 100 // record.face_value_fen if record.face_value_fen else 0,
        days_left=days_left,
        ends_soon=days_left is not None and days_left < WARNING_DAYS,
    )


def shown_movements(movements: Sequence[VoucherMovement], providers: Mapping[str, str]) -> list[ShownMovement]:
    """Movements newest first, the postings of one entry (one per fund source) as one. `providers`: id → name.

    What is carried to the next year's pools is one movement too, which changes nothing: out here and in there.
    """
    shown: dict[str, ShownMovement] = {}
    for movement in movements:
        redeems = movement.kind == EntryKind.REDEEM
        from_hold_fen = movement.amount_fen if redeems and movement.hold_id and not movement.change_fen else 0
        freed_fen = movement.change_fen if redeems and movement.hold_id else 0
        one = movement.subject_id if movement.kind == EntryKind.MOVE else movement.entry_id
        earlier = shown.get(one)
        if earlier is None:
            shown[one] = ShownMovement(
                at=movement.at,
                kind=movement.kind,
                change_fen=movement.change_fen,
                balance_fen=movement.balance_fen,
                provider=providers.get(movement.provider_id or ""),
                redemption_id=movement.subject_id if redeems else None,
                from_hold_fen=from_hold_fen,
                freed_fen=freed_fen,
            )
        else:
            shown[one] = replace(
                earlier,
                change_fen=earlier.change_fen + movement.change_fen,
                balance_fen=movement.balance_fen,
                from_hold_fen=earlier.from_hold_fen + from_hold_fen,
                freed_fen=earlier.freed_fen + freed_fen,
            )
    return list(reversed(shown.values()))


def shown_mandates(records: Iterable[MandateRecord], *, at: datetime) -> list[ShownMandate]:
    """Mandates in the order given, each with its state at that instant."""
    return [ShownMandate(record, _mandate_state(record, at)) for record in records]


def last_day(until: datetime) -> date:
    """The Shanghai day on which an exclusive instant ends: the midnight that begins 1 January ends 31 December."""
    return civil_date(until - timedelta(microseconds=1))


def local_time(at: datetime) -> str:
    """An instant in Asia/Shanghai, to the minute."""
    return f"{at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"


def local_second(at: datetime) -> str:
    """An instant in Asia/Shanghai, to the second: for what is good for minutes."""
    return f"{at.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}"


def ends_with_day(until: datetime) -> bool:
    """Whether an exclusive instant is the end of a Shanghai day, so that naming the day says all."""
    return until.astimezone(SHANGHAI).time() == time.min


def _parts(record: VoucherRecord) -> Iterable[Part]:
    face_fen = record.face_value_fen or 1
    sum_fen = 0
    for name in PARTS:
        amount_fen: int = getattr(record, f"{name}_fen")
        x = sum_fen * BAR_WIDTH // face_fen
        sum_fen += amount_fen
        if amount_fen:
            yield Part(name, amount_fen, x, sum_fen * BAR_WIDTH // face_fen - x)


def _mandate_state(record: MandateRecord, at: datetime) -> str:
    if record.revoked_at is not None:
        return "withdrawn"
    if at >= record.valid_until:
        return "ended"
    return "used_up" if record.used_fen >= record.limit_fen else "live"
