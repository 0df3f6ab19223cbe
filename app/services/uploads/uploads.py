"""Uploads: taken in once per organisation, read by who may see what they belong to, every reading an audit event."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, BinaryIO

from sqlalchemy import Connection, Row, exists, func, select
from sqlalchemy.dialects.postgresql import insert

from app.database import Database
from app.kernel.ids import new_id, region_of
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import DocumentType, Role
from app.models import Application, ApplicationDocument, Upload
from app.reach import enter
from app.services import audit
from app.services.applications.access import visible_to
from app.services.identity.principals import Caller
from app.services.uploads.names import clean_name
from app.services.uploads.store import Store, Stored
from app.sql import now

UNUSED_A_DAY = 100
"""Documents that an organisation may send in within a day without putting them to use: the disk is not its own."""


@dataclass(frozen=True, slots=True)
class UploadRecord:
    """What is known of an uploaded document."""

    region_code: str
    id: str
    organisation_id: str
    sha256: str
    size: int
    type: DocumentType
    file_name: str
    uploaded_at: datetime


def take_in(
    database: Database, store: Store, *, caller: Caller, region_code: str, source: BinaryIO, file_name: str
) -> tuple[UploadRecord, bool]:
    """Store a document of the caller's organisation; whether it is new there. The same bytes again are the same upload.

    Raises `forbidden`, `too_many_uploads`, and what the store refuses.
    """
    caller.require(Role.FIRM)
    database.transact(lambda tx: _require_moderation(tx, caller, region_code))
    with store.storing():
        stored = store.put(source)
        return database.transact(lambda tx: _record(tx, caller, region_code, stored, file_name))


def read_upload(tx: Connection, *, caller: Caller, upload_id: str) -> UploadRecord:
    """What is known of a document: the organisation's own, or one that belongs to an application within reach.

    Raises `not_found`.
    """
    row = tx.execute(
        select(Upload).where(Upload.region_code == region_of(upload_id), Upload.id == upload_id)
    ).one_or_none()
    if row is None or not (_is_own(caller, row) or _is_seen(tx, caller, row)):
        raise AppError(Code.NOT_FOUND, what="upload")
    return _of(row)


def open_upload(tx: Connection, store: Store, *, caller: Caller, upload_id: str) -> tuple[UploadRecord, bytes]:
    """A document and its bytes; that it was read is an audit event. Raises `not_found`, `document_lost`."""
    upload = read_upload(tx, caller=caller, upload_id=upload_id)
    content = store.read(upload.sha256, upload.size)
    audit.record(
        tx,
        caller=caller,
        region_code=upload.region_code,
        action="evidence.read",
        object_id=upload.id,
        at=now(tx),
        details={"sha256": upload.sha256, "owner": upload.organisation_id},
    )
    return upload, content


def with_rows(tx: Connection, hashes: Collection[str]) -> set[str]:
    """Which of these hashes an upload has."""
    return set(tx.execute(select(Upload.sha256).where(Upload.sha256.in_(hashes))).scalars())


def lost(tx: Connection, store: Store) -> list[UploadRecord]:
    """The uploads whose bytes are not in the store, or are others."""
    rows = tx.execute(select(Upload).order_by(Upload.region_code, Upload.id))
    return [_of(row) for row in rows if not store.holds(row.sha256)]


def _require_moderation(tx: Connection, caller: Caller, region_code: str) -> None:
    used = exists().where(
        ApplicationDocument.region_code == Upload.region_code, ApplicationDocument.upload_id == Upload.id
    )
    unused = tx.execute(
        select(func.count())
        .select_from(Upload)
        .where(
            Upload.region_code == region_code,
            Upload.organisation_id == caller.organisation_id,
            Upload.uploaded_at > now(tx) - timedelta(days=1),
            ~used,
        )
    ).scalar_one()
    if unused >= UNUSED_A_DAY:
        raise AppError(Code.TOO_MANY_UPLOADS, limit=UNUSED_A_DAY, retry_after_s=3600)


def _record(
    tx: Connection, caller: Caller, region_code: str, stored: Stored, file_name: str
) -> tuple[UploadRecord, bool]:
    enter(tx, [region_code])
    at = now(tx)
    upload_id = new_id("upl", region_code)
    name = clean_name(file_name, stored.type)
    row = tx.execute(
        insert(Upload)
        .values(
            region_code=region_code,
            id=upload_id,
            organisation_id=caller.organisation_id,
            sha256=stored.sha256,
            size=stored.size,
            type=stored.type,
            file_name=name,
            uploaded_at=at,
            uploaded_by=caller.principal_id,
        )
        .on_conflict_do_nothing()
        .returning(Upload)
    ).one_or_none()
    if row is None:
        there = tx.execute(
            select(Upload).where(
                Upload.region_code == region_code,
                Upload.organisation_id == caller.organisation_id,
                Upload.sha256 == stored.sha256,
            )
        ).one()
        return _of(there), False
    audit.record(
        tx,
        caller=caller,
        region_code=region_code,
        action="evidence.uploaded",
        object_id=upload_id,
        at=at,
        details={"sha256": stored.sha256, "size": stored.size, "type": stored.type},
    )
    return _of(row), True


def _is_own(caller: Caller, row: Row[Any]) -> bool:
    return caller.holds(Role.FIRM) and bool(row.organisation_id == caller.organisation_id)


def _is_seen(tx: Connection, caller: Caller, row: Row[Any]) -> bool:
    """Whether it belongs to an application that the caller sees, or did before a correction took it out."""
    seen = (
        select(ApplicationDocument.upload_id)
        .join(
            Application,
            (Application.region_code == ApplicationDocument.region_code)
            & (Application.id == ApplicationDocument.application_id),
        )
        .where(
            ApplicationDocument.region_code == row.region_code,
            ApplicationDocument.upload_id == row.id,
            visible_to(caller),
        )
        .limit(1)
    )
    return tx.execute(seen).first() is not None


def _of(row: Row[Any]) -> UploadRecord:
    values = {name: getattr(row, name) for name in UploadRecord.__slots__}
    return UploadRecord(**values | {"type": DocumentType(row.type)})
