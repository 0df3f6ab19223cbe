"""`voucher statements upload FILE`: a provider's statement (对账单), checked and taken in by the service."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from app.cli.groups import Group
from app.cli.period_files import form_of, send_file, tell_received

app = typer.Typer(
    cls=Group,
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
    form = form_of(region, first, last, count, total, dry_run=dry_run)
    form |= {"provider_id": provider} if provider else {}
    sent = send_file("/v1/statements", form, file)
    total_fen = sent["subsidy_total_fen"]
    tell_received(sent, kind="对账单", id=sent["statement_id"], total_fen=total_fen, dry_run=dry_run)
