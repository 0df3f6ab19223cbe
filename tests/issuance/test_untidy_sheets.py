"""Sheets as people send them: understood where that is certain, otherwise refused with row, column and what to do."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from io import BytesIO
from typing import Any

import pytest
import xlsxwriter  # type: ignore[import-untyped]

from app.kernel.problems import AppError
from app.services.issuance.annotated import write_annotated
from app.services.issuance.sheet import Sheet, read_sheet
from app.services.issuance.words import FINDINGS
from app.services.sheets import workbook as workbooks
from app.services.sheets.scanning import LAST_ROW, Scan
from tests.issuance.sheets import HEADINGS, NAME, SHEET, USCC, altered, row_of, workbook, workbook_of

FOUR = HEADINGS[:4]
GOOD: list[Any] = ["R1", USCC, NAME, 1000]


def read(lines: Sequence[Sequence[Any]], *, language: Any = "en") -> Sheet:
    return read_sheet(workbook_of({"发放清单": lines}), language=language)


def found(sheet: Sheet) -> list[tuple[int | None, str | None, str]]:
    """Row, letters of the column and code of every complaint, by row."""
    places = [(error.row, (error.column or "").partition(" ")[0], error.code) for error in sheet.errors]
    return sorted(places, key=lambda place: place[0] or 0)


def rows(sheet: Sheet) -> list[tuple[int, str]]:
    assert found(sheet) == []
    return [(row.row_no, row.reference_no) for row in sheet.rows]


def merged(lines: Sequence[Sequence[Any]], *ranges: tuple[int, int, int, int]) -> bytes:
    """A sheet in which these ranges (rows and columns from 0) are merged, as Excel merges: the first cell keeps all."""
    file = BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True}) as book:
        sheet = book.add_worksheet("发放清单")
        for row, line in enumerate(lines):
            sheet.write_row(row, 0, line)
        for top, left, bottom, right in ranges:
            sheet.merge_range(top, left, bottom, right, lines[top][left])
    return file.getvalue()


def with_cell(data: bytes, old: bytes, new: bytes) -> bytes:
    return altered(data, {SHEET: lambda part: part.replace(old, new)})


# -- CSV ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_a_csv_file_is_read_in_every_usual_encoding(encoding: str) -> None:
    text = f'{",".join(HEADINGS)}\r\nR1,{USCC},{NAME},"1,234.50",2026-03-01,2026/12/31,第一批\r\n,,,,,,\r\n'
    (row,) = read_sheet(text.encode(encoding), language="zh").rows
    assert (row.row_no, row.reference_no, row.uscc, row.firm_name, row.face_value_fen, row.note) == (
        2,
        "R1",
        USCC,
        NAME,
        123_450,
        "第一批",
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (f"9.133E+17,{USCC},{NAME},1", [(2, "A", "number_mangled")]),
        (f"R1,9.133E+17,{NAME},1", [(2, "B", "number_mangled")]),
        (f"20260101000000100000,{USCC},{NAME},1", [(2, "A", "number_mangled")]),
        (f"=1+1,{USCC},{NAME},1", [(2, "A", "formula_as_text")]),
        (f"R1,{USCC},@{NAME},1", [(2, "C", "formula_as_text")]),
        (f"R1,{USCC},{NAME},1,000", [(2, "A", "cells_too_many")]),
        (f"R1,{USCC}", [(2, "C", "required"), (2, "D", "required")]),
        (f'"=""00012""",{USCC},{NAME},1', []),
        (f"00012,{USCC},{NAME},1", []),
    ],
)
def test_what_a_spreadsheet_made_of_a_csv_file_is_not_guessed_at(line: str, expected: list[Any]) -> None:
    sheet = read_sheet(f"{','.join(FOUR)}\n{line}\n".encode(), language="en")
    assert found(sheet) == expected
    assert all(row.reference_no == "00012" for row in sheet.rows if not expected)


