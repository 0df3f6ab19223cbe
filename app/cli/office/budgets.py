"""`voucher budget …`: where the money stands, what is to be expected of it, and asking for more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import chain
from typing import Annotated

import typer
from msgspec import UNSET

from app.cli.groups import Group
from app.cli.office.counter import Column, Office, command, with_examples
from app.cli.office.words import fen_of, minute, yuan
from app.client import models
from app.services.budgets.execution import ACCOUNTS
from app.services.budgets.execution_sheet import AMOUNT_HEADINGS
from app.services.budgets.forecast import RunsOut, Unknown
from app.services.budgets.groups import Dimension

app = typer.Typer(cls=Group, no_args_is_help=True, rich_markup_mode=None)

ProgrammeId = Annotated[str, typer.Argument(metavar="PROGRAMME", help="项目编号 prg_… / Id of the programme")]
Year = Annotated[int | None, typer.Option("--year", help="预算年度 / Budget year", min=2000, max=2999)]
OfProgramme = Annotated[str | None, typer.Option("--programme", help="项目编号 / Programme id")]

_RUNS_OUT = {
    RunsOut.EXHAUSTED: "已用尽 exhausted",
    RunsOut.NOT_THIS_YEAR: "年内不会用尽 not this year",
}
_UNKNOWN = {
    Unknown.YEAR_OVER: "未知：年度已过 unknown: year over",
    Unknown.YEAR_CLOSED: "未知：已关账 unknown: closed",
    Unknown.WINDOW_TOO_SHORT: "未知：观察期不足 unknown: too young",
    Unknown.TOO_FEW_DAYS: "未知：数据太少 unknown: too little data",
}

Figures = models.PoolExecutionRead | models.StandingRead | models.GroupExecutionRead


@app.callback(
    help=with_examples(
        "预算：执行、预测、下达 / Budgets: execution, forecast, appropriation.",
        "voucher budget execution --year 2026 --by city",
        "voucher budget show PROGRAMME",
        "voucher budget forecast",
    )
)
def _group() -> None:
    """Without a word of its own."""


@command(app, "show")
def show(office: Office, programme: ProgrammeId) -> None:
    """一个项目各资金池的指标、可用、占用、应付与已拨付 / The money of a programme, pool by pool."""
    found = office.client.programmes.budget(programme)
    title = found.pools[0].programme_title if found.pools else programme
    columns: list[Column[Figures]] = [
        Column("年度", "year", lambda one: str(getattr(one, "fiscal_year", ""))),
        Column("来源", "source", _source),
        *_amounts(),
        Column("关账", "closed", lambda one: minute(getattr(one, "closed_at", None))),
    ]
    office.answer_table(found, title, columns, found.pools)


def execution(
    office: Office,
    year: Year = None,
    programme: OfProgramme = None,
    as_of: Annotated[
        str | None, typer.Option(help="截至时刻，如 2026-11-30T23:59:59+08:00 / As of this instant")
    ] = None,
    by: Annotated[list[Dimension] | None, typer.Option(help="分组汇总，可重复 / Sums by this; may be repeated")] = None,
) -> None:
    """预算执行率表：各资金池的指标、可用、占用、应付、已拨付与收回 / Budget execution of every pool within reach."""
    found = office.client.reports.execution(
        fiscal_year=year, programme_id=programme, as_of=as_of, group_by=[one.value for one in by or ()] or None
    )
    columns: list[Column[Figures]] = [
        Column("项目", "programme", _title),
        Column("年度", "year", lambda one: str(getattr(one, "fiscal_year", ""))),
        Column("来源", "source", _source),
        *_amounts(),
    ]
    title = office.words.sentence("预算执行（元）", "Budget execution in yuan")
    rows: list[Figures] = [*found.pools, found.total]
    office.answer_table(found, f"{title}, {minute(found.at)}", columns, rows)
    if found.groups:
        keys: list[Column[Figures]] = [_key(name) for name in found.groups[0].key]
        office.also(("分组", "By group"), [*keys, *_amounts()], found.groups)


command(app, "execution")(execution)
command(app, "report", hidden=True)(execution)  # its former name


@command(app, "forecast")
def forecast(office: Office, year: Year = None, programme: OfProgramme = None) -> None:
    """预测额度用尽日与年底收回额（按近期日均线性外推） / The day each pool runs out, and what lapses on 31 December."""
    found = office.client.reports.execution(fiscal_year=year, programme_id=programme, forecast=True)
    columns: list[Column[Expected]] = [
        Column("项目", "programme", lambda one: one[0].programme_title),
        Column("年度", "year", lambda one: str(one[0].fiscal_year)),
        Column("来源", "source", lambda one: one[0].fund_source),
        Column("可用额度", "available", lambda one: yuan(one[0].available_fen), is_number=True),
        Column("观察天数", "days", lambda one: str(one[1].window_days), is_number=True),
        Column("期内发放", "issued", lambda one: yuan(one[1].issued_fen), is_number=True),
        Column("期内核销", "drawn", lambda one: yuan(one[1].drawn_fen), is_number=True),
        Column("预计用尽", "runs out", lambda one: _run_out(one[1]), is_number=True),
        Column("预计年底收回", "lapses", lambda one: _lapsing(one[1]), is_number=True),
    ]
    title = office.words.sentence("预算预测（元）", "Forecast in yuan")
    pools = [(pool, pool.forecast) for pool in found.pools if pool.forecast is not None]
    office.answer_table(found, f"{title}, {minute(found.at)}", columns, pools)
    if office.as_json:
        return
    office.say(
        "方法：观察期内的日均发放与核销保持不变；今日按整日计；已到期的券不再核销；不再追加预算。",
        "a straight line: the window's daily rates go on; ended vouchers draw nothing; nothing is appropriated",
    )


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
    office.asked(asked)


@command(app, "share", act=True)
def share(
    office: Office,
    programme: ProgrammeId,
    county: Annotated[str, typer.Option(help="区县代码，如 330106 / Code of the county")],
    amount: Annotated[
        str, typer.Option("--amount-yuan", help="金额（元）；负数为收回 / In yuan; below zero takes back")
    ],
    document_no: Annotated[str, typer.Option("--document-no", help="文号 / Number of the document")],
    source: Annotated[str | None, typer.Option(help="资金来源 / Fund source; where the rules know several")] = None,
    reason: Annotated[str | None, typer.Option(help="理由，入档 / Why, for the record")] = None,
) -> None:
    """提请将额度分给区县或收回（经办） / Ask finance to share part of the pool out to a county, as a maker."""
    amount_fen = _fen(amount)
    body = models.QuotaBody(
        county_code=county,
        amount_fen=amount_fen,
        document_no=document_no,
        fund_source=source or UNSET,
        reason=reason or UNSET,
    )
    said = {"programme_id": programme, "county_code": county, "amount_fen": amount_fen, "document_no": document_no}
    said |= {"fund_source": source, "reason": reason}
    if office.rehearsed(f"分给 {county}：{yuan(amount_fen)} 元", f"share {yuan(amount_fen)} yuan", **said):
        return
    with office.once("share", **said) as key:
        asked = office.client.programmes.move_quota(programme, body, key=key)
    office.asked(asked)


Expected = tuple[models.PoolExecutionRead, models.ForecastRead]


def _amounts() -> Iterator[Column[Figures]]:
    """The accounts of public money, and how much of it is spent."""
    amounts = (
        Column(zh, account.value, _amount(name), is_number=True)
        for zh, (account, name) in zip(AMOUNT_HEADINGS.values(), ACCOUNTS.items(), strict=True)
    )
    return chain(amounts, [Column("执行率", "rate", lambda one: _percent(one.execution_rate), is_number=True)])


def _percent(rate: str | None) -> str:
    """`0.1040` as officials read it: `10.40%`."""
    return "-" if rate is None else f"{Decimal(rate):.2%}"


def _amount(name: str) -> Callable[[Figures], str]:
    return lambda one: yuan(getattr(one, name))


def _title(one: Figures) -> str:
    return one.programme_title if isinstance(one, models.PoolExecutionRead) else "合计 total"


def _source(one: Figures) -> str:
    return one.fund_source if isinstance(one, models.PoolExecutionRead) else ""


def _key(name: str) -> Column[Figures]:
    return Column(name, name, lambda one: str(one.key[name]) if isinstance(one, models.GroupExecutionRead) else "")


def _run_out(expected: models.ForecastRead) -> str:
    if expected.runs_out_on is not None:
        return expected.runs_out_on
    if expected.runs_out_unknown is not None:
        return _UNKNOWN[Unknown(expected.runs_out_unknown)]
    return _RUNS_OUT[RunsOut(expected.runs_out)]


def _lapsing(expected: models.ForecastRead) -> str:
    if expected.lapsing_fen is not None:
        return yuan(expected.lapsing_fen)
    return _UNKNOWN[Unknown(str(expected.lapsing_unknown))]


def _fen(text: str) -> int:
    """Yuan with a sign. Raises BadParameter."""
    negative = text.startswith(("-", "−", "－"))
    amount_fen = fen_of(text[1:] if negative else text, "--amount-yuan")
    if not amount_fen:
        raise typer.BadParameter("金额不能为 0。 / an amount of 0 changes nothing", param_hint="--amount-yuan")
    return -amount_fen if negative else amount_fen
