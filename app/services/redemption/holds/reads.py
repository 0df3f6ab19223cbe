"""Reading holds: a provider's own, a firm's, an official's."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, case, func, or_, select

from app.kernel.ids import region_of
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import HoldStatus, Role
from app.models import Hold, Programme, Voucher
from app.services.identity.principals import Caller
from app.services.reach import within_reach
from app.services.redemption.commands import HoldRecord
from app.services.sealing.receipts import leaf_columns, recorded_leaf


def read_hold(tx: Connection, *, caller: Caller, hold_id: str) -> HoldRecord:
    """One hold within the caller's reach. Raises `hold_not_found`."""
    row = tx.execute(
        _query().where(Hold.region_code == region_of(hold_id), Hold.id == hold_id, _visible_to(caller))
    ).one_or_none()
    if row is None:
        raise AppError(Code.HOLD_NOT_FOUND)
    return _record(row)


def list_holds(
    tx: Connection,
    *,
    caller: Caller,
    limit: int,
    before_id: str | None = None,
    hold_no: str | None = None,
    voucher_id: str | None = None,
    status: HoldStatus | None = None,
    ended: bool = False,
    at: datetime,
) -> list[HoldRecord]:
    """Holds within the caller's reach, newest first. `status` is the one at this instant: what is past its end is not
    open, whether or not its money has moved yet. `ended`: only those that are not open, however they ended.
    """
    query = _query().where(_visible_to(caller)).order_by(Hold.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(Hold.id < before_id)
    if hold_no is not None:
        query = query.where(Hold.hold_no == hold_no)
    if voucher_id is not None:
        query = query.where(Hold.region_code == region_of(voucher_id), Hold.voucher_id == voucher_id)
    if status is not None:
        query = query.where(_is(status, at))
    if ended:
        query = query.where(~_is(HoldStatus.OPEN, at))
    return [_record(row) for row in tx.execute(query)]


def _is(status: HoldStatus, at: datetime) -> ColumnElement[bool]:
    runs = and_(Hold.status == HoldStatus.OPEN, Hold.expires_at > _clock(at))
    match status:
        case HoldStatus.OPEN:
            return runs
        case HoldStatus.EXPIRED:
            return (Hold.status == HoldStatus.EXPIRED) | and_(Hold.status == HoldStatus.OPEN, ~runs)
        case _:
            return Hold.status == status


def _clock(at: datetime) -> Any:
    return func.least(_stands_since(at), at)


def _stands_since(at: Any) -> Any:
    """As `VoucherState.stands_since`."""
    stands = and_(Voucher.stands_still, Voucher.frozen_at < Voucher.redeemable_until)
    return case((or_(Voucher.redeemable_until > at, stands), Voucher.frozen_at))


def _visible_to(caller: Caller) -> ColumnElement[bool]:
    return within_reach(
        caller,
        region=Hold.region_code,
        authority=Programme.authority_id,
        own={Role.PROVIDER: Hold.provider_id, Role.FIRM: Hold.firm_id},
    )


def _query() -> Select[Any]:
    return (
        select(
            Hold,
            _stands_since(func.clock_timestamp()).label("frozen_at"),
            *leaf_columns(Hold.region_code, Hold.entry_id),
        )
        .join(Programme, and_(Programme.region_code == Hold.region_code, Programme.id == Hold.programme_id))
        .join(Voucher, and_(Voucher.region_code == Hold.region_code, Voucher.id == Hold.voucher_id))
    )


def _record(row: Row[Any]) -> HoldRecord:
    names = [name for name in HoldRecord.__slots__ if name != "leaf"]
    return HoldRecord(**{name: getattr(row, name) for name in names}, leaf=recorded_leaf(row))
