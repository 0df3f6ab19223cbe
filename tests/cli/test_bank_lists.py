"""Bank lists and their reconciliation from the shell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.cli.client import Refused
from app.cli.commands import app
from tests.bank_lists.files import HEADINGS, line
from tests.cli.test_officials import home, runner, sign_in, voucher
from tests.payments.paying import Paying
from tests.statements.books import today
from tests.statements.files import as_csv
from tests.world import World, counter, ok

__all__ = ["home"]


def test_finance_uploads_what_the_bank_says_and_sees_the_cases(world: World, tmp_path: Path) -> None:
    paying = Paying(counter(world.city()))
    order_id = paying.order(ok(paying.desk.redeem(10_000))["id"])
    ok(paying.confirm(order_id, reference="HD-1"))
    sign_in(world, paying.desk.city.finance)
    file = tmp_path / "支付结果.csv"
    days = ("--region", "330100", "--from", today(), "--until", today())
    upload = ("bank-lists", "upload", str(file), *days)
    file.write_bytes(as_csv([(*HEADINGS, "备注"), [*line(order_id, 3_000, "退票", "HD-1"), "-"]], "gb18030"))
    assert "未保存任何数据" in voucher(*upload, "--dry-run", "--count", "1", "--total", "30.00")
    printed = voucher(*upload)
    assert "未读取的列：备注" in printed and "bkl_330100_" in printed
    assert "nothing was done" in voucher(*upload)

    report = tmp_path / "report.json"
    result = runner.invoke(app, ["reconcile", *days, "--json", str(report)], catch_exceptions=False)
    assert result.exit_code == 1
    assert "银行支付结果核对" in result.output and "结果不一致" in result.output and "cas_330100_" in result.output
    _, comparison = json.loads(report.read_text(encoding="utf-8"))["comparisons"]
    assert [(row["kind"], row["here_fen"]) for row in comparison["differences"]] == [("differing_status", 3_000)]

    file.write_bytes(as_csv([HEADINGS, line(order_id, 3_000, "已支付", "HD-1")]))
    assert "替换了" in voucher(*upload)
    assert "与银行支付结果无差异" in voucher("reconcile", *days)
    file.write_bytes(as_csv([HEADINGS, line(order_id, 3_000, "处理中", "HD-1")]))
    with pytest.raises(Refused, match=r"不是最终结果|no final result"):
        voucher(*upload)
