"""`voucher audit …`: who did what, for auditors and audit administrators."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import orjson
import typer

from app.cli.office.counter import SHOWN, All, ByDefault, Column, Limit, Office, command, most, with_examples
from app.cli.office.words import minute
from app.cli.output import say
from app.client import models

app = typer.Typer(cls=ByDefault.of("list"), rich_markup_mode=None)

Actor = Annotated[str | None, typer.Option(help="操作人编号 / Who did it, by id")]
Action = Annotated[str | None, typer.Option(help="操作，可用 payee_account.* / Action, or all that begin so")]
Object = Annotated[str | None, typer.Option("--object", help="对象编号 / What it was done to, by id")]
Outcome = Annotated[str | None, typer.Option("--result", help="done 或 refused / done or refused")]
Region = Annotated[str | None, typer.Option(help="地区代码，含下级 / Region, with those below it")]
Since = Annotated[str | None, typer.Option(help="起始时刻，如 2026-11-01T00:00:00+08:00 / From this instant on")]
Until = Annotated[str | None, typer.Option(help="截止时刻 / Until this instant")]


@app.callback(
    help=with_examples(
        "审计事件：谁在何时、从何处、为何对什么做了什么 / Audit events: who did what, when, from where and why.",
        "voucher audit --action 'payee_account.*'",
        "voucher audit --actor usr_… --result refused",
        "voucher audit show evt_330100_…",
        "voucher audit export 审计事件.xlsx --purpose 年度审计 --region 330100",
    )
)
def _group() -> None:
    """Without a word of its own."""


def _columns(_: Office) -> list[Column[models.AuditEventRead]]:
    return [
        Column("时间", "at", lambda one: minute(one.at)),
        Column("操作", "action", lambda one: one.action),
        Column("结果", "result", lambda one: one.result),
        Column("操作人", "actor", lambda one: one.principal_id),
        Column("对象", "object", lambda one: one.object_id),
        Column("来源", "source", lambda one: one.source),
        Column("事件编号", "id", lambda one: one.id),
    ]


def _fields(office: Office) -> list[Column[models.AuditEventRead]]:
    return [
        *_columns(office),
        Column("操作人机构", "organisation", lambda one: one.organisation_id),
        Column("请求编号", "request", lambda one: one.request_id),
        Column("详情", "details", lambda one: orjson.dumps(one.details).decode()),
        Column("未显示金额", "withheld", lambda one: ", ".join(one.withheld) or "-"),
        Column("叶子", "leaf", lambda one: one.leaf),
        Column("叶子 SHA-256", "leaf SHA-256", lambda one: one.leaf_sha256),
        Column("日志序号", "leaf index", lambda one: "-" if one.leaf_index is None else str(one.leaf_index)),
        Column("证明", "proof", lambda one: one.proof or "-"),
    ]


@command(app, "list")
def list_events(
    office: Office,
    *,
    actor: Actor = None,
    action: Action = None,
    object_id: Object = None,
    result: Outcome = None,
    region: Region = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = SHOWN,
    everything: All = False,
) -> None:
    """列出审计事件，新的在前 / Audit events, newest first."""
    found = office.client.audit_events.list(
        actor_id=actor,
        action=action,
        object_id=object_id,
        result=result,
        region_code=region,
        since=since,
        until=until,
    )
    office.answer_list(found, _columns(office), limit=most(limit, everything), title=("审计事件", "Audit events"))


@command(app, "show")
def show(office: Office, event: Annotated[str, typer.Argument(help="事件编号 evt_… / Id of the event")]) -> None:
    """一个事件及其叶子和在日志中的位置 / One event with its leaf and its place in the log."""
    office.answer(office.client.audit_events.get(event), _fields(office))


@command(app, "export")
def export(
    office: Office,
    file: Annotated[Path, typer.Argument(help="写入的 .xlsx 或 .csv / File to write, .xlsx or .csv")],
    purpose: Annotated[str, typer.Option(help="用途，将被记录 / What for; it is written down")],
    *,
    actor: Actor = None,
    action: Action = None,
    object_id: Object = None,
    result: Outcome = None,
    region: Region = None,
    since: Since = None,
    until: Until = None,
) -> None:
    """导出为表格；导出本身也是审计事件 / Export as a sheet; that you did is an event itself."""
    content = office.client.audit_events.export(
        purpose=purpose,
        format="csv" if file.suffix.lower() == ".csv" else "xlsx",
        actor_id=actor,
        action=action,
        object_id=object_id,
        result=result,
        region_code=region,
        since=since,
        until=until,
    )
    file.write_bytes(content)
    say(f"已写入 {file}。", "written")
