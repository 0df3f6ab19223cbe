"""Reading vouchers: who sees which, their balances, their movements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, exists, or_, select, tuple_, union

from app.kernel.ids import region_of
from app.kernel.problems import AppError, Code
from app.kernel.regions import is_county
from app.kernel.vocabulary import Checkpoint, ProgrammeStatus, Role, VoucherStatus
from app.models import (
    Admission,
    Application,
    Entry,
    Hold,
    IssuanceBatch,
    Mandate,
    Organisation,
    Posting,
    Programme,
    Redemption,
    Voucher,
)
from app.reach import enter
from app.services.identity.principals import Caller
from app.services.ledger.entries import VOUCHER_PART
from app.services.reach import issued_by, within_reach
from app.services.standing.loading import require_not_debarred
from app.services.vouchers.status import LIVING, status_at


@dataclass(frozen=True, slots=True)
class VoucherRecord:
    """A voucher as it is shown at an instant. Amounts are fen."""

    region_code: str
    id: str
    code: str
    programme_id: str
    programme_title: str
    voucher_kind: str
    firm_id: str
    firm_name: str
    status: VoucherStatus
    face_value_fen: int
    balance_fen: int
    held_fen: int
    redeemed_fen: int
    recovered_fen: int
    expired_fen: int
    voided_fen: int
    surrendered_fen: int
    valid_from: datetime
    valid_until: datetime
    redeemable_until: datetime
    issued_at: datetime
    frozen_at: datetime | None
    ended_at: datetime | None
    application_id: str | None = None
    """The application that it was granted for; None where the authority issued it by itself."""


@dataclass(frozen=True, slots=True)
class VoucherMovement:
    """One posting on a voucher, with the running balance after it. Amounts are fen."""

    voucher_seq: int
    at: datetime
    kind: str
    source: str
    destination: str
    amount_fen: int
    change_fen: int
    """What it did to the balance: negative where money was drawn."""
    balance_fen: int
    entry_id: str
    subject_id: str
    pool_id: str
    payee_id: str | None
    hold_id: str | None
    """The hold that it came from or went to."""
    provider_id: str | None
    """Whom it concerns: the payee, else the provider of the hold."""


def visible_to(caller: Caller) -> ColumnElement[bool]:
    """The vouchers that exist for this caller: the firm's own, and those of an official's region and authority.

    Providers do not list vouchers; they are shown one with its code and the firm's consent (`check`). A county's
    officials see those that the county has issued.
    """
    reached = within_reach(
        caller,
        region=Voucher.region_code,
        authority=Programme.authority_id,
        own={Role.FIRM: Voucher.firm_id},
    )
    if not any(is_county(grant.region_code) for grant in caller.principal.grants):
        return reached
    of_county = exists().where(
        IssuanceBatch.region_code == Voucher.region_code,
        IssuanceBatch.id == Voucher.batch_id,
        issued_by(caller, county=IssuanceBatch.county_code, authority=IssuanceBatch.authority_id),
    )
    return or_(reached, of_county)


def list_vouchers(
    tx: Connection,
    *,
    caller: Caller,
    at: datetime,
    limit: int,
    before_id: str | None = None,
    programme_id: str | None = None,
    firm_id: str | None = None,
    expiring_within_days: int | None = None,
) -> list[VoucherRecord]:
    """Vouchers within the caller's reach, newest first, at most `limit`.

    With `expiring_within_days` only those of which a balance would be lost so soon.
    """
    query = _query().where(visible_to(caller)).order_by(Voucher.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(Voucher.id < before_id)
    if programme_id is not None:
        query = query.where(Voucher.programme_id == programme_id)
    if firm_id is not None:
        query = query.where(Voucher.firm_id == firm_id)
    if expiring_within_days is not None:
        query = query.where(
            Voucher.ended_as.is_(None),
            Voucher.balance_fen > 0,
            Voucher.valid_until > at,
            Voucher.valid_until <= at + timedelta(days=expiring_within_days),
        )
    return [_record(row, at) for row in tx.execute(query)]


def read_voucher(tx: Connection, *, caller: Caller, voucher_id: str, at: datetime) -> VoucherRecord:
    """One voucher within the caller's reach. Raises `voucher_not_found` for anything else."""
    here = (Voucher.region_code == region_of(voucher_id), Voucher.id == voucher_id)
    row = tx.execute(_query().where(*here, visible_to(caller))).one_or_none()
    if row is None:
        raise AppError(Code.VOUCHER_NOT_FOUND)
    return _record(row, at)


@dataclass(frozen=True, slots=True)
class Issuer:
    """Whom a firm can ask about its vouchers of a programme, and by which document they are given."""

    authority_name: str
    document_no: str


