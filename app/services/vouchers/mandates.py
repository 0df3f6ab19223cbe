"""Mandates: a firm's standing consent that a provider may draw on a voucher up to a limit, until an instant."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, insert, select, update

from app.kernel.clock import rfc3339
from app.kernel.ids import new_id, region_of
from app.kernel.problems import AppError, Code, FieldError
from app.kernel.vocabulary import AdmissionStatus, OrganisationKind, Role, VoucherStatus
from app.models import Admission, Mandate, Organisation, Voucher
from app.reach import enter
from app.services import audit
from app.services.identity.principals import Caller
from app.services.vouchers.reads import VoucherRecord, read_voucher
from app.sql import now


@dataclass(frozen=True, slots=True)
class MandateRecord:
    """A mandate as it is shown. Amounts are fen; `used_fen` is net of refunds."""

    id: str
    voucher_id: str
    provider_id: str
    provider_name: str
    limit_fen: int
    used_fen: int
    valid_until: datetime
    granted_at: datetime
    revoked_at: datetime | None


def grant_mandate(
    tx: Connection,
    *,
    caller: Caller,
    voucher_id: str,
    provider_id: str,
    limit_fen: int,
    valid_until: datetime | None,
    note: str | None = None,
) -> MandateRecord:
    """Let a provider draw on the firm's own voucher.

    `valid_until` defaults to the end of the voucher and may not lie behind it. Raises `voucher_not_found` for a
    voucher that is not the firm's, `provider_not_admitted`, `mandate_exists`, `validation_failed`.
    """
    voucher = own_voucher_locked(tx, caller, voucher_id)
    at = now(tx)
    if voucher.ended_at is not None:
        raise AppError(Code.WRONG_STATE, actual=voucher.status, expected=VoucherStatus.ACTIVE)
    until = voucher.valid_until if valid_until is None else valid_until
    if not at < until <= voucher.valid_until:
        limit = voucher.valid_until.isoformat()
        told = f"must lie in the future, and no later than {limit} / 须晚于当前时刻，且不晚于 {limit}"
        raise AppError(
            Code.VALIDATION_FAILED,
            count=1,
            errors=[FieldError("/valid_until", "out_of_range", detail=told, limit=limit, actual=until.isoformat())],
        )
    if limit_fen > voucher.face_value_fen:
        raise AppError(
            Code.VALIDATION_FAILED,
            count=1,
            errors=[FieldError("/limit_fen", "too_large", limit=voucher.face_value_fen, actual=limit_fen)],
        )
    require_admitted(tx, voucher, provider_id)
    live = tx.execute(
        select(Mandate.id, Mandate.valid_until).where(
            Mandate.region_code == voucher.region_code,
            Mandate.voucher_id == voucher.id,
            Mandate.provider_id == provider_id,
            Mandate.revoked_at.is_(None),
        )
    ).one_or_none()
    if live is not None and at < live.valid_until:
        raise AppError(Code.MANDATE_EXISTS, mandate_id=live.id, extra={"mandate_id": live.id})
    if live is not None:  # it has run out; close it so that the new one is the only live one
        _revoke(tx, voucher.region_code, live.id, caller, at)
    mandate_id = new_id("mdt", voucher.region_code)
    tx.execute(
        insert(Mandate).values(
            region_code=voucher.region_code,
            id=mandate_id,
            voucher_id=voucher.id,
            provider_id=provider_id,
            limit_fen=limit_fen,
            used_fen=0,
            valid_until=until,
            granted_at=at,
            granted_by=caller.principal_id,
            note=note,
        )
    )
    audit.record(
        tx,
        caller=caller,
        region_code=voucher.region_code,
        action="mandate.granted",
        object_id=mandate_id,
        at=at,
        details={
            "voucher": voucher.id,
            "provider": provider_id,
            "limit_fen": limit_fen,
            "valid_until": rfc3339(until),
        },
    )
    return _read(tx, voucher.region_code, mandate_id)


def withdraw_mandate(tx: Connection, *, caller: Caller, voucher_id: str, mandate_id: str) -> MandateRecord:
    """End a mandate at once; what was drawn under it stays. Doing it twice changes nothing."""
    voucher = own_voucher_locked(tx, caller, voucher_id)
    at = now(tx)
    row = tx.execute(
        select(Mandate.id, Mandate.revoked_at).where(
            Mandate.region_code == voucher.region_code,
            Mandate.voucher_id == voucher.id,
            Mandate.id == mandate_id,
        )
    ).one_or_none()
    if row is None:
        raise AppError(Code.NOT_FOUND, what="mandate")
    if row.revoked_at is None:
        _revoke(tx, voucher.region_code, mandate_id, caller, at)
        audit.record(
            tx,
            caller=caller,
            region_code=voucher.region_code,
            action="mandate.withdrawn",
            object_id=mandate_id,
            at=at,
            details={"voucher": voucher.id},
        )
    return _read(tx, voucher.region_code, mandate_id)


def list_mandates(tx: Connection, *, caller: Caller, voucher_id: str, at: datetime) -> list[MandateRecord]:
    """All mandates of a voucher within the caller's reach, newest first."""
    voucher = read_voucher(tx, caller=caller, voucher_id=voucher_id, at=at)
    rows = tx.execute(
        _query()
        .where(Mandate.region_code == voucher.region_code, Mandate.voucher_id == voucher.id)
        .order_by(Mandate.id.desc())
    )
    return [_record(row) for row in rows]


