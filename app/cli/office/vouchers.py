"""`voucher voucher …`: vouchers, their movements, and what officials do with them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from msgspec import UNSET

from app.cli.groups import Group
from app.cli.office.counter import SHOWN, All, Column, Limit, Office, command, most, with_examples
from app.cli.office.words import ENTRIES, KINDS, VOUCHER_STATUSES, last_day, minute, yuan
from app.client import models
from app.client.resources.vouchers import Vouchers
from app.kernel.vocabulary import VoidGround, VoucherStatus

app = typer.Typer(cls=Group, no_args_is_help=True, rich_markup_mode=None)

VoucherIds = Annotated[
    list[str],
    typer.Argument(metavar="VOUCHER…", help="券编号 vch_…；多张合为一项审核 / Id; several are one approval"),
]
VoucherId = Annotated[str, typer.Argument(metavar="VOUCHER", help="券编号 vch_… / Id of the voucher")]
Reason = Annotated[str, typer.Option(help="理由，入档 / Why, for the record")]


@app.callback(
    help=with_examples(
        "券：查询、流水、冻结、解冻、作废、延期、退回 / Vouchers: look, freeze, void, extend, surrender.",
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
    expiring: Annotated[
        int | None,
        typer.Option("--expiring-within", help="有余额且若干天内到期 / Ending in so many days", min=1),
    ] = None,
    limit: Limit = SHOWN,
    everything: All = False,
) -> None:
    """列出券，新的在前 / Vouchers, newest first."""
    found = office.client.vouchers.list(programme_id=programme, firm_id=firm, expiring_within_days=expiring)
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


@command(app, "related")
def related(office: Office, *, programme: Annotated[str, typer.Option(help="项目编号 / Id of a programme")]) -> None:
    """在关联机构核销过的券 / Vouchers redeemed at a provider on record as related to their firm."""
    words = office.words
    shown: list[Column[models.RelatedPartyRead]] = [
        Column("券", "voucher", lambda one: one.voucher_id),
        Column("企业", "firm", lambda one: one.firm_name),
        Column("机构", "provider", lambda one: f"{one.provider_name}  {one.provider_id}"),
        Column("关联登记", "relations", lambda one: " ".join(one.relation_ids) or "-"),
        Column("规则所指", "by the rules", lambda one: " ".join(one.signs) or "-"),
        Column("核销笔数", "redemptions", lambda one: str(len(one.redemption_ids)), is_number=True),
        Column("净额（元）", "net", lambda one: yuan(one.redeemed_fen), is_number=True),
        Column("状态", "status", lambda one: words.value(VOUCHER_STATUSES, one.status)),
        Column("余额（元）", "balance", lambda one: yuan(one.balance_fen), is_number=True),
    ]
    found = office.client.vouchers.related_parties(programme).data
    office.answer_list(iter(found), shown, limit=None, title=("关联方核销", "Redeemed at related parties"))


def _ask(
    office: Office,
    act: str,
    zh: str,
    vouchers: Sequence[str],
    ask: Callable[[str, str], models.ApprovalRead],
    **said: Any,
) -> None:
    """What a maker asks a checker to do with a voucher, or in one approval with many of them."""
    given = {name: value for name, value in said.items() if value is not None}
    if office.rehearsed(f"提请{zh}", act, voucher_ids=list(vouchers), **given):
        return
    with office.once(act, voucher_ids=list(vouchers), **given) as key:
        if len(vouchers) == 1:
            asked = ask(vouchers[0], key)
        else:
            body = models.VoucherActs(act=act, voucher_ids=list(vouchers), **given)
            asked = office.client.vouchers.act_on_many(body, key=key)
    office.asked(asked)


@command(app, "freeze", act=True)
def freeze(office: Office, vouchers: VoucherIds, reason: Reason) -> None:
    """提请冻结：不能预占与核销（经办） / Ask that nothing is drawn on it, as a maker."""
    body = models.ActBody(reason=reason)
    _ask(office, "freeze", "冻结", vouchers, lambda id_, key: _of(office).freeze(id_, body, key=key), reason=reason)


@command(app, "unfreeze", act=True)
def unfreeze(office: Office, vouchers: VoucherIds, reason: Reason) -> None:
    """提请解冻（经办） / Ask to let it be drawn on again, as a maker."""
    body = models.ActBody(reason=reason)
    _ask(office, "unfreeze", "解冻", vouchers, lambda id_, key: _of(office).unfreeze(id_, body, key=key), reason=reason)


@command(app, "void", act=True)
def void(
    office: Office,
    vouchers: VoucherIds,
    reason: Reason,
    ground: Annotated[VoidGround | None, typer.Option(help="事由，便于统计 / The reason as a word")] = None,
    related_to: Annotated[
        str | None, typer.Option("--related-to", help="关联的机构编号，用于 related_party / The related provider")
    ] = None,
    evidence: Annotated[
        str | None, typer.Option(help="依据文号，用于 related_party / Number of the document that proves it")
    ] = None,
    evidence_file: Annotated[
        Path | None,
        typer.Option(
            "--evidence-file",
            help="该文件，仅取其 SHA-256，不上传 / Its file: its SHA-256 is sent, the file is not",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
) -> None:
    """提请作废：释放预占，余额收回（经办） / Ask to end it; its holds are released, as a maker."""
    said = {"reason": reason, "ground": ground, "related_to": related_to, "evidence": evidence}
    if evidence_file is not None:
        with evidence_file.open("rb") as file:
            said["evidence_sha256"] = hashlib.file_digest(file, "sha256").hexdigest()
    body = models.VoidBody(**{name: value for name, value in said.items() if value is not None})
    _ask(office, "void", "作废", vouchers, lambda id_, key: _of(office).void(id_, body, key=key), **said)


@command(app, "extend", act=True)
def extend(
    office: Office,
    vouchers: VoucherIds,
    reason: Reason,
    until: Annotated[
        datetime | None,
        typer.Option("--until", formats=["%Y-%m-%d"], help="新的末日（含） / New last day, included"),
    ] = None,
    days: Annotated[int | None, typer.Option(help="或延长的天数 / Or so many days more", min=1)] = None,
    exception: Annotated[
        str | None,
        typer.Option("--exception-document-no", help="例外文号 / Document, beyond the rules"),
    ] = None,
) -> None:
    """提请延期：--until 或 --days（经办） / Ask to make it valid longer: --until or --days, as a maker."""
    if (until is None) == (days is None):
        raise typer.BadParameter(office.words.sentence("须给出 --until 或 --days 之一。", "give --until or --days"))
    last_day = until.date().isoformat() if until else None
    said = {"reason": reason, "last_day": last_day, "days": days, "exception_document_no": exception}
    body = models.ExtendBody(
        reason=reason,
        last_day=last_day or UNSET,
        days=days or UNSET,
        exception_document_no=exception or UNSET,
    )
    _ask(office, "extend", "延期", vouchers, lambda id_, key: _of(office).extend(id_, body, key=key), **said)


def _of(office: Office) -> Vouchers:
    return office.client.vouchers


@command(app, "extensions")
def extensions(office: Office, voucher: VoucherId) -> None:
    """一张券的历次延期 / How often it was made valid longer."""
    shown: list[Column[models.ExtensionRead]] = [
        Column("次", "number", lambda one: str(one.number), is_number=True),
        Column("依据", "ground", lambda one: one.ground),
        Column("原有效至", "before", lambda one: last_day(one.valid_until_before)),
        Column("有效至", "until", lambda one: last_day(one.valid_until)),
        Column("文号", "document", lambda one: one.document_no or "-"),
        Column("时间", "at", lambda one: minute(one.extended_at)),
    ]
    found = office.client.vouchers.extensions(voucher)
    office.answer_list(iter(found), shown, limit=None, title=("延期", "Extensions"))


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
