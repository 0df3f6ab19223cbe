"""`voucher debarments import FILE`: a debarment list (失信名单), for a checker to approve."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.cli.groups import Group
from app.cli.organisations import save_template
from app.cli.output import say
from app.cli.period_files import send_file
from app.services.registry_lists.words import ListKind

app = typer.Typer(
    cls=Group,
    name="debarments",
    help="失信名单 / The debarment list",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def _group() -> None:
    """失信名单 / The debarment list."""


@app.command(name="import")
def import_list(
    file: Annotated[Path, typer.Argument(help="失信名单 .xlsx 或 .csv / The list", exists=True, dir_okay=False)],
    region: Annotated[str, typer.Option(help="地区代码 / Region code")],
    authority: Annotated[str, typer.Option(help="主管部门编号 / Id of the authority")],
    checkpoints: Annotated[
        str, typer.Option(help="限制事项 apply,issue,redeem,pay / What it rules out")
    ] = "apply,issue,redeem",
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="只校验，不提请 / Check only")] = False,
) -> None:
    """上传失信名单并提请审核（经办） / Submit a debarment list for approval, as a maker.

    有任何错误则全部不收，并逐一指出行列；已列入的（同一主体同一文号）不再提请。
    All or none; errors by row and column; what is on the list by the same document is left out.
    """
    form = {
        "region_code": region,
        "authority_id": authority,
        "checkpoints": checkpoints,
        "dry_run": str(dry_run).lower(),
    }
    asked = send_file("/v1/debarment-lists", form, file)
    if asked["ignored_columns"]:
        say(f"未读取的列：{'、'.join(asked['ignored_columns'])}", "columns that are not read")
    new = asked["entry_count"] - asked["known_count"]
    told = f"{asked['entry_count']} 条，其中 {asked['known_count']} 条已列入"
    english = f"{asked['entry_count']} entries, {asked['known_count']} of them on the list already"
    if asked["approval"] is not None:
        say(f"已提请审核：{asked['approval']['id']}（{told}）", f"waits for a checker: {english}")
    elif dry_run:
        say(f"校验通过，未提请：{told}", f"all checks passed; nothing was submitted: {english}, {new} new")
    else:
        say(f"全部已列入，无须提请：{told}", f"nothing to ask for: {english}")


@app.command()
def template(
    file: Annotated[Path, typer.Argument(help="保存为 / Where to write it", dir_okay=False)],
) -> None:
    """下载空白名单 / Download the empty list."""
    save_template(file, ListKind.DEBARMENTS)