def admitted_providers(tx: Connection, *, region_code: str, programme_id: str) -> list[tuple[str, str]]:
    """Id and name of the providers that a firm can give a mandate or a payment code to."""
    rows = tx.execute(
        select(Organisation.id, Organisation.name)
        .join(Admission, Admission.provider_id == Organisation.id)
        .where(
            Admission.region_code == region_code,
            Admission.programme_id == programme_id,
            Admission.status == AdmissionStatus.LISTED,
            Organisation.kind == OrganisationKind.PROVIDER,
        )
        .order_by(Organisation.id)
    )
    return [(row.id, row.name) for row in rows]


def require_admitted(tx: Connection, voucher: VoucherRecord, provider_id: str) -> None:
    """Raise `provider_not_admitted` unless the voucher's programme lists the provider."""
    admitted = tx.execute(
        select(Admission.provider_id).where(
            Admission.region_code == voucher.region_code,
            Admission.programme_id == voucher.programme_id,
            Admission.provider_id == provider_id,
            Admission.status == AdmissionStatus.LISTED,
        )
    ).one_or_none()
    if admitted is None:
        raise AppError(Code.PROVIDER_NOT_ADMITTED)


def own_voucher_locked(tx: Connection, caller: Caller, voucher_id: str) -> VoucherRecord:
    """The firm's own voucher, locked: its consents change under this lock. Raises `forbidden`, `voucher_not_found`."""
    caller.require(Role.FIRM)
    enter(tx, [region_of(voucher_id)])
    found = tx.execute(
        select(Voucher.region_code)
        .where(
            Voucher.region_code == region_of(voucher_id),
            Voucher.id == voucher_id,
            Voucher.firm_id == caller.organisation_id,
        )
        .with_for_update(key_share=True)
    ).one_or_none()
    if found is None:
        raise AppError(Code.VOUCHER_NOT_FOUND)
    return read_voucher(tx, caller=caller, voucher_id=voucher_id, at=now(tx))


def _revoke(tx: Connection, region_code: str, mandate_id: str, caller: Caller, at: datetime) -> None:
    tx.execute(
        update(Mandate)
        .where(Mandate.region_code == region_code, Mandate.id == mandate_id)
        .values(revoked_at=at, revoked_by=caller.principal_id)
    )


def _query() -> Select[*tuple[Any, ...]]:
    return select(Mandate, Organisation.name.label("provider_name")).join(
        Organisation, Organisation.id == Mandate.provider_id
    )


def _read(tx: Connection, region_code: str, mandate_id: str) -> MandateRecord:
    row = tx.execute(_query().where(Mandate.region_code == region_code, Mandate.id == mandate_id)).one()
    return _record(row)


def _record(row: Row[Any]) -> MandateRecord:
    return MandateRecord(
        id=row.id,
        voucher_id=row.voucher_id,
        provider_id=row.provider_id,
        provider_name=row.provider_name,
        limit_fen=row.limit_fen,
        used_fen=row.used_fen,
        valid_until=row.valid_until,
        granted_at=row.granted_at,
        revoked_at=row.revoked_at,
    )
