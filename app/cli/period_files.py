"""What the commands that upload a period's file have in common: their form, and what is said of its reception."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from app.cli.login import signed_in
from app.cli.output import Failure, say, yuan
from app.client import Upload
from app.kernel.money import parse_yuan


def form_of(
    region: str, first: datetime, last: datetime, count: int | None, total: str | None, *, dry_run: bool
) -> dict[str, str]:
    """The form; `total` is in yuan. Raises Failure where that is no amount."""
    form = {
        "region_code": region,
        "period_from": first.date().isoformat(),
        "period_until": last.date().isoformat(),
        "dry_run": "true" if dry_run else "false",
    }
    form |= {"declared_count": str(count)} if count is not None else {}
    form |= {"declared_total_fen": str(_fen(total))} if total is not None else {}
    return form


def send_file(path: str, form: dict[str, str], file: Path) -> dict[str, Any]:
    """Upload it as the person signed in. Raises Refused with every complaint."""
    with signed_in() as client:
        sent: dict[str, Any] = client.post(path, data=form, file=Upload.read(file))
    return sent


def tell_received(sent: dict[str, Any], *, kind: str, id: str | None, total_fen: int, dry_run: bool) -> None:  # noqa: A002 - as it is called
    """Say what the service did with it: taken in, known already, or only checked."""
    lines = f"{sent['line_count']:,} 笔 lines, {yuan(total_fen)} 元"
    if sent["ignored_columns"]:
        ignored = "、".join(sent["ignored_columns"])
        say(f"未读取的列：{ignored}", "columns that are not read")
    if sent["repeated"]:
        say(f"该文件此前已上传：{id}，{lines}", "this very file was uploaded before; nothing was done")
    elif dry_run:
        say(f"校验通过，未保存任何数据：{lines}", "all checks passed; nothing was stored")
    else:
        say(f"已收到{kind} {id}：{lines}", "taken in")
        if sent["replaces_id"]:
            say(f"替换了 {sent['replaces_id']}", "it replaces an earlier one of the same period")


def _fen(total: str) -> int:
    try:
        return parse_yuan(total)
    except ValueError as error:
        raise Failure("申报总额无法识别。", str(error)) from error
