"""`voucher statements upload FILE`: a provider's statement (对账单), checked and taken in by the service."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.login import signed_in
from app.cli.output import Failure, say, yuan
from app.kernel.money import parse_yuan

app = typer.Typer(
    name="statements",
    help="对账单 / Providers' statements",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def _group() -> None:
    """对账单 / Providers' statements."""


@app.command()
def upload(
    file: Annotated[Path, typer.Argument(help="对账单 .xlsx 或 .csv / The statement", exists=True, dir_okay=False)],
    region: Annotated[str, typer.Option(help="地区代码 / Region code")],
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="期间首日 / First day of the period")],
    last: Annotated[
        datetime, typer.Option("--until", formats=["%Y-%m-%d"], help="期间末日（含） / Last day, included")
    ],
    provider: Annotated[
        str | None, typer.Option(help="机构编号（财政代传时） / The provider, where finance sends for it")
    ] = None,
    count: Annotated[int | None, typer.Option(help="申报笔数 / Declared number of lines", min=0)] = None,
    total: Annotated[str | None, typer.Option(help="申报补贴总额（元） / Declared total of subsidies in yuan")] = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="只校验，不保存 / Check only")] = False,
) -> None:
    """上传对账单；有任何错误则全部不收，并逐一指出行列 / Upload a statement, all or none; errors by row and column."""
    form = {
        "region_code": region,
        "period_from": first.date().isoformat(),
        "period_until": last.date().isoformat(),
        "dry_run": "true" if dry_run else "false",
    }
    form |= {"provider_id": provider} if provider else {}
    form |= {"declared_count": str(count)} if count is not None else {}
    form |= {"declared_total_fen": str(_fen(total))} if total is not None else {}
    with signed_in() as client:
        sent: dict[str, Any] = client.post("/v1/statements", data=form, files={"file": (file.name, file.read_bytes())})
    lines = f"{sent['line_count']:,} 笔 lines, {yuan(sent['subsidy_total_fen'])} 元"
    if sent["ignored_columns"]:
        ignored = "、".join(sent["ignored_columns"])
        say(f"未读取的列：{ignored}", "columns that are not read")
    if sent["repeated"]:
        say(
            f"该文件此前已上传：{sent['statement_id']}，{lines}", "this very file was uploaded before; nothing was done"
        )
    elif dry_run:
        say(f"校验通过，未保存任何数据：{lines}", "all checks passed; nothing was stored")
    else:
        say(f"已收到对账单 {sent['statement_id']}：{lines}", "taken in")
        if sent["replaces_id"]:
            say(f"替换了 {sent['replaces_id']}", "it replaces an earlier statement of the same period")


def _fen(total: str) -> int:
    try:
        return parse_yuan(total)
    except ValueError as error:
        raise Failure("申报总额无法识别。", str(error)) from error
