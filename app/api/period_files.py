"""Forms with a file, such as one that tells of a period: read only where the sender may send one, within limits."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from app.api.fields import Day, RegionCode, Wire
from app.api.inlined import inlined
from app.api.multipart import sent_form
from app.kernel.money import MAX_FEN
from app.kernel.problems import AppError, Code
from app.services.sheets.scanning import MAX_ROWS
from app.services.sheets.workbook import MAX_FILE_BYTES


def _digits(value: object) -> object:
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value


class PeriodForm(Wire):
    """What is said about the file, which is the part `file`. Days are Asia/Shanghai's, both included."""

    region_code: RegionCode
    period_from: Day
    period_until: Day
    declared_count: Annotated[int | None, Field(ge=0, le=MAX_ROWS), BeforeValidator(_digits)] = None
    declared_total_fen: Annotated[int | None, Field(ge=0, le=MAX_FEN), BeforeValidator(_digits)] = None
    dry_run: bool = False


F = TypeVar("F", bound=Wire)


async def read_form(request: Request, form: type[F]) -> tuple[F, bytes, str]:
    """The form, its file, and the file's printable name. The caller has been asked whether he may send one."""
    async with sent_form(request) as sent:
        data = await sent.file.read()
    if len(data) > MAX_FILE_BYTES:
        raise AppError(Code.BODY_TOO_LARGE, limit=MAX_FILE_BYTES)
    try:
        parsed = form.model_validate(sent.fields)
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_url=False)) from error
    return parsed, data, sent.file_name


def form_schema(form: type[BaseModel]) -> dict[str, Any]:
    """What the published contract says of such a form."""
    schema = inlined(form)
    file = {"type": "string", "format": "binary", "description": "An .xlsx sheet or a CSV file"}
    return schema | {"properties": schema["properties"] | {"file": file}, "required": ["file", *schema["required"]]}


def request_body(form: type[Wire]) -> dict[str, Any]:
    """The same as the whole body of a route."""
    return {"required": True, "content": {"multipart/form-data": {"schema": form_schema(form)}}}
