"""ETag and If-Match on what people edit: the version that was read is the one that is changed."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Depends, Header

from app.kernel.problems import AppError, Code

_ETAG = re.compile('"([1-9][0-9]{0,17})"')


def etag(version: int) -> str:
    """The ETag of a version."""
    return f'"{version}"'


GivenETag = Annotated[str | None, Header(alias="If-Match", description="ETag of what was read")]


async def _version(if_match: GivenETag = None) -> int:
    """The version that the client has read. Raises `etag_missing`, `etag_stale` (also for no ETag of ours)."""
    if if_match is None:
        raise AppError(Code.ETAG_MISSING)
    return _read(if_match)


async def _version_if_given(if_match: GivenETag = None) -> int | None:
    """The version that the client has read, where he says so. Raises `etag_stale`."""
    return None if if_match is None else _read(if_match)


def _read(if_match: str) -> int:
    match = _ETAG.fullmatch(if_match.strip())
    if match is None:
        raise AppError(Code.ETAG_STALE)
    return int(match[1])


IfMatch = Annotated[int, Depends(_version)]
IfMatchGiven = Annotated[int | None, Depends(_version_if_given)]
