"""`voucher voucher …`: vouchers, their movements, and what officials do with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from app.cli.office.counter import SHOWN, All, Column, Limit, Office, command, most, with_examples
from app.cli.office.words import ENTRIES, KINDS, VOUCHER_STATUSES, last_day, minute, yuan
from app.client import VoucherClient, models
from app.kernel.vocabulary import VoucherStatus

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

VoucherId = Annotated[str, typer.Argument(metavar="VOUCHER", help="券编号 vch_… / Id of the voucher")]
Reason = Annotated[str, typer.Option(help="理由，入档 / Why, for the record")]


@app.callback(
    help=with_examples(
        "券：查询、流水、冻结、解冻、作废、退回 / Vouchers: look, freeze, void, surrender.",
        "voucher voucher list --programme PROGRAMME --status active",
        "voucher voucher freeze VOUCHER --reason 核查",
    )
)
def _group() -> None:
    """Without a word of its own."""


def _columns(office: Office) -> list[Column[models.VoucherRead]]:
    words = office.words
    return [
        Column("编号", "id", lambda one: one.id),
        Column("券码", "code", lambda one: one.code),
        Column("企业", "firm", lambda one: one.firm_name),
        Column("状态", "status", lambda one: words.value(VOUCHER_STATUSES, one.status)),
        Column("面值（元）", "face", lambda one: yuan(one.face_value_fen), is_number=True),
        Column("余额（元）", "balance", lambda one: yuan(one.balance_fen), is_number=True),
        Column("预扣（元）", "held", lambda one: yuan(one.held_fen), is_number=True),
        Column("已核销（元）", "redeemed", lambda one: yuan(one.redeemed_fen), is_number=True),
        Column("有效至", "valid until", lambda one: last_day(one.valid_until)),
    ]


def _fields(office: Office) -> list[Column[models.VoucherRead]]:
    words = office.words
    return [
        *_columns(office),
        Column("券种", "kind", lambda one: words.value(KINDS, one.voucher_kind)),
        Column("项目", "programme", lambda one: f"{one.programme_title}  {one.programme_id}"),
        Column("企业编号", "firm id", lambda one: one.firm_id),
        Column("有效自", "valid from", lambda one: minute(one.valid_from)),
        Column("可核销至", "redeemable until", lambda one: last_day(one.redeemable_until)),
        Column("已追回（元）", "recovered", lambda one: yuan(one.recovered_fen)),
        Column("到期收回（元）", "expired", lambda one: yuan(one.expired_fen)),
        Column("作废收回（元）", "voided", lambda one: yuan(one.voided_fen)),
        Column("退回（元）", "surrendered", lambda one: yuan(one.surrendered_fen)),
        Column("发放", "issued", lambda one: minute(one.issued_at)),
        Column("冻结", "frozen", lambda one: minute(one.frozen_at)),
        Column("终止", "ended", lambda one: minute(one.ended_at)),
    ]


@command(app, "list")
def list_vouchers(
    office: Office,
    *,
    programme: Annotated[str | None, typer.Option(help="项目编号 / Id of a programme")] = None,
    firm: Annotated[str | None, typer.Option(help="企业编号 / Id of a firm")] = None,
    status: Annotated[VoucherStatus | None, typer.Option(help="状态 / Only of this status")] = None,
    limit: Limit = SHOWN,
    everything: All = False,
) -> None:
    """列出券，新的在前 / Vouchers, newest first."""
    found = office.client.vouchers.list(programme_id=programme, firm_id=firm)
    chosen = (one for one in found if status is None or one.status == status)
    office.answer_list(chosen, _columns(office), limit=most(limit, everything), title=("券", "Vouchers"))


@command(app, "show")
def show(office: Office, voucher: VoucherId) -> None:
    """一张券的余额与状态 / One voucher with its balance and status."""
    office.answer(office.client.vouchers.get(voucher), _fields(office))


@command(app, "movements")
def movements(office: Office, voucher: VoucherId) -> None:
    """一张券的流水，每笔之后的余额 / All that moved on it, with the balance after each."""
    words = office.words
    shown: list[Column[models.VouchersMovementRead]] = [
        Column("时间", "at", lambda one: minute(one.at)),
        Column("事项", "act", lambda one: words.value(ENTRIES, one.kind)),
        Column("自", "from", lambda one: one.source),
        Column("至", "to", lambda one: one.destination),
        Column("金额（元）", "amount", lambda one: yuan(one.amount_fen), is_number=True),
        Column("余额（元）", "balance", lambda one: yuan(one.balance_fen), is_number=True),
        Column("凭证", "entry", lambda one: one.entry_id),
    ]
    found = office.client.vouchers.movements(voucher)
    office.answer_list(iter(found), shown, limit=None, title=("流水", "Movements"))


Asked = Callable[[VoucherClient, str, models.ActBody, str], models.ApprovalRead]


def _ask(office: Office, act: str, zh: str, voucher: str, reason: str, ask: Asked) -> None:
    """What a maker asks a checker to do with a voucher."""
    if office.rehearsed(f"提请{zh}", act, voucher_id=voucher, reason=reason):
        return
    with office.once(act, voucher_id=voucher, reason=reason) as key:
        asked = ask(office.client, voucher, models.ActBody(reason=reason), key)
    fields: list[Column[models.ApprovalRead]] = [
        Column("审核编号", "approval", lambda one: one.id),
        Column("券", "voucher", lambda one: one.subject_id),
    ]
    office.answer(asked, fields)
    office.say("等待另一人审核：voucher approvals approve", "waits for another person")


@command(app, "freeze", act=True)
def freeze(office: Office, voucher: VoucherId, reason: Reason) -> None:
    """提请冻结：不能预扣与核销（经办） / Ask that nothing is drawn on it, as a maker."""
    _ask(office, "freeze", "冻结", voucher, reason, lambda c, id_, body, key: c.vouchers.freeze(id_, body, key=key))


@command(app, "unfreeze", act=True)
def unfreeze(office: Office, voucher: VoucherId, reason: Reason) -> None:
    """提请解冻（经办） / Ask to let it be drawn on again, as a maker."""
    _ask(office, "unfreeze", "解冻", voucher, reason, lambda c, id_, body, key: c.vouchers.unfreeze(id_, body, key=key))


@command(app, "void", act=True)
def void(office: Office, voucher: VoucherId, reason: Reason) -> None:
    """提请作废：释放预扣，余额收回（经办） / Ask to end it; its holds are released, as a maker."""
    _ask(office, "void", "作废", voucher, reason, lambda c, id_, body, key: c.vouchers.void(id_, body, key=key))


@command(app, "surrender", act=True, asks=True)
def surrender(office: Office, voucher: VoucherId, reason: Reason) -> None:
    """退回本企业的券，立即生效且不可恢复（企业） / Give one's own voucher back for good, as a firm."""
    if office.rehearsed("退回", "surrender", voucher_id=voucher, reason=reason):
        return
    found = office.client.vouchers.get(voucher)
    left = yuan(found.balance_fen)
    office.confirm(
        f"退回 {found.code}，余额 {left} 元，不可恢复？", f"give back {found.code} with {left} yuan for good?"
    )
    with office.once("surrender", voucher_id=voucher, reason=reason) as key:
        given = office.client.vouchers.surrender(voucher, models.ActBody(reason=reason), key=key)
    office.answer(given, _fields(office))
