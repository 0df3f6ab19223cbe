"""`voucher notice …`: public notices (公示) from the draft to their end, and objections to them (异议)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

import msgspec
import typer
from msgspec import UNSET

from app.cli.groups import Group
from app.cli.office.counter import SHOWN, All, Column, Limit, Office, command, most, with_examples
from app.cli.office.words import minute, yuan
from app.client import models
from app.kernel.vocabulary import NoticeSubject, ObjectionStatus

app = typer.Typer(cls=Group, no_args_is_help=True, rich_markup_mode=None)

STATUSES: Mapping[str, str] = {
    "draft": "草稿",
    "submitted": "待审核",
    "published": "公示中",
    "ended": "已期满",
    "withdrawn": "已撤回",
}
ITEMS: Mapping[str, str] = {"listed": "公示", "frozen": "异议未决", "removed": "已剔除"}
OBJECTIONS: Mapping[str, str] = {"open": "待答复", "upheld": "成立", "dismissed": "不成立"}

NoticeId = Annotated[str, typer.Argument(metavar="NOTICE", help="公示编号 ntc_… / Id of the notice")]
ObjectionId = Annotated[str, typer.Argument(metavar="OBJECTION", help="异议编号 / Id of the objection")]
Reason = Annotated[str, typer.Option(help="理由，入档 / Why, for the record")]


@app.callback(
    help=with_examples(
        "公示与异议：起草、提请、撤回、异议、答复 / Public notices and objections to them.",
        "voucher notice create --programme PROGRAMME --batch BATCH --title 拟发放名单公示"
        " --document-no 〔2026〕9号 --contact 0571-12345678",
        "voucher notice objections NOTICE",
        "voucher notice decide NOTICE OBJECTION --outcome dismissed --reason 经核查属实",
    )
)
def _group() -> None:
    """Without a word of its own."""


def _columns(office: Office) -> list[Column[models.NoticeRead]]:
    return [
        Column("编号", "id", lambda one: one.id),
        Column("标题", "title", lambda one: one.title),
        Column("状态", "status", lambda one: office.words.value(STATUSES, one.status)),
        Column("条目", "items", lambda one: f"{one.item_count:,}", is_number=True),
        Column("总额（元）", "total", lambda one: yuan(one.total_fen), is_number=True),
        Column("未决异议", "open objections", lambda one: str(one.open_objections), is_number=True),
        Column("发布", "published", lambda one: minute(one.published_at)),
        Column("末日", "last day", lambda one: one.ends_on or "-"),
    ]


def _fields(office: Office) -> list[Column[models.NoticeRead]]:
    return [
        *_columns(office),
        Column("项目", "programme", lambda one: f"{one.programme_title}  {one.programme_id}"),
        Column("文号", "document", lambda one: one.document_no),
        Column("联系方式", "contact", lambda one: one.contact),
        Column("依据", "basis", lambda one: one.basis or "-"),
        Column("工作日", "working days", lambda one: str(one.working_days)),
        Column("已剔除", "removed", lambda one: f"{one.removed_count:,}（{yuan(one.removed_fen)}）"),
        Column("展示至", "shown until", lambda one: minute(one.shown_until)),
        Column("撤回理由", "withdrawn because", lambda one: one.withdrawal_reason or "-"),
    ]


@command(app, "list")
def list_notices(
    office: Office,
    *,
    programme: Annotated[str | None, typer.Option(help="项目编号 / Id of a programme")] = None,
    limit: Limit = SHOWN,
    everything: All = False,
) -> None:
    """列出公示，新的在前 / Notices, newest first."""
    found = office.client.public_notices.list(programme_id=programme)
    office.answer_list(found, _columns(office), limit=most(limit, everything), title=("公示", "Notices"))


@command(app, "show")
def show(office: Office, notice: NoticeId) -> None:
    """一份公示 / One notice."""
    office.answer(office.client.public_notices.get(notice), _fields(office))


@command(app, "items")
def items(office: Office, notice: NoticeId, *, limit: Limit = SHOWN, everything: All = False) -> None:
    """一份公示的各项 / Its items."""
    columns: list[Column[models.NoticeItemRead]] = [
        Column("序号", "no.", lambda one: str(one.item_no), is_number=True),
        Column("名称", "name", lambda one: one.name),
        Column("代码", "code", lambda one: one.identifier),
        Column("项目", "project", lambda one: one.project),
        Column("金额（元）", "amount", lambda one: yuan(one.amount_fen), is_number=True),
        Column("状态", "status", lambda one: office.words.value(ITEMS, one.status)),
    ]
    found = office.client.public_notices.items(notice)
    office.answer_list(found, columns, limit=most(limit, everything), title=("公示各项", "Items"))


@command(app, "create", change=True)
def create(
    office: Office,
    *,
    programme: Annotated[str, typer.Option(help="项目编号 / Id of the programme")],
    title: Annotated[str, typer.Option(help="标题 / Title")],
    document_no: Annotated[str, typer.Option("--document-no", help="文号 / Number of the document")],
    contact: Annotated[str, typer.Option(help="异议受理联系方式，将公开 / Where objections go; it is published")],
    batch: Annotated[str | None, typer.Option(help="拟发放：批次编号 / What a batch is going to issue")] = None,
    kind: Annotated[
        NoticeSubject | None,
        typer.Option(help="公示内容，给出 --batch 时可省略 / What is shown; of a --batch not needed"),
    ] = None,
    first: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], help="券或核销的首日 / Of vouchers or redemptions: first day"),
    ] = None,
    last: Annotated[
        datetime | None, typer.Option("--until", formats=["%Y-%m-%d"], help="末日（含） / Last day, included")
    ] = None,
    basis: Annotated[str | None, typer.Option(help="依据 / On what it rests")] = None,
    working_days: Annotated[
        int | None, typer.Option("--working-days", help="公示工作日，默认 5 / For how long, 5 by default", min=1)
    ] = None,
    retention_days: Annotated[
        int | None, typer.Option("--retention-days", help="期满后续展天数 / Days that it stays to be read", min=0)
    ] = None,
) -> None:
    """起草公示，各项以当前为准（经办） / Draw a notice up of what there is now, as a maker."""
    kind = kind or (None if batch is None else NoticeSubject.BATCH)
    if kind is None or (batch is None) == (kind is NoticeSubject.BATCH):
        told = office.words.sentence("须给出 --batch，或其他的 --kind。", "give a --batch, or another --kind")
        raise typer.BadParameter(told, param_hint="--batch --kind")
    body = models.NoticeWrite(
        programme_id=programme,
        subject=models.NoticeSubjectWrite(
            kind=kind,
            batch_id=UNSET if batch is None else batch,
            first=UNSET if first is None else f"{first:%Y-%m-%d}",
            last=UNSET if last is None else f"{last:%Y-%m-%d}",
        ),
        title=title,
        document_no=document_no,
        contact=contact,
        basis=UNSET if basis is None else basis,
        working_days=UNSET if working_days is None else working_days,
        retention_days=UNSET if retention_days is None else retention_days,
    )
    if office.rehearsed("起草公示", "a new notice", body=msgspec.to_builtins(body)):
        return
    made = office.client.public_notices.create(body)
    office.answer(made, _fields(office))
    office.say(f"已起草。提请审核：voucher notice submit {made.id}", "a draft; submit it for approval")


@command(app, "submit", change=True)
def submit(office: Office, notice: NoticeId) -> None:
    """提请审核发布（经办） / Ask a checker to publish a draft, as a maker."""
    if not office.rehearsed("提请发布", "publish", notice_id=notice):
        _submitted(office, office.client.public_notices.submit(notice))


@command(app, "withdraw", change=True)
def withdraw(office: Office, notice: NoticeId, reason: Reason) -> None:
    """撤回：草稿立即作废，已发布的须经审核（经办） / Take it back: a draft at once, else by a checker."""
    if not office.rehearsed("撤回公示", "withdraw", notice_id=notice, reason=reason):
        _submitted(office, office.client.public_notices.withdraw(notice, models.ReasonWrite(reason=reason)))


def _submitted(office: Office, found: models.NoticeSubmitted) -> None:
    fields: list[Column[models.NoticeSubmitted]] = [
        Column("公示", "notice", lambda one: one.notice.id),
        Column("状态", "status", lambda one: office.words.value(STATUSES, one.notice.status)),
        Column("审核编号", "approval", lambda one: one.approval.id if one.approval else "-"),
    ]
    office.answer(found, fields)
    if found.approval is not None:
        office.say("等待另一人审核：voucher approvals approve", "waits for another person")


@command(app, "objections")
def objections(office: Office, notice: NoticeId, *, limit: Limit = SHOWN, everything: All = False) -> None:
    """对公示的异议，新的在前 / Objections, newest first."""
    columns: list[Column[models.ObjectionRead]] = [
        Column("编号", "id", lambda one: one.id),
        Column("项", "item", lambda one: f"{one.item_no} {one.item_name}"),
        Column("状态", "status", lambda one: office.words.value(OBJECTIONS, one.status)),
        Column("收到", "received", lambda one: minute(one.received_at)),
        Column("异议人", "sender", lambda one: one.sender or "-"),
        Column("内容", "text", lambda one: one.text),
        Column("答复", "answer", lambda one: one.reason or "-"),
    ]
    found = office.client.public_notices.objections.list(notice)
    office.answer_list(found, columns, limit=most(limit, everything), title=("异议", "Objections"))


@command(app, "decide", change=True)
def decide(
    office: Office,
    notice: NoticeId,
    objection: ObjectionId,
    outcome: Annotated[
        ObjectionStatus,
        typer.Option(help="成立则剔除该项，不成立则继续 / Upheld: the item goes; dismissed: it goes on"),
    ],
    reason: Annotated[str, typer.Option(help="答复，异议人可见 / The answer; who objected can read it")],
) -> None:
    """提请答复异议（经办） / Ask a checker to answer an objection, as a maker."""
    if outcome is ObjectionStatus.OPEN:
        told = office.words.sentence("须为 upheld 或 dismissed。", "upheld or dismissed")
        raise typer.BadParameter(told, param_hint="--outcome")
    said = {"notice_id": notice, "objection_id": objection, "outcome": outcome.value, "reason": reason}
    if office.rehearsed("提请答复异议", "decide", **said):
        return
    body = models.DecisionWrite(outcome=outcome, reason=reason)
    office.asked(office.client.public_notices.objections.decide(notice, objection, body))