def test_a_csv_file_is_read_within_the_limits_of_a_sheet() -> None:
    head = f"{','.join(FOUR)}\nR1,{USCC},{NAME},1000\n"
    empty = "\n" * 300_000 + "," * 300
    assert rows(read_sheet((head + empty).encode(), language="en")) == [(2, "R1")]
    for beyond in (f"{empty}x", "\n" * LAST_ROW + "x", "," * 50 + "x"):
        with pytest.raises(AppError) as refused:
            read_sheet((head + beyond).encode(), language="en")
        assert "beyond row" in refused.value.context["why_en"]


def test_a_csv_file_that_is_none_is_refused() -> None:
    for data in (b"", b'a,"b', "，".join(FOUR).encode(), "\t".join(FOUR).encode("utf-16-le"), b"\xff\xfe\x00"):
        with pytest.raises(AppError, match="file_unreadable"):
            read_sheet(data, language="en")
    with pytest.raises(AppError) as refused:  # what many systems call .xls
        read_sheet(b"\xef\xbb\xbf<html><table><tr><td>" + FOUR[0].encode(), language="en")
    assert "web page" in refused.value.context["why_en"]


# -- headings ----------------------------------------------------------------------------------------------------------


def test_titles_may_stand_above_the_headings() -> None:
    sheet = read([["2026年算力券发放清单"], ["单位：市经信局", "", "", "2026-03-01"], FOUR, GOOD])
    assert rows(sheet) == [(4, "R1")]


@pytest.mark.parametrize(
    ("upper", "lower"),
    [
        (["申领编号", "企业信息", "", "面值（元）"], ["", "统一社会信用代码", "企业名称", ""]),
        (["申领编号", "企业信息", "", "发放"], ["", "统一社会信用代码", "企业名称", "面值（元）"]),
    ],
)
def test_headings_over_two_rows_are_read_together(upper: list[str], lower: list[str]) -> None:
    assert rows(read([upper, lower, GOOD])) == [(3, "R1")]


def test_a_missing_or_foreign_heading_is_told_at_the_row_of_the_headings() -> None:
    sheet = read([["清单"], ["申领编号", "统一社会信用代码", "面值（元）", "联系电话"], ["R1", USCC, 1, "138"]])
    assert found(sheet) == [(2, "D", "heading_unknown"), (2, "企业名称", "heading_missing")]


def test_headings_that_come_again_are_told() -> None:
    sheet = read([FOUR, GOOD, FOUR, ["R2", USCC, NAME, 1]])
    assert found(sheet) == [(3, "A", "heading_repeated")]


def test_rows_of_several_sheets_are_not_taken_for_those_of_one() -> None:
    with pytest.raises(AppError) as refused:
        read_sheet(workbook_of({"一": [FOUR, GOOD], "二": [FOUR, ["R2", USCC, NAME, 1]]}), language="en")
    assert "Several sheets" in refused.value.context["why_en"]
    assert rows(read_sheet(workbook_of({"空": [FOUR], "二": [FOUR, GOOD]}), language="en")) == [(2, "R1")]


# -- rows --------------------------------------------------------------------------------------------------------------


def test_a_column_of_serial_numbers_means_nothing_even_in_empty_rows() -> None:
    sheet = read([["序号", *FOUR], [1, *GOOD], [2], [3]])
    assert rows(sheet) == [(2, "R1")]


def test_a_total_below_the_rows_is_held_against_them() -> None:
    lines = [FOUR, GOOD, ["R2", USCC, NAME, 0.5]]
    assert rows(read([*lines, ["合计", "", "", 1000.5], ["经办人：张三", "", "", ""]])) == [(2, "R1"), (3, "R2")]
    sheet = read([*lines, ["合计", "", "", 1000], ["R3", USCC, NAME, 1]])
    assert found(sheet) == [(4, "D", "total_wrong"), (5, "B", "row_below_total")]
    (error, _) = sorted(sheet.errors, key=lambda error: error.row or 0)
    assert (error.limit, error.actual) == ("1,000.00", "1,000.50")
    assert found(read([FOUR, GOOD, ["小计", "", "", 1000]])) == [(3, "A", "subtotal")]


