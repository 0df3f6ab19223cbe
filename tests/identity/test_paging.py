from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import BaseModel, TypeAdapter

from app.api.etags import etag
from app.api.paging import Cursor, page_of
from app.kernel.ids import new_id
from app.kernel.problems import AppError, Code

CURSOR: TypeAdapter[str | None] = TypeAdapter(Annotated[str | None, Cursor.__metadata__[-1]])


class Thing(BaseModel):
    id: str


def things(number: int) -> list[Thing]:
    return [Thing(id=new_id("vch", "330100")) for _ in range(number)]


def test_a_page_leads_to_the_next_one() -> None:
    found = things(3)
    page = page_of(found, 2)
    assert page.data == found[:2]
    assert CURSOR.validate_python(page.next_cursor) == found[1].id


@pytest.mark.parametrize("number", [0, 1, 2])
def test_the_last_page_says_so(number: int) -> None:
    assert page_of(things(number), 2).next_cursor is None


def test_ids_without_a_region_are_cursors_too() -> None:
    found = [Thing(id=new_id("org")), Thing(id=new_id("org"))]
    assert CURSOR.validate_python(page_of(found, 1).next_cursor) == found[0].id


@pytest.mark.parametrize("cursor", ["", "x", "%00", "é", "AAAA", "dmNoXzMzMDEwMF8", "a b", "=" * 4, "A" * 5000])
def test_what_no_page_of_ours_has_given_is_malformed(cursor: str) -> None:
    with pytest.raises(AppError) as refusal:
        CURSOR.validate_python(cursor)
    assert refusal.value.code is Code.MALFORMED_REQUEST


def test_one_cursor_has_one_spelling() -> None:
    cursor = page_of(things(2), 1).next_cursor
    assert cursor is not None
    with pytest.raises(AppError):
        CURSOR.validate_python(cursor + "=")


def test_an_etag_is_the_quoted_version() -> None:
    assert etag(7) == '"7"'
