"""Taking in a provider's statement: read outside the transaction, stored in one, or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, select, text

from app.database import Database
from app.kernel.clock import civil_date
from app.kernel.ids import new_id
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import OrganisationKind, Role
from app.kernel.wording import Language
from app.models import Organisation, Statement, StatementLine
from app.reach import enter
from app.services import audit
from app.services.identity.principals import Caller
from app.services.period_files import Days, find_repeated, find_replaced, lines_sha256, store_file
from app.services.statements.sheet import Frame, StatementFile, read_statement
from app.services.statements.words import CellProblem, Field
from app.sql import BulkInsert, now

_ALONE = text("SELECT pg_advisory_xact_lock(hashtextextended('statements ' || :region_code || ' ' || :provider_id, 0))")
"""Two files of one provider and region are taken in one after the other: what is looked up stays true until COMMIT."""

_FOREIGN = text(
    "SELECT id FROM redemptions WHERE region_code = :region_code AND id = ANY(CAST(:ids AS text[]))"
    " AND provider_id <> :provider_id"
)

_LINES = BulkInsert(
    StatementLine.__table__,
    (
        "region_code",
        "statement_id",
        "row_no",
        "provider_id",
        "order_no",
        "redemption_id",
        "redeemed_on",
        "bill_total_fen",
        "subsidy_fen",
        "refunded_fen",
        "voucher_code",
    ),
)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file with what its sender says about it. Days are Asia/Shanghai's, both included."""

    region_code: str
    period_from: date
    period_until: date
    data: bytes
    file_name: str
    provider_id: str | None = None
    """None: the caller's own organisation."""
    declared_count: int | None = None
    declared_total_fen: int | None = None

    @property
    def days(self) -> Days:
        """The days of which it tells."""
        return Days(self.period_from, self.period_until)

    def of(self, provider_id: str) -> dict[str, str]:
        """Whose statement it is."""
        return {"region_code": self.region_code, "provider_id": provider_id}


@dataclass(frozen=True, slots=True)
class UploadReport:
    """What was taken in, or in a dry run (without an id) would be."""

    statement_id: str | None
    repeated: bool
    """Whether this very file was there already, and nothing was done."""
    replaces_id: str | None
    region_code: str
    provider_id: str
    period_from: date
    period_until: date
    line_count: int
    subsidy_total_fen: int
    file_sha256: str
    ignored_columns: tuple[str, ...]


def upload_statement(
    database: Database, *, caller: Caller, upload: Upload, language: Language, dry_run: bool = False
) -> UploadReport:
    """Take in a statement: a provider its own, finance that of a provider in its region. Once, however often sent.

    Raises `forbidden`, `not_found`, `validation_failed` and `period_ends_in_future` for the period, `file_unreadable`,
    `sheet_invalid` with every complaint, `statement_overlaps` where another period's statement covers one of the days.
    """
    file_sha256 = hashlib.sha256(upload.data).hexdigest()

    def look(tx: Connection) -> tuple[Any, UploadReport | None]:
        provider = _provider(tx, caller, upload)
        upload.days.require_past(today=civil_date(now(tx)))
        return provider, _repeated(tx, provider.id, upload, file_sha256)

    provider, repeated = database.transact(look)
    if repeated is not None:
        return repeated
    frame = Frame(
        upload.region_code,
        provider.identifier_value,
        upload.period_from,
        upload.period_until,
        upload.declared_count,
        upload.declared_total_fen,
    )
    read = read_statement(upload.data, frame, language=language)
    return database.transact(lambda tx: _take_in(tx, caller, provider.id, upload, file_sha256, read, dry_run=dry_run))


def _provider(tx: Connection, caller: Caller, upload: Upload) -> Any:
    caller.require(Role.PROVIDER, Role.FINANCE)
    for_another = caller.holds_in(Role.FINANCE, upload.region_code)
    if not for_another and not caller.holds_in(Role.PROVIDER, upload.region_code):
        raise AppError(Code.NOT_FOUND, what="region")
    enter(tx, [upload.region_code])
    provider_id = upload.provider_id or caller.organisation_id
    found = tx.execute(
        select(Organisation.id, Organisation.identifier_value).where(
            Organisation.id == provider_id, Organisation.kind == OrganisationKind.PROVIDER
        )
    ).one_or_none()
    if found is None or not (for_another or provider_id == caller.organisation_id):
        raise AppError(Code.NOT_FOUND, what="organisation")
    return found


def _repeated(tx: Connection, provider_id: str, upload: Upload, file_sha256: str) -> UploadReport | None:
    row = find_repeated(tx, Statement, upload.of(provider_id), upload.days, file_sha256)
    if row is None:
        return None
    return _report(upload, provider_id, file_sha256, row.line_count, row.subsidy_total_fen, id=row.id, repeated=True)


