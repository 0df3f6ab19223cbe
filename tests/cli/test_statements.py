"""Statements and their reconciliation from the shell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.cli.client import Refused
from app.cli.commands import app
from tests.cli.test_officials import home, runner, sign_in, voucher
from tests.statements.books import today
from tests.statements.files import as_csv
from tests.world import World, counter, ok

__all__ = ["home"]


def test_finance_uploads_a_statement_and_sees_the_cases(world: World, tmp_path: Path) -> None:
    desk = counter(world.city())
    ok(desk.redeem(10_000, order_no="A-1"))
    sign_in(world, desk.city.finance)
    file = tmp_path / "对账单.csv"
    days = ("--region", "330100", "--from", today(), "--until", today())
    upload = ("statements", "upload", str(file), *days, "--provider", desk.machine.organisation_id)
    file.write_bytes(as_csv([("订单号", "补贴金额", "备注"), ("A-1", "29.99", "-")], "gb18030"))
    assert "未保存任何数据" in voucher(*upload, "--dry-run", "--count", "1", "--total", "29.99")
    printed = voucher(*upload)
    assert "未读取的列：备注" in printed and "stm_330100_" in printed
    assert "nothing was done" in voucher(*upload)

    report = tmp_path / "report.json"
    result = runner.invoke(app, ["reconcile", *days, "--json", str(report)], catch_exceptions=False)
    assert result.exit_code == 1
    assert "cas_330100_" in result.output and "29.99" in result.output
    comparison, _ = json.loads(report.read_text(encoding="utf-8"))["comparisons"]
    assert [row["kind"] for row in comparison["differences"]] == ["differing_amount"]

    file.write_bytes(as_csv([("订单号", "补贴金额"), ("A-1", "30")]))
    assert "替换了" in voucher(*upload)
    assert "与对账单无差异" in voucher("reconcile", *days)
    file.write_bytes(as_csv([("订单号", "补贴金额"), ("A-1", "x")]))
    with pytest.raises(Refused):
        voucher(*upload)
