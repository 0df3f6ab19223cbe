"""The ledger: entries with drill-down, and accounts as of any instant. For finance and auditors."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request, Response

from app.api.approvals import ApprovalRead, shown_approval
from app.api.authentication import CallerDep
from app.api.context import ServiceDep
from app.api.fields import AnyId, Instant, Printable, Read, Reason, RegionCode, ShownInstant, Wire
from app.api.keys import IdempotencyKey, created, do_once
from app.api.paging import Cursor, Limit, Page, page_of
from app.kernel.canonical import sha256_hex
from app.kernel.ids import require_region
from app.kernel.vocabulary import Account, EntryKind, Role
from app.services.approvals.decisions import read_approval
from app.services.corrections.reversals import request_reversal
from app.services.ledger.accounts import Moment, account_balances, payee_balances
from app.services.ledger.reads import EntryRecord, list_entries, read_entry

router = APIRouter(prefix="/v1/ledger", tags=["ledger"])


class PostingRead(Read):
    """An amount in fen that moved from one account of a pool to another."""

    line: int
    pool_id: str
    source: Account
    destination: Account
    amount_fen: int
    voucher_id: str | None
    voucher_seq: int | None
    payee_id: str | None


class EntryRead(Read):
    """A journal entry; `leaf` is the exact text that is hashed for the log, `leaf_sha256` its SHA-256."""

    id: str
    region_code: str
    kind: EntryKind
    at: ShownInstant
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
    details: dict[str, Any]
    leaf: str
    leaf_sha256: str
    postings: tuple[PostingRead, ...]


class ReverseBody(Wire):
    """Why the entry should not have been."""

    reason: Reason


class AccountRead(Read):
    """What lies on an account of a pool, in fen; sources are negative by what they gave."""

    region_code: str
    programme_id: str
    pool_id: str
    fiscal_year: int
    fund_source: str
    account: Account
    balance_fen: int


class PayeeAccountRead(Read):
    """What a region owes to an organisation, or has paid to it, in fen."""

    region_code: str
    payee_id: str
    account: Account
    balance_fen: int


def _shown(record: EntryRecord) -> EntryRead:
    values = {name: getattr(record, name) for name in EntryRecord.__slots__}
    return EntryRead(
        **values
        | {
            "details": orjson.loads(record.details),
            "leaf": record.leaf.decode(),
            "leaf_sha256": sha256_hex(record.leaf),
            "postings": tuple(PostingRead.model_validate(posting) for posting in record.postings),
        }
    )


@router.get("/entries")
def read_entries(
    caller: CallerDep,
    service: ServiceDep,
    limit: Limit = 50,
    cursor: Cursor = None,
    programme_id: Annotated[AnyId | None, Query()] = None,
    pool_id: Annotated[AnyId | None, Query()] = None,
    account: Annotated[Account | None, Query()] = None,
    voucher_id: Annotated[AnyId | None, Query()] = None,
    subject_id: Annotated[AnyId | None, Query()] = None,
    kind: Annotated[EntryKind | None, Query()] = None,
    city_code: Annotated[RegionCode | None, Query(description="A city with its counties (GB/T 2260)")] = None,
    county_code: Annotated[
        RegionCode | None, Query(description="A county's pools; with a city's code those of the city as a whole")
    ] = None,
    fiscal_year: Annotated[int | None, Query(ge=2000, le=2999)] = None,
    fund_source: Annotated[Annotated[str, Printable] | None, Query(min_length=1, max_length=63)] = None,
    until: Annotated[Instant | None, Query(description="At or before this instant")] = None,
) -> Page[EntryRead]:
    """Entries within your reach, newest first.

    `account` with `pool_id` (or with city, county, year and source) gives exactly those behind one figure of the
    budget: the `links` of `GET /v1/reports/execution` are such queries.
    """
    records = service.database.transact(
        lambda tx: list_entries(
            tx,
            caller=caller,
            limit=limit + 1,
            before_id=cursor,
            programme_id=programme_id,
            pool_id=pool_id,
            account=account,
            voucher_id=voucher_id,
            subject_id=subject_id,
            kind=kind,
            city_code=city_code,
            county_code=county_code,
            fiscal_year=fiscal_year,
            fund_source=fund_source,
            until=until,
        )
    )
    return page_of([_shown(record) for record in records], limit)


@router.get("/entries/{entry_id}")
def read_one_entry(entry_id: AnyId, caller: CallerDep, service: ServiceDep) -> EntryRead:
    """One entry with its postings."""
    return _shown(service.database.transact(lambda tx: read_entry(tx, caller=caller, entry_id=entry_id)))


AsOf = Annotated[Instant | None, Query(description="As of this instant, entries at or before it; default: now")]
TreeSize = Annotated[
    int | None, Query(ge=0, le=2**63 - 1, description="Instead: after so many leaves of the region's log")
]


@router.post("/entries/{entry_id}/reverse", status_code=202, response_model=ApprovalRead)
def reverse_entry(
    entry_id: AnyId, body: ReverseBody, caller: CallerDep, key: IdempotencyKey, service: ServiceDep, request: Request
) -> Response:
    """Ask a second person to reverse an entry (冲正): appropriations by finance, issues and redemptions by a maker.

    Other kinds are corrected by ways of their own, which the refusal names.
    """
    caller.require(Role.MAKER, Role.FINANCE)
    region_code = require_region(entry_id, what="entry")
    return do_once(
        service,
        request,
        caller=caller,
        region_code=region_code,
        route="POST /v1/ledger/entries/{id}/reverse",
        key=key,
        command={"entry_id": entry_id, **body.model_dump(mode="json")},
        work=lambda tx: read_approval(
            tx,
            caller=caller,
            approval_id=request_reversal(tx, caller=caller, entry_id=entry_id, reason=body.reason),
        ),
        render=lambda approval: created(shown_approval(approval), approval.id, status=202),
    )


@router.get("/accounts")
def read_accounts(
    caller: CallerDep,
    service: ServiceDep,
    programme_id: Annotated[AnyId | None, Query()] = None,
    region_code: Annotated[RegionCode | None, Query()] = None,
    as_of: AsOf = None,
    at: Annotated[Instant | None, Query(deprecated=True, description="The same as `as_of`")] = None,
    tree_size: TreeSize = None,
) -> list[AccountRead]:
    """The accounts of the pools within your reach, as of any instant or any size of a region's log."""
    moment = Moment(at=as_of or at, tree_size=tree_size)
    balances = service.database.transact(
        lambda tx: account_balances(
            tx, caller=caller, programme_id=programme_id, region_code=region_code, moment=moment
        )
    )
    return [AccountRead.model_validate(balance) for balance in balances]


@router.get("/payees/{payee_id}/accounts")
def read_payee_accounts(
    payee_id: AnyId,
    caller: CallerDep,
    service: ServiceDep,
    region_code: Annotated[RegionCode, Query()],
    as_of: AsOf = None,
    tree_size: TreeSize = None,
) -> list[PayeeAccountRead]:
    """What a region owes to a payee and has paid to it, as of any instant or size. A payee sees its own."""
    moment = Moment(at=as_of, tree_size=tree_size)
    balances = service.database.transact(
        lambda tx: payee_balances(tx, caller=caller, payee_id=payee_id, region_code=region_code, moment=moment)
    )
    return [PayeeAccountRead.model_validate(balance) for balance in balances]
