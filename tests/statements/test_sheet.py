"""A statement's file is read where its meaning is certain, and refused with row and column where it is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from io import BytesIO

import pytest
import xlsxwriter  # type: ignore[import-untyped]

from app.kernel.problems import AppError, Code
from app.services.sheets.refusals import Unreadable
from app.services.statements.sheet import Line
from app.services.statements.template import write_template
from tests.issuance.sheets import SHEET, altered
from tests.statements.files import FRAME, HEADINGS, ROW, USCC, as_csv, as_xlsx, read, wrong

LINE = Line(2, 3_000, "A-1", None, date(2026, 11, 5), 10_000)


@pytest.mark.parametrize(
    "data",
    [
        as_csv([HEADINGS, ROW]),
        as_csv([HEADINGS, ROW], "utf-8-sig"),
        as_csv([HEADINGS, ROW], "gb18030"),
        "\t".join(HEADINGS).encode() + b"\r\n" + "\t".join(ROW).encode(),
        ";".join(HEADINGS).encode() + b"\n" + ";".join(ROW).encode() + b"\n;;;\n",
        as_csv([HEADINGS, ROW], "utf-16"),
        as_xlsx([HEADINGS, ROW]),
        as_xlsx([HEADINGS, ("A-1", date(2026, 11, 5), 100, 30.0)]),
        as_xlsx([["说明", "不是对账单"]], [HEADINGS, ROW]),
    ],
    ids=[
        "utf-8",
        "with a mark",
        "gb18030",
        "tabs",
        "semicolons",
        "utf-16",
        "text cells",
        "numbers and a date",
        "second sheet",
    ],
)
def test_the_same_statement_in_any_file_is_the_same(data: bytes) -> None:
    statement = read(data)
    assert (statement.lines, statement.errors) == ([LINE], [])


@pytest.mark.parametrize(
    ("written", "fen"),
    [
        ("30", 3_000),
        ("３０．５", 3_050),
        ("¥1,234.50", 123_450),
        ("￥1,234.50元", 123_450),
        ("１，２３４．５０", 123_450),
        (" 30.00 元 ", 3_000),
        ("CNY 30.1", 3_010),
        (33.35, 3_335),
        ("0", 0),
        ("1 234 567.50", 123_456_750),
        ("￥ 1\xa0234.5 元\n", 123_450),
    ],
)
def test_an_amount_is_read_as_people_write_it(written: object, fen: int) -> None:
    (line,) = read(as_xlsx([HEADINGS, ("A-1", "", "", written)])).lines
    assert line.subsidy_fen == fen


@pytest.mark.parametrize(
    "written",
    [
        "2026/11/5", "2026年11月5日", "2026.11.05", "20261105", 20261105, "２０２６－１１－０５", "2026-11-05 09:30:00",
        "2026-11-04T18:00:00Z", "2026-11-05T02:00:00+08:00", datetime(2026, 11, 5, 9, 30),  # noqa: DTZ001 - a cell of Excel
    ],
)  # fmt: skip
def test_a_day_is_read_in_its_usual_forms(written: object) -> None:
    (line,) = read(as_xlsx([HEADINGS, ("A-1", written, "", "30")])).lines
    assert line.redeemed_on == date(2026, 11, 5)


@pytest.mark.parametrize(
    ("headings", "row", "fen"),
    [
        (("order_no", "subsidy_fen"), ("A-1", "3000"), 3_000),
        (("Order No", "Subsidy (yuan)"), ("A-1", "30"), 3_000),
        (("订单编号", "核销金额(分)"), ("A-1", "3000"), 3_000),
        (("客户", "核销单号", "抵扣金额"), ("某公司", "A-1", "30"), 3_000),
        (("订单号", "核销日", "补贴金额"), ("A-1", "2026-11-05", "30"), 3_000),
        (("订单号", "补贴金额\n（单位：元）"), ("A-1", "30"), 3_000),
        (("订单号", "补贴金额【元】"), ("A-1", "30"), 3_000),
        (("订单号", "补贴金额/元"), ("A-1", "30"), 3_000),
        (("订单号", "补贴金额 元"), ("A-1", "30"), 3_000),
        (("订单号", "补贴金额：分"), ("A-1", "3000"), 3_000),
    ],
)
def test_headings_are_known_in_both_languages(headings: tuple[str, ...], row: tuple[str, ...], fen: int) -> None:
    statement = read(as_csv([headings, row]))
    assert [(line.order_no, line.subsidy_fen) for line in statement.lines] == [("A-1", fen)]
    assert statement.headings.ignored == (("客户",) if "客户" in headings else ())


def test_titles_above_and_total_and_signature_below_are_no_lines() -> None:
    rows = [["某算力中心2026年11月对账单"], [], HEADINGS, ROW, ("A-2", "", "50", "15"), ("合计", "", "150.00", "45.00")]
    statement = read(as_xlsx([*rows, ["制表人：张三"]]))
    assert statement.errors == []
    assert [(line.row_no, line.subsidy_fen) for line in statement.lines] == [(4, 3_000), (5, 1_500)]


def test_full_width_letters_and_shielded_text_are_the_order_number_itself() -> None:
    statement = read(as_csv([HEADINGS, ("Ａ－００１", "", "", "1"), ('="000123"', "", "", "1")]))
    assert [line.order_no for line in statement.lines] == ["A-001", "000123"]


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ([("A-1", "", "", "30.005")], [(2, "D 补贴金额（元）", "amount_decimals")]),
        ([("A-1", "", "", 30.125)], [(2, "D 补贴金额（元）", "amount_decimals")]),
        ([("A-1", "", "", "30,00")], [(2, "D 补贴金额（元）", "amount_unreadable")]),
        ([("A-1", "", "", "约30")], [(2, "D 补贴金额（元）", "amount_unreadable")]),
        ([("A-1", "", "", "30\n20")], [(2, "D 补贴金额（元）", "amount_unreadable")]),
        ([("A-1", "", "", "30 20")], [(2, "D 补贴金额（元）", "amount_unreadable")]),
        ([("A-1", "", "", "30\n200")], [(2, "D 补贴金额（元）", "amount_unreadable")]),
        ([("A-1", "2026-11-05 25:00", "", "30")], [(2, "B 核销日期", "date_unreadable")]),
        ([("A-1", "2026-11-05 24:00:00", "", "30")], [(2, "B 核销日期", "date_unreadable")]),
        ([("A-1", "", "", "-30")], [(2, "D 补贴金额（元）", "amount_negative")]),
        ([("A-1", "", "", "-")], [(2, "D 补贴金额（元）", "amount_unreadable")]),
        ([("A-1", "", "", "30-")], [(2, "D 补贴金额（元）", "amount_unreadable")]),
        ([("A-1", "", "", "(30.00)")], [(2, "D 补贴金额（元）", "amount_negative")]),
        ([("A-1", "", "", "")], [(2, "D 补贴金额（元）", "required")]),
        ([("A-1", "", "", "#REF!")], [(2, "D 补贴金额（元）", "formula_error")]),
        ([("", "", "", "30")], [(2, "A 订单号", "required")]),
        ([("A 1", "", "", "30")], [(2, "A 订单号", "order_no_unfit")]),
        ([(20261125000000123456.0, "", "", "30")], [(2, "A 订单号", "number_mangled")]),
        ([("2.02611E+19", "", "", "30")], [(2, "A 订单号", "number_mangled")]),
        ([("A-1", "05/11/2026", "", "30")], [(2, "B 核销日期", "date_unreadable")]),
        ([("A-1", 45000.5, "", "30")], [(2, "B 核销日期", "date_unreadable")]),
        ([("A-1", "2026-12-01", "", "30")], [(2, "B 核销日期", "date_outside_period")]),
        ([ROW, ROW], [(3, "A 订单号", "duplicate")]),
        ([ROW, ("小计", "", "", "30")], [(3, None, "subtotal")]),
        ([("合计", "", "", "0"), ROW], [(3, None, "row_below_total")]),
        ([ROW, ("合计", "", "100", "31")], [(3, "D 补贴金额（元）", "total_wrong")]),
        ([ROW, ("合计", "", "99.99", "30")], [(3, "C 账单金额（元）", "total_wrong")]),
        ([ROW, ("合计", "", "", "31"), ("合计（大写）：叁拾元整",)], [(3, "D 补贴金额（元）", "total_wrong")]),
        ([ROW, ("合计", "", "", "31"), ("总计", "", "", "30")], [(3, "D 补贴金额（元）", "total_wrong")]),
        ([ROW, ("合计（2笔）", "", "", "30")], [(3, None, "total_count_wrong")]),
        ([ROW, ("合计", "共2笔", "", "30")], [(3, None, "total_count_wrong")]),
        ([], [(2, None, "no_rows")]),
        (
            [("", "2026-10-31", "x", "1.001"), ("A", "", "", "1"), ("A", "", "", "1")],
            [
                (2, "B 核销日期", "date_outside_period"), (2, "C 账单金额（元）", "amount_unreadable"),
                (2, "D 补贴金额（元）", "amount_decimals"), (2, "A 订单号", "required"), (4, "A 订单号", "duplicate"),
            ],
        ),
    ],
)  # fmt: skip
def test_what_is_not_certain_is_refused_with_row_and_column(
    rows: list[tuple[object, ...]], found: list[tuple[int, str | None, str]]
) -> None:
    assert wrong(as_xlsx([HEADINGS, *rows])) == found


def test_a_list_in_another_unit_is_not_taken_for_yuan_and_signatures_follow_the_total() -> None:
    total = ("合计", "", "", "30")
    assert wrong(as_xlsx([["对账单", "单位：万元"], HEADINGS, ROW])) == [(1, "B 单位：万元", "unit_not_yuan")]
    assert wrong(as_xlsx([HEADINGS, ROW, total, ("制表：张三", "", "复核：李四", "2026-11-30")])) == []
    assert wrong(as_xlsx([HEADINGS, ROW, total, ("A-2", "", "", "1")])) == [(4, None, "row_below_total")]


def test_excels_rounded_number_in_a_csv_is_refused_and_in_a_text_cell_certain() -> None:
    row = ("20261125123456700000", "", "", "30")
    assert wrong(as_csv([HEADINGS, row])) == [(2, "A 订单号", "number_mangled")]
    assert wrong(as_xlsx([HEADINGS, row])) == []


def test_an_unquoted_comma_that_shifts_the_cells_is_refused() -> None:
    assert wrong("订单号,补贴金额\nA-1,1,234.50\n".encode()) == [(2, None, "cells_too_many")]


@pytest.mark.parametrize(
    ("headings", "found"),
    [
        (("订单号", "金额"), [(1, "补贴金额（元）", "heading_missing")]),
        (("金额", "补贴金额"), [(1, "订单号 | 核销编号", "heading_missing")]),
        (("订单号", "补贴金额", "核销金额"), [(1, "C 核销金额", "heading_duplicate")]),
        (("订单号", "补贴金额（万元）"), [(1, "B 补贴金额（万元）", "heading_unit")]),
        (("订单号", "补贴金额/万元"), [(1, "B 补贴金额/万元", "heading_unit")]),
        (("订单号", "补贴金额 万元"), [(1, "B 补贴金额 万元", "heading_unit")]),
    ],
)
def test_a_heading_that_is_missing_twice_or_in_another_unit_is_named(
    headings: tuple[str, ...], found: list[tuple[int, str, str]]
) -> None:
    assert wrong(as_csv([headings, ("A-1",) + ("30",) * (len(headings) - 1)])) == found


def test_what_is_declared_must_be_there() -> None:
    declared = replace(FRAME, declared_count=2, declared_total_fen=3_001)
    statement = read(as_csv([HEADINGS, ROW]), declared)
    assert [(error.pointer, error.code, error.actual) for error in statement.errors] == [
        ("/declared_count", "count_wrong", 1),
        ("/declared_total_fen", "total_wrong", "30.00"),
    ]
    assert read(as_csv([HEADINGS]), replace(FRAME, declared_count=0)).errors == []


def test_a_row_of_another_provider_is_refused() -> None:
    headings = (*HEADINGS, "统一社会信用代码")
    rows = [headings, (*ROW, USCC), ("A-2", "", "", "1", "91330106MA27XL0W2R")]
    assert wrong(as_csv(rows)) == [(3, "E 统一社会信用代码", "row_of_another_provider")]


def test_a_redemption_of_another_region_is_refused() -> None:
    other = "rdm_330200_01kay0000000000000000000ab"
    assert wrong(as_csv([("核销编号", "补贴金额"), (other, "1")])) == [(2, "A 核销编号", "redemption_id_unfit")]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"%PDF-1.7 \xe2\xe3\xcf\xd3",
        "﻿姓名,电话\n张三,1\n".encode(),
        "订单号,补贴金额\nA,1\n".encode("utf-16-le"),
        b"\xef\xbb\xbf" + "订单号,补贴金额\nA,1\n".encode("gb18030"),
        "<table><tr><td>订单号</td></tr></table>".encode(),
        b"PK\x03\x04 and no more",
        as_xlsx([HEADINGS, ROW], [HEADINGS, ROW]),
    ],
    ids=[
        "empty",
        "pdf",
        "other table",
        "utf-16 without a mark",
        "another encoding than its mark",
        "web page",
        "broken archive",
        "two statements",
    ],
)
def test_what_is_no_statement_is_unreadable(data: bytes) -> None:
    with pytest.raises(Unreadable) as refused:
        read(data)
    assert refused.value.code is Code.FILE_UNREADABLE


def test_the_template_is_read_as_an_empty_statement() -> None:
    statement = read(write_template(), replace(FRAME, declared_count=0))
    assert (statement.errors, statement.lines) == ([], [])
    assert len(statement.headings.columns) == 8


def test_all_errors_are_raised_at_once_in_order_of_rows() -> None:
    statement = read(as_csv([HEADINGS, ("A", "", "", "x"), ("B", "", "", "y")]))
    with pytest.raises(AppError) as refused:
        statement.require_sound()
    assert refused.value.code is Code.SHEET_INVALID
    assert [error.row for error in refused.value.errors] == [2, 3]


@pytest.mark.parametrize(
    "shown_as",
    ['0.00"万元"', r"0\.0,", "#,##0,", "[$$-409]#,##0.00", "[$€-2] #,##0.00", ";;;", '"NO."0', '0.0"%"', '0;0"万"'],
)
def test_a_number_that_is_shown_as_another_one_is_refused(shown_as: str) -> None:
    (error,) = read(formatted("A-1", 1.5, shown_as)).errors
    assert (error.row, error.column, error.code) == (2, "D 补贴金额（元）", "number_shown_otherwise")
    assert error.actual == "1.5"


@pytest.mark.parametrize(
    "shown_as",
    [
        "General", "0.00", "#,##0.00", "#,##0.00_);(#,##0.00)", '"￥"#,##0.00;[Red]"￥"-#,##0.00', '#,##0.00"元"',
        '_ ¥* #,##0.00_ ;_ ¥* -#,##0.00_ ;_ ¥* "-"??_ ;_ @_ ', "@", "[DBNum2][$-804]General", "#,##0.00 [$CNY]",
    ],
)  # fmt: skip
def test_what_is_shown_beside_an_amount_in_yuan_changes_nothing(shown_as: str) -> None:
    (line,) = read(formatted("A-1", 1.5, shown_as)).lines
    assert line.subsidy_fen == 150


def test_an_order_number_with_zeros_in_front_is_what_is_seen() -> None:
    (line,) = read(formatted(123, 1.5, "0.00", order_no_shown_as="00000000")).lines
    assert line.order_no == "00000123"
    # Zeros behind are no digits that somebody typed: of a long number Excel keeps fifteen.
    assert wrong(formatted(1.2345678901234568e18, 1.5, "0.00", order_no_shown_as="0" * 19)) == [
        (2, "A 订单号", "number_mangled")
    ]


def test_hidden_rows_and_columns_are_told() -> None:
    lines = [HEADINGS, ROW, ("A-2", "", "", "15"), ("合计", "", "", "45")]
    assert wrong(hiding(lines, row=2)) == [(3, None, "row_hidden")]
    assert wrong(hiding(lines, column=3)) == [(1, "D 补贴金额（元）", "column_hidden")]
    assert wrong(hiding([[*line, "x"] for line in lines[:3]], column=4)) == []  # nobody reads it


def test_a_sheet_that_is_formatted_to_its_last_row_is_read_to_its_last_line() -> None:
    empty = b"".join(b'<row r="%d"><c r="A%d" s="0"/></row>' % (n, n) for n in range(3, 200_000))
    data = altered(
        as_xlsx([HEADINGS, ROW]), {SHEET: lambda part: part.replace(b"</sheetData>", empty + b"</sheetData>")}
    )
    assert read(data).lines == [LINE]


def formatted(order_no: object, subsidy: float, shown_as: str, *, order_no_shown_as: str = "General") -> bytes:
    file = BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, HEADINGS)
        sheet.write(1, 0, order_no, book.add_format({"num_format": order_no_shown_as}))
        sheet.write_number(1, 3, subsidy, book.add_format({"num_format": shown_as}))
    return file.getvalue()


def hiding(rows: Sequence[Sequence[object]], *, row: int | None = None, column: int | None = None) -> bytes:
    file = BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        for place, line in enumerate(rows):
            sheet.write_row(place, 0, line)
        if row is not None:
            sheet.set_row(row, None, None, {"hidden": True})
        if column is not None:
            sheet.set_column(column, column, None, None, {"hidden": True})
    return file.getvalue()
