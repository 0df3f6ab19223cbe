"""The registry's lists and the debarment list from the shell."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.cli.client import Refused
from app.cli.output import Failure
from tests.cli.test_officials import home, sign_in, voucher
from tests.registry_lists.lists import A, B
from tests.standing.registrar import registrar
from tests.statements.files import as_csv
from tests.world import World, ok

__all__ = ["home"]


def test_a_registrar_takes_in_lists(world: World, tmp_path: Path) -> None:
    sign_in(world, registrar(world))
    file, template = tmp_path / "企业.csv", tmp_path / "模板.xlsx"
    assert "已写入" in voucher("organisations", "template", str(template), "--kind", "providers")
    assert template.read_bytes().startswith(b"PK")
    with pytest.raises(Failure):
        voucher("organisations", "template", str(template))
    take_in = ("organisations", "import", str(file), "--region", "330100")
    file.write_bytes(as_csv([("信用代码", "名称", "备注"), (A, "甲有限公司", "-"), (B, "乙有限公司", "-")], "gb18030"))
    assert "未保存任何数据：新增 2" in voucher(*take_in, "--dry-run")
    printed = voucher(*take_in)
    assert "未读取的列：备注" in printed and "已完成：新增 2" in printed and "甲有限公司" in printed
    assert "相同 2" in voucher(*take_in)
    file.write_bytes(as_csv([("信用代码", "名称"), (A, "甲新材料有限公司")]))
    assert "不同未变更 1" in voucher(*take_in)
    assert "name: 甲有限公司 → 甲新材料有限公司" in " ".join(voucher(*take_in, "--update").split())
    file.write_bytes(as_csv([("信用代码",), (A,)]))
    tags = ("organisations", "import", str(file), "--kind", "tags", "--tag", "高新", "--since", "2024-12-01")
    assert "新增 1" in voucher(*tags)
    file.write_bytes(as_csv([("信用代码", "名称"), ("9.133E+17", "甲")]))
    with pytest.raises(Refused, match=r"row 2 A 信用代码: .*(文本格式|as text)"):
        voucher(*take_in)


def test_a_maker_submits_a_debarment_list(world: World, tmp_path: Path) -> None:
    city = world.city()
    sign_in(world, city.maker)
    file = tmp_path / "失信.csv"
    rows = [("信用代码", "名称", "列入原因", "决定文号", "列入日期"), (A, "某公司", "骗补", "文1号", "2026-01-01")]
    file.write_bytes(as_csv(rows))
    submit = ("debarments", "import", str(file), "--region", "330100", "--authority", city.authority_id)
    assert "校验通过，未提请" in voucher(*submit, "--dry-run")
    assert "已提请审核：apv_330100_" in voucher(*submit)
    (approval,) = ok(city.checker.get("/v1/approvals", status="pending"))["data"]
    ok(city.checker.post(f"/v1/approvals/{approval['id']}/approve"))
    assert "无须提请" in voucher(*submit)
    assert "已写入" in voucher("debarments", "template", str(tmp_path / "模板.xlsx"))
