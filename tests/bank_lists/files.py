"""Lists of the bank's results as finance bureaus make them."""

from __future__ import annotations

from datetime import date
from typing import Any

import httpx

from app.kernel.money import to_yuan
from app.services.bank_lists.sheet import BankListFile, read_bank_list
from app.services.period_files import Days
from app.services.sheets.lists import Declared
from tests.statements.books import today
from tests.statements.files import as_csv
from tests.world import Actor, ok

NOVEMBER = Days(date(2026, 11, 1), date(2026, 11, 30))
HEADINGS = ("支付单号", "收款人名称", "收款账号", "金额（元）", "结果", "银行流水号", "日期")
ORDER = "pyo_330100_01kay0000000000000000000ab"
ROW = (ORDER, "某算力中心", "****1234", "30.00", "已支付", "HD-1", "2026-11-05")


def read(data: bytes, **declared: Any) -> BankListFile:
    return read_bank_list(data, NOVEMBER, Declared(**declared), region_code="330100", language="en")


def wrong(data: bytes, **declared: Any) -> list[tuple[int | None, str | None, str]]:
    """What is wrong with a file: row, column, code."""
    return [(error.row, error.column, error.code) for error in read(data, **declared).errors]


def line(order_id: str, fen: int, result: str, reference: str, *, payee: str = "", on: str | None = None) -> list[str]:
    return [order_id, payee, "", to_yuan(fen), result, reference, on or today()]


def upload(
    by: Actor, data: bytes, *, name: str = "支付结果.csv", region: str = "330100", **fields: Any
) -> httpx.Response:
    form = {"region_code": region, "period_from": today(), "period_until": today()} | fields
    return by.http.post("/v1/bank-lists", data=form, files={"file": (name, data)})


def send(by: Actor, *rows: list[str], **fields: Any) -> Any:
    """Upload today's list."""
    return ok(upload(by, as_csv([HEADINGS, *rows]), declared_count=str(len(rows)), **fields))
