"""`voucher issue …`: vouchers from a sheet, from the template to the last row."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated

import typer

from app.cli.office.counter import SHOWN, All, ByDefault, Column, Limit, Office, command, most, with_examples
from app.cli.office.sheets import Force, Total, annotating, save_copy, save_template
from app.cli.office.words import STATUSES, cell, fen_of, minute, yuan
from app.client import BatchForm, Upload, models

app = typer.Typer(cls=ByDefault.of("submit"), no_args_is_help=True, rich_markup_mode=None)

Sheet = Annotated[
    Path,
    typer.Argument(metavar="SHEET", help="发放清单 .xlsx 或 .csv / The issuance sheet", exists=True, dir_okay=False),
]
Programme = Annotated[str, typer.Option(help="项目编号 / Id of the programme")]
Count = Annotated[int, typer.Option(help="申报张数 / Declared number of vouchers", min=1)]
BatchId = Annotated[str, typer.Argument(metavar="BATCH", help="批次编号 bat_… / Id of the batch")]


@app.callback(
    help=with_examples(
        "发放：模板、校验、提请、进度、批注 / Issue vouchers: template, check, submit, status.",
        "voucher issue template",
        "voucher issue check 发放.xlsx --programme PROGRAMME --count 100 --total-yuan 500000",
        "voucher issue submit 发放.xlsx --programme PROGRAMME --count 100 --total-yuan 500000",
    )
)
def _group() -> None:
    """Without a word of its own."""


@command(app, "template")
def template(
    office: Office,
    path: Annotated[Path, typer.Argument(metavar="FILE", help="写入的文件 / Where to")] = Path("发放清单.xlsx"),
    *,
    force: Force = False,
) -> None:
    """下载发放清单模板 / Fetch the sheet to fill in."""
    save_template(office, path, office.client.issuance_batches.template(), force=force)


@command(app, "check")
def check(office: Office, sheet: Sheet, programme: Programme, count: Count, total: Total) -> None:
    """逐行校验，不提交；有误时生成批注副本（经办） / Check every row and submit nothing, as a maker."""
    _send(office, sheet, _declared(programme, count, total), dry_run=True)


@command(app, "submit", act=True)
def submit(office: Office, sheet: Sheet, programme: Programme, count: Count, total: Total) -> None:
    """上传并提请审核，全有或全无；中断后重新运行即接续（经办） / Submit for approval, all or none, as a maker.

    中断后重新运行同一命令即接续，不会重复发放。
    Run again after an interruption it goes on, and nothing is issued twice.
    """
    _send(office, sheet, _declared(programme, count, total), dry_run=office.dry_run)


@command(app, "annotated")
def annotated(office: Office, sheet: Sheet, programme: Programme, count: Count, total: Total) -> None:
    """生成逐行批注的副本，更正后可直接提交 / Write a copy of the sheet with what is wrong beside each row."""
    copy = save_copy(sheet, _annotated(office, sheet, _declared(programme, count, total)))
    office.answer({"file": str(copy)}, [Column("批注副本", "annotated copy", lambda one: one["file"])])


@command(app, "list")
def list_batches(
    office: Office,
    *,
    programme: Annotated[str | None, typer.Option(help="项目编号 / Id of a programme")] = None,
    limit: Limit = SHOWN,
    everything: All = False,
) -> None:
    """列出发放批次，新的在前 / Batches, newest first."""
    found = office.client.issuance_batches.list(programme_id=programme)
    office.answer_list(found, _columns(office), limit=most(limit, everything), title=("发放批次", "Batches"))


@command(app, "status")
def status(
    office: Office,
    subject: Annotated[str, typer.Argument(metavar="BATCH|JOB", help="批次 bat_… 或任务 job_… / Of a batch or a job")],
) -> None:
    """批次或任务的进展 / How far a batch or a job has come."""
    if subject.startswith("job_"):
        office.answer(office.client.jobs.get(subject), _of_job(office))
    else:
        office.answer(office.client.issuance_batches.get(subject), _columns(office))


@command(app, "rows")
def rows(office: Office, batch: BatchId, *, limit: Limit = SHOWN, everything: All = False) -> None:
    """一个批次的各行，发放后含券编号 / The rows of a batch, with their vouchers once issued."""
    shown: list[Column[models.RowRead]] = [
        Column("行", "row", lambda one: str(one.row_no), is_number=True),
        Column("申领编号", "reference", lambda one: one.reference_no),
        Column("企业", "firm", lambda one: one.firm_name),
        Column("面值（元）", "face", lambda one: yuan(one.face_value_fen), is_number=True),
        Column("有效自", "from", lambda one: one.valid_from or "-"),
        Column("有效至", "until", lambda one: one.valid_until or "-"),
        Column("券", "voucher", lambda one: one.voucher_id or "-"),
    ]
    found = office.client.issuance_batches.rows(batch)
    office.answer_list(found, shown, limit=most(limit, everything), title=("清单", "Rows"))


def _declared(programme: str, count: int, total: str) -> BatchForm:
    total_fen = fen_of(total, "--total-yuan")
    return BatchForm(programme_id=programme, declared_count=count, declared_total_fen=total_fen)


def _send(office: Office, sheet: Path, declared: BatchForm, *, dry_run: bool) -> None:
    file = Upload.read(sheet)
    command = {
        "file_sha256": hashlib.sha256(file.content).hexdigest(),
        "programme_id": declared.programme_id,
        "count": declared.declared_count,
        "total_fen": declared.declared_total_fen,
    }
    batches = office.client.issuance_batches
    with annotating(office, sheet, lambda: _annotated(office, sheet, declared)):
        if dry_run:
            with office.progress() as progress:
                made = batches.submit(file, declared, dry_run=True, key=office.key, progress=progress)
        else:
            with office.once("issue", **command) as key, office.progress() as progress:
                made = batches.submit(file, declared, key=key, progress=progress)
    pools: list[Column[models.DrawRead]] = [
        Column("资金来源", "source", lambda one: one.fund_source),
        Column("占用（元）", "takes", lambda one: yuan(one.amount_fen), is_number=True),
        Column("占用前可用（元）", "before", lambda one: yuan(one.available_before_fen), is_number=True),
        Column("占用后可用（元）", "left", lambda one: yuan(one.available_after_fen), is_number=True),
    ]
    title = f"{sheet.name}：{made.row_count} 张 vouchers, {made.firm_count} 家 firms, {yuan(made.total_fen)} 元 yuan"
    office.answer_table(made, title, pools, made.pools)
    if dry_run:
        office.say("校验通过，未提交任何数据。", "all checks passed; nothing was submitted")
    else:
        office.say(
            f"已提请审核：{made.approval_id}（批次 {made.batch_id}）", "waits for a checker: voucher approvals approve"
        )


def _annotated(office: Office, sheet: Path, declared: BatchForm) -> bytes:
    return office.client.issuance_batches.annotate(Upload.read(sheet), declared)


def _columns(office: Office) -> list[Column[models.BatchRead]]:
    words = office.words
    return [
        Column("批次", "batch", lambda one: one.id),
        Column("项目", "programme", lambda one: one.programme_title),
        Column("状态", "status", lambda one: words.value(STATUSES, one.status)),
        Column("张数", "count", lambda one: f"{one.row_count:,}", is_number=True),
        Column("总额（元）", "total", lambda one: yuan(one.total_fen), is_number=True),
        Column("文件", "file", lambda one: one.file_name or "-"),
        Column("审核", "approval", lambda one: one.approval_id),
        Column("提请", "made", lambda one: minute(one.created_at)),
        Column("办结", "decided", lambda one: minute(one.decided_at)),
    ]


def _of_job(office: Office) -> list[Column[models.JobRead]]:
    words = office.words
    return [
        Column("任务", "job", lambda one: one.id),
        Column("事项", "kind", lambda one: one.kind),
        Column("状态", "status", lambda one: words.value(STATUSES, one.status)),
        Column("阶段", "stage", lambda one: one.stage or "-"),
        Column("进度", "done", lambda one: f"{one.done:,}/{one.total:,}" if one.total else f"{one.done:,}"),
        Column("开始", "started", lambda one: minute(one.started_at)),
        Column("结束", "finished", lambda one: minute(one.finished_at)),
        Column("答复", "answer", lambda one: f"{one.answer_status or '-'} {cell('', one.answer)}"),
    ]