@pytest.mark.parametrize("label", ["合  计", "总计：", "共计", "合计（元）", "合计：1家", "合计1户", "Total:"])
def test_a_total_is_known_by_its_words(label: str) -> None:
    assert found(read([FOUR, GOOD, [label, "", "", 999]])) == [(3, "D", "total_wrong")]
    assert rows(read([FOUR, GOOD, ["", "", label, 1000]])) == [(2, "R1")]


@pytest.mark.parametrize(
    ("total", "stated"),
    [
        (["合计（2笔）", "", "", 1001], None),
        (["合计", "2家", "", 1001], None),
        (["合计（1家）", "", "", 1001], None),  # a firm with two rows
        (["合计（2笔，撤回1笔）", "", "", 1001], None),
        (["合计（3笔）", "", "", 1001], 3),
        (["合计", "共 1 笔", "", 1001], 1),
        (["合计（3家）", "", "", 1001], 3),
    ],
)
def test_the_number_that_a_total_states_is_held_against_the_rows(total: list[Any], stated: int | None) -> None:
    sheet = read([FOUR, GOOD, ["R2", USCC, NAME, 1], total])
    told = [(error.row, error.code, error.limit, error.actual) for error in sheet.errors]
    assert told == ([(4, "total_count_wrong", stated, 2)] if stated else [])


def test_what_a_filter_or_somebody_hid_is_told_and_not_read_in_silence() -> None:
    file = BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True}) as book:
        book.add_worksheet("说明").set_row(1, None, None, {"hidden": True})  # another sheet's rows do not count
        sheet = book.add_worksheet("发放清单")
        for row, line in enumerate([FOUR, GOOD, ["R2", USCC, NAME, 1], [], ["合计", "", "", 1001]]):
            sheet.write_row(row, 0, line)
        for row in (2, 3):
            sheet.set_row(row, None, None, {"hidden": True})
    assert found(read_sheet(file.getvalue(), language="en")) == [(3, "A", "row_hidden")]


def test_a_hidden_column_is_told_where_it_would_be_read() -> None:
    file = BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True}) as book:
        sheet = book.add_worksheet("发放清单")
        for row, line in enumerate([[*FOUR, "序号"], [*GOOD, 1]]):
            sheet.write_row(row, 0, line)
        sheet.set_column(3, 60, None, None, {"hidden": True})
    assert found(read_sheet(file.getvalue(), language="en")) == [(1, "D", "column_hidden")]


@pytest.mark.parametrize("label", ["小计", "本页小计：", "本页合计", "分类小计（元）"])
def test_what_adds_up_some_rows_is_no_row(label: str) -> None:
    assert found(read([FOUR, GOOD, [label, "", "", 1000]])) == [(3, "A", "subtotal")]


def test_signatures_stand_below_the_total_in_whatever_columns() -> None:
    total = ["合计", "", "", 1000]
    signed = [["经办人：张三", "", "审核人：李四", "日期：2026-11-26"], ["", "", "", "2026年11月26日"]]
    assert rows(read([FOUR, GOOD, total, *signed])) == [(2, "R1")]
    assert found(read([FOUR, GOOD, total, ["经办人：张三", "", "审核人：李四", 5]])) == [(4, "D", "row_below_total")]
    assert found(read([FOUR, GOOD, total, ["R2", "", "", "10万元"]])) == [(4, "D", "row_below_total")]
    assert found(read([FOUR, GOOD, [*signed[0][:2], "审核人：李四", ""]])) == [(3, "A", "row_no_grant")]


@pytest.mark.parametrize("title", ["单位：万元", "2026年发放清单（万元）", "金额单位:人民币千元"])
def test_amounts_that_a_title_says_are_in_another_unit_are_not_taken_for_yuan(title: str) -> None:
    assert found(read([[title], FOUR, GOOD])) == [(1, "A", "unit_not_yuan")]
    assert found(read([["关于下达100万元券的通知", "", "", title], FOUR, GOOD])) == [(1, "D", "unit_not_yuan")]
    assert rows(read([["关于下达100万元券的通知（单位：元）"], FOUR, GOOD])) == [(3, "R1")]


