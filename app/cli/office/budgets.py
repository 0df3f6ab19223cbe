"""`voucher budget show` and `appropriate`: the money of a programme, beside the reports of `app/cli/budget.py`."""

from __future__ import annotations

from typing import Annotated

import typer
from msgspec import UNSET

from app.cli.budget import app
from app.cli.office.counter import Column, Office, command
from app.cli.office.words import yuan
from app.client import models
from app.kernel.money import parse_yuan

__all__ = ["app"]

ProgrammeId = Annotated[str, typer.Argument(metavar="PROGRAMME", help="项目编号 prg_… / Id of the programme")]


@command(app, "show")
def show(office: Office, programme: ProgrammeId) -> None:
    """一个项目各资金池的指标、可用、占用、应付与已拨付 / The money of a programme, pool by pool."""
    found = office.client.programmes.budget(programme)
    shown: list[Column[models.PoolExecutionRead]] = [
        Column("年度", "year", lambda one: str(one.fiscal_year)),
        Column("来源", "source", lambda one: one.fund_source),
        Column("预算指标（元）", "appropriation", lambda one: yuan(one.appropriation_fen), is_number=True),
        Column("可用（元）", "available", lambda one: yuan(one.available_fen), is_number=True),
        Column("占用（元）", "committed", lambda one: yuan(one.committed_fen), is_number=True),
        Column("预扣（元）", "held", lambda one: yuan(one.held_fen), is_number=True),
        Column("应付（元）", "obligated", lambda one: yuan(one.obligated_fen), is_number=True),
        Column("支付中（元）", "in payment", lambda one: yuan(one.in_payment_fen), is_number=True),
        Column("已拨付（元）", "disbursed", lambda one: yuan(one.disbursed_fen), is_number=True),
        Column("收回（元）", "lapsed", lambda one: yuan(one.lapsed_fen), is_number=True),
        Column("执行率", "rate", lambda one: one.execution_rate or "-", is_number=True),
        Column("关账", "closed", lambda one: "是 yes" if one.closed_at else "-"),
    ]
    title = found.pools[0].programme_title if found.pools else programme
    office.answer_table(found, title, shown, found.pools)


@command(
    app,
    "appropriate",
    act=True,
    examples=("voucher budget appropriate PROGRAMME --amount-yuan 5000000 --document-no 杭财〔2026〕1号",),
)
def appropriate(
    office: Office,
    programme: ProgrammeId,
    amount: Annotated[
        str,
        typer.Option("--amount-yuan", help="金额（元），如 1234567.89；负数为调减 / In yuan; below zero takes back"),
    ],
    document_no: Annotated[str, typer.Option("--document-no", help="文号 / Number of the document")],
    source: Annotated[
        str | None, typer.Option(help="资金来源；规则只有一种时可省略 / Fund source; where the rules know several")
    ] = None,
    reason: Annotated[str | None, typer.Option(help="理由，入档 / Why, for the record")] = None,
) -> None:
    """提请下达（或调减）预算，由财政另一人审核 / Ask another person of finance to grant money, as finance."""
    amount_fen = _fen(amount)
    body = models.AppropriationBody(
        document_no=document_no, amount_fen=amount_fen, fund_source=source or UNSET, reason=reason or UNSET
    )
    zh, en = f"下达 {yuan(amount_fen)} 元", f"appropriate {yuan(amount_fen)} yuan"
    sent = {"document_no": document_no, "amount_fen": amount_fen, "fund_source": source, "reason": reason}
    if office.rehearsed(zh, en, programme_id=programme, **sent):
        return
    with office.once("appropriate", programme_id=programme, **sent) as key:
        asked = office.client.programmes.appropriate(programme, body, key=key)
    fields: list[Column[models.ApprovalRead]] = [
        Column("审核编号", "approval", lambda one: one.id),
        Column("金额（元）", "yuan", lambda one: yuan(one.amount_fen)),
        Column("执行后可用（元）", "available after", lambda one: yuan(one.effect.get("available_after_fen"))),
    ]
    office.answer(asked, fields)
    office.say("等待财政另一人审核：voucher approvals approve", "waits for another person of finance")


def _fen(text: str) -> int:
    """Yuan with a sign. Raises BadParameter."""
    negative = text.startswith(("-", "−", "－"))
    try:
        amount_fen = parse_yuan(text[1:] if negative else text)
    except ValueError as error:
        raise typer.BadParameter(f"金额无法识别。 / {error}", param_hint="--amount-yuan") from error
    if not amount_fen:
        raise typer.BadParameter("0", param_hint="--amount-yuan")
    return -amount_fen if negative else amount_fen
