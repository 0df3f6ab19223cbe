"""`voucher reconcile`: the books against themselves, statements and bank lists, over the API or on the database."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from app.cli.client import Api
from app.cli.local import reading_database, state_dir
from app.cli.output import Failure, say, step, table, yuan
from app.cli.totals import show_report
from app.client.signing_in import current_session
from app.database import Database
from app.reach import EVERYWHERE
from app.services.reconciliation.checking import Difference, Finding, Report
from app.services.reconciliation.comparing import Period
from app.services.reconciliation.reconcile import check_invariants, shown_comparison

GROUPS = {
    "matched": "一致 matched",
    "missing_here": "平台缺 missing here",
    "missing_there": "对账单缺 missing there",
    "differing_amount": "不一致 differing",
    "differing_status": "结果不一致 differing result",
    "reference_doubled": "流水号重复 reference doubled",
}
BANK_GROUPS = GROUPS | {"missing_there": "银行缺 missing there"}
SIDES = {
    "statements": (GROUPS, "对账单核对", "Against statements", "未提交 no statement", "与对账单无差异。"),
    "bank_lists": (
        BANK_GROUPS,
        "银行支付结果核对",
        "Against bank lists",
        "清单未覆盖 no list",
        "与银行支付结果无差异。",
    ),
}
"""Of each two sides: the groups, the title in both languages, what was held against nothing, and that they agree."""
SHOWN_CASES = 50


def reconcile(
    region: Annotated[
        str | None, typer.Option(help="地区代码（含下级） / Region code, those below it included")
    ] = None,
    first: Annotated[
        datetime | None,
        typer.Option(
            "--from",
            formats=["%Y-%m-%d"],
            help="与对账单、银行清单核对：期间首日 / Against statements and bank lists: first day",
        ),
    ] = None,
    last: Annotated[
        datetime | None, typer.Option("--until", formats=["%Y-%m-%d"], help="期间末日（含） / Last day, included")
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="将结果另存为 JSON / Write the result as JSON too", dir_okay=False)
    ] = None,
) -> None:
    """核对账目、对账单与银行结果，有差异时以状态 1 结束 / Check invariants, statements, bank lists; 1 if any differ.

    设置了 VOUCHER_AUDITOR_URL（只读角色）或 VOUCHER_DATABASE_URL 时直接核对数据库，不生成差异事项；
    否则通过已登录的服务；再否则核对本机内置数据库。
    Straight on VOUCHER_AUDITOR_URL (a role that only reads) or VOUCHER_DATABASE_URL where one is set (no cases are
    made), else over the API as the person signed in, else on the embedded database.
    """
    period = _period(first, last)
    given = os.environ.get("VOUCHER_AUDITOR_URL") or os.environ.get("VOUCHER_DATABASE_URL")
    session = None if given else current_session()
    if session is not None:
        if region is None:
            raise Failure("通过接口核对须指定 --region。", "over the API a region is needed: --region")
        days = {} if period is None else {"period_from": str(period.first), "period_until": str(period.last)}
        with Api(session.url, session.token) as api, step("核对账目", "checking the books"):
            answer = api.post("/v1/reconciliations", {"region_code": region, **days})
    elif given or (state_dir() / "postgres").exists():
        with reading_database() as url, step("核对账目", "checking the books"):
            answer = _check(url, region, period)
    else:
        raise Failure(
            "没有可核对的账目：请设置 VOUCHER_DATABASE_URL，或先 voucher login。",
            "nothing to check: set VOUCHER_DATABASE_URL, or run voucher login",
        )
    if json_file is not None:
        json_file.write_text(json.dumps(answer, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    report = _report(answer)
    show_report(report)
    for comparison in answer["comparisons"]:
        _show(comparison)
    differing = report.difference_count + sum(comparison["difference_count"] for comparison in answer["comparisons"])
    raise typer.Exit(1 if differing else 0)


def _period(first: datetime | None, last: datetime | None) -> Period | None:
    if first is None and last is None:
        return None
    if first is None or last is None or first > last:
        raise Failure(
            "对账期间须同时给出 --from 与 --until，且先后有序。", "a period needs --from and --until, in order"
        )
    return Period(first.date(), last.date())


def _check(url: str, region: str | None, period: Period | None) -> dict[str, Any]:
    """The same document as the API's, of a check that stores nothing."""
    database = Database(url, reach=EVERYWHERE)
    try:
        report = check_invariants(database, region, period=period)
    finally:
        database.dispose()
    document: dict[str, Any] = orjson.loads(orjson.dumps(report.findings))
    return {
        "region_code": region,
        "started_at": report.started_at.isoformat(),
        "finished_at": report.finished_at.isoformat(),
        "difference_count": report.difference_count,
        "findings": document,
        "comparisons": [shown_comparison(comparison, {}) for comparison in report.comparisons],
    }


def _report(answer: dict[str, Any]) -> Report:
    findings = tuple(
        Finding(**finding | {"differences": tuple(Difference(**row) for row in finding["differences"])})
        for finding in answer["findings"]
    )
    started_at, finished_at = (datetime.fromisoformat(answer[name]) for name in ("started_at", "finished_at"))
    return Report(answer["region_code"], started_at, finished_at, findings)


def _show(comparison: dict[str, Any]) -> None:
    """The groups of one comparison, then its differences with their cases."""
    groups, zh, en, unheld, agreed = SIDES[comparison["sides"]]
    title = f"{zh} {comparison['period_from']} – {comparison['period_until']} / {en}"
    rows = [
        [
            row["region_code"],
            row["party_id"],
            groups[row["kind"]],
            f"{row['count']:,}",
            yuan(row["here_fen"]),
            yuan(row["there_fen"]),
        ]
        for row in comparison["tallies"]
    ]
    rows += [
        [row["region_code"], row["party_id"], unheld, f"{row['count']:,}", yuan(row["here_fen"]), "-"]
        for row in comparison["unheld"]
    ]
    headings = ["地区 region", "机构 provider", "类别 group", "笔数 count", "平台（元） here", "对方（元） there"]
    table(title, headings, rows, numbers_from=3)
    found = comparison["differences"]
    if found:
        table(
            "差异事项 / Cases",
            ["事项 case", "类别 group", "对象 subject", "平台（元） here", "对方（元） there"],
            [
                [
                    row["case_id"] or "-",
                    groups[row["kind"]],
                    row["subject"],
                    _yuan(row["here_fen"]),
                    _yuan(row["there_fen"]),
                ]
                for row in found[:SHOWN_CASES]
            ],
            numbers_from=3,
        )
    more = comparison["difference_count"] - min(len(found), SHOWN_CASES)
    if more:
        say(f"另有 {more} 项差异，见 --json 或 /v1/reconciliation-cases。", f"{more} more: see --json or the cases")
    if not comparison["difference_count"]:
        say(agreed, "no difference")


def _yuan(fen: int | None) -> str:
    return "-" if fen is None else yuan(fen)