@pytest.mark.parametrize("heading", ["面值", "面值（万元）", "面值/万元"])
def test_a_face_value_in_no_unit_or_another_is_not_taken_for_yuan(heading: str) -> None:
    sheet = read([[*FOUR[:3], heading], GOOD], language="zh")
    assert found(sheet) == [(1, "D", "heading_unit")]
    assert "换算" in (sheet.errors[0].detail or "")


@pytest.mark.parametrize(
    ("shown_as", "told"),
    [("0%", "50%"), ("0.00%", "50%"), ('#,##0.0"％"%', "50%"), ("#,##0.00", None)],
)
def test_a_percentage_is_no_amount(shown_as: str, told: str | None) -> None:
    file = BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True}) as book:
        sheet = book.add_worksheet("发放清单")
        sheet.write_row(0, 0, FOUR)
        sheet.write_row(1, 0, GOOD[:3])
        sheet.write_number(1, 3, 0.5, book.add_format({"num_format": shown_as}))
        sheet.write_row(2, 0, ["R2", *GOOD[1:3]])
        sheet.write_formula(2, 3, "=1/2", book.add_format({"num_format": shown_as}), 0.5)
    read = read_sheet(file.getvalue(), language="en")
    assert [(error.row, error.code, error.actual) for error in read.errors] == (
        [(2, "amount_unreadable", told), (3, "amount_unreadable", told)] if told else []
    )


def test_characters_that_nobody_sees_are_told_as_such() -> None:
    for typed in (f"{USCC}\u200b", f"\ufeff{USCC}"):
        assert found(read([FOUR, ["R1", typed, NAME, 1]])) == [(2, "B", "control_character")]


def test_that_hidden_sheets_are_not_read_is_told_where_no_other_is_there() -> None:
    with pytest.raises(AppError) as refused:
        read_sheet(workbook_of({"说明": [["x"]], "清单": [FOUR, GOOD]}, hidden=["清单"]), language="en")
    assert "Hidden sheets are not read" in refused.value.context["why_en"]


def test_what_a_merge_hides_is_told_also_where_the_cell_may_be_empty() -> None:
    headings = ["申领编号", "统一社会信用代码", "企业名称", "面值（元）", "截止日期"]
    lines: list[list[Any]] = [headings, ["R1", USCC, NAME, 1, "2099-12-31"], ["R2", "", "", 2, ""]]
    sheet = read_sheet(merged(lines, (1, 1, 2, 1), (1, 2, 2, 2), (1, 4, 2, 4)), language="en")
    assert found(sheet) == [(3, "B", "merged_cell"), (3, "C", "merged_cell"), (3, "E", "merged_cell")]
    assert [error.limit for error in sheet.errors] == ["B2:B3", "C2:C3", "E2:E3"]


def test_what_stands_unseen_behind_a_merge_is_not_read() -> None:
    lines = [FOUR, GOOD, ["R2", USCC, NAME, 999_999]]
    behind = merged(lines, (1, 3, 2, 3))  # D2:D3 shows 1000, and D3 holds another amount
    assert any(cell == 999_999 for cell in next(iter(workbooks.read_worksheets(behind))).cells[2])
    assert found(read_sheet(behind, language="en")) == [(3, "D", "merged_cell")]


def test_headings_are_known_by_what_is_seen_of_them_and_with_the_marks_of_a_form() -> None:
    typed = [f"*{FOUR[0]}", f"{FOUR[1]}（必填）", f"{FOUR[2]}\u200b＊", f"\ufeff {FOUR[3]}*"]
    assert rows(read([[*typed, "备注（选填）"], [*GOOD, ""]])) == [(2, "R1")]


def test_merged_headings_and_titles_are_no_matter() -> None:
    lines: list[list[Any]] = [["清单", "", "", ""], FOUR, GOOD]
    assert rows(read_sheet(merged(lines, (0, 0, 0, 3)), language="en")) == [(3, "R1")]


def test_more_merges_than_a_sheet_has_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbooks, "MAX_MERGED", 3)
    with pytest.raises(AppError, match="file_unreadable"):
        read_sheet(merged([["清单", "", "", ""], FOUR, GOOD], (0, 0, 0, 3)), language="en")