def issuer_of(tx: Connection, voucher: VoucherRecord) -> Issuer:
    """The authority that runs the voucher's programme."""
    row = tx.execute(
        select(Organisation.name, Programme.document_no)
        .join(Programme, Programme.authority_id == Organisation.id)
        .where(Programme.region_code == voucher.region_code, Programme.id == voucher.programme_id)
    ).one()
    return Issuer(row.name, row.document_no)


def read_vouchers(tx: Connection, *, caller: Caller, voucher_ids: Sequence[str], at: datetime) -> list[VoucherRecord]:
    """Those of these vouchers that lie within the caller's reach, in the order of their ids."""
    here = tuple_(Voucher.region_code, Voucher.id).in_([(region_of(one), one) for one in voucher_ids])
    rows = tx.execute(_query().where(here, visible_to(caller)).order_by(Voucher.region_code, Voucher.id))
    return [_record(row, at) for row in rows]


def movements(tx: Connection, *, caller: Caller, voucher_id: str, at: datetime) -> list[VoucherMovement]:
    """Everything that moved on a voucher, oldest first, with the running balance."""
    voucher = read_voucher(tx, caller=caller, voucher_id=voucher_id, at=at)
    rows = tx.execute(
        select(Posting, Entry.at, Entry.kind, Entry.subject_id, Hold.provider_id.label("reserver_id"))
        .join(Entry, and_(Entry.region_code == Posting.region_code, Entry.id == Posting.entry_id))
        .outerjoin(Hold, and_(Hold.region_code == Posting.region_code, Hold.id == Posting.hold_id))
        .where(Posting.region_code == voucher.region_code, Posting.voucher_id == voucher.id)
        .order_by(Posting.voucher_seq)
    ).all()
    return list(_with_running_balance(rows))


def provider_names(tx: Connection, *, caller: Caller, voucher_id: str) -> dict[str, str]:
    """Id → name of every provider in a voucher's holds, bills and movements; empty beyond the caller's reach."""
    voucher = (
        select(Voucher.region_code, Voucher.id)
        .join(Programme, and_(Programme.region_code == Voucher.region_code, Programme.id == Voucher.programme_id))
        .where(Voucher.region_code == region_of(voucher_id), Voucher.id == voucher_id, visible_to(caller))
        .subquery()
    )
    named = union(
        *(
            select(column).join(voucher, and_(table.region_code == voucher.c.region_code, of_voucher == voucher.c.id))
            for table, of_voucher, column in (
                (Hold, Hold.voucher_id, Hold.provider_id),
                (Redemption, Redemption.voucher_id, Redemption.provider_id),
                (Posting, Posting.voucher_id, Posting.payee_id),
            )
        )
    )
    rows = tx.execute(select(Organisation.id, Organisation.name).where(Organisation.id.in_(named)))
    return {row.id: row.name for row in rows}


def _with_running_balance(rows: Sequence[Any]) -> list[VoucherMovement]:
    balance_fen = 0
    shown = []
    for row in rows:
        gone = row.amount_fen if VOUCHER_PART.get(row.source) == "balance_fen" else 0
        come = row.amount_fen if VOUCHER_PART.get(row.destination) == "balance_fen" else 0
        balance_fen += come - gone
        shown.append(
            VoucherMovement(
                voucher_seq=row.voucher_seq,
                at=row.at,
                kind=row.kind,
                source=row.source,
                destination=row.destination,
                amount_fen=row.amount_fen,
                change_fen=come - gone,
                balance_fen=balance_fen,
                entry_id=row.entry_id,
                subject_id=row.subject_id,
                pool_id=row.pool_id,
                payee_id=row.payee_id,
                hold_id=row.hold_id,
                provider_id=row.payee_id or row.reserver_id,
            )
        )
    return shown


def _query() -> Select[*tuple[Any, ...]]:
    return (
        select(
            Voucher,
            Programme.title.label("programme_title"),
            Programme.voucher_kind,
            Programme.status.label("programme_status"),
            Programme.authority_id,
            Organisation.name.label("firm_name"),
            Application.id.label("application_id"),
        )
        .join(Programme, and_(Programme.region_code == Voucher.region_code, Programme.id == Voucher.programme_id))
        .outerjoin(
            Application, and_(Application.region_code == Voucher.region_code, Application.voucher_id == Voucher.id)
        )
        .join(Organisation, Organisation.id == Voucher.firm_id)
    )


