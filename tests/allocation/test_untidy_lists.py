"""Allocation lists as people send them: understood where that is certain, else refused with row and column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from app.kernel.problems import AppError
from app.services.allocation import columns
from app.services.allocation.columns import LIST
from app.services.allocation.sheet import ListSheet, read_list_sheet
from app.services.issuance.annotated import write_annotated
from app.services.sheets import workbook as workbooks
from app.services.sheets.workbook import read_worksheets
from tests.allocation.sheets import FOUR, MARKS
from tests.issuance.sheets import NAME, SHEET, USCC, altered, workbook_of
from tests.issuance.test_untidy_sheets import merged, with_cell

GOOD: list[Any] = ["R1", USCC, NAME, 1000]
RANKED = [*FOUR, MARKS["score"]]


def read(lines: Sequence[Sequence[Any]]) -> ListSheet:
    return read_list_sheet(workbook_of({"分配名单": lines}), language="zh")


def found(listed: ListSheet) -> list[tuple[int | None, str, str]]:
    return [(error.row, (error.column or "").partition(" ")[0], error.code) for error in listed.sheet.errors]


def test_a_list_in_the_dress_of_an_office_is_read() -> None:
    upper = ["序号", "＊申领编号", "企业信息", "", "申请金额\n（元）", "评　分"]
    lower = ["", "", "统一社会信用代码（必填）", "企业名称", "", ""]
    rows: list[list[Any]] = [
        [1, "Ａ１", USCC, NAME, "１，２３４．５０", 87.5],
        ["", "", "", "", "", ""],
        [2, "A2", USCC, NAME, 0.3, "90"],
    ]
    end: list[list[Any]] = [
        ["合　计", "", "", "", 1234.8, ""],
        ["经办人：张三", "", "审核人：李四", "", "2026年11月26日", ""],
        [""] * 6,
    ]
    listed = read([["2026年第一批算力券分配名单"], ["单位：元"], upper, lower, *rows, *end])
    assert found(listed) == []
    assert [(row.grant.row_no, row.grant.reference_no, row.grant.face_value_fen, row.score) for row in listed.rows] == [
        (5, "A1", 123_450, "87.5"),
        (7, "A2", 30, "90"),
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (["9.133E+17", USCC, NAME, 1, 1], [(2, "A", "number_mangled")]),
        ([20260001.0, USCC, NAME, 1, 1], [(2, "A", "text_required")]),
        (["R1", 913301060000000000.0, NAME, 1, 1], [(2, "B", "text_required")]),
        (["R1", USCC, NAME, "10万元", 1], [(2, "D", "amount_unreadable")]),
        (["R1", USCC, NAME, 0.001, 1], [(2, "D", "amount_decimals")]),
        (["R1", USCC, NAME, 1, "=AVERAGE(A1:A3)"], [(2, "E", "score_unreadable")]),
        (["R1", USCC, NAME, 1, 86.33333333333333], [(2, "E", "score_decimals")]),
        (["R1", USCC, NAME, 1, "+90"], [(2, "E", "score_unreadable")]),
        (["R1", USCC, NAME, 1, "#DIV/0!"], [(2, "E", "formula_error")]),
        (["R1", USCC, NAME, "", 90], [(2, "D", "required")]),
        (["小计", "", "", 1, ""], [(2, "A", "subtotal")]),
        (["审核人：李四", "", "", "", ""], [(2, "A", "row_no_grant")]),
        (RANKED, [(2, "A", "heading_repeated")]),
    ],
)
def test_what_is_not_certain_is_told_by_row_and_column(line: list[Any], expected: list[Any]) -> None:
    assert found(read([RANKED, line])) == expected


@pytest.mark.parametrize("heading", ["申请金额", "申请金额（万元）", "asked"])
def test_an_amount_in_no_unit_or_another_is_not_taken_for_yuan(heading: str) -> None:
    assert found(read([[*FOUR[:3], heading], GOOD])) == [(1, "D", "heading_unit")]


def test_columns_of_other_sheets_are_told() -> None:
    listed = read([[*FOUR, "名次", "备注"], [*GOOD, 1, "x"]])
    assert found(listed) == [(1, "E", "heading_unknown"), (1, "F", "heading_unknown")]


def test_a_merge_over_several_rows_says_nothing_of_the_others() -> None:
    tiers = [[*FOUR, MARKS["tier"]], [*GOOD, "一等"], ["R2", *GOOD[1:], "二等"]]
    assert found(read_list_sheet(merged(tiers, (1, 4, 2, 4)), language="zh")) == [(3, "E", "merged_cell")]


def test_a_score_that_was_never_computed_is_told() -> None:
    data = workbook_of({"分配名单": [RANKED, GOOD]})
    cell = b'<c r="E2"><f>AVERAGE(G2:I2)</f></c></row></sheetData>'
    listed = read_list_sheet(with_cell(data, b"</row></sheetData>", cell), language="zh")
    assert found(listed) == [(2, "E", "formula_without_result")]


def test_what_is_no_readable_workbook_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbooks, "MAX_UNPACKED_BYTES", 1_000_000)
    good = workbook_of({"分配名单": [FOUR, GOOD]})
    bomb = altered(good, {"xl/bomb.xml": lambda _: b"<a>" + b" " * 1_000_000 + b"</a>"})
    old = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
    locked = old + "EncryptedPackage".encode("utf-16-le")
    hidden = workbook_of({"说明": [["x"]], "分配名单": [FOUR, GOOD]}, hidden=["分配名单"])
    for data, told in (
        (bomb, "解压后超过"),
        (old, "旧版 Excel"),
        (locked, "设有密码"),
        (hidden, "隐藏的不读取"),
        (altered(good, {SHEET: lambda part: part[:-20]}), ""),
    ):
        with pytest.raises(AppError, match="file_unreadable") as refused:
            read_list_sheet(data, language="zh")
        assert told in refused.value.context["why_zh"]


def test_a_list_is_as_long_as_a_record_may_be() -> None:
    assert LIST.max_rows == columns.MAX_CANDIDATES == 10_000
    text = "".join(f"R{n},{USCC},{NAME},1\n" for n in range(10_001))
    for lines, told in ((text, [(2, "A", "sheet_too_long")]), (text.partition("\n")[2], [])):
        assert found(read_list_sheet(f"{','.join(FOUR)}\n{lines}".encode(), language="zh")) == told


def test_what_begins_like_a_formula_stays_text_in_the_annotated_copy() -> None:
    listed = read([RANKED, ["=1+1", USCC, "@SUM(A1)", 0, "-1"]])
    page, report = read_worksheets(write_annotated(listed.sheet, listed.sheet.errors))
    assert page.cells[1][:5] == ["=1+1", USCC, "@SUM(A1)", 0, "-1"]
    assert [line[1] for line in report.cells[1:]] == ["D 申请金额（元）", "E 评分"]
