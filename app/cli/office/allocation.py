"""`voucher allocation …`: rounds over a list, and a lottery's draw."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from msgspec import UNSET, UnsetType

from app.cli.allocation import replay_record
from app.cli.groups import Group
from app.cli.office import waiting
from app.cli.office.counter import SHOWN, All, Column, Limit, Office, command, most, with_examples
from app.cli.office.lists import draw_of, freeze, freeze_sheet, instant, proposed, reason_of, request_of
from app.cli.office.sheets import Force, save_template
from app.cli.office.waiting import ProgrammeId, Reason
from app.cli.office.words import fen_of, minute, yuan
from app.client import ListForm, models

app = typer.Typer(cls=Group, no_args_is_help=True, rich_markup_mode=None)
app.add_typer(waiting.app, name="waitlist")
app.command("replay")(replay_record)

STATUSES: Mapping[str, str] = {
    "frozen": "名单已冻结",
    "drawn": "已抽签",
    "submitted": "待审核",
    "executed": "已执行",
    "cancelled": "已取消",
}
DAYS, MINUTES = ["%Y-%m-%d"], ["%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"]
"""Days and instants as they are typed, in Asia/Shanghai."""

RoundId = Annotated[str, typer.Argument(metavar="ROUND", help="轮次编号 / Id of the round")]


@app.callback(
    help=with_examples(
        "额度分配：轮次、抽签、提请、候补、离线重算 / Allocation rounds: lists, draws, waiting lists, replay.",
        "voucher allocation template PROGRAMME",
        "voucher allocation create PROGRAMME --title 第一轮 --sheet 名单.xlsx --count 20 --total-yuan 500000 --dry-run",
        "voucher allocation create PROGRAMME --title 第一轮 --applications --dry-run",
        "voucher allocation draw ROUND --seed '03 11 17 21 28 30 09'",
        "voucher allocation waitlist promote PROGRAMME --dry-run",
        "voucher allocation replay record.json",
    )
)
def _group() -> None:
    """Without a word of its own."""


def _columns(office: Office) -> list[Column[models.RoundRead]]:
    return [
        Column("编号", "id", lambda one: one.id),
        Column("名称", "title", lambda one: one.title),
        Column("状态", "status", lambda one: office.words.value(STATUSES, one.status)),
        Column("方式", "method", lambda one: one.method),
        Column("户数", "candidates", lambda one: f"{one.candidate_count:,}", is_number=True),
        Column("申请（元）", "asked", lambda one: yuan(one.asked_total_fen), is_number=True),
        Column("预算（元）", "budget", lambda one: yuan(one.budget_fen), is_number=True),
        Column("分配（元）", "granted", lambda one: yuan(one.granted_total_fen), is_number=True),
        Column("冻结", "frozen", lambda one: minute(one.frozen_at)),
    ]


def _fields(office: Office) -> list[Column[models.RoundRead]]:
    return [
        *_columns(office),
        Column("项目", "programme", lambda one: one.programme_id),
        Column("名单哈希", "hash of the list", lambda one: one.frozen_sha256),
        Column("种子来源", "announced seed", lambda one: one.announcement or "-"),
        Column("种子格式", "its format", lambda one: one.seed_format or "-"),
        Column("抽签时间", "draws at", lambda one: minute(one.draws_at)),
        Column("种子号码", "seed", lambda one: one.seed or "-"),
        Column("审核编号", "approval", lambda one: one.approval_id or "-"),
        Column("批次", "batch", lambda one: one.batch_id or "-"),
        Column("理由", "reason", lambda one: one.reason or "-"),
    ]


@command(app, "list")
def list_rounds(
    office: Office,
    *,
    programme: Annotated[str | None, typer.Option(help="项目编号 / Id of a programme")] = None,
    limit: Limit = SHOWN,
    everything: All = False,
) -> None:
    """列出分配轮次，新的在前 / Rounds, newest first."""
    found = office.client.allocation_rounds.list(programme_id=programme)
    office.answer_list(found, _columns(office), limit=most(limit, everything), title=("分配轮次", "Rounds"))


@command(app, "show")
def show(office: Office, round_: RoundId) -> None:
    """一个轮次 / One round."""
    office.answer(office.client.allocation_rounds.get(round_), _fields(office))


@command(app, "candidates")
def candidates(office: Office, round_: RoundId, *, limit: Limit = SHOWN, everything: All = False) -> None:
    """一个轮次的名单与结果 / Its list, and what each gets once that is known."""
    columns: list[Column[models.CandidateRead]] = [
        Column("序号", "place", lambda one: str(one.place), is_number=True),
        Column("编号", "no.", lambda one: one.reference_no),
        Column("企业", "firm", lambda one: one.firm_name),
        Column("申请（元）", "asked", lambda one: yuan(one.asked_fen), is_number=True),
        Column("位次", "rank", lambda one: "-" if one.rank is None else str(one.rank), is_number=True),
        Column("分配（元）", "granted", lambda one: yuan(one.granted_fen), is_number=True),
        Column("候补（元）", "waits", lambda one: yuan(one.waits_fen), is_number=True),
        Column("说明", "reason", lambda one: reason_of(one.reason)),
        Column("券", "voucher", lambda one: one.voucher_id or "-"),
    ]
    found = office.client.allocation_rounds.candidates(round_)
    office.answer_list(found, columns, limit=most(limit, everything), title=("名单", "Candidates"))


@command(app, "record")
def record(office: Office, round_: RoundId) -> None:
    """公开记录（JSON），供 voucher allocation replay 重算 / The public record, to be computed again."""
    print(json.dumps(msgspec.to_builtins(office.client.allocation_rounds.record(round_)), ensure_ascii=False, indent=2))


@command(app, "template")
def template(
    office: Office,
    programme: ProgrammeId,
    path: Annotated[Path, typer.Argument(metavar="FILE", help="写入的文件 / Where to")] = Path("分配名单.xlsx"),
    *,
    force: Force = False,
) -> None:
    """下载分配名单模板，列随项目规则而定 / Fetch the list to fill in, with the columns that the rules ask for."""
    save_template(office, path, office.client.allocation_rounds.template(programme), force=force)


@command(app, "create", act=True)
def create(
    office: Office,
    programme: ProgrammeId,
    *,
    title: Annotated[str | None, typer.Option(help="名称 / Title")] = None,
    applications: Annotated[
        bool,
        typer.Option("--applications", help="名单为已核定和候补的申领 / The list: applications reviewed or waiting"),
    ] = False,
    sheet: Annotated[
        Path | None,
        typer.Option(help="名单为分配名单 .xlsx 或 .csv / The list: a sheet", exists=True, dir_okay=False),
    ] = None,
    count: Annotated[int | None, typer.Option(help="申报户数 / Declared number of candidates", min=1)] = None,
    total: Annotated[
        str | None, typer.Option("--total-yuan", "--total", help="申报总额（元） / Declared total in yuan")
    ] = None,
    first: Annotated[
        datetime | None,
        typer.Option("--from", formats=DAYS, help="首次提交的首日 / First submitted on this day or later"),
    ] = None,
    last: Annotated[
        datetime | None, typer.Option("--until", formats=DAYS, help="首次提交的末日（含） / Last day, included")
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option("--budget-yuan", help="本轮预算（元），默认全部可用额度 / At most; default: all there is"),
    ] = None,
    announcement: Annotated[
        str | None, typer.Option(help="抽签：采用哪个公开号码 / Lottery: which public number is the seed")
    ] = None,
    seed_format: Annotated[
        str | None, typer.Option("--seed-format", help="号码格式，# 为一位数字 / How it is written, # for a digit")
    ] = None,
    draws_at: Annotated[
        datetime | None, typer.Option("--draws-at", formats=MINUTES, help="号码公布时间（北京时间） / When it is known")
    ] = None,
    body: Annotated[
        str | None,
        typer.Option("--body", help="改用完整的请求 JSON 文件，- 为标准输入 / The whole request as JSON instead"),
    ] = None,
) -> None:
    """冻结名单，按规则分配，不可再改（经办） / Freeze a list to be served by the rules, for good, as a maker.

    名单为表格（--sheet，模板见 voucher allocation template）、申领（--applications），或在 --body 的 rows 中逐户给出。
    表格有误时在其旁生成批注副本；加 --dry-run 只校验和试算。

    The list is a sheet (voucher allocation template fetches an empty one), what firms applied for, or given row by row
    in the --body. Where a sheet has errors, a copy that says so beside each row is written next to it.
    """
    told_of_draw = (announcement, seed_format, draws_at)
    if body is not None:
        if applications or any((title, sheet, count, total, first, last, budget, *told_of_draw)):
            raise _wrong(
                office, "--body 已含全部内容，不能与其他选项并用。", "it says all: nothing beside it", hint="--body"
            )
        made = freeze(office, programme, request_of(body))
    elif title is None or applications == (sheet is not None):
        raise _wrong(
            office,
            "须给出 --title 与 --sheet 或 --applications 之一，或 --body。",
            "give --title and one of the two, or --body",
            hint="--title --sheet --applications",
        )
    elif sheet is not None:
        if count is None or total is None or first or last:
            raise _wrong(
                office,
                "--sheet 须同时申报 --count 与 --total-yuan，且不用 --from、--until。",
                "a sheet takes --count and --total-yuan, and neither --from nor --until",
                hint="--sheet",
            )
        draw = draw_of(office, *told_of_draw)
        form = ListForm(
            title=title,
            declared_count=count,
            declared_total_fen=fen_of(total, "--total-yuan"),
            budget_fen=None if budget is None else fen_of(budget, "--budget-yuan"),
            **({} if isinstance(draw, UnsetType) else msgspec.to_builtins(draw)),
        )
        made = freeze_sheet(office, programme, sheet, form)
    else:
        if count is not None or total is not None:
            raise _wrong(
                office,
                "--count 与 --total-yuan 仅用于 --sheet。",
                "these two are of a sheet",
                hint="--count --total-yuan",
            )
        asked = models.RoundCreate(
            title=title,
            budget_fen=UNSET if budget is None else fen_of(budget, "--budget-yuan"),
            draw=draw_of(office, *told_of_draw),
            applications=models.ApplicationsBody(
                submitted_from=UNSET if first is None else instant(first),
                submitted_until=UNSET if last is None else instant(last + timedelta(days=1)),
            ),
        )
        made = freeze(office, programme, asked)
    proposed(office, made)
    _say_what_next(office, made)


def _wrong(office: Office, zh: str, en: str, *, hint: str) -> typer.BadParameter:
    return typer.BadParameter(office.words.sentence(zh, en), param_hint=hint)


def _say_what_next(office: Office, made: models.RoundProposed) -> None:
    if made.id is None:
        office.say("试算结果，未保存任何数据。", "computed only; nothing was kept")
    elif made.draws_at is not None:
        office.say(
            f"名单已冻结，请公布名单哈希；{minute(made.draws_at)} 后抽签：voucher allocation draw {made.id}",
            "publish the hash of the list; draw once the seed is known",
        )
    else:
        office.say(f"名单已冻结。提请审核：voucher allocation submit {made.id}", "submit it for approval")


@command(app, "draw", act=True, asks=True)
def draw(
    office: Office,
    round_: RoundId,
    seed: Annotated[str, typer.Option(help="公布的号码，按公告格式 / The public number, written as announced")],
) -> None:
    """录入公布的号码抽签，只可一次（经办） / Draw by the number that was published, once, as a maker."""
    if office.rehearsed("抽签", "draw", round_id=round_, seed=seed):
        return
    if not office.yes:
        office.present(office.client.allocation_rounds.get(round_), _fields(office))
    office.confirm(f"以号码“{seed}”抽签？录入后不可更改。", f"draw by {seed}? It cannot be changed afterwards.")
    with office.once("draw", round_id=round_, seed=seed) as key:
        drawn = office.client.allocation_rounds.draw(round_, models.SeedBody(seed=seed), key=key)
    office.answer(drawn, _fields(office))
    office.say(f"提请审核：voucher allocation submit {round_}", "submit it for approval")


@command(app, "submit", act=True)
def submit(office: Office, round_: RoundId) -> None:
    """提请审核并按结果发放（经办） / Ask a checker to issue what it awards, as a maker."""
    if office.rehearsed("提请审核", "submit", round_id=round_):
        return
    with office.once("submit_round", round_id=round_) as key:
        asked = office.client.allocation_rounds.submit(round_, key=key)
    office.asked(asked)


@command(app, "cancel", act=True)
def cancel(office: Office, round_: RoundId, reason: Reason) -> None:
    """提请取消轮次（经办） / Ask a checker to give a round up, as a maker."""
    if office.rehearsed("提请取消", "cancel", round_id=round_, reason=reason):
        return
    with office.once("cancel_round", round_id=round_, reason=reason) as key:
        asked = office.client.allocation_rounds.cancel(round_, models.CancelBody(reason=reason), key=key)
    office.asked(asked)
