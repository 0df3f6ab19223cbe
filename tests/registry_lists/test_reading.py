"""Lists as people send them: each cell understood for certain, or refused with row and column. Pure."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from datetime import date
from io import BytesIO
from typing import Any

import openpyxl  # type: ignore[import-untyped]
import pytest

from app.kernel.problems import AppError
from app.services.registry_lists.lines import read_debarments, read_organisations, read_tags
from app.services.registry_lists.template import write_registry_template
from app.services.registry_lists.words import ListKind
from app.services.sheets.lists import ListFile
from app.services.sheets.workbook import read_sheets
from tests.issuance.test_untidy_sheets import merged
from tests.registry_lists.lists import FIRM_HEADINGS, A, B, wrong
from tests.statements.files import as_csv, as_xlsx
from tests.world import HANGZHOU

FULL = str.maketrans(
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", "０１２３４５６７８９ＡＢＣＤＥＦＧＨＩＪＫＬＭＮＯＰＱＲＳＴＵＶＷＸＹＺ"
)


def test_what_is_certain_is_read() -> None:
    rows = [
        ("杭州市企业登记名单", "", "", "", ""),
        FIRM_HEADINGS,
        (A.translate(FULL), "云栖（杭州）科技有限公司", "西湖区", "小型", date(2020, 5, 6)),
        (f" {B.lower()} ", "某某股份有限公司", 330106.0, "Medium", "2021年3月4日"),
        ("", "", "", "", ""),
    ]
    read = read_organisations(as_xlsx(rows), ListKind.FIRMS, region_code="330100", language="en")
    assert read.errors == []
    assert [(line.identifier_value, line.name, line.region_code, dict(line.profile)) for line in read.lines] == [
        (A, "云栖（杭州）科技有限公司", "330106", {"size": "small", "registered_on": "2020-05-06"}),
        (B, "某某股份有限公司", "330106", {"size": "medium", "registered_on": "2021-03-04"}),
    ]
    in_gb18030 = as_csv([FIRM_HEADINGS, (A, "㐀𠮷科技有限公司", "330106 西湖区", "", "")], "gb18030")
    (line,) = read_organisations(in_gb18030, ListKind.FIRMS, region_code="330100", language="en").lines
    assert (line.name, line.region_code, dict(line.profile)) == ("㐀𠮷科技有限公司", "330106", {})


def test_everything_that_is_not_certain_is_told_at_once() -> None:
    rows = [
        FIRM_HEADINGS,
        (9.133010600000001e17, "甲有限公司", "330106", "小型", ""),
        ("9.133E+17", "乙有限公司", "330106", "小型", ""),
        ("91330106MA0000015J", "丙有限公司", "火星区", "巨型", "去年"),
        (A, "=cmd|' /C calc'!A0", "330113 西湖区", "", ""),
        (B, "", "999999", "", ""),
        (A, "丁有限公司", "", "", ""),
    ]
    assert wrong(as_xlsx(rows)) == [
        (2, "A 统一社会信用代码", "uscc_is_number"),
        (3, "A 统一社会信用代码", "uscc_is_number"),
        (4, "A 统一社会信用代码", "uscc_not_valid"),
        (4, "C 所属区县", "region_unknown"),
        (4, "D 企业规模", "word_unknown"),
        (4, "E 成立日期", "date_unreadable"),
        (5, "B 企业名称", "text_formula"),
        (5, "C 所属区县", "region_unknown"),
        (6, "C 所属区县", "region_unknown"),
        (6, "B 企业名称", "required"),
    ]
    assert wrong(as_csv([FIRM_HEADINGS, (A, "甲", "", "", ""), (A.lower(), "甲", "", "", "")])) == [
        (3, "A 统一社会信用代码", "duplicate")
    ]
    assert wrong(as_csv([FIRM_HEADINGS])) == [(2, None, "no_rows")]
    assert wrong(as_csv([("名称",), ("甲",)])) == [(1, "统一社会信用代码 | 创客编号", "heading_missing")]
    below = as_csv([FIRM_HEADINGS, (A, "甲", "", "", ""), ("合计", "1 家", "", "", ""), (B, "乙", "", "", "")])
    assert wrong(below) == [(4, None, "row_below_total")]


def test_makers_have_a_number_of_their_own() -> None:
    headings = ("统一社会信用代码", "创客编号", "名称")
    read = read_organisations(
        as_csv([headings, ("", "HZ-2026-7", "某创客团队")]), ListKind.FIRMS, region_code="330100", language="zh"
    )
    assert [(line.identifier_type, line.identifier_value) for line in read.lines] == [("maker", "HZ-2026-7")]
    assert wrong(as_csv([headings, (A, "HZ-2026-7", "某")])) == [(2, "B 创客编号", "one_identifier")]


def test_sites_are_lines_of_their_provider() -> None:
    headings = ("uscc", "name", "kind", "cards", "pflops", "机房编号", "机房名称", "机房行政区划", "site cards")
    rows = [
        headings,
        (A, "某算力中心", "智算中心", 1200.0, "1,200.50", "A-1", "一号机房", "330106", "800"),
        (A, "某算力中心", "", "", "", "A-2", "二号机房", "余杭区", 400.0),
        (B, "另一中心", "算力", 1.5, "很多", "B-1", "", "", ""),
    ]
    read = read_organisations(as_xlsx(rows), ListKind.PROVIDERS, region_code="330100", language="en")
    assert [(error.row, error.column, error.code) for error in read.errors] == [
        (4, "D cards", "number_unfit"),
        (4, "E pflops", "decimal_unfit"),
        (4, "F 机房编号", "site_incomplete"),
    ]
    first, second = read.lines[:2]
    assert first.profile == {"provider_kind": "compute", "capacity_cards": 1200, "capacity_pflops": "1200.5"}
    assert first.site == {"code": "A-1", "name": "一号机房", "region_code": "330106", "capacity_cards": 800}
    assert (second.site or {})["region_code"] == "330110"


def test_tags_and_debarments_are_read() -> None:
    (tag,) = read_tags(as_csv([("信用代码", "有效期至"), (A, "2028-12-31")]), language="zh").lines
    assert (tag.uscc, tag.until_on, tag.tag) == (A, date(2028, 12, 31), None)
    headings = ("统一社会信用代码", "名称", "列入原因", "决定文号", "列入日期", "截止日期", "限制事项")
    rows = [
        headings,
        (A, "某", "骗补", "文1号", "2026/1/1", "2028-1-1", "申领、支付"),
        (B, "某", "骗补", "文1号", "2026-1-2", "2026-1-1", "参观"),
    ]
    read = read_debarments(as_csv(rows), language="zh")
    assert (read.lines[0].from_on, read.lines[0].checkpoints) == (date(2026, 1, 1), ("apply", "pay"))
    assert [(error.row, error.code) for error in read.errors] == [(3, "word_unknown"), (3, "days_reversed")]
    assert "申领、发放、核销、支付" in str(read.errors[0].detail)


@pytest.mark.parametrize("kind", ListKind)
def test_a_template_says_its_version_and_is_read_again(kind: ListKind) -> None:
    data = write_registry_template(kind)
    assert data == write_registry_template(kind)
    sheet, guide = read_sheets(data)
    assert guide[0][:2] == ["模板版本 Template", f"voucher-{kind}-list/1"]
    read: ListFile[Any]
    if kind is ListKind.TAGS:
        read = read_tags(data, language="zh")
    elif kind is ListKind.DEBARMENTS:
        read = read_debarments(data, language="zh")
    else:
        read = read_organisations(data, kind, region_code="330100", language="zh")
    assert list(read.headings.columns) == list(read.layout.headings)
    assert [error.code for error in read.errors] == ["no_rows"]
    assert len(guide) == 3 + len(sheet[0])


def test_what_is_no_list_is_refused() -> None:
    bomb = BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b" " * 200_000_000)
    for data in (
        bomb.getvalue(),
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600,
        "甲,乙\n".encode(),
        b"\xff\xfe\0a",
    ):
        with pytest.raises(AppError) as refused:
            read_organisations(data, ListKind.FIRMS, region_code="330100", language="zh")
        assert refused.value.code == "file_unreadable"


def test_what_a_merge_hides_is_told_unless_it_goes_on_about_the_same_provider() -> None:
    firms = [FIRM_HEADINGS, (A, "甲公司", "西湖区", "小型", ""), (B, "乙公司", "", "小型", "")]
    assert wrong(merged_xlsx(firms, "C2:C3")) == [(3, "C 所属区县", "merged_cell")]
    tags = [("统一社会信用代码", "标签", "有效期至"), (A, "高新", "2027-12-31"), (B, "高新", "")]
    read = read_tags(merged_xlsx(tags, "C2:C3"), language="zh")
    assert [(error.row, error.column, error.code) for error in read.errors] == [(3, "C 有效期至", "merged_cell")]
    headings = ("统一社会信用代码", "名称", "设施类型", "机房编号", "机房名称", "机房行政区划", "机房设施类型")
    one, two = ("S1", "一号", "西湖区", "国产"), ("S2", "二号", "西湖区", "")
    sites = [headings, (A, "中心", "国产", *one), (A, "中心", "", *two)]
    assert wrong(merged_xlsx(sites, "C2:C3"), ListKind.PROVIDERS) == []
    assert wrong(merged_xlsx(sites, "C2:C3", "G2:G3"), ListKind.PROVIDERS) == [(3, "G 机房设施类型", "merged_cell")]
    others = [headings, (A, "中心", "国产", *one), (B, "别家", "", *two)]
    assert wrong(merged_xlsx(others, "C2:C3"), ListKind.PROVIDERS) == [(3, "C 设施类型", "merged_cell")]
    unseen = merged([list(FIRM_HEADINGS), [A, "甲公司", "西湖区"], [B, "乙公司", "余杭区"]], (1, 2, 2, 2))
    assert wrong(unseen) == [(3, "C 所属区县", "merged_cell")]


@pytest.mark.parametrize(
    ("upper", "lower"),
    [
        (("统一社会信用代码", "企业信息", ""), ("", "企业名称", "所属区县")),
        (("统一社会信用代码", "企业名称", "登记"), ("", "", "所属区县")),
    ],
)
def test_headings_over_two_rows_are_read_together(upper: tuple[str, ...], lower: tuple[str, ...]) -> None:
    data = merged_xlsx([("名单", "", ""), upper, lower, (A, "甲公司", "西湖区")], "A2:A3")
    read = read_organisations(data, ListKind.FIRMS, region_code=HANGZHOU, language="zh")
    assert read.errors == []
    assert [(line.row_no, line.identifier_value, line.region_code) for line in read.lines] == [(4, A, "330106")]


def test_numbers_that_run_on_below_the_last_line_are_no_lines() -> None:
    lines = [("序号", *FIRM_HEADINGS), (1, A, "甲公司", "西湖区", "小型", ""), (2,), (3, "", "", "", "", "")]
    assert wrong(as_xlsx(lines)) == []


def test_a_formula_that_was_never_computed_is_told_as_such_and_in_chinese_all_is_chinese() -> None:
    assert wrong(merged_xlsx([FIRM_HEADINGS, (A, "=1+1", "西湖区", "", "")])) == [
        (2, "B 企业名称", "formula_without_result")
    ]
    read = read_organisations(
        as_xlsx([FIRM_HEADINGS, ("填表人", "甲公司", "", "", "")]), ListKind.FIRMS, region_code=HANGZHOU, language="zh"
    )
    assert read.errors[0].detail == "“填表人”不是有效的统一社会信用代码，请核对：应为 18 位，末位为校验码。"


def merged_xlsx(lines: Sequence[Sequence[object]], *ranges: str) -> bytes:
    """A sheet with merged cells, written by a program that computes no formula."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for line in lines:
        sheet.append(list(line))
    for one in ranges:
        sheet.merge_cells(one)
    file = BytesIO()
    book.save(file)
    return file.getvalue()
