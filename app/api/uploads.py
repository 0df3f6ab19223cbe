"""Uploads: a document is sent in once and named where it belongs; its type is what its content is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from app.api.authentication import CallerDep
from app.api.context import ServiceDep
from app.api.fields import AnyId, Read, RegionCode, ShownInstant, Wire
from app.api.multipart import sent_form
from app.kernel.vocabulary import DocumentType, Role
from app.services.uploads.names import MEDIA_TYPES, disposition
from app.services.uploads.store import store_in
from app.services.uploads.uploads import UploadRecord, open_upload, read_upload, take_in

router = APIRouter(prefix="/v1/uploads", tags=["uploads"])

REQUEST_BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["region_code", "file"],
                "additionalProperties": False,
                "properties": {
                    "region_code": TypeAdapter(RegionCode).json_schema()
                    | {"description": "The region of the programme it is for"},
                    "file": {
                        "type": "string",
                        "format": "binary",
                        "description": "PDF, PNG, JPEG, .xlsx, .docx or OFD by content, at most 20 MiB",
                    },
                },
            }
        }
    },
}


class UploadForm(Wire):
    """The fields beside the file."""

    region_code: RegionCode


class UploadRead(Read):
    """An uploaded document."""

    id: str
    region_code: str
    file_name: str
    type: DocumentType
    size: int
    sha256: str
    uploaded_at: ShownInstant


class UploadStored(UploadRead):
    """`repeated`: this organisation had sent these very bytes before, and this is what became of them then."""

    repeated: bool


@dataclass(frozen=True, slots=True)
class SentFile:
    """A form with one file; it lies in a temporary file of the framework until it is taken in."""

    region_code: str
    file: UploadFile


@asynccontextmanager
async def _sent(request: Request) -> AsyncIterator[SentFile]:
    """The form; its temporary file is gone afterwards."""
    async with sent_form(request) as form:
        try:
            asked = UploadForm.model_validate(form.fields)
        except ValidationError as error:
            raise RequestValidationError(error.errors(include_url=False)) from error
        yield SentFile(asked.region_code, form.file)


@router.post("", status_code=201, openapi_extra={"requestBody": REQUEST_BODY})
async def create_upload(request: Request, caller: CallerDep, service: ServiceDep, response: Response) -> UploadStored:
    """Send a document in. The same bytes again answer 200 with the same upload, so repeating is harmless."""
    caller.require(Role.FIRM)
    async with _sent(request) as sent:
        upload, is_new = await run_in_threadpool(
            lambda: take_in(
                service.database,
                store_in(service.settings.state_dir),
                caller=caller,
                region_code=sent.region_code,
                source=sent.file.file,
                file_name=sent.file.filename or "",
            )
        )
    if not is_new:
        response.status_code = 200
    return UploadStored(**_values(upload), repeated=not is_new)


@router.get("/{upload_id}")
def read_one_upload(upload_id: AnyId, caller: CallerDep, service: ServiceDep) -> UploadRead:
    """What is known of a document that is yours, or belongs to an application within your reach."""
    upload = service.database.transact(lambda tx: read_upload(tx, caller=caller, upload_id=upload_id))
    return UploadRead(**_values(upload))


@router.get(
    "/{upload_id}/content",
    response_class=Response,
    responses={200: {"content": {media_type: {} for media_type in MEDIA_TYPES.values()}}},
)
def read_upload_content(upload_id: AnyId, caller: CallerDep, service: ServiceDep) -> Response:
    """The document itself, to be saved, never shown; that you read it is an audit event."""
    store = store_in(service.settings.state_dir)
    upload, content = service.database.transact(lambda tx: open_upload(tx, store, caller=caller, upload_id=upload_id))
    return document_response(upload, content)


def document_response(upload: UploadRecord, content: bytes) -> Response:
    """A document that no browser shows, sniffs, caches or runs."""
    headers = {
        "Content-Disposition": disposition(upload.file_name),
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cache-Control": "private, no-store",
        "Cross-Origin-Resource-Policy": "same-origin",
        "ETag": f'"{upload.sha256}"',
    }
    return Response(content, media_type=MEDIA_TYPES[upload.type], headers=headers)


def _values(upload: UploadRecord) -> dict[str, Any]:
    return {name: getattr(upload, name) for name in UploadRead.model_fields}
