"""Payment codes: the firm's consent that one provider may draw on a voucher once, up to a maximum, within minutes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, func, insert, select, update

from app.kernel.ids import new_id
from app.kernel.problems import AppError, Code, FieldError
from app.kernel.vocabulary import PaymentCodeStatus, VoucherStatus
from app.models import Organisation, PaymentCode, PaymentCodeUse
from app.models.payment_codes import WRONG_DIGITS_LIMIT
from app.services import audit
from app.services.identity.principals import Caller
from app.services.vouchers.mandates import own_voucher_locked, require_admitted
from app.services.vouchers.payment_secrets import PaymentSecrets, PaymentTerms
from app.services.vouchers.reads import VoucherRecord, read_voucher
from app.sql import now

MINUTES = 10
MAX_MINUTES = 60
OPEN_LIMIT = 10
"""Open codes of one voucher for one provider; `payment_secrets` says what depends on it."""


@dataclass(frozen=True, slots=True)
class PaymentCodeRecord:
    """A payment code as it is shown, without its secrets. Amounts are fen."""

    id: str
    voucher_id: str
    voucher_code: str
    provider_id: str
    provider_name: str
    limit_fen: int
    key_id: str
    wrong_digits: int
    created_at: datetime
    valid_until: datetime
    withdrawn_at: datetime | None
    used_by: str | None

    def status(self, at: datetime) -> PaymentCodeStatus:
        """What it is at an instant; once used it stays used."""
        if self.used_by is not None:
            return PaymentCodeStatus.USED
        if self.withdrawn_at is not None:
            return PaymentCodeStatus.WITHDRAWN
        return PaymentCodeStatus.OPEN if at < self.valid_until else PaymentCodeStatus.EXPIRED

    @property
    def digits_void(self) -> bool:
        """Whether wrong numbers were sent so often that only the QR still holds."""
        return self.wrong_digits >= WRONG_DIGITS_LIMIT


@dataclass(frozen=True, slots=True)
class Revealed:
    """What the firm shows or reads out. `digits` have no groups."""

    token: str
    digits: str


def create_payment_code(
    tx: Connection,
    *,
    caller: Caller,
    secrets: PaymentSecrets,
    voucher_id: str,
    provider_id: str,
    limit_fen: int,
    minutes: int = MINUTES,
) -> PaymentCodeRecord:
    """Let a provider draw once on the firm's own voucher, for `minutes` from now, but not beyond the voucher's end.

    Raises `voucher_not_found` for a voucher that is not the firm's, `wrong_state` and `voucher_expired` for one that
    nobody can draw on now, `validation_failed` for a maximum above its balance, `provider_not_admitted`,
    `too_many_payment_codes`.
    """
    assert 1 <= minutes <= MAX_MINUTES, "checked where it was asked"
    voucher = own_voucher_locked(tx, caller, voucher_id)
    at = now(tx)
    _require_drawable(voucher, limit_fen, at)
    require_admitted(tx, voucher, provider_id)
    _require_room(tx, voucher, provider_id, at)
    code_id, key_id, mac = _drawn(tx, secrets, voucher, provider_id)
    tx.execute(
        insert(PaymentCode).values(
            region_code=voucher.region_code,
            id=code_id,
            voucher_id=voucher.id,
            provider_id=provider_id,
            limit_fen=limit_fen,
            key_id=key_id,
            digits_mac=mac,
            wrong_digits=0,
            valid_until=min(at + timedelta(minutes=minutes), voucher.valid_until),
            created_at=at,
            created_by=caller.principal_id,
        )
    )
    audit.record(
        tx,
        caller=caller,
        region_code=voucher.region_code,
        action="payment_code.created",
        object_id=code_id,
        at=at,
        details={"voucher": voucher.id, "provider": provider_id, "limit_fen": limit_fen, "minutes": minutes},
    )
    return _read(tx, voucher, code_id)


def withdraw_payment_code(tx: Connection, *, caller: Caller, voucher_id: str, code_id: str) -> PaymentCodeRecord:
    """End a code at once. Doing it twice changes nothing, nor does it where the code was used or has run out."""
    voucher = own_voucher_locked(tx, caller, voucher_id)
    at = now(tx)
    record = _read(tx, voucher, code_id)
    if record.status(at) is not PaymentCodeStatus.OPEN:
        return record
    tx.execute(
        update(PaymentCode)
        .where(PaymentCode.region_code == voucher.region_code, PaymentCode.id == code_id)
        .values(withdrawn_at=at, withdrawn_by=caller.principal_id)
    )
    audit.record(
        tx,
        caller=caller,
        region_code=voucher.region_code,
        action="payment_code.withdrawn",
        object_id=code_id,
        at=at,
        details={"voucher": voucher.id},
    )
    return _read(tx, voucher, code_id)


def list_payment_codes(
    tx: Connection, *, caller: Caller, voucher_id: str, at: datetime, limit: int, before_id: str | None = None
) -> list[PaymentCodeRecord]:
    """The payment codes of a voucher within the caller's reach, newest first, at most `limit`."""
    voucher = read_voucher(tx, caller=caller, voucher_id=voucher_id, at=at)
    query = _query(voucher).order_by(PaymentCode.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(PaymentCode.id < before_id)
    return [_record(row, voucher) for row in tx.execute(query)]


def read_payment_code(
    tx: Connection, *, caller: Caller, voucher_id: str, code_id: str, at: datetime
) -> PaymentCodeRecord:
    """One payment code of a voucher within the caller's reach. Raises `voucher_not_found`, `not_found`."""
    return _read(tx, read_voucher(tx, caller=caller, voucher_id=voucher_id, at=at), code_id)


def reveal(record: PaymentCodeRecord, secrets: PaymentSecrets) -> Revealed | None:
    """Token and digits of a code, the same each time; None once the key has been removed from which they followed.

    For the firm alone: who calls this has made sure of that.
    """
    token = secrets.token(
        PaymentTerms(record.id, record.key_id, record.voucher_code, record.limit_fen, record.valid_until)
    )
    digits = secrets.digits(key_id=record.key_id, code_id=record.id)
    return None if token is None or digits is None else Revealed(token, digits)


def _require_drawable(voucher: VoucherRecord, limit_fen: int, at: datetime) -> None:
    if voucher.status is not VoucherStatus.ACTIVE:
        raise AppError(Code.WRONG_STATE, actual=voucher.status, expected=VoucherStatus.ACTIVE)
    if at >= voucher.valid_until:
        raise AppError(Code.VOUCHER_EXPIRED, limit=voucher.valid_until, actual=at)
    if limit_fen > voucher.balance_fen:
        raise AppError(
            Code.VALIDATION_FAILED,
            count=1,
            errors=[FieldError("/limit_fen", "too_large", limit=voucher.balance_fen, actual=limit_fen)],
        )


def _require_room(tx: Connection, voucher: VoucherRecord, provider_id: str, at: datetime) -> None:
    used = select(PaymentCodeUse.payment_code_id).where(
        PaymentCodeUse.region_code == PaymentCode.region_code, PaymentCodeUse.payment_code_id == PaymentCode.id
    )
    open_codes = tx.execute(
        select(func.count()).where(
            PaymentCode.region_code == voucher.region_code,
            PaymentCode.voucher_id == voucher.id,
            PaymentCode.provider_id == provider_id,
            PaymentCode.valid_until > at,
            PaymentCode.withdrawn_at.is_(None),
            ~used.exists(),
        )
    ).scalar_one()
    if open_codes >= OPEN_LIMIT:
        raise AppError(Code.TOO_MANY_PAYMENT_CODES, limit=OPEN_LIMIT)


def _drawn(tx: Connection, secrets: PaymentSecrets, voucher: VoucherRecord, provider_id: str) -> tuple[str, str, bytes]:
    """Id, key and digits' MAC of a new code. Where the same digits were this provider's before, others are drawn."""
    key_id = secrets.key_id
    while True:
        code_id = new_id("pay", voucher.region_code)
        digits = secrets.digits(key_id=key_id, code_id=code_id)
        assert digits is not None, "our own key is there"
        mac = secrets.digits_mac(key_id=key_id, voucher_code=voucher.code, provider_id=provider_id, digits=digits)
        assert mac is not None, "our own key is there"
        known = select(PaymentCode.id).where(
            PaymentCode.region_code == voucher.region_code, PaymentCode.digits_mac == mac
        )
        if tx.execute(known).first() is None:
            return code_id, key_id, mac


def _query(voucher: VoucherRecord) -> Select[*tuple[Any, ...]]:
    return (
        select(PaymentCode, Organisation.name.label("provider_name"), PaymentCodeUse.used_by)
        .join(Organisation, Organisation.id == PaymentCode.provider_id)
        .join(
            PaymentCodeUse,
            and_(
                PaymentCodeUse.region_code == PaymentCode.region_code,
                PaymentCodeUse.payment_code_id == PaymentCode.id,
            ),
            isouter=True,
        )
        .where(PaymentCode.region_code == voucher.region_code, PaymentCode.voucher_id == voucher.id)
    )


def _read(tx: Connection, voucher: VoucherRecord, code_id: str) -> PaymentCodeRecord:
    row = tx.execute(_query(voucher).where(PaymentCode.id == code_id)).one_or_none()
    if row is None:
        raise AppError(Code.NOT_FOUND, what="payment_code")
    return _record(row, voucher)


def _record(row: Row[Any], voucher: VoucherRecord) -> PaymentCodeRecord:
    return PaymentCodeRecord(
        id=row.id,
        voucher_id=row.voucher_id,
        voucher_code=voucher.code,
        provider_id=row.provider_id,
        provider_name=row.provider_name,
        limit_fen=row.limit_fen,
        key_id=row.key_id,
        wrong_digits=row.wrong_digits,
        created_at=row.created_at,
        valid_until=row.valid_until,
        withdrawn_at=row.withdrawn_at,
        used_by=row.used_by,
    )