def _record(row: Row[Any], at: datetime) -> VoucherRecord:
    return VoucherRecord(
        region_code=row.region_code,
        id=row.id,
        code=row.code,
        programme_id=row.programme_id,
        programme_title=row.programme_title,
        voucher_kind=row.voucher_kind,
        firm_id=row.firm_id,
        firm_name=row.firm_name,
        status=status_at(
            at,
            ended_as=row.ended_as,
            frozen_at=row.frozen_at,
            valid_from=row.valid_from,
            redeemable_until=row.redeemable_until,
            balance_fen=row.balance_fen,
            stands_still=row.stands_still,
        ),
        face_value_fen=row.face_fen,
        balance_fen=row.balance_fen,
        held_fen=row.held_fen,
        redeemed_fen=row.redeemed_fen,
        recovered_fen=row.recovered_fen,
        expired_fen=row.expired_fen,
        voided_fen=row.voided_fen,
        surrendered_fen=row.surrendered_fen,
        valid_from=row.valid_from,
        valid_until=row.valid_until,
        redeemable_until=row.redeemable_until,
        issued_at=row.issued_at,
        frozen_at=row.frozen_at,
        ended_at=row.ended_at,
        application_id=row.application_id,
    )


@dataclass(frozen=True, slots=True)
class Usability:
    """What a provider learns of a voucher before work, with the firm's consent. Amounts are fen."""

    voucher_id: str
    status: VoucherStatus
    firm_name: str
    programme_id: str
    programme_title: str
    categories: tuple[str, ...]
    balance_fen: int
    drawable_fen: int
    """The most that can be drawn now: the balance, within what is left of the firm's consent."""
    valid_from: datetime
    valid_until: datetime
    mandate_until: datetime | None
    payment_code_until: datetime | None


@dataclass(frozen=True, slots=True)
class CodeConsent:
    """A payment code that has been judged to be the firm's consent: up to what (fen), until when."""

    limit_fen: int
    valid_until: datetime


def check(
    tx: Connection,
    *,
    caller: Caller,
    region_code: str,
    code: str,
    at: datetime,
    payment_code: CodeConsent | None = None,
) -> Usability:
    """Tell a provider whether a code is usable by it, by whom, until when and up to what.

    The firm's consent is its `payment_code` where one is shown, else its mandate. Raises `voucher_not_found`,
    `provider_not_admitted`, `consent_missing`, `programme_paused`, `programme_closed`, `debarred`.
    """
    caller.require(Role.PROVIDER)
    enter(tx, [region_code])
    row = tx.execute(_query().where(Voucher.region_code == region_code, Voucher.code == code)).one_or_none()
    if row is None:
        raise AppError(Code.VOUCHER_NOT_FOUND)
    admission = tx.execute(
        select(Admission.categories).where(
            tuple_(Admission.region_code, Admission.programme_id, Admission.provider_id)
            == (row.region_code, row.programme_id, caller.organisation_id),
            Admission.status == "listed",
        )
    ).one_or_none()
    if admission is None:
        raise AppError(Code.PROVIDER_NOT_ADMITTED)
    if row.programme_status == ProgrammeStatus.PAUSED:
        raise AppError(Code.PROGRAMME_PAUSED)
    if row.programme_status not in LIVING:
        raise AppError(Code.PROGRAMME_CLOSED)
    mandate = None if payment_code else _live_mandate(tx, row.region_code, row.id, caller.organisation_id, at)
    if payment_code is not None:
        allowed_fen = payment_code.limit_fen
    elif mandate is not None:
        allowed_fen = mandate.limit_fen - mandate.used_fen
    else:
        raise AppError(Code.CONSENT_MISSING)
    for who in (row.firm_id, caller.organisation_id):
        require_not_debarred(tx, who, region_code=row.region_code, checkpoint=Checkpoint.REDEEM, at=at)
    voucher = _record(row, at)
    usable = voucher.status is VoucherStatus.ACTIVE and at < voucher.valid_until
    return Usability(
        voucher_id=voucher.id,
        status=voucher.status,
        firm_name=voucher.firm_name,
        programme_id=voucher.programme_id,
        programme_title=voucher.programme_title,
        categories=tuple(admission.categories),
        balance_fen=voucher.balance_fen,
        drawable_fen=min(voucher.balance_fen, allowed_fen) if usable else 0,
        valid_from=voucher.valid_from,
        valid_until=voucher.valid_until,
        mandate_until=mandate.valid_until if mandate else None,
        payment_code_until=payment_code.valid_until if payment_code else None,
    )


def _live_mandate(tx: Connection, region_code: str, voucher_id: str, provider_id: str, at: datetime) -> Any:
    return tx.execute(
        select(Mandate.limit_fen, Mandate.used_fen, Mandate.valid_until).where(
            Mandate.region_code == region_code,
            Mandate.voucher_id == voucher_id,
            Mandate.provider_id == provider_id,
            Mandate.revoked_at.is_(None),
            Mandate.valid_until > at,
        )
    ).one_or_none()
