"""An official's day from the shell: `voucher issue`, `approvals`, `approve`, and `api` for everything else."""

from __future__ import annotations

import itertools
import json
import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.client import Api, Refused
from app.cli.following import follow
from app.cli.login import signed_in
from app.cli.output import Failure, console, say, table, yuan
from app.kernel.money import parse_yuan


def submit_sheet(
    api: Api,
    sheet: Path,
    *,
    programme_id: str,
    count: int,
    total_fen: int,
    dry_run: bool = False,
    key: str | None = None,
    shown: bool = False,
) -> dict[str, Any]:
    """Send an issuance sheet as a maker and return what a checker is asked to approve. Raises Refused, Failure.

    With `shown` how far it is shows on the terminal; within a `step`, which shows something itself, it must not.
    """
    form = _form(programme_id, count, total_fen) | {"dry_run": "true" if dry_run else "false"}
    send = partial(follow, api) if shown else api.post
    submitted: dict[str, Any] = send("/v1/issuance-batches", key=key, data=form, files=_file(sheet))
    return submitted


def annotate_sheet(api: Api, sheet: Path, *, programme_id: str, count: int, total_fen: int) -> Path:
    """Write the annotated copy of a sheet beside it, under a name that is free, and return where."""
    form = _form(programme_id, count, total_fen)
    copy = api.post("/v1/issuance-batches/annotated-sheet", data=form, files=_file(sheet))
    for number in itertools.count(1):
        path = sheet.with_name(f"{sheet.stem}-校验结果{number if number > 1 else ''}.xlsx")
        try:
            with path.open("xb") as file:
                file.write(copy)
        except FileExistsError:
            continue
        return path
    raise AssertionError("some name is free")


def _form(programme_id: str, count: int, total_fen: int) -> dict[str, str]:
    return {"programme_id": programme_id, "declared_count": str(count), "declared_total_fen": str(total_fen)}


def _file(sheet: Path) -> dict[str, tuple[str, bytes, str]]:
    return {"file": (sheet.name, sheet.read_bytes(), "application/octet-stream")}


def approve_one(api: Api, approval_id: str, note: str | None = None) -> dict[str, Any]:
    """Execute what was asked, as a second person. Raises Refused, Failure."""
    body = {"note": note} if note else None
    approved: dict[str, Any] = api.post(f"/v1/approvals/{approval_id}/approve", body)
    return approved


def api(
    method: Annotated[str, typer.Argument(help="GET, POST, …")],
    path: Annotated[str, typer.Argument(help="/v1/…")],
    body: Annotated[
        str | None, typer.Option("--json", help="JSON 文件，- 为标准输入 / A JSON file, - for standard input")
    ] = None,
    key: Annotated[str | None, typer.Option(help="Idempotency-Key；默认随机 / random by default")] = None,
) -> None:
    """以当前登录人调用任一接口 / Call any part of the API as the person signed in."""
    given = _json(body) if body else None
    with signed_in() as client:
        answer = client.send(method.upper(), path, json=given, key=key)
    if isinstance(answer, bytes):
        sys.stdout.buffer.write(answer)
    elif isinstance(answer, str):
        console.print(answer, markup=False)
    elif answer is not None:
        console.print_json(json.dumps(answer, ensure_ascii=False))


def issue(
    sheet: Annotated[
        Path, typer.Argument(help="发放清单 .xlsx 或 .csv / The issuance sheet", exists=True, dir_okay=False)
    ],
    programme: Annotated[str, typer.Option(help="项目编号 / Id of the programme")],
    count: Annotated[int, typer.Option(help="申报张数 / Declared number of vouchers", min=1)],
    total: Annotated[str, typer.Option(help="申报总额（元） / Declared total in yuan")],
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="只校验，不提交 / Check only")] = False,
) -> None:
    """上传发放清单并提请审核（经办） / Submit an issuance sheet for approval, as a maker."""
    try:
        total_fen = parse_yuan(total)
    except ValueError as error:
        raise Failure("申报总额无法识别。", str(error)) from error
    with signed_in() as client:
        try:
            made = submit_sheet(
                client, sheet, programme_id=programme, count=count, total_fen=total_fen, dry_run=dry_run, shown=True
            )
        except Refused as refused:
            if any(error.get("row") for error in refused.problem.get("errors") or ()):
                copy = annotate_sheet(client, sheet, programme_id=programme, count=count, total_fen=total_fen)
                say(f"逐行批注的副本（更正后可直接提交）：{copy}", "annotated copy, to be corrected and submitted")
            raise
    table(
        f"{sheet.name}: {made['row_count']} 张 vouchers, {made['firm_count']} 家 firms, {yuan(made['total_fen'])} 元",
        ["资金来源 source", "占用（元） takes", "占用后可用（元） left"],
        [[pool["fund_source"], yuan(pool["amount_fen"]), yuan(pool["available_after_fen"])] for pool in made["pools"]],
        numbers_from=1,
    )
    if dry_run:
        say("校验通过，未提交任何数据。", "all checks passed; nothing was submitted")
    else:
        say(f"已提请审核：{made['approval_id']}", "waits for a checker: voucher approve")


def approvals(
    *,
    everything: Annotated[bool, typer.Option("--all", help="含已办结的 / Decided ones too")] = False,
) -> None:
    """待审核事项 / What waits for a second person."""
    parameters = {"limit": 200} | ({} if everything else {"status": "pending"})
    with signed_in() as client:
        found = client.get("/v1/approvals", **parameters)["data"]
    rows = [
        [
            approval["id"],
            approval["kind"],
            approval["status"],
            yuan(approval["amount_fen"]) if approval["amount_fen"] is not None else "-",
            ", ".join(_told(name, value) for name, value in approval["effect"].items() if value != []),
        ]
        for approval in found
    ]
    table("审核事项 / Approvals", ["id", "事项 act", "状态 status", "金额（元） yuan", "效果 effect"], rows)


def _told(name: str, value: Any) -> str:
    """One part of an effect in short: of a list the places that it names, of a document that it is there."""
    if isinstance(value, list):
        places = [row["pointer"] for row in value if isinstance(row, dict) and "pointer" in row]
        return f"{name}: {' '.join(places)}" if places else f"{name}: {len(value)}"
    return f"{name} …" if isinstance(value, dict) else f"{name} {value}"


def approve(
    approval_id: Annotated[str, typer.Argument(help="审核编号 / Id of the approval")],
    note: Annotated[str | None, typer.Option(help="备注 / A remark for the record")] = None,
) -> None:
    """审核通过并执行（须为另一人） / Approve and execute, as another person than the maker."""
    body = {"note": note} if note else None
    with signed_in() as client:
        approved = follow(client, f"/v1/approvals/{approval_id}/approve", json=body)
    say(f"已审核：{approved['kind']} {approved['subject_id']}", f"{approved['status']}")


def _json(source: str) -> Any:
    try:
        return json.loads(sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Failure(f"无法读取 {source}。", f"not readable as JSON: {error}") from error
