"""`voucher budget execution` and `forecast`: where the money of each pool stands, and what is to be expected of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from app.cli.login import signed_in
from app.cli.output import say, table, yuan
from app.services.budgets.execution import ACCOUNTS
from app.services.budgets.execution_sheet import AMOUNT_HEADINGS
from app.services.budgets.forecast import RunsOut, Unknown
from app.services.budgets.groups import Dimension

app = typer.Typer(help="预算执行与预测 / Budget execution and forecast", no_args_is_help=True)

Year = Annotated[int | None, typer.Option("--year", help="预算年度 / Budget year", min=2000, max=2999)]
Programme = Annotated[str | None, typer.Option(help="项目编号 / Programme id")]
AsJson = Annotated[
    bool | None, typer.Option("--json/--table", help="默认：终端为表格，否则 JSON / Default: a table on a terminal")
]

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


@app.command("report", hidden=True)
@app.command("execution")
def report(
    year: Year = None,
    programme: Programme = None,
    as_of: Annotated[
        str | None, typer.Option(help="截至时刻，如 2026-11-30T23:59:59+08:00 / As of this instant")
    ] = None,
    by: Annotated[list[Dimension] | None, typer.Option(help="分组汇总，可重复 / Sums by this; may be repeated")] = None,
    *,
    as_json: AsJson = None,
) -> None:
    """预算执行率表：各资金池的指标、可用、占用、应付、已拨付与收回 / Budget execution of every pool within reach."""
    answer = _fetch(fiscal_year=year, programme_id=programme, as_of=as_of, group_by=[one.value for one in by or []])
    if _wants_json(as_json):
        print(json.dumps(answer, ensure_ascii=False, indent=2))
        return
    headings = [*(f"{words}\n{account}" for words, account in zip(AMOUNT_HEADINGS.values(), ACCOUNTS, strict=True))]
    headings.append("执行率\nrate")
    pools = [
        [pool["programme_title"], str(pool["fiscal_year"]), pool["fund_source"], *_amounts(pool)]
        for pool in answer["pools"]
    ]
    pools.append(["合计 total", "", "", *_amounts(answer["total"])])
    table(
        f"预算执行（元） / Budget execution in yuan, {answer['at']}",
        ["项目\nprogramme", "年度\nyear", "来源\nsource", *headings],
        pools,
        numbers_from=3,
    )
    if answer["groups"]:
        names = list(answer["groups"][0]["key"])
        groups = [[*group["key"].values(), *_amounts(group)] for group in answer["groups"]]
        table("分组 / By group", [*names, *headings], groups, numbers_from=len(names))


@app.command()
def forecast(year: Year = None, programme: Programme = None, *, as_json: AsJson = None) -> None:
    """预测额度用尽日与年底收回额（按近期日均线性外推） / The day each pool runs out, and what lapses on 31 December."""
    answer = _fetch(fiscal_year=year, programme_id=programme, forecast=True)
    if _wants_json(as_json):
        print(json.dumps(answer, ensure_ascii=False, indent=2))
        return
    rows = [
        [
            pool["programme_title"],
            str(pool["fiscal_year"]),
            pool["fund_source"],
            yuan(pool["available_fen"]),
            str(pool["forecast"]["window_days"]),
            yuan(pool["forecast"]["issued_fen"]),
            yuan(pool["forecast"]["drawn_fen"]),
            _run_out(pool["forecast"]),
            _lapsing(pool["forecast"]),
        ]
        for pool in answer["pools"]
    ]
    headings = ["项目\nprogramme", "年度\nyear", "来源\nsource", "可用额度\navailable", "观察天数\ndays"]
    headings += ["期内发放\nissued", "期内核销\ndrawn", "预计用尽\nruns out", "预计年底收回\nlapses"]
    table(f"预算预测（元） / Forecast in yuan, {answer['at']}", headings, rows, numbers_from=3)
    say(
        "方法：观察期内的日均发放与核销保持不变；今日按整日计；已到期的券不再核销；不再追加预算。",
        "a straight line: the window's daily rates go on; ended vouchers draw nothing; nothing is appropriated",
    )


def _fetch(**parameters: Any) -> dict[str, Any]:
    given = {name: value for name, value in parameters.items() if value not in (None, [])}
    with signed_in() as api:
        answer: dict[str, Any] = api.get("/v1/reports/execution", **given)
    return answer


def _wants_json(asked: bool | None) -> bool:  # noqa: FBT001 - three answers: yes, no, as the terminal says
    return not sys.stdout.isatty() if asked is None else asked


def _amounts(figures: Mapping[str, Any]) -> Sequence[str]:
    return [*(yuan(figures[name]) for name in ACCOUNTS.values()), figures["execution_rate"] or "-"]


def _run_out(expected: Mapping[str, Any]) -> str:
    if expected["runs_out_on"] is not None:
        return str(expected["runs_out_on"])
    if expected["runs_out_unknown"] is not None:
        return _UNKNOWN[Unknown(expected["runs_out_unknown"])]
    return _RUNS_OUT[RunsOut(expected["runs_out"])]


def _lapsing(expected: Mapping[str, Any]) -> str:
    if expected["lapsing_fen"] is not None:
        return yuan(expected["lapsing_fen"])
    return _UNKNOWN[Unknown(expected["lapsing_unknown"])]
