"""`voucher programme rules …`: the dated versions of a programme's rules."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.groups import Group
from app.cli.office.counter import Column, Office, command
from app.cli.office.words import STATUSES, minute
from app.cli.output import Failure
from app.client import models
from app.services.rules.scheme_file import SchemeFileError, load_scheme

app = typer.Typer(cls=Group, no_args_is_help=True, rich_markup_mode=None)

ProgrammeId = Annotated[str, typer.Argument(metavar="PROGRAMME", help="项目编号 prg_… / Id of the programme")]
Number = Annotated[int, typer.Argument(metavar="NUMBER", help="版本号 / Number of the version", min=1)]


@app.callback()
def _group() -> None:
    """规则版本：起草、比较、发布 / Dated versions of a programme's rules."""


def _columns(office: Office) -> list[Column[models.RuleVersionRead]]:
    words = office.words
    return [
        Column("版本", "number", lambda one: str(one.number), is_number=True),
        Column("生效日", "effective", lambda one: one.effective_on),
        Column("状态", "status", lambda one: words.value(STATUSES, one.status)),
        Column("发布", "published", lambda one: minute(one.published_at)),
        Column("摘要", "SHA-256", lambda one: one.rules_sha256[:16]),
    ]


_CHANGES: list[Column[Any]] = [
    Column("位置", "place", lambda one: one.pointer),
    Column("原", "before", lambda one: _short(one.before)),
    Column("现", "after", lambda one: _short(one.after)),
    Column("含义", "meaning", lambda one: f"{one.zh} {one.en}".strip()),
]
_FINDINGS: list[Column[models.RulesFindingRead]] = [
    Column("程度", "severity", lambda one: one.severity),
    Column("位置", "place", lambda one: one.pointer),
    Column("说明", "finding", lambda one: f"{one.zh} {one.en}".strip()),
]


@command(app, "list")
def list_versions(office: Office, programme: ProgrammeId) -> None:
    """全部版本 / All versions."""
    found = office.client.programmes.rule_versions.list(programme)
    office.answer_list(iter(found), _columns(office), limit=None, title=("规则版本", "Versions of the rules"))


@command(app, "show")
def show(office: Office, programme: ProgrammeId, number: Number) -> None:
    """一个版本；--json 时含规则全文 / One version; the whole document with --json."""
    office.answer(office.client.programmes.rule_versions.get(programme, number), _columns(office))


@command(app, "write", change=True)
def write(
    office: Office,
    programme: ProgrammeId,
    scheme: Annotated[Path, typer.Argument(help="规则文件 / A scheme file", exists=True, dir_okay=False)],
    effective: Annotated[
        datetime, typer.Option("--effective", formats=["%Y-%m-%d"], help="首个生效日 / First day on which they hold")
    ],
) -> None:
    """起草新版本；--dry-run 由服务校验并显示改动，不保存（经办） / Write a new version as a draft.

    加 --dry-run 时由服务校验并说明改动，不保存。
    With --dry-run the service checks it and says what it changes; nothing is kept.
    """
    try:
        rules = load_scheme(scheme).rules.model_dump(mode="json")
    except SchemeFileError as error:
        raise Failure(f"{scheme.name} 无法使用，详见 voucher rules check {scheme}。", str(error)) from error
    body = models.RuleVersionBody(effective_on=effective.date().isoformat(), rules=rules)
    written = office.client.programmes.rule_versions.write(programme, body, dry_run=office.dry_run or None)
    office.answer_table(written, office.words.sentence("改动", "Changes"), _CHANGES, written.changes)
    office.also(("提示", "Findings"), _FINDINGS, written.findings)
    if office.dry_run:
        office.say("校验通过，未保存。", "checked; nothing was kept")
    else:
        office.say(
            f"已起草版本 {written.number}。提请审核：voucher programme rules submit {programme} {written.number}",
            "a draft; submit it for approval",
        )


@command(app, "submit", change=True)
def submit(office: Office, programme: ProgrammeId, number: Number) -> None:
    """提请审核发布版本（经办） / Ask a checker to publish a version, as a maker."""
    if office.rehearsed("提请发布规则版本", "publish a version", programme_id=programme, number=number):
        return
    asked = office.client.programmes.rule_versions.submit(programme, number)
    office.answer(asked, [Column("审核编号", "approval", lambda one: one.approval.id)])
    office.say("等待另一人审核：voucher approvals approve", "waits for another person")


@command(app, "diff")
def diff(office: Office, programme: ProgrammeId, before: Number, after: Number) -> None:
    """逐字段比较两个版本 / Compare two versions field by field."""
    found = office.client.programmes.rule_versions.compare(programme, before, after)
    office.answer_table(found, f"{before} → {after}", _CHANGES, found.changes)


def _short(value: object) -> str:
    text = "-" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
