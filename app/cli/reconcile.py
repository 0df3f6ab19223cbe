"""`voucher reconcile`: every invariant of the books, over the API or straight on the database."""

from __future__ import annotations

import os
from datetime import datetime
from typing import Annotated, Any

import typer

from app.cli.client import Api
from app.cli.local import service_database, state_dir
from app.cli.login import current_session
from app.cli.output import Failure, step
from app.cli.totals import show_report
from app.database import Database
from app.services.reconciliation.reconcile import Difference, Finding, Report, check_invariants


def reconcile(
    region: Annotated[
        str | None, typer.Option(help="地区代码（含下级） / Region code, those below it included")
    ] = None,
) -> None:
    """核对账目，有差异时以状态 1 结束 / Check every invariant; status 1 where one does not hold.

    设置了 VOUCHER_DATABASE_URL 时直接核对数据库；否则通过已登录的服务；再否则核对本机内置数据库。
    Straight on VOUCHER_DATABASE_URL where that is set, else over the API as the person signed in, else on the
    embedded database.
    """
    session = None if os.environ.get("VOUCHER_DATABASE_URL") else current_session()
    if session is not None:
        if region is None:
            raise Failure("通过接口核对须指定 --region。", "over the API a region is needed: --region")
        with Api(session.url, session.token) as api, step("核对账目", "checking the books"):
            report = _report(api.post("/v1/reconciliations", {"region_code": region}))
    elif os.environ.get("VOUCHER_DATABASE_URL") or (state_dir() / "postgres").exists():
        with service_database() as url, step("核对账目", "checking the books"):
            report = _check(url, region)
    else:
        raise Failure(
            "没有可核对的账目：请设置 VOUCHER_DATABASE_URL，或先 voucher login。",
            "nothing to check: set VOUCHER_DATABASE_URL, or run voucher login",
        )
    show_report(report)
    raise typer.Exit(1 if report.difference_count else 0)


def _check(url: str, region: str | None) -> Report:
    database = Database(url)
    try:
        return check_invariants(database, region)
    finally:
        database.dispose()


def _report(answer: dict[str, Any]) -> Report:
    findings = tuple(
        Finding(**finding | {"differences": tuple(Difference(**row) for row in finding["differences"])})
        for finding in answer["findings"]
    )
    started_at, finished_at = (datetime.fromisoformat(answer[name]) for name in ("started_at", "finished_at"))
    return Report(answer["region_code"], started_at, finished_at, findings)
