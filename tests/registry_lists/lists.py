"""Lists for the registry as people send them."""

from __future__ import annotations

from typing import Any

import httpx

from app.services.registry_lists.lines import read_organisations
from app.services.registry_lists.words import ListKind
from tests.world import HANGZHOU, Actor, uscc_of

FIRM_HEADINGS = ("统一社会信用代码", "企业名称", "所属区县", "企业规模", "成立日期")
A, B, C = (uscc_of(number) for number in (700_001, 700_002, 700_003))


def upload(by: Actor, data: bytes, *, kind: str = "firms", name: str = "名单.xlsx", **fields: Any) -> httpx.Response:
    form = {"kind": kind} | ({} if kind == "tags" else {"region_code": HANGZHOU}) | fields
    return by.http.post("/v1/organisation-lists", data=form, files={"file": (name, data)})


def wrong(data: bytes, kind: ListKind = ListKind.FIRMS) -> list[tuple[int | None, str | None, str]]:
    """What is wrong with a file: row, column, code."""
    read = read_organisations(data, kind, region_code=HANGZHOU, language="en")
    return [(error.row, error.column, error.code) for error in read.errors]


def places(response: httpx.Response) -> list[tuple[int, str | None, str]]:
    assert response.status_code == 422, response.text
    body = response.json()
    assert body["code"] == "sheet_invalid", response.text
    return [(error["row"], error.get("column"), error["code"]) for error in body["errors"]]
