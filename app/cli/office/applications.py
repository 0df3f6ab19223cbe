"""`voucher application …`: what firms applied for, and what officials decide of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer
from msgspec import UNSET

from app.cli.groups import Group
from app.cli.office.counter import SHOWN, All, Column, Limit, Office, command, most, with_examples
from app.cli.office.words import cell, fen_of, minute, yuan
from app.cli.output import Failure
from app.client import models
from app.client.resources.applications import Applications
from app.kernel.vocabulary import ApplicationStatus

app = typer.Typer(cls=Group, no_args_is_help=True, rich_markup_mode=None)

STATUSES = {
    "draft": "草稿",
    "submitted": "待受理",
    "accepted": "已受理",
    "correction": "待补正",
    "reviewed": "已核定",
    "waitlisted": "候补",
    "approved": "已同意",
    "rejected": "已驳回",
    "withdrawn": "已撤回",
}

ApplicationIds = Annotated[
    list[str], typer.Argument(metavar="APPLICATION…", help="申领编号；多份合为一项审核 / Ids; several are one approval")
]
ApplicationId = Annotated[str, typer.Argument(metavar="APPLICATION", help="申领编号 app_… / Id of the application")]
Reason = Annotated[str, typer.Option(help="理由，入档 / Why, for the record")]


@app.callback(
    help=with_examples(
        "申领：队列、受理、补正、初审、核定、同意、驳回 / Applications: queues, review, decisions.",
        "voucher application list --overdue",
        "voucher application return APPLICATION --reason 材料不全 --item 合同缺页",
        "voucher application assess APPLICATION --amount-yuan 30000 --reason 按合同核定",
    )
)
def _group() -> None:
    """Without a word of its own."""


def _columns(office: Office) -> list[Column[models.ApplicationRead]]:
    return [
        Column("编号", "id", lambda one: one.id),
        Column("企业", "firm", lambda one: one.firm_name),
        Column("区县", "district", lambda one: one.district_code),
        Column("状态", "status", lambda one: office.words.value(STATUSES, one.status)),
        Column("环节", "stage", lambda one: one.stage),
        Column("申请（元）", "asked", lambda one: yuan(one.amount_fen), is_number=True),
        Column("核定（元）", "assessed", lambda one: yuan(one.assessed_fen), is_number=True),
        Column("提交", "submitted", lambda one: minute(one.submitted_at)),
        Column("限期", "due", lambda one: f"{one.due_on or '-'}{' 超期 overdue' if one.overdue else ''}"),
    ]


@command(app, "list")
def list_applications(
    office: Office,
    *,
    programme: Annotated[str | None, typer.Option(help="项目编号 / Id of a programme")] = None,
    district: Annotated[str | None, typer.Option(help="区县代码 / Code of a district")] = None,
    stage: Annotated[str | None, typer.Option(help="环节 / Stage")] = None,
    status: Annotated[ApplicationStatus | None, typer.Option(help="状态 / Only of this status")] = None,
    firm: Annotated[str | None, typer.Option(help="企业名称的一部分 / Part of a firm's name")] = None,
    overdue: Annotated[bool, typer.Option("--overdue", help="仅超期的 / Overdue only")] = False,
    limit: Limit = SHOWN,
    everything: All = False,
) -> None:
    """列出申领 / Applications."""
    found = office.client.applications.list(
        programme_id=programme,
        district_code=district,
        stage=stage,
        status=status,
        firm_name=firm,
        overdue=overdue or None,
    )
    office.answer_list(found, _columns(office), limit=most(limit, everything), title=("申领", "Applications"))


@command(app, "counts")
def counts(office: Office) -> None:
    """各环节与区县的件数 / How many at each stage and in each district."""
    found = office.client.applications.counts()
    fields: list[Column[models.CountsRead]] = [
        Column("环节", "stages", lambda one: cell("", one.stages)),
        Column("状态", "statuses", lambda one: cell("", one.statuses)),
        Column("超期", "overdue", lambda one: str(one.overdue)),
    ]
    office.answer(found, fields)


@command(app, "show")
def show(office: Office, application: ApplicationId) -> None:
    """一份申领 / One application."""
    fields: list[Column[models.ApplicationRead]] = [
        *_columns(office),
        Column("项目", "programme", lambda one: f"{one.programme_title}  {one.programme_id}"),
        Column("用途", "purpose", lambda one: one.purpose),
        Column("材料", "papers", lambda one: str(len(one.documents))),
        Column("须补正", "to correct", lambda one: "；".join(one.correction_items) or "-"),
        Column("决定理由", "reason", lambda one: one.decision_reason or "-"),
        Column("批次", "batch", lambda one: one.batch_id or "-"),
        Column("券", "voucher", lambda one: one.voucher_id or "-"),
    ]
    office.answer(office.client.applications.get(application), fields)


Decide = Callable[[Applications, str], models.ApplicationJudged]


def _decide(office: Office, act: str, zh: str, application: str, decide: Decide, **said: object) -> None:
    if office.rehearsed(zh, act, application_id=application, **said):
        return
    with office.once(f"{act}_application", application_id=application, **said) as key:
        judged = decide(office.client.applications, key)
    fields: list[Column[models.ApplicationJudged]] = [
        Column("编号", "id", lambda one: one.id),
        Column("状态", "status", lambda one: office.words.value(STATUSES, one.status)),
        Column("环节", "stage", lambda one: one.stage),
        Column("核定（元）", "assessed", lambda one: yuan(one.assessed_fen)),
    ]
    office.answer(judged, fields)


def _ask(
    office: Office,
    act: str,
    zh: str,
    applications: Sequence[str],
    ask: Callable[[Applications, str, str], models.ApprovalRead],
    reason: str,
) -> None:
    """What a maker asks a checker to decide of one, or in one approval of many."""
    if len(applications) == 1:
        if office.rehearsed(f"提请{zh}", act, application_id=applications[0], reason=reason):
            return
        with office.once(f"{act}_application", application_id=applications[0], reason=reason) as key:
            office.asked(ask(office.client.applications, applications[0], key))
        return
    if office.rehearsed(f"提请{zh}", act, application_ids=list(applications), reason=reason):
        return
    listed = [models.ReasonedApplication(application_id=one) for one in applications]
    body = models.ApplicationActs(act=act, applications=listed, reason=reason)
    with office.once(f"{act}_applications", application_ids=list(applications), reason=reason) as key:
        office.asked(office.client.applications.act_on_many(body, key=key))


@command(app, "accept", act=True)
def accept(office: Office, application: ApplicationId) -> None:
    """受理（经办） / Take it in for review, as a maker."""
    _decide(office, "accept", "受理", application, lambda all_, key: all_.accept(application, key=key))


@command(app, "return", act=True)
def return_(
    office: Office,
    application: ApplicationId,
    reason: Reason,
    item: Annotated[list[str], typer.Option(help="须补正的事项，可重复 / What to correct; may be repeated")],
    days: Annotated[int | None, typer.Option(help="补正期限（工作日） / Working days for it", min=1)] = None,
) -> None:
    """退回补正，办理时限暂停（经办） / Send it back to be corrected; the clock stops."""
    body = models.ReturnBody(reason=reason, items=item, working_days=UNSET if days is None else days)
    said = {"reason": reason, "items": item, "working_days": days}
    _decide(
        office, "return", "退回补正", application, lambda all_, key: all_.return_(application, body, key=key), **said
    )


@command(app, "review", act=True)
def review(office: Office, application: ApplicationId, reason: Reason) -> None:
    """初审通过，转上一级（经办） / Pass it on to the next level."""
    body = models.ReasonBody(reason=reason)
    _decide(
        office,
        "review",
        "初审通过",
        application,
        lambda all_, key: all_.pass_first_review(application, body, key=key),
        reason=reason,
    )


@command(app, "assess", act=True)
def assess(
    office: Office,
    application: ApplicationId,
    amount: Annotated[str, typer.Option("--amount-yuan", help="核定金额（元），如 30000.00 / Assessed amount in yuan")],
    reason: Reason,
) -> None:
    """核定金额（经办） / Say what amount is due, as a maker."""
    assessed_fen = fen_of(amount, "--amount-yuan")
    body = models.AssessBody(assessed_fen=assessed_fen, reason=reason)
    said = {"assessed_fen": assessed_fen, "reason": reason}
    _decide(office, "assess", "核定", application, lambda all_, key: all_.assess(application, body, key=key), **said)


@command(app, "approve", act=True)
def approve(
    office: Office,
    applications: ApplicationIds,
) -> None:
    """同意并提请审核发放（经办） / Ask a checker to grant them, as a maker."""
    if office.rehearsed("提请发放", "grant", application_ids=applications):
        return
    with office.once("grant", application_ids=applications) as key:
        if len(applications) == 1:
            asked = office.client.applications.approve(applications[0], key=key)
        else:
            asked = office.client.applications.grant_many(models.GrantsBody(application_ids=applications), key=key)
    fields: list[Column[models.GrantsProposed]] = [
        Column("审核编号", "approval", lambda one: one.approval_id),
        Column("批次", "batch", lambda one: one.batch_id),
        Column("件数", "count", lambda one: str(one.count)),
        Column("总额（元）", "total", lambda one: yuan(one.total_fen)),
    ]
    office.answer(asked, fields)
    office.say("等待另一人审核：voucher approvals approve", "waits for another person")


@command(app, "reject", act=True)
def reject(office: Office, applications: ApplicationIds, reason: Reason) -> None:
    """提请不予通过，审核通过后告知企业（经办） / Ask a checker to say no, and why, as a maker."""
    body = models.ReasonBody(reason=reason)
    _ask(office, "reject", "不予通过", applications, lambda one, id_, key: one.reject(id_, body, key=key), reason)


@command(app, "waitlist", act=True)
def waitlist(office: Office, applications: ApplicationIds, reason: Reason) -> None:
    """提请列入候补（经办） / Ask a checker to let it wait for money, as a maker."""
    body = models.ReasonBody(reason=reason)
    _ask(office, "waitlist", "候补", applications, lambda one, id_, key: one.waitlist(id_, body, key=key), reason)


@command(app, "export")
def export(
    office: Office,
    path: Annotated[Path, typer.Argument(metavar="FILE", help="写入的 .xlsx 或 .csv / Where to")],
) -> None:
    """导出为表格 / The same as a sheet."""
    content = office.client.applications.export(format="csv" if path.suffix == ".csv" else "xlsx")
    try:
        with path.open("xb") as file:
            file.write(content)
    except OSError as error:
        raise Failure(f"无法写入 {path}。", str(error)) from error
    office.answer({"file": str(path)}, [Column("文件", "file", lambda one: one["file"])])
