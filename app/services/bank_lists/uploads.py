"""Taking in a list of the bank's results: read outside the transaction, stored in one, or not at all."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from sqlalchemy import Connection, text

from app.database import Database
from app.kernel.clock import civil_date
from app.kernel.ids import new_id
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import Role
from app.kernel.wording import Language
from app.models import BankList, BankListLine
from app.services import audit
from app.services.bank_lists.sheet import BankListFile, Line, read_bank_list
from app.services.identity.principals import Caller
from app.services.period_files import Days, find_repeated, find_replaced, lines_sha256, store_file
from app.services.sheets.lists import Declared
from app.sql import BulkInsert, now

_ALONE = text("SELECT pg_advisory_xact_lock(hashtextextended('bank lists ' || :region_code, 0))")
"""Two files of one region are taken in one after the other: what is looked up stays true until COMMIT."""

_LINE_COLUMNS = tuple(Line.__slots__)
_LINES = BulkInsert(BankListLine.__table__, ("region_code", "list_id", *_LINE_COLUMNS))


@dataclass(frozen=True, slots=True)
class BankListUpload:
    """A file with what its sender says about it: all that the bank settled for the region on these days."""

    region_code: str
    days: Days
    declared: Declared
    data: bytes
    file_name: str


@dataclass(frozen=True, slots=True)
class BankListReport:
    """What was taken in, or in a dry run (without an id) would be. The total is of all lines, in fen."""

    bank_list_id: str | None
    repeated: bool
    """Whether this very file was there already, and nothing was done."""
    replaces_id: str | None
    line_count: int
    total_fen: int
    file_sha256: str
    ignored_columns: tuple[str, ...]


def upload_bank_list(
    database: Database, *, caller: Caller, upload: BankListUpload, language: Language, dry_run: bool = False
) -> BankListReport:
    """Take in a list of the bank's results; finance does for its region. Once, however often it is sent.

    Raises `forbidden`, `not_found`, `validation_failed` and `period_ends_in_future` for the period, `file_unreadable`,
    `sheet_invalid` with every complaint, `bank_list_overlaps` where another period's list covers one of the days.
    """
    caller.require(Role.FINANCE)
    if not caller.holds_in(Role.FINANCE, upload.region_code):
        raise AppError(Code.NOT_FOUND, what="region")
    file_sha256 = hashlib.sha256(upload.data).hexdigest()

    def look(tx: Connection) -> BankListReport | None:
        upload.days.require_past(today=civil_date(now(tx)))
        return _repeated(tx, upload, file_sha256)

    repeated = database.transact(look)
    if repeated is not None:
        return repeated
    read = read_bank_list(upload.data, upload.days, upload.declared, region_code=upload.region_code, language=language)
    read.require_sound()
    return database.transact(lambda tx: _take_in(tx, caller, upload, file_sha256, read, dry_run=dry_run))


def _repeated(tx: Connection, upload: BankListUpload, file_sha256: str) -> BankListReport | None:
    row = find_repeated(tx, BankList, {"region_code": upload.region_code}, upload.days, file_sha256)
    if row is None:
        return None
    return BankListReport(row.id, True, None, row.line_count, row.total_fen, file_sha256, ())


def _take_in(
    tx: Connection, caller: Caller, upload: BankListUpload, file_sha256: str, read: BankListFile, *, dry_run: bool
) -> BankListReport:
    tx.execute(_ALONE, {"region_code": upload.region_code})
    repeated = _repeated(tx, upload, file_sha256)
    if repeated is not None:
        return repeated
    whose = {"region_code": upload.region_code}
    replaced_id = find_replaced(tx, BankList, whose, upload.days, overlaps=_overlaps)
    total_fen = sum(line.amount_fen for line in read.lines)
    list_id = None if dry_run else _store(tx, caller, upload, file_sha256, read.lines, replaced_id, total_fen)
    return BankListReport(list_id, False, replaced_id, len(read.lines), total_fen, file_sha256, read.headings.ignored)


def _overlaps(bank_list_id: str, period: str) -> AppError:
    return AppError(
        Code.BANK_LIST_OVERLAPS, bank_list_id=bank_list_id, period=period, extra={"bank_list_id": bank_list_id}
    )


def _store(
    tx: Connection,
    caller: Caller,
    upload: BankListUpload,
    file_sha256: str,
    lines: list[Line],
    replaced_id: str | None,
    total_fen: int,
) -> str:
    at = now(tx)
    list_id = new_id("bkl", upload.region_code)
    row = {
        "region_code": upload.region_code,
        "id": list_id,
        "organisation_id": caller.organisation_id,
        "period_from": upload.days.first,
        "period_until": upload.days.last,
        "line_count": len(lines),
        "total_fen": total_fen,
        "file_name": upload.file_name,
        "file_sha256": file_sha256,
        "uploaded_at": at,
        "uploaded_by": caller.principal_id,
    }
    store_file(tx, BankList, row, replaces_id=replaced_id)
    key = {"region_code": upload.region_code, "list_id": list_id}
    _LINES(tx, [key | {name: getattr(line, name) for name in _LINE_COLUMNS} for line in lines])
    audit.record(
        tx,
        caller=caller,
        region_code=upload.region_code,
        action="bank_list.uploaded",
        object_id=list_id,
        at=at,
        details={
            "period": f"{upload.days.first}/{upload.days.last}",
            "file_sha256": file_sha256,
            "line_count": len(lines),
            "lines_sha256": lines_sha256(tx, BankList, region_code=upload.region_code, file_id=list_id),
            "replaces_id": replaced_id,
        },
    )
    return list_id
