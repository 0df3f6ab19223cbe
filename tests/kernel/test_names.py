"""Company names are compared without the accidents of typing."""

from __future__ import annotations

import pytest

from app.kernel.names import name_core, same_name
from app.kernel.widths import half_width, is_printable


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("云栖智算（杭州）有限公司", "云栖智算(杭州)有限公司"),
        ("ＡＢＣ 科技有限公司", "abc科技有限公司"),
        ("  云栖　智算有限公司\n", "云栖智算有限公司"),
        ("云栖智算有限责任公司", "云栖智算有限公司"),
        ("云栖智算股份公司", "云栖智算股份有限公司"),
        ("Cloud Home Co., Ltd.", "cloud home CO.,LTD"),
        ("Cloud Home Company Limited", "Cloud Home Co Ltd"),
    ],
)
def test_width_brackets_case_and_spaces_do_not_count(a: str, b: str) -> None:
    assert same_name(a, b)


def test_another_name_is_another_name() -> None:
    assert not same_name("云栖智算有限公司", "云栖智算股份有限公司")


def test_the_core_of_a_name_is_without_its_ending() -> None:
    assert name_core("云栖智算（杭州）有限责任公司") == "云栖智算(杭州)"
    assert name_core("有限公司") == "有限公司"


def test_only_full_width_forms_become_half_width() -> None:
    assert half_width("Ａ１，．（）　²①中") == "A1,.() ²①中"


@pytest.mark.parametrize(
    ("text", "printable"), [("甲　乙", True), ("甲\u00a0乙", True), ("甲\u200b乙", False), ("\n", False)]
)
def test_the_spaces_that_people_write_can_be_printed(text: str, *, printable: bool) -> None:
    assert is_printable(text) is printable
