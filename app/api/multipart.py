"""Forms with a file: read in one place, so that all routes refuse the same."""

from __future__ import annotations

import codecs
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import PurePath

from python_multipart.multipart import parse_options_header
from starlette.datastructures import UploadFile
from starlette.requests import Request

from app.kernel.problems import AppError, Code

MEDIA_TYPE = "multipart/form-data"
MAX_FIELDS = 10
MAX_FILE_NAME = 200
CHARSETS = frozenset({"ascii", "utf-8", "gb2312", "gbk", "gb18030"})
"""In which a form may be written. Python has codecs that make other text of it, or raise what nobody expects."""

_IN_NAMES = re.compile(r"[\x00-\x1f\x7f]")
_IN_VALUES = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
"""A value may have several lines; whether it does is for its field to say."""


@dataclass(frozen=True, slots=True)
class SentForm:
    """The text fields and the one file, which lies in a temporary file of the framework while the form is open."""

    fields: Mapping[str, str]
    file: UploadFile

    @property
    def file_name(self) -> str:
        """The file's name without folders, printable, of bounded length; to be shown, never to be used as a path."""
        name = PurePath(self.file.filename or "").name
        return "".join(character for character in name if character.isprintable())[:MAX_FILE_NAME]


@asynccontextmanager
async def sent_form(request: Request, *, expected: str = MEDIA_TYPE) -> AsyncIterator[SentForm]:
    """The form of a request: one part `file`, and every other field once.

    Raises UNSUPPORTED_MEDIA_TYPE (`expected` says what the route takes) and MALFORMED_REQUEST.
    """
    media_type, parameters = parse_options_header(request.headers.get("content-type", ""))
    if media_type.strip().lower() != MEDIA_TYPE.encode():
        raise AppError(Code.UNSUPPORTED_MEDIA_TYPE, expected=expected)
    if not _is_known(parameters.get(b"charset", b"utf-8")):
        raise AppError(Code.UNSUPPORTED_MEDIA_TYPE, expected=f"{MEDIA_TYPE}; charset=utf-8")
    async with request.form(max_files=1, max_fields=MAX_FIELDS) as form:
        items = form.multi_items()
        fields = {name: value for name, value in items if isinstance(value, str)}
        files = {name: value for name, value in items if isinstance(value, UploadFile)}
        if len(fields) + len(files) < len(items) or set(files) != {"file"}:
            raise AppError(Code.MALFORMED_REQUEST, why="multipart: one part `file`, every other field once")
        sent = SentForm(fields, files["file"])
        if _has_control_characters(sent):
            raise AppError(Code.MALFORMED_REQUEST, why="multipart: a control character in a name or a value")
        yield sent


def _is_known(charset: bytes) -> bool:
    try:
        return codecs.lookup(charset.decode("ascii")).name in CHARSETS
    except (LookupError, UnicodeDecodeError, ValueError):
        return False


def _has_control_characters(sent: SentForm) -> bool:
    names = (*sent.fields, sent.file.filename or "")
    return any(map(_IN_NAMES.search, names)) or any(map(_IN_VALUES.search, sent.fields.values()))
