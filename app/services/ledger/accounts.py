"""Accounts of pools and payees now, as of an instant, or as of a size of the region's log. For auditors and finance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from app.kernel.clock import rfc3339
from app.kernel.ids import region_of
from app.kernel.problems import AppError, Code, FieldError, Scalar
from app.kernel.vocabulary import Account, HolderKind, Role
from app.models import Pool
from app.services.identity.principals import Caller
from app.services.reach import within_reach
from app.services.sealing.as_of import Holder, balances_at, balances_of_size
from app.services.sealing.reading import load_size, reads_all
from app.sql import now


@dataclass(frozen=True, slots=True)
class Moment:
    """As of when: an instant (entries at or before it), a size of one region's log, or, with neither, now."""

    at: datetime | None = None
    tree_size: int | None = None


NOW = Moment()


@dataclass(frozen=True, slots=True)
class AccountBalance:
    """What lies on one account of a pool. Sources (appropriation) are negative: what they gave."""

    region_code: str
    programme_id: str
    pool_id: str
    fiscal_year: int
    fund_source: str
    account: str
    balance_fen: int


@dataclass(frozen=True, slots=True)
class PayeeBalance:
    """What is owed to an organisation, or was paid to it, over all pools of a region."""

    region_code: str
    payee_id: str
    account: str
    balance_fen: int


def account_balances(
    tx: Connection,
    *,
    caller: Caller,
    moment: Moment = NOW,
    programme_id: str | None = None,
    region_code: str | None = None,
) -> list[AccountBalance]:
    """The accounts of the pools within the caller's reach that anything had moved on by then.

    Of a tree size only one region can be asked, that of the programme or the one given. Raises `validation_failed`
    for an instant to come, a size that the log does not have, or both at once.
    """
    region_code = region_code or (region_of(programme_id) if programme_id else None)
    if moment.tree_size is not None and moment.at is None and region_code is None:
        raise _wrong("region_code", "missing", "a size is one region's log's / 须指明是哪个地区的日志")
    query = select(Pool).where(within_reach(caller, region=Pool.region_code))
    if programme_id is not None:
        query = query.where(Pool.programme_id == programme_id)
    if region_code is not None:
        query = query.where(Pool.region_code == region_code)
    pools = tx.execute(query.order_by(Pool.region_code, Pool.programme_id, Pool.id)).all()
    by_region: dict[str, list[Holder]] = defaultdict(list)
    for pool in pools:
        by_region[pool.region_code].append((HolderKind.POOL, pool.id))
    moment = _checked(tx, moment)
    balances: dict[tuple[Holder, Account], int] = {}
    for each, holders in by_region.items():
        balances |= _balances(tx, each, holders, moment)
    return [
        AccountBalance(
            region_code=pool.region_code,
            programme_id=pool.programme_id,
            pool_id=pool.id,
            fiscal_year=pool.fiscal_year,
            fund_source=pool.fund_source,
            account=account,
            balance_fen=fen,
        )
        for pool in pools
        for account in sorted(Account)
        if (fen := balances.get(((HolderKind.POOL, pool.id), account))) is not None
    ]


def payee_balances(
    tx: Connection, *, caller: Caller, payee_id: str, region_code: str, moment: Moment
) -> list[PayeeBalance]:
    """What a region owes to an organisation and has paid to it; also for the organisation itself.

    Raises `not_found` where it is another's, and `validation_failed` as `account_balances` does.
    """
    caller.require(Role.FINANCE, Role.AUDITOR, Role.PROVIDER, Role.FIRM)
    if payee_id != caller.organisation_id and not reads_all(caller, region_code):
        raise AppError(Code.NOT_FOUND, what="payee")
    payee = (HolderKind.PAYEE, payee_id)
    balances = _balances(tx, region_code, [payee], _checked(tx, moment))
    return [
        PayeeBalance(region_code, payee_id, account, fen)
        for account in sorted(Account)
        if (fen := balances.get((payee, account))) is not None
    ]


def _balances(
    tx: Connection, region_code: str, holders: Collection[Holder], moment: Moment
) -> Mapping[tuple[Holder, Account], int]:
    if moment.tree_size is None:
        assert moment.at is not None, "checked"
        return balances_at(tx, region_code=region_code, holders=holders, at=moment.at)
    log = load_size(tx, region_code)
    size = log.size if log else 0
    if moment.tree_size > size:
        told = f"the log has {size} leaves only / 日志目前仅有 {size} 条"
        raise _wrong("tree_size", "beyond_the_log", told, limit=size, actual=moment.tree_size)
    return balances_of_size(tx, region_code=region_code, holders=holders, size=moment.tree_size)


def _checked(tx: Connection, moment: Moment) -> Moment:
    """The moment with the present put in, where none was asked for."""
    present = now(tx)
    if moment.tree_size is not None:
        if moment.at is not None:
            raise _wrong("tree_size", "either_or", "give an instant or a size, not both / 时刻与树大小只能指定其一")
        return moment
    if moment.at is not None and moment.at > present:
        told = "that instant is still to come / 该时刻尚未到来"
        raise _wrong("as_of", "in_the_future", told, limit=rfc3339(present), actual=rfc3339(moment.at))
    return Moment(at=moment.at or present)


def _wrong(name: str, code: str, told: str, *, limit: Scalar = None, actual: Scalar = None) -> AppError:
    place = FieldError(f"/query/{name}", code, detail=told, limit=limit, actual=actual)
    return AppError(Code.VALIDATION_FAILED, count=1, errors=[place])
