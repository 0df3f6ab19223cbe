"""Lists by keyset: `?limit=…&cursor=…` in, `{"data": […], "next_cursor": …}` out."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Annotated, Generic, Protocol, TypeVar

from fastapi import Query
from pydantic import AfterValidator, BaseModel

from app.kernel.problems import AppError, Code
from app.kernel.wording import NOT_A_CURSOR

MAX_LIMIT = 200

_ID = re.compile(r"[a-z]{3}_([0-9]{6}_)?[0-9a-z]{26}")


class Identified(Protocol):
    """What a page can end with."""

    @property
    def id(self) -> str:
        """Its public id; pages follow its order."""


T = TypeVar("T")
R = TypeVar("R", bound=Identified)


class Page(BaseModel, Generic[T]):
    """One page of a list. Send `next_cursor` as `cursor` for the next one; null says that this is the last."""

    data: list[T]
    next_cursor: str | None


def page_of(found: Sequence[R], limit: int) -> Page[R]:
    """A page of at most `limit`; that there are more is known from one row beyond it."""
    shown = list(found[:limit])
    has_more = len(found) > limit
    return Page(data=shown, next_cursor=cursor_of(shown[-1].id) if has_more else None)


def cursor_of(last_id: str) -> str:
    """The cursor of the page that begins after this id."""
    return urlsafe_b64encode(last_id.encode()).decode().rstrip("=")


def _last_id(cursor: str | None) -> str | None:
    """The id within a cursor. Raises `malformed_request` for what no page of ours has given."""
    if cursor is None:
        return None
    try:
        last_id = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except ValueError as error:
        raise AppError(Code.MALFORMED_REQUEST, why=NOT_A_CURSOR) from error
    if _ID.fullmatch(last_id) is None or cursor_of(last_id) != cursor:
        raise AppError(Code.MALFORMED_REQUEST, why=NOT_A_CURSOR)
    return last_id


Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="How many at most")]
Cursor = Annotated[
    str | None,
    Query(description="`next_cursor` of the page before; opaque", json_schema_extra={"pattern": "^[A-Za-z0-9_-]+$"}),
    AfterValidator(_last_id),
]
"""Arrives in a route as the id after which the page begins."""

LAST_ROW = 2**31 - 1
RowCursor = Annotated[int, Query(ge=0, le=LAST_ROW, description="`next_cursor` of the page before")]
"""Of a list by row numbers: arrives as the last one shown. PostgreSQL keeps them in 32 bits."""
