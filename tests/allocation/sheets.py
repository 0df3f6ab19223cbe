"""Allocation lists as files, and the requests that send them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

import httpx

from tests.issuance.sheets import workbook_of
from tests.issuance.test_batches import Firm
from tests.world import Actor

FOUR = ["申领编号", "统一社会信用代码", "企业名称", "申请金额（元）"]
MARKS = {"score": "评分", "tier": "等级", "project": "项目编号", "project_level": "项目级别"}

_keys = count(1)


def list_of(firms: Sequence[Firm], *amounts: Any, **marks: Sequence[Any]) -> bytes:
    """A list in which candidates A, B, C … ask for these amounts in yuan; `marks` gives each its score and so on."""
    headings = [*FOUR, *(MARKS[name] for name in marks)]
    lines = [
        [chr(ord("A") + n), firm.uscc, firm.name, yuan, *(values[n] for values in marks.values())]
        for n, (firm, yuan) in enumerate(zip(firms, amounts, strict=True))
    ]
    return workbook_of({"分配名单": [headings, *lines]})


def freeze(
    by: Actor, programme_id: str, data: bytes, rows: int, fen: int, *, key: str | None = None, **form: Any
) -> httpx.Response:
    """Send a list with its declared figures."""
    return by.post(
        f"/v1/programmes/{programme_id}/allocation-lists",
        key=key or f"list-{next(_keys)}",
        data={"title": "第一轮", "declared_count": rows, "declared_total_fen": fen} | form,
        files={"file": ("名单.xlsx", data, "application/octet-stream")},
    )


def annotated(by: Actor, programme_id: str, data: bytes, rows: int, fen: int, **form: Any) -> httpx.Response:
    """Ask for the copy that says beside each row what is wrong."""
    return by.http.post(
        f"/v1/programmes/{programme_id}/allocation-lists/annotated-sheet",
        data={"title": "第一轮", "declared_count": rows, "declared_total_fen": fen} | form,
        files={"file": ("名单.xlsx", data, "application/octet-stream")},
    )
