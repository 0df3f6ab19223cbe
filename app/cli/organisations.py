"""`voucher organisations import FILE`: firms, providers and tags from a list; `template` writes an empty one."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.groups import Group
from app.cli.login import signed_in
from app.cli.output import Failure, say, table
from app.cli.period_files import send_file
from app.services.registry_lists.words import ListKind

app = typer.Typer(
    cls=Group,
    name="organisations",
    help="机构登记：按名单批量登记 / The registry: organisations from lists",
    no_args_is_help=True,
    rich_markup_mode=None,
)

SHOWN = 50
"""Organisations of each sort on the terminal."""

Kind = Annotated[
    ListKind, typer.Option(help="firms 企业、providers 供给方、tags 标签、debarments 失信名单 / What the list tells of")
]


@app.callback()
def _group() -> None:
    """机构登记：按名单批量登记 / The registry: organisations from lists."""


@app.command(name="import")
def import_list(
    file: Annotated[Path, typer.Argument(help="名单 .xlsx 或 .csv / The list", exists=True, dir_okay=False)],
    kind: Kind = ListKind.FIRMS,
    region: Annotated[str | None, typer.Option(help="登记地区代码（标签名单不填） / Region; not for tags")] = None,
    tag: Annotated[str | None, typer.Option(help="标签，如 高新 / The tag of all lines")] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="标签起始日 / First day of the tag")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="标签末日（含） / Last day of the tag")
    ] = None,
    evidence: Annotated[str | None, typer.Option(help="认定文号 / What grants the tag")] = None,
    *,
    update: Annotated[bool, typer.Option("--update", help="变更已登记但不同的内容 / Change what differs")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="只校验，不保存 / Check only")] = False,
) -> None:
    """按名单登记企业、供给方，或为企业加标签（登记员） / Register what is on a list, as a registrar.

    有任何错误则全部不收，并逐一指出行列；同一名单重复上传无效果；已登记但不同的内容默认只列出，不变更。
    All or none; errors by row and column; the same list twice does nothing; what differs is told and left as it is.
    """
    form = {"kind": kind.value, "update": str(update).lower(), "dry_run": str(dry_run).lower()}
    said = {
        "region_code": region,
        "tag": tag,
        "since_on": since.date().isoformat() if since else None,
        "until_on": until.date().isoformat() if until else None,
        "evidence": evidence,
    }
    form |= {name: value for name, value in said.items() if value is not None}
    taken = send_file("/v1/organisation-lists", form, file)
    for name, title in (
        ("created", "新增 new"),
        ("changed", "变更 changed"),
        ("differing", "不同，未变更 left as it is"),
    ):
        if taken[name]:
            rows = [_told(one) for one in taken[name][:SHOWN]]
            table(f"{title}: {taken[f'{name}_count']}", ["行 row", "代码 code", "名称 name", "内容 what"], rows)
    if taken["ignored_columns"]:
        say(f"未读取的列：{'、'.join(taken['ignored_columns'])}", "columns that are not read")
    counts = (
        f"新增 {taken['created_count']}，变更 {taken['changed_count']}，不同未变更 {taken['differing_count']}，"
        f"相同 {taken['unchanged_count']}"
    )
    english = (
        f"{taken['created_count']} new, {taken['changed_count']} changed, {taken['differing_count']} left as they are,"
        f" {taken['unchanged_count']} the same"
    )
    if dry_run:
        say(f"校验通过，未保存任何数据：{counts}", f"all checks passed; nothing was stored: {english}")
    else:
        say(f"已完成：{counts}", f"done: {english}")


@app.command()
def template(
    file: Annotated[Path, typer.Argument(help="保存为 / Where to write it", dir_okay=False)],
    kind: Kind = ListKind.FIRMS,
) -> None:
    """下载空白名单 / Download the empty list."""
    save_template(file, kind)


def save_template(file: Path, kind: ListKind) -> None:
    """Write the empty list of a kind where nothing is yet. Raises Failure, Refused."""
    with signed_in() as client:
        content: bytes = client.get("/v1/organisation-lists/template", kind=kind.value)
    try:
        with file.open("xb") as opened:
            opened.write(content)
    except OSError as error:
        raise Failure(f"无法写入 {file}。", f"cannot be written: {error.strerror}") from error
    say(f"已写入 {file}", "written")


def _told(one: dict[str, Any]) -> list[str]:
    changes = "; ".join(f"{change['field']}: {change['before']} → {change['after']}" for change in one["changes"])
    return [str(one["row_no"]), one["identifier_value"], one["name"], changes]
