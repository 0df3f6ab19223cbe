"""Reading the journal: entries with their postings, and accounts as of an instant. For auditors and finance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, func, or_, select, tuple_

from app.kernel.ids import region_of
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import Account
from app.models import Entry, Pool, Posting, Programme
from app.services.identity.principals import Caller
from app.services.reach import within_reach


@dataclass(frozen=True, slots=True)
class PostingRecord:
    """A posting as it is read. The amount is fen."""

    line: int
    pool_id: str
    source: str
    destination: str
    amount_fen: int
    voucher_id: str | None
    voucher_seq: int | None
    payee_id: str | None


@dataclass(frozen=True, slots=True)
class EntryRecord:
    """A journal entry as it is read, with the very bytes that are hashed for the log."""

    region_code: str
    id: str
    kind: str
    at: datetime
    programme_id: str
    voucher_id: str | None
    subject_id: str
    principal_id: str
    organisation_id: str
    maker_id: str | None
    checker_id: str | None
    approval_id: str | None
    rule_version_id: str | None
    request_id: str
    reverses_id: str | None
    pair_id: str | None
    voucher_end: str | None
    details: str
    leaf: bytes
    postings: tuple[PostingRecord, ...]


def list_entries(
    tx: Connection,
    *,
    caller: Caller,
    limit: int,
    before_id: str | None = None,
    programme_id: str | None = None,
    pool_id: str | None = None,
    account: Account | None = None,
    voucher_id: str | None = None,
    subject_id: str | None = None,
    kind: str | None = None,
    city_code: str | None = None,
    county_code: str | None = None,
    fiscal_year: int | None = None,
    fund_source: str | None = None,
    until: datetime | None = None,
) -> list[EntryRecord]:
    """Entries within the caller's reach, newest first: the drill-down from any figure.

    `account` with `pool_id`, or with city, county, year and source, gives exactly the entries behind one number of the
    budget; `until` those at or before an instant. A pool of a city as a whole stands under the city's own code.
    """
    query = _query(caller).order_by(Entry.id.desc()).limit(limit)
    filters = {
        Entry.programme_id: programme_id,
        Entry.voucher_id: voucher_id,
        Entry.subject_id: subject_id,
        Entry.kind: kind,
    }
    for column, value in filters.items():
        if value is not None:
            query = query.where(column == value)
    if before_id is not None:
        query = query.where(Entry.id < before_id)
    if until is not None:
        query = query.where(Entry.at <= until)
    if city_code is not None:
        query = query.where(Entry.region_code.startswith(city_code[:4], autoescape=True))
    of_pools = {
        func.coalesce(Pool.county_code, Pool.region_code): county_code,
        Pool.fiscal_year: fiscal_year,
        Pool.fund_source: fund_source,
    }
    if pool_id is not None or account is not None or any(value is not None for value in of_pools.values()):
        touches = exists().where(
            Posting.region_code == Entry.region_code,
            Posting.entry_id == Entry.id,
            Pool.region_code == Posting.region_code,
            Pool.id == Posting.pool_id,
            *(column == value for column, value in of_pools.items() if value is not None),
        )
        if programme_id is not None:
            touches = touches.where(Pool.programme_id == programme_id)
        if pool_id is not None:
            touches = touches.where(Posting.pool_id == pool_id)
        if account is not None:
            touches = touches.where(or_(Posting.source == account, Posting.destination == account))
        query = query.where(touches)
    rows = tx.execute(query).all()
    return _records(tx, rows)


def read_entry(tx: Connection, *, caller: Caller, entry_id: str) -> EntryRecord:
    """One entry within the caller's reach. Raises `not_found`."""
    row = tx.execute(_query(caller).where(Entry.region_code == region_of(entry_id), Entry.id == entry_id)).one_or_none()
    if row is None:
        raise AppError(Code.NOT_FOUND, what="entry")
    return _records(tx, [row])[0]


def _query(caller: Caller) -> Select[Any]:
    return (
        select(Entry)
        .join(Programme, and_(Programme.region_code == Entry.region_code, Programme.id == Entry.programme_id))
        .where(_visible_to(caller))
    )


def _visible_to(caller: Caller) -> ColumnElement[bool]:
    return within_reach(caller, region=Entry.region_code)


def _records(tx: Connection, rows: Sequence[Any]) -> list[EntryRecord]:
    if not rows:
        return []
    postings: dict[tuple[str, str], list[PostingRecord]] = defaultdict(list)
    found = tx.execute(
        select(Posting)
        .where(tuple_(Posting.region_code, Posting.entry_id).in_([(row.region_code, row.id) for row in rows]))
        .order_by(Posting.line)
    )
    for posting in found:
        postings[posting.region_code, posting.entry_id].append(
            PostingRecord(**{name: getattr(posting, name) for name in PostingRecord.__slots__})
        )
    names = [name for name in EntryRecord.__slots__ if name != "postings"]
    return [
        EntryRecord(**{name: getattr(row, name) for name in names}, postings=tuple(postings[row.region_code, row.id]))
        for row in rows
    ]
