"""`voucher approvals …`: what waits for a second person, what exactly it would do, and the decision."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer
from msgspec import UNSET

from app.cli.office.counter import SHOWN, ByDefault, Column, Limit, Office, command, most, with_examples
from app.cli.office.words import ACTS, STATUSES, cell, minute, yuan
from app.client import models
from app.kernel.vocabulary import ApprovalStatus

app = typer.Typer(cls=ByDefault.of("list"), rich_markup_mode=None)

ApprovalId = Annotated[str, typer.Argument(metavar="APPROVAL", help="审核编号 apv_… / Id of the approval")]


@app.callback(
    help=with_examples(
        "审核：待办、内容、通过、驳回；不带子命令即列出待办 / Approvals; without a command those that wait.",
        "voucher approvals",
        "voucher approvals show APPROVAL",
        "voucher approvals approve APPROVAL --note 已核对",
    )
)
def _group() -> None:
    """Without a word of its own."""


Shown = models.ApprovalRead | models.ApprovalForeseen


def _columns(office: Office) -> list[Column[Shown]]:
    words = office.words
    return [
        Column("编号", "id", lambda one: one.id),
        Column("事项", "act", lambda one: words.value(ACTS, one.kind)),
        Column("状态", "status", lambda one: words.value(STATUSES, one.status)),
        Column("金额（元）", "amount", lambda one: yuan(one.amount_fen), is_number=True),
        Column("提请", "made", lambda one: minute(one.made_at)),
        Column("通过后", "approving", lambda one: words.sentence(one.in_words.zh, one.in_words.en)),
    ]


def _fields(office: Office) -> list[Column[Shown]]:
    return [
        *_columns(office),
        Column("对象", "subject", lambda one: one.subject_id),
        Column("步骤", "steps", lambda one: " → ".join(f"{step.role} {step.outcome or '…'}" for step in one.steps)),
        Column("理由", "reason", lambda one: one.reason or "-"),
        Column("提请人", "made by", lambda one: one.made_by),
        Column("审核角色", "role", lambda one: one.required_role),
        Column("命令摘要", "command SHA-256", lambda one: one.command_sha256),
        Column("审核人", "decided by", lambda one: one.decided_by or "-"),
        Column("审核时间", "decided", lambda one: minute(one.decided_at)),
        Column("审核意见", "note", lambda one: one.decision_note or "-"),
    ]


@command(app, "list")
def list_approvals(
    office: Office,
    *,
    status: Annotated[ApprovalStatus | None, typer.Option(help="状态，默认待审核 / pending by default")] = None,
    mine: Annotated[bool, typer.Option("--mine", help="仅轮到本人审核的 / Those whose step is mine")] = False,
    limit: Limit = SHOWN,
    everything: Annotated[
        bool, typer.Option("--all", help="含已办结的，不限条数 / Decided ones too, all of them")
    ] = False,
) -> None:
    """列出待办的审核事项 / What waits for a second person."""
    wanted = status or (None if everything else ApprovalStatus.PENDING)
    found = office.client.approvals.list(status=wanted, mine=mine or None)
    office.answer_list(found, _columns(office), limit=most(limit, everything), title=("审核事项", "Approvals"))


@command(app, "show")
def show(office: Office, approval: ApprovalId) -> None:
    """通过后将发生什么：命令、效果与合计 / What approving would do: command, effect, totals."""
    found = office.client.approvals.get(approval)
    office.answer(found, _fields(office))
    for title, columns, rows in _tables(office, found):
        office.also(title, columns, rows)


@command(app, "approve", act=True, asks=True)
def approve(
    office: Office,
    approval: ApprovalId,
    note: Annotated[str | None, typer.Option(help="意见，入档 / A remark for the record")] = None,
) -> None:
    """审核通过并执行，须为另一人；先显示内容并询问 / Approve and execute, as another person; shows and asks first."""
    seen = office.client.approvals.get(approval)
    if not (office.yes and not office.dry_run):
        _present(office, seen)
    if office.rehearsed("审核通过", "approve", approval_id=approval, note=note):
        return
    office.confirm("审核通过并立即执行？", "approve and execute at once?")
    body = models.ApproveBody(note=note or UNSET, command_sha256=seen.command_sha256)
    with office.once("approve", approval_id=approval, note=note) as key, office.progress() as progress:
        decided = office.client.approvals.approve(approval, body, key=key, progress=progress)
    office.answer(decided, _fields(office))


@command(app, "withdraw", change=True)
def withdraw(
    office: Office,
    approval: ApprovalId,
    note: Annotated[str | None, typer.Option(help="说明，入档 / A remark for the record")] = None,
) -> None:
    """撤回本人提请的事项 / Take back what one asked for oneself."""
    if office.rehearsed("撤回", "withdraw", approval_id=approval, note=note):
        return
    body = models.WithdrawBody(note=note) if note else None
    office.answer(office.client.approvals.withdraw(approval, body), _fields(office))


@command(app, "reject", change=True, asks=True)
def reject(
    office: Office,
    approval: ApprovalId,
    reason: Annotated[str, typer.Option(help="理由，入档 / Why, for the record")],
) -> None:
    """驳回，须为另一人 / Reject, as another person than the maker."""
    if not (office.yes and not office.dry_run):
        _present(office, office.client.approvals.get(approval))
    if office.rehearsed("驳回", "reject", approval_id=approval, reason=reason):
        return
    office.confirm("驳回？", "reject?")
    office.answer(office.client.approvals.reject(approval, models.RejectBody(reason=reason)), _fields(office))


def _present(office: Office, approval: Shown) -> None:
    """What the decision is about, beside the answer that will come of it."""
    office.present(approval, _fields(office))
    for title, columns, rows in _tables(office, approval):
        office.present_table(title, columns, rows)


Pair = tuple[str, Any]
Row = Mapping[str, Any]


def _tables(office: Office, approval: Shown) -> Iterator[tuple[tuple[str, str], list[Column[Any]], Sequence[Any]]]:
    """The effect: its plain parts as one table, each list of rows as a table of its own; then the exact command."""
    words = office.words
    listed = {name: rows for name, rows in approval.effect.items() if _is_rows(rows)}
    plain = [pair for pair in approval.effect.items() if pair[0] not in listed]
    pairs: list[Column[Any]] = [
        Column("效果", "effect", lambda pair: words.effect(pair[0])),
        Column("", "", lambda pair: cell(*pair)),
    ]
    yield ("通过后", "What approving does"), pairs, plain
    for name, rows in listed.items():
        title = words.effect(name)
        columns = [_column(office, key, rows) for key in dict.fromkeys(key for row in rows for key in row)]
        yield (title, title) if words.language else (title, name), columns, rows
    command_pairs: list[Column[Any]] = [
        Column("命令", "command", lambda pair: pair[0]),
        Column("", "", lambda pair: cell(*pair)),
    ]
    yield ("将执行的命令", "The exact command"), command_pairs, list(approval.command.items())


def _column(office: Office, key: str, rows: Sequence[Row]) -> Column[Any]:
    name = office.words.effect(key)
    return Column(name, name, lambda row: cell(key, row.get(key)), is_number=isinstance(rows[0].get(key), int))


def _is_rows(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)