@pytest.mark.parametrize(
    "cell",
    [
        b'<c r="G2"><f>A2&amp;B2</f></c>',
        b'<c r="G2"><f>A2&amp;B2</f><v></v></c>',
        b'<c r="G2" t="str"><f>A2&amp;B2</f></c>',
        b'<c r="G2"><f>A2&amp;B2</f><v/></c>',
        b'<c  r="G2" ><f t="shared" si="0"/></c>',
    ],
)
def test_a_formula_that_was_never_computed_is_no_empty_cell(cell: bytes) -> None:
    data = with_cell(workbook([row_of()]), b"</row></sheetData>", cell + b"</row></sheetData>")
    assert found(read_sheet(data, language="en")) == [(2, "G", "formula_without_result")]


def test_a_formula_whose_result_is_no_text_is_an_empty_cell() -> None:
    cell = b'<c r="G2" t="str"><f>IF(A2="","x","")</f><v></v></c>'
    data = with_cell(workbook([row_of()]), b"</row></sheetData>", cell + b"</row></sheetData>")
    assert rows(read_sheet(data, language="en")) == [(2, "R1")]


@pytest.mark.parametrize("typed", ["9.133E+17", "９．１３３Ｅ＋１７", "1e+5"])
def test_a_number_that_became_text_is_refused(typed: str) -> None:
    assert found(read([FOUR, [typed, USCC, NAME, 1]])) == [(2, "A", "number_mangled")]
    assert found(read([FOUR, ["R1", typed, NAME, 1]])) == [(2, "B", "number_mangled")]


# -- how a workbook is looked at ---------------------------------------------------------------------------------------


def test_an_unusual_way_of_writing_comes_to_the_same() -> None:
    """The pattern for usual cells and expat for all others: the same limits, the same finds."""
    data = workbook([row_of(备注="字" * 100)])
    unusual = altered(data, {SHEET: lambda part: part.replace(b"<sheetData>", b"<sheetData><!-- x -->")})
    assert read_sheet(unusual, language="en").rows == read_sheet(data, language="en").rows
    left = []
    for part in (b"<sst><si><t>abcd</t></si></sst>", b"<sst><si ><t>abcd</t></si ></sst>"):
        for cells in (b'<c r="A1" t="s"><v>0</v></c>', b'<c  r="A1" t="s"><v>0</v></c>'):
            scan = Scan()
            scan.part(part)
            scan.part(b'<worksheet><sheetData><row r="1">' + cells + b"</row></sheetData></worksheet>")
            left.append(scan.text_left)
    assert len(set(left)) == 1


# -- the annotated copy ------------------------------------------------------------------------------------------------


def test_the_annotated_copy_says_beside_each_row_what_is_wrong_and_comes_back_corrected() -> None:
    row = [1, "R1", USCC, "=cmd|' /C calc'!A0", 0, "", "2026-12-31", "+8613800000000"]
    sheet = read([["清单"], ["序号", *HEADINGS], row], language="zh")
    copy = write_annotated(sheet, sheet.errors)
    page, report = workbooks.read_worksheets(copy)
    assert page.cells[1][-1] == FINDINGS
    assert page.cells[2][:8] == row
    with zipfile.ZipFile(BytesIO(copy)) as archive:
        assert b"<f>" not in archive.read(SHEET)
    assert page.cells[2][8] == "E 面值（元）: 金额必须大于 0，现为 0。"
    assert report.cells[1][:3] == [3, "E 面值（元）", "金额必须大于 0，现为 0。"]
    again = read_sheet(copy, language="zh")
    assert found(again) == found(sheet)
    assert write_annotated(again, ()) != b""


def test_what_to_do_is_what_helps() -> None:
    for data, anew in (
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), True),
        (b"PK", True),
        (b'a,"b', True),
        (workbook_of({"一": [FOUR, GOOD], "二": [FOUR, GOOD]}), False),
        (workbook_of({"一": [["x"]]}), False),
    ):
        with pytest.raises(AppError) as refused:
            read_sheet(data, language="zh")
        assert ("请另存为 .xlsx 后重试" in refused.value.context["why_zh"]) is anew
