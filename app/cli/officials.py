"""`voucher api`: any part of the API as the person signed in; and `voucher approve`, a former name."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.following import progress_of_job
from app.cli.login import official, signed_in
from app.cli.output import Failure, console, say
from app.client import models


class Method(StrEnum):
    """What the API's routes answer to."""

    GET = "GET"
    HEAD = "HEAD"
    POST = "POST"
    PUT = "PUT"
    PATCH = "PATCH"
    DELETE = "DELETE"


def api(
    method: Annotated[Method, typer.Argument(help="请求方法 / Method of the request", case_sensitive=False)],
    path: Annotated[
        str, typer.Argument(help="以 / 开头的路径，可带查询参数，如 /v1/vouchers?limit=5 / Path, with its query")
    ],
    body: Annotated[
        str | None, typer.Option("--json", help="JSON 文件，- 为标准输入 / A JSON file, - for standard input")
    ] = None,
    key: Annotated[str | None, typer.Option(help="Idempotency-Key；默认随机 / random by default")] = None,
) -> None:
    """以当前登录人调用任一接口 / Call any part of the API as the person signed in."""
    if not path.startswith("/"):
        raise typer.BadParameter(
            f"{path}：路径须以 / 开头，如 /v1/vouchers。 / a path begins with /", param_hint="PATH"
        )
    given = _json(body) if body else None
    with signed_in() as client:
        answer = client.send(method.value, path, json=given, key=key)
    if isinstance(answer, bytes):
        sys.stdout.buffer.write(answer)
    elif isinstance(answer, str):
        console.print(answer, markup=False)
    elif answer is not None:
        console.print_json(json.dumps(answer, ensure_ascii=False))


def approve(
    approval_id: Annotated[str, typer.Argument(help="审核编号 / Id of the approval")],
    note: Annotated[str | None, typer.Option(help="备注 / A remark for the record")] = None,
) -> None:
    """旧名，即 voucher approvals approve --yes / The former name of voucher approvals approve --yes."""
    body = models.ApproveBody(note=note) if note else None
    with official() as client, progress_of_job() as progress:
        approved = client.approvals.approve(approval_id, body, progress=progress)
    say(f"已审核：{approved.kind} {approved.subject_id}", approved.status)


def _json(source: str) -> Any:
    try:
        return json.loads(sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Failure(f"无法读取 {source}。", f"not readable as JSON: {error}") from error
