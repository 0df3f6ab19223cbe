"""Budget execution: where the money of each pool stands, summed from the postings. 预算执行"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from fractions import Fraction
from itertools import groupby
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Row, and_, case, cast, exists, func, or_, select

from app.kernel.clock import rfc3339
from app.kernel.ids import region_of
from app.kernel.problems import AppError, Code, FieldError
from app.kernel.rates import Rounding, round_to
from app.kernel.regions import city_of
from app.kernel.vocabulary import Account, Role
from app.models import Entry, Pool, Posting, Programme
from app.services.identity.principals import Caller
from app.services.reach import within_reach
from app.sql import now

RATE_DECIMALS = 4


@dataclass(frozen=True, slots=True)
class Standing:
    """The stages of public money, in fen. Of what was appropriated, each fen lies on exactly one of the others."""

    appropriation_fen: int = 0
    available_fen: int = 0
    committed_fen: int = 0
    held_fen: int = 0
    obligated_fen: int = 0
    in_payment_fen: int = 0
    disbursed_fen: int = 0
    lapsed_fen: int = 0

    @property
    def execution_rate(self) -> str | None:
        """Disbursed (net) over appropriation, such as `0.1040`, rounded half up; None without a budget."""
        if self.appropriation_fen <= 0:
            return None
        scale = 10**RATE_DECIMALS
        share = round_to(Fraction(self.disbursed_fen * scale, self.appropriation_fen), 1, Rounding.HALF_UP)
        return f"{share // scale}.{share % scale:0{RATE_DECIMALS}d}"


ACCOUNTS = {Account(field.name.removesuffix("_fen")): field.name for field in fields(Standing)}
"""The account behind each amount. The appropriation is a source: what it gave is its balance below zero."""


@dataclass(frozen=True, slots=True)
class ExecutionRow:
    """One pool: programme × fiscal year × fund source."""

    region_code: str
    programme_id: str
    programme_title: str
    document_no: str
    fiscal_year: int
    fund_source: str
    county_code: str | None
    """Set where a city shares its quota out to a county."""
    pool_id: str
    closed_at: datetime | None
    standing: Standing

    @property
    def city_code(self) -> str:
        """The city that the pool's programme belongs to."""
        return city_of(self.region_code)

    @property
    def place_code(self) -> str:
        """The county the pool is for; a pool of the city as a whole stands under the city's own code."""
        return self.county_code or self.region_code


def execution(
    tx: Connection,
    *,
    caller: Caller,
    fiscal_year: int | None = None,
    programme_id: str | None = None,
    as_of: datetime | None = None,
) -> list[ExecutionRow]:
    """Every pool within the caller's reach: finance and auditors by region, makers and checkers by authority.

    As of an instant (what happened at or before it) or, without one, as things stand. One statement, so one snapshot.
    Raises `forbidden` for anybody else, `validation_failed` for an instant to come.
    """
    if as_of is not None and as_of > (at := now(tx)):
        error = FieldError("/as_of", "out_of_range", limit=rfc3339(at), actual=rfc3339(as_of))
        raise AppError(Code.VALIDATION_FAILED, count=1, errors=[error])
    counts = and_(Posting.region_code == Pool.region_code, Posting.pool_id == Pool.id)
    closed_at: ColumnElement[Any] = Pool.closed_at.expression
    if as_of is not None:
        closed_at = case((Pool.closed_at <= as_of, Pool.closed_at))  # what was closed later was open then
        happened = exists().where(
            Entry.region_code == Posting.region_code, Entry.id == Posting.entry_id, Entry.at <= as_of
        )
        counts = and_(counts, happened)
    query = (
        select(
            Pool.region_code,
            Pool.programme_id,
            Programme.title.label("programme_title"),
            Programme.document_no,
            Pool.fiscal_year,
            Pool.fund_source,
            Pool.county_code,
            Pool.id.label("pool_id"),
            closed_at.label("closed_at"),
            Posting.source,
            Posting.destination,
            cast(func.sum(Posting.amount_fen), BigInteger).label("fen"),
        )
        .join(Programme, and_(Programme.region_code == Pool.region_code, Programme.id == Pool.programme_id))
        .outerjoin(Posting, counts)
        .where(_visible_to(caller))
        .group_by(Pool.region_code, Pool.id, Programme.region_code, Programme.id, Posting.source, Posting.destination)
        .order_by(Pool.region_code, Pool.programme_id, Pool.fiscal_year, Pool.id)
    )
    if fiscal_year is not None:
        query = query.where(Pool.fiscal_year == fiscal_year)
    if programme_id is not None:
        query = query.where(Pool.region_code == region_of(programme_id), Pool.programme_id == programme_id)
    if as_of is not None:
        query = query.where(Pool.created_at <= as_of)
    found: Sequence[Row[*tuple[Any, ...]]] = tx.execute(query).all()
    return [_row(list(lines)) for _, lines in groupby(found, key=lambda line: line.pool_id)]


def budget_of(tx: Connection, *, caller: Caller, programme_id: str) -> list[ExecutionRow]:
    """The pools of one programme within the caller's reach. Raises `forbidden`, `not_found`."""
    known = tx.execute(
        select(Programme.id).where(
            Programme.region_code == region_of(programme_id),
            Programme.id == programme_id,
            or_(
                within_reach(caller, region=Programme.region_code, authority=Programme.authority_id),
                exists().where(
                    Pool.region_code == Programme.region_code, Pool.programme_id == Programme.id, _of_county(caller)
                ),
            ),
        )
    ).one_or_none()
    if known is None:
        raise AppError(Code.NOT_FOUND, what="programme")
    return execution(tx, caller=caller, programme_id=programme_id)


def _visible_to(caller: Caller) -> ColumnElement[bool]:
    """Pools of the caller's region and authority, and those that a city has shared out to his county."""
    return or_(
        within_reach(caller, region=Pool.region_code, authority=Programme.authority_id),
        _of_county(caller),
    )


def _of_county(caller: Caller) -> ColumnElement[bool]:
    roles = (Role.MAKER, Role.CHECKER, Role.FINANCE, Role.AUDITOR)
    return Pool.county_code.in_([grant.region_code for grant in caller.regions(*roles)])


def total_of(rows: Iterable[ExecutionRow]) -> Standing:
    """All pools together."""
    standings = [row.standing for row in rows]
    return Standing(**{name: sum(getattr(standing, name) for standing in standings) for name in ACCOUNTS.values()})


def _row(lines: Sequence[Row[*tuple[Any, ...]]]) -> ExecutionRow:
    """One pool from its sums by source and destination; a pool that never moved has one empty line."""
    balances: Counter[str] = Counter()
    for line in lines:
        if line.fen is not None:
            balances[line.source] -= line.fen
            balances[line.destination] += line.fen
    balances[Account.APPROPRIATION] *= -1
    return ExecutionRow(
        **{name: getattr(lines[0], name) for name in ExecutionRow.__slots__ if name != "standing"},
        standing=Standing(**{name: balances[account] for account, name in ACCOUNTS.items()}),
    )
