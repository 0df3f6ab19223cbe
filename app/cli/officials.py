"""An official's day from the shell: `voucher issue`, `approvals`, `approve`, and `api` for everything else."""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.following import progress_of_job
from app.cli.login import official, signed_in
from app.cli.output import Failure, console, say, table, yuan
from app.client import BatchForm, Invalid, Upload, VoucherClient, models
from app.kernel.money import parse_yuan


def annotate_sheet(client: VoucherClient, sheet: Path, declared: BatchForm) -> Path:
    """Write the annotated copy of a sheet beside it, under a name that is free, and return where."""
    copy = client.issuance_batches.annotate(Upload.read(sheet), declared)
    for number in itertools.count(1):
        path = sheet.with_name(f"{sheet.stem}-校验结果{number if number > 1 else ''}.xlsx")
        try:
            with path.open("xb") as file:
                file.write(copy)
        except FileExistsError:
            continue
        return path
    raise AssertionError("some name is free")


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
    declared = BatchForm(programme_id=programme, declared_count=count, declared_total_fen=total_fen)
    with official() as client:
        try:
            with progress_of_job() as progress:
                made = client.issuance_batches.submit(Upload.read(sheet), declared, dry_run=dry_run, progress=progress)
        except Invalid as refused:
            if any(place.row for place in refused.errors):
                copy = annotate_sheet(client, sheet, declared)
                say(f"逐行批注的副本（更正后可直接提交）：{copy}", "annotated copy, to be corrected and submitted")
            raise
    table(
        f"{sheet.name}: {made.row_count} 张 vouchers, {made.firm_count} 家 firms, {yuan(made.total_fen)} 元",
        ["资金来源 source", "占用（元） takes", "占用后可用（元） left"],
        [[pool.fund_source, yuan(pool.amount_fen), yuan(pool.available_after_fen)] for pool in made.pools],
        numbers_from=1,
    )
    if dry_run:
        say("校验通过，未提交任何数据。", "all checks passed; nothing was submitted")
    else:
        say(f"已提请审核：{made.approval_id}", "waits for a checker: voucher approve")


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
    body = models.ApproveBody(note=note) if note else None
    with official() as client, progress_of_job() as progress:
        approved = client.approvals.approve(approval_id, body, progress=progress)
    say(f"已审核：{approved.kind} {approved.subject_id}", approved.status)


def _json(source: str) -> Any:
    try:
        return json.loads(sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Failure(f"无法读取 {source}。", f"not readable as JSON: {error}") from error
