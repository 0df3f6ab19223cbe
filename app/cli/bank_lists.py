"""`voucher bank-lists upload FILE`: the bank's results (银行支付结果), checked and taken in by the service."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from app.cli.groups import Group
from app.cli.period_files import form_of, send_file, tell_received

app = typer.Typer(
    cls=Group,
    name="bank-lists",
    help="银行支付结果 / Lists of the bank's results",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def _group() -> None:
    """银行支付结果 / Lists of the bank's results."""


@app.command()
def upload(
    file: Annotated[Path, typer.Argument(help="支付结果 .xlsx 或 .csv / The list", exists=True, dir_okay=False)],
    region: Annotated[str, typer.Option(help="地区代码 / Region code")],
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="期间首日 / First day of the period")],
    last: Annotated[
        datetime, typer.Option("--until", formats=["%Y-%m-%d"], help="期间末日（含） / Last day, included")
    ],
    count: Annotated[int | None, typer.Option(help="申报笔数 / Declared number of lines", min=0)] = None,
    total: Annotated[str | None, typer.Option(help="申报总额（元） / Declared total of all lines in yuan")] = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="只校验，不保存 / Check only")] = False,
) -> None:
    """上传银行支付结果，供与支付单核对，不改变支付单 / Upload the bank's results; orders are held against them.

    须为该地区期间内的全部结果。有任何错误则全部不收，并逐一指出行列；同一文件重复上传无效果。
    All of the region's results of these days. All or none; errors by row and column; the same file twice does nothing.
    """
    form = form_of(region, first, last, count, total, dry_run=dry_run)
    sent = send_file("/v1/bank-lists", form, file)
    tell_received(sent, kind="银行支付结果", id=sent["bank_list_id"], total_fen=sent["total_fen"], dry_run=dry_run)