def _take_in(
    tx: Connection,
    caller: Caller,
    provider_id: str,
    upload: Upload,
    file_sha256: str,
    read: StatementFile,
    *,
    dry_run: bool,
) -> UploadReport:
    enter(tx, [upload.region_code])
    tx.execute(_ALONE, {"region_code": upload.region_code, "provider_id": provider_id})
    repeated = _repeated(tx, provider_id, upload, file_sha256)
    if repeated is not None:
        return repeated
    _refuse_rows_of_others(tx, provider_id, upload.region_code, read)
    read.require_sound()
    replaced_id = find_replaced(tx, Statement, upload.of(provider_id), upload.days, overlaps=_overlaps)
    total_fen = sum(line.subsidy_fen for line in read.lines)
    statement_id = None
    if not dry_run:
        statement_id = _store(tx, caller, provider_id, upload, file_sha256, read, replaced_id, total_fen)
    return _report(
        upload,
        provider_id,
        file_sha256,
        len(read.lines),
        total_fen,
        id=statement_id,
        replaces_id=replaced_id,
        ignored=read.headings.ignored,
    )


def _refuse_rows_of_others(tx: Connection, provider_id: str, region_code: str, read: StatementFile) -> None:
    """Another provider's redemption is no line of this one. One that nobody made is a difference, and no error."""
    rows = {line.redemption_id: line.row_no for line in read.lines if line.redemption_id}
    if not rows:
        return
    asked = {"region_code": region_code, "provider_id": provider_id, "ids": list(rows)}
    for redemption_id in tx.execute(_FOREIGN, asked).scalars():
        problem = CellProblem("row_of_another_provider", limit=provider_id, actual=redemption_id)
        read.complain(rows[redemption_id], problem, Field.REDEMPTION_ID)


def _overlaps(statement_id: str, period: str) -> AppError:
    return AppError(
        Code.STATEMENT_OVERLAPS, statement_id=statement_id, period=period, extra={"statement_id": statement_id}
    )


def _store(
    tx: Connection,
    caller: Caller,
    provider_id: str,
    upload: Upload,
    file_sha256: str,
    read: StatementFile,
    replaced_id: str | None,
    total_fen: int,
) -> str:
    at = now(tx)
    region_code = upload.region_code
    statement_id = new_id("stm", region_code)
    row = {
        "region_code": region_code,
        "id": statement_id,
        "provider_id": provider_id,
        "period_from": upload.period_from,
        "period_until": upload.period_until,
        "line_count": len(read.lines),
        "subsidy_total_fen": total_fen,
        "file_name": upload.file_name,
        "file_sha256": file_sha256,
        "uploaded_at": at,
        "uploaded_by": caller.principal_id,
    }
    store_file(tx, Statement, row, replaces_id=replaced_id)
    _LINES(tx, _line_rows(region_code, statement_id, provider_id, read))
    audit.record(
        tx,
        caller=caller,
        region_code=region_code,
        action="statement.uploaded",
        object_id=statement_id,
        at=at,
        details={
            "provider_id": provider_id,
            "period": f"{upload.period_from}/{upload.period_until}",
            "file_sha256": file_sha256,
            "line_count": len(read.lines),
            "lines_sha256": lines_sha256(tx, Statement, region_code=region_code, file_id=statement_id),
            "replaces_id": replaced_id,
        },
    )
    return statement_id


def _line_rows(region_code: str, statement_id: str, provider_id: str, read: StatementFile) -> Sequence[dict[str, Any]]:
    return [
        {
            "region_code": region_code,
            "statement_id": statement_id,
            "row_no": line.row_no,
            "provider_id": provider_id,
            "order_no": line.order_no,
            "redemption_id": line.redemption_id,
            "redeemed_on": line.redeemed_on,
            "bill_total_fen": line.bill_total_fen,
            "subsidy_fen": line.subsidy_fen,
            "refunded_fen": line.refunded_fen,
            "voucher_code": line.voucher_code,
        }
        for line in read.lines
    ]


def _report(
    upload: Upload,
    provider_id: str,
    file_sha256: str,
    line_count: int,
    total_fen: int,
    *,
    id: str | None,  # noqa: A002 - the name of the column
    repeated: bool = False,
    replaces_id: str | None = None,
    ignored: tuple[str, ...] = (),
) -> UploadReport:
    return UploadReport(
        statement_id=id,
        repeated=repeated,
        replaces_id=replaces_id,
        region_code=upload.region_code,
        provider_id=provider_id,
        period_from=upload.period_from,
        period_until=upload.period_until,
        line_count=line_count,
        subsidy_total_fen=total_fen,
        file_sha256=file_sha256,
        ignored_columns=ignored,
    )
