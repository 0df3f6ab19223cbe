"""`voucher allocation waitlist …`: those who wait for a programme's money, and the next in line."""

from __future__ import annotations

from typing import Annotated

import typer
from msgspec import UNSET

from app.cli.groups import Group
from app.cli.office.counter import SHOWN, All, Column, Limit, Office, command, most
from app.cli.office.words import fen_of, minute, yuan
from app.client import models

app = typer.Typer(
    cls=Group, no_args_is_help=True, rich_markup_mode=None, help="候补 / Those who wait for a programme's money"
)

ProgrammeId = Annotated[str, typer.Argument(metavar="PROGRAMME", help="项目编号 prg_… / Id of the programme")]
Reason = Annotated[str, typer.Option(help="理由，入档 / Why, for the record")]


def _waiting() -> list[Column[models.WaitingRead]]:
    return [
        Column("位置", "position", lambda one: str(one.position), is_number=True),
        Column("编号", "no.", lambda one: one.reference_no),
        Column("企业", "firm", lambda one: one.firm_name),
        Column("候补（元）", "waits for", lambda one: yuan(one.waits_fen), is_number=True),
        Column("之前（元）", "ahead", lambda one: yuan(one.ahead_fen), is_number=True),
        Column("自", "since", lambda one: minute(one.since_at)),
        Column("递补批次", "batch", lambda one: one.batch_id or "-"),
    ]


@command(app, "list")
def list_waiting(office: Office, programme: ProgrammeId, *, limit: Limit = SHOWN, everything: All = False) -> None:
    """候补名单，按次序 / Who waits, in order."""
    found = office.client.waitlists.get(programme).data
    office.answer_list(iter(found), _waiting(), limit=most(limit, everything), title=("候补", "Waiting"))


@command(app, "promote", act=True)
def promote(
    office: Office,
    programme: ProgrammeId,
    *,
    limit: Annotated[
        str | None, typer.Option("--limit-yuan", help="至多用于递补的金额（元） / At most so much of what is available")
    ] = None,
) -> None:
    """提请按次序递补（经办） / Ask a checker to issue to the next in line, as a maker."""
    limit_fen = None if limit is None else fen_of(limit, "--limit-yuan")
    body = models.PromoteBody(limit_fen=UNSET if limit_fen is None else limit_fen, dry_run=office.dry_run)
    if office.dry_run:
        found = office.client.waitlists.promote(programme, body, key=office.key)
    else:
        with office.once("promote", programme_id=programme, limit_fen=limit_fen) as key:
            found = office.client.waitlists.promote(programme, body, key=key)
    title = office.words.sentence(
        f"递补 {yuan(found.total_fen)} 元，可用 {yuan(found.available_fen)} 元，其后仍候补 {found.left_waiting} 户",
        f"{yuan(found.total_fen)} of {yuan(found.available_fen)} yuan; {found.left_waiting} go on waiting",
    )
    office.answer_table(found, title, _waiting(), found.promoted)
    if found.approval_id is None:
        office.say("试算结果，未提请。", "computed only; nobody was asked")
    else:
        office.say(f"已提请审核：{found.approval_id}", "waits for a checker: voucher approvals approve")


@command(app, "end", act=True)
def end(
    office: Office,
    programme: ProgrammeId,
    reason: Reason,
    numbers: Annotated[
        list[str] | None, typer.Option("--reference-no", help="申领编号，可重复 / Whose; may be repeated")
    ] = None,
    *,
    everybody: Annotated[bool, typer.Option("--everybody", help="全部候补 / All who wait")] = False,
) -> None:
    """提请结束候补，不再发放（经办） / Ask a checker to end the waiting without a grant, as a maker."""
    if bool(numbers) == everybody:
        told = office.words.sentence("须给出 --reference-no 或 --everybody 之一。", "give one of the two")
        raise typer.BadParameter(told, param_hint="--reference-no --everybody")
    said = {"programme_id": programme, "reference_nos": numbers or None, "reason": reason}
    if office.rehearsed("提请结束候补", "end waiting", **said):
        return
    body = models.EndBody(reference_nos=numbers or UNSET, reason=reason)
    with office.once("end_waiting", **said) as key:
        asked = office.client.waitlists.end(programme, body, key=key)
    office.asked(asked)
