"""Issuing an approved batch: vouchers come into being, and the budget is committed. All of it or nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, select, update

from app.kernel.canonical import sha256_hex
from app.kernel.clock import civil_date, rfc3339
from app.kernel.codes import new_code
from app.kernel.ids import new_id
from app.kernel.problems import AppError, Code, FieldError
from app.kernel.vocabulary import Account, BatchStatus, Checkpoint, EntryKind, JobStage, ProgrammeStatus
from app.models import Allotment, IssuanceBatch, IssuanceRow, Organisation, Programme, Voucher
from app.models import Pool as PoolTable
from app.services import audit
from app.services.approvals.requests import Decision
from app.services.issuance.plans import PlannedRow, Pool, draws, parts_of, rows_sha256, validity, validity_problem
from app.services.issuance.rows import MAX_ERRORS
from app.services.jobs.progress import tell
from app.services.ledger.entries import COUNTERS, JournalEntry, Movement, opening_counters
from app.services.ledger.journal import post
from app.services.notices.blocks import objected, rows_left_out, rows_not_shown
from app.services.redemption.loading import load_terms
from app.services.redemption.states import DatedRules
from app.services.rules.model import Rules
from app.services.standing.facts import naming, telling
from app.services.standing.loading import debarred_firms
from app.sql import BulkInsert, Statement, now, pipelined, plan_anew, together

T = TypeVar("T")

CHUNK = 5_000
"""Vouchers written with one statement: enough that round trips do not count, few enough for the memory."""

_VOUCHERS = BulkInsert(
    Voucher.__table__,
    (
        "region_code",
        "id",
        "code",
        "programme_id",
        "firm_id",
        "batch_id",
        *COUNTERS,
        "posting_count",
        "valid_from",
        "valid_until",
        "redeemable_until",
        "issued_at",
        "terms",
    ),
)
_ALLOTMENTS = BulkInsert(Allotment.__table__, ("region_code", "voucher_id", "pool_id", "line", *COUNTERS))
_TAKEN = Statement("SELECT code FROM vouchers WHERE region_code = :region_code AND code = ANY(CAST(:codes AS text[]))")
_NAME_VOUCHERS = Statement(
    "UPDATE issuance_rows r SET voucher_id = made.voucher_id"
    " FROM unnest(CAST(:row_nos AS integer[]), CAST(:voucher_ids AS text[])) AS made(row_no, voucher_id)"
    " WHERE r.region_code = :region_code AND r.batch_id = :batch_id AND r.row_no = made.row_no"
)


@dataclass(frozen=True, slots=True)
class _Made:
    """A voucher to be issued, with its parts by pool in the declared order."""

    id: str
    code: str
    row: PlannedRow
    valid_from: datetime
    valid_until: datetime
    redeemable_until: datetime
    parts: tuple[tuple[str, int], ...]


def execute_issue_batch(tx: Connection, *, command: Mapping[str, Any], decision: Decision) -> None:
    """Issue the batch as a checker approved it. Raises what `issue_rows` raises."""
    issue_rows(tx, command=command, decision=decision)


def issue_rows(tx: Connection, *, command: Mapping[str, Any], decision: Decision) -> frozenset[int]:
    """Issue every voucher of the batch as a checker approved it: one journal entry each, available → committed.

    Rows that an objection to their public notice keeps back are left out, and their numbers returned. Raises
    `notice_running` before that notice has ended, `notice_required` where the rules want one that has not,
    `under_objection` where no row is left, `wrong_state` where the batch or its programme has moved on,
    `budget_exhausted`, `sheet_invalid` where a row's validity is over by now, `debarred` where a firm has come onto the
    list since. Then nothing is issued and the approval still waits.
    """
    region_code, batch_id = decision.region_code, str(command["batch_id"])
    tell(JobStage.CHECKING)
    batch = _locked_batch(tx, region_code, batch_id)
    programme = _locked_programme(tx, region_code, batch.programme_id)
    rows = _rows(tx, region_code, batch_id)
    assert rows_sha256(batch_id, rows) == command["rows_sha256"], "the rows are those that were submitted"
    left_out = rows_left_out(tx, region_code=region_code, batch_id=batch_id)
    rows = _without(tx, rows, left_out, batch, decision)
    pools = load_pools(tx, region_code, programme.id, programme.fiscal_year, county_code=batch.county_code, lock=True)
    at = now(tx)
    terms = rules_in_force(tx, region_code, programme.id, at)
    _require_shown(tx, batch, terms.rules)
    shares = terms.rules.fund_sources
    draws((row.face_value_fen for row in rows), shares, pools)
    codes = _free_codes(tx, region_code, len(rows))
    made = []
    for row, code in zip(rows, codes, strict=True):
        valid_from, valid_until = validity(row.valid_from, row.valid_until, terms.rules, at)
        redeemable_until = terms.rules.redeemable_until(valid_until)
        parts = tuple((pools[source].id, part) for source, part in parts_of(row.face_value_fen, shares))
        made.append(_Made(new_id("vch", region_code), code, row, valid_from, valid_until, redeemable_until, parts))
    _check_validity(made, at)
    _check_debarments(tx, region_code, made, at)
    plan_anew(tx)  # the check of one foreign key, kept from a batch of three, would read all these for each of them
    with pipelined(tx):  # the next chunk is made while PostgreSQL writes this one
        for number, chunk in enumerate(_chunks(made, CHUNK)):
            tell(JobStage.ISSUING, number * CHUNK, len(made))
            entries = [_entry(voucher, batch, terms.id, decision, at) for voucher in chunk]
            with together(tx):
                _write_vouchers(tx, chunk, entries, batch, at)
                post(tx, entries, opening=True)
            _name_vouchers(tx, chunk, batch)
    tell(JobStage.ISSUING, len(made), len(made))
    _close(tx, batch, BatchStatus.ISSUED, decision)
    return frozenset(left_out)


def reject_issue_batch(tx: Connection, *, command: Mapping[str, Any], decision: Decision) -> None:
    """Close the batch without issuing; its file and reference numbers may be submitted again."""
    batch = _locked_batch(tx, decision.region_code, str(command["batch_id"]))
    tx.execute(
        update(IssuanceRow)
        .where(IssuanceRow.region_code == batch.region_code, IssuanceRow.batch_id == batch.id)
        .values(rejected_at=decision.at)
    )
    _close(tx, batch, BatchStatus.REJECTED, decision)


def rules_in_force(tx: Connection, region_code: str, programme_id: str, at: datetime) -> DatedRules:
    """The newest published rule version of the day. Raises `wrong_state` before the first one takes effect."""
    terms = load_terms(tx, [(region_code, programme_id)]).get((region_code, programme_id))
    dated = terms.rules_on(civil_date(at)) if terms else None
    if dated is None:
        first = min((version.effective_on for version in terms.versions), default=None) if terms else None
        raise AppError(Code.WRONG_STATE, actual=f"{civil_date(at)}", expected=f"≥ {first}")
    return dated


def load_pools(
    tx: Connection,
    region_code: str,
    programme_id: str,
    fiscal_year: int,
    *,
    county_code: str | None = None,
    lock: bool = False,
) -> dict[str, Pool]:
    """The programme's own pools of a year by fund source, or those of a county; with `lock`, locked in sorted order.

    Raises `year_closed` where that year is closed.
    """
    query = (
        select(PoolTable.fund_source, PoolTable.id, PoolTable.available_fen, PoolTable.closed_at)
        .where(
            PoolTable.region_code == region_code,
            PoolTable.programme_id == programme_id,
            PoolTable.fiscal_year == fiscal_year,
            PoolTable.county_code.is_not_distinct_from(county_code),
        )
        .order_by(PoolTable.id)
    )
    if lock:
        query = query.with_for_update(key_share=True)
    pools = tx.execute(query).all()
    if any(pool.closed_at for pool in pools):
        raise AppError(Code.YEAR_CLOSED, fiscal_year=fiscal_year)
    return {pool.fund_source: Pool(pool.id, pool.available_fen) for pool in pools}


def _locked_batch(tx: Connection, region_code: str, batch_id: str) -> Row[Any]:
    batch = tx.execute(
        select(IssuanceBatch)
        .where(IssuanceBatch.region_code == region_code, IssuanceBatch.id == batch_id)
        .with_for_update(key_share=True)
    ).one()
    if batch.status != BatchStatus.SUBMITTED:
        raise AppError(Code.WRONG_STATE, actual=batch.status, expected=BatchStatus.SUBMITTED)
    return batch


def _locked_programme(tx: Connection, region_code: str, programme_id: str) -> Row[str, str, int]:
    programme = tx.execute(
        select(Programme.id, Programme.status, Programme.fiscal_year)
        .where(Programme.region_code == region_code, Programme.id == programme_id)
        .with_for_update(key_share=True)
    ).one()
    if programme.status == ProgrammeStatus.CLOSED:
        raise AppError(Code.PROGRAMME_CLOSED)
    if programme.status != ProgrammeStatus.PUBLISHED:
        raise AppError(Code.WRONG_STATE, actual=programme.status, expected=ProgrammeStatus.PUBLISHED)
    return programme


def _rows(tx: Connection, region_code: str, batch_id: str) -> list[PlannedRow]:
    found = tx.execute(
        select(IssuanceRow, Organisation.name.label("firm_name"))
        .join(Organisation, Organisation.id == IssuanceRow.firm_id)
        .where(IssuanceRow.region_code == region_code, IssuanceRow.batch_id == batch_id)
        .order_by(IssuanceRow.row_no)
    )
    return [PlannedRow(**{name: getattr(row, name) for name in PlannedRow.__slots__}) for row in found]


def _without(
    tx: Connection, rows: list[PlannedRow], left_out: Mapping[int, Any], batch: Row[Any], decision: Decision
) -> list[PlannedRow]:
    """The rows that no objection keeps back. The others are closed: their reference numbers may be submitted again."""
    if not left_out:
        return rows
    kept = [row for row in rows if row.row_no not in left_out]
    if not kept:
        raise objected(left_out[rows[0].row_no])
    tx.execute(
        update(IssuanceRow)
        .where(
            IssuanceRow.region_code == batch.region_code,
            IssuanceRow.batch_id == batch.id,
            IssuanceRow.row_no.in_(sorted(left_out)),
        )
        .values(rejected_at=decision.at)
    )
    audit.record(
        tx,
        caller=decision.checker,
        region_code=batch.region_code,
        action="issue_batch.rows_left_out",
        object_id=batch.id,
        at=decision.at,
        details={"approval": decision.approval_id, "rows": [str(row_no) for row_no in sorted(left_out)]},
    )
    return kept


def _require_shown(tx: Connection, batch: Row[Any], rules: Rules) -> None:
    """What the rules want shown to the public (公示) before it is issued has been. Raises `notice_required`."""
    days = rules.notice_before_issue_days
    if days is None:
        return
    missing = rows_not_shown(tx, region_code=batch.region_code, batch_id=batch.id, working_days=days)
    if missing:
        errors = [
            FieldError(f"/rows/{row.row_no}", Code.NOTICE_REQUIRED, row=row.row_no, limit=days, actual=row.reference_no)
            for row in missing[:MAX_ERRORS]
        ]
        raise AppError(
            Code.NOTICE_REQUIRED,
            count=len(missing),
            days=days,
            batch_id=batch.id,
            errors=errors,
            extra={"batch_id": batch.id, "working_days": days},
        )


def _check_validity(made: Sequence[_Made], at: datetime) -> None:
    """Days may have passed since the batch was submitted."""
    errors = [
        FieldError(
            f"/rows/{voucher.row.row_no}/valid_until", problem.code, row=voucher.row.row_no, actual=problem.actual
        )
        for voucher in made
        if (problem := validity_problem(voucher.valid_from, voucher.valid_until, at=at))
    ]
    if errors:
        raise AppError(Code.SHEET_INVALID, count=len(errors), errors=errors[:MAX_ERRORS])


def _check_debarments(tx: Connection, region_code: str, made: Sequence[_Made], at: datetime) -> None:
    """Somebody may have come onto the list since the batch was submitted."""
    barred = debarred_firms(tx, region_code, Checkpoint.ISSUE, at=at)
    hit = [voucher.row for voucher in made if voucher.row.firm_id in barred]
    if hit:
        errors = [
            FieldError(
                f"/rows/{row.row_no}",
                Code.DEBARRED,
                row=row.row_no,
                limit=barred[row.firm_id].document_no,
                actual=row.firm_name,
            )
            for row in hit
        ]
        first = barred[hit[0].firm_id]
        raise AppError(
            Code.DEBARRED, errors=errors[:MAX_ERRORS], extra=naming(first), **telling(first, Checkpoint.ISSUE)
        )


def _free_codes(tx: Connection, region_code: str, count: int) -> list[str]:
    """So many codes that no voucher of the region has; one that is taken is drawn again.

    Should another batch draw one of them in the same moment (once in 10^16), the unique key undoes this one.
    """
    codes: dict[str, None] = {}
    while len(codes) < count:
        drawn = {new_code(region_code): None for _ in range(count - len(codes))}
        taken = {row.code for row in _TAKEN(tx, {"region_code": region_code, "codes": list(drawn)})}
        codes |= {code: None for code in drawn if code not in taken}
    return list(codes)


def _write_vouchers(
    tx: Connection, made: Sequence[_Made], entries: Sequence[JournalEntry], batch: Row[Any], at: datetime
) -> None:
    """Vouchers and allotments with the money that their entries bring."""
    region_code = batch.region_code
    vouchers, allotments = [], []
    for voucher, entry in zip(made, entries, strict=True):
        opened = opening_counters(entry)
        vouchers.append(
            _added_up(list(opened.values()))
            | {
                "region_code": region_code,
                "id": voucher.id,
                "code": voucher.code,
                "programme_id": batch.programme_id,
                "firm_id": voucher.row.firm_id,
                "batch_id": batch.id,
                "posting_count": len(entry.movements),
                "valid_from": voucher.valid_from,
                "valid_until": voucher.valid_until,
                "redeemable_until": voucher.redeemable_until,
                "issued_at": at,
                "terms": voucher.row.terms,
            }
        )
        allotments += [
            counters | {"region_code": region_code, "voucher_id": voucher.id, "pool_id": pool_id, "line": line}
            for line, (pool_id, counters) in enumerate(opened.items(), start=1)
        ]
    _VOUCHERS.send(tx, vouchers)
    _ALLOTMENTS.send(tx, allotments)


def _added_up(parts: Sequence[dict[str, int]]) -> dict[str, int]:
    first, *others = parts
    return {counter: sum(part[counter] for part in parts) for counter in COUNTERS} if others else dict(first)


def _name_vouchers(tx: Connection, made: Sequence[_Made], batch: Row[Any]) -> None:
    """Write down which voucher each row became."""
    named = {"row_nos": [voucher.row.row_no for voucher in made], "voucher_ids": [voucher.id for voucher in made]}
    _NAME_VOUCHERS.send(tx, named | {"region_code": batch.region_code, "batch_id": batch.id})


def _entry(voucher: _Made, batch: Row[Any], rule_version_id: str, decision: Decision, at: datetime) -> JournalEntry:
    return JournalEntry(
        region_code=batch.region_code,
        id=new_id("ent", batch.region_code),
        kind=EntryKind.ISSUE,
        at=at,
        programme_id=batch.programme_id,
        subject_id=batch.id,
        cause=decision.cause,
        movements=tuple(
            Movement(pool_id, Account.AVAILABLE, Account.COMMITTED, part, voucher.id, voucher_seq)
            for voucher_seq, (pool_id, part) in enumerate(voucher.parts, start=1)
        ),
        voucher_id=voucher.id,
        rule_version_id=rule_version_id,
        details={
            "reference_no": voucher.row.reference_no,
            "firm": voucher.row.firm_id,
            "valid_from": rfc3339(voucher.valid_from),
            "valid_until": rfc3339(voucher.valid_until),
            "redeemable_until": rfc3339(voucher.redeemable_until),
        }
        | ({"terms_sha256": sha256_hex(voucher.row.terms.encode())} if voucher.row.terms is not None else {})
        | ({"application": voucher.row.application_id} if voucher.row.application_id is not None else {}),
    )


def _close(tx: Connection, batch: Row[Any], status: BatchStatus, decision: Decision) -> None:
    tx.execute(
        update(IssuanceBatch)
        .where(IssuanceBatch.region_code == batch.region_code, IssuanceBatch.id == batch.id)
        .values(status=status, decided_at=decision.at)
    )


def _chunks(items: Sequence[T], size: int) -> Iterator[list[T]]:
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk
