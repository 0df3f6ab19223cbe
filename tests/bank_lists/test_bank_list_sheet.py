"""A bank list's file is read where its meaning is certain, and refused with row and column where it is not."""

from __future__ import annotations

from datetime import date

import pytest

from app.kernel.vocabulary import BankLineStatus
from app.services.bank_lists.sheet import Line
from app.services.bank_lists.template import write_bank_list_template
from app.services.sheets.refusals import Unreadable
from tests.bank_lists.files import HEADINGS, ORDER, ROW, read, wrong
from tests.statements.files import HEADINGS as OF_STATEMENTS
from tests.statements.files import ROW as OF_A_STATEMENT
from tests.statements.files import as_csv, as_xlsx

LINE = Line(2, BankLineStatus.PAID, "HD-1", 3_000, date(2026, 11, 5), ORDER, "某算力中心", "1234")


@pytest.mark.parametrize(
    "data",
    [
        as_csv([HEADINGS, ROW]),
        as_csv([HEADINGS, ROW], "utf-8-sig"),
        as_csv([HEADINGS, ROW], "gb18030"),
        as_xlsx([HEADINGS, (*ROW[:3], 30, "已支付", "HD-1", date(2026, 11, 5))]),
        as_xlsx(
            [["11月"], HEADINGS, (ORDER.upper(), *ROW[1:3], "￥３０．００元", "成功", "ＨＤ－１", "2026年11月5日")]
        ),
        as_csv([HEADINGS, (*ROW[:2], "6222 0012 3456 1234", *ROW[3:])]),
    ],
    ids=["utf-8", "with a mark", "gb18030", "numbers and a date", "full width", "whole account"],
)  # fmt: skip
def test_the_same_line_in_any_file_is_the_same_but_for_its_row(data: bytes) -> None:
    found = read(data)
    assert found.errors == []
    (one,) = found.lines
    assert [getattr(one, name) for name in Line.__slots__[1:]] == [getattr(LINE, name) for name in Line.__slots__[1:]]


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("成功", "paid"), ("已 支付", "paid"), ("Paid", "paid"), ("退票", "returned"), ("支付失败", "returned"),
        ("returned", "returned"), ("收款", "received"), ("缴回", "received"),
    ],
)  # fmt: skip
def test_a_result_is_known_by_the_words_of_banks(word: str, status: str) -> None:
    (one,) = read(as_csv([HEADINGS, (*ROW[:4], word, *ROW[5:])])).lines
    assert one.status == status


def test_a_payment_without_an_order_and_a_reference_for_two_things_are_lines() -> None:
    rows = [ROW, ("", *ROW[1:5], "HD-2", ROW[6]), (*ROW[:4], "退票", "HD-1", ROW[6]), (*ROW[:3], "31.00", *ROW[4:])]
    found = read(as_csv([HEADINGS, *rows, ("合计", "", "", "121.00")]), count=4, total_fen=12_100)
    assert found.errors == []
    assert [(one.order_id, one.status, one.bank_reference, one.amount_fen) for one in found.lines] == [
        (ORDER, "paid", "HD-1", 3_000),
        (None, "paid", "HD-2", 3_000),
        (ORDER, "returned", "HD-1", 3_000),
        (ORDER, "paid", "HD-1", 3_100),
    ]


@pytest.mark.parametrize(
    ("place", "written", "found"),
    [
        (0, "pyo_330200_01kay0000000000000000000ab", "A 支付单号:order_id_unfit"),
        (0, "P-1", "A 支付单号:order_id_unfit"),
        (2, "工行", "C 收款账号:account_unfit"),
        (2, 6222001234561234567.0, "C 收款账号:number_mangled"),
        (3, "30.005", "D 金额（元）:amount_decimals"),
        (3, "-30", "D 金额（元）:amount_negative"),
        (3, "0", "D 金额（元）:amount_zero"),
        (3, "", "D 金额（元）:required"),
        (3, "#N/A", "D 金额（元）:formula_error"),
        (4, "处理中", "E 结果:status_unknown"),
        (4, "", "E 结果:required"),
        (5, "HD 1", "F 银行流水号:reference_unfit"),
        (5, 20261125000000123456.0, "F 银行流水号:number_mangled"),
        (5, "", "F 银行流水号:required"),
        (6, "2026-12-01", "G 日期:date_outside_period"),
        (6, "05/11/2026", "G 日期:date_unreadable"),
    ],
)
def test_what_is_not_certain_is_refused_with_row_and_column(place: int, written: object, found: str) -> None:
    row = [*ROW[:place], written, *ROW[place + 1 :]]
    column, code = found.split(":")
    assert wrong(as_xlsx([HEADINGS, row])) == [(2, column, code)]


def test_a_line_that_stands_twice_and_a_total_that_is_not_theirs_are_refused() -> None:
    assert wrong(as_csv([HEADINGS, ROW, ROW])) == [(3, "F 银行流水号", "duplicate")]
    assert wrong(as_csv([HEADINGS, ROW, ("合计", "", "", "29.99")])) == [(3, "D 金额（元）", "total_wrong")]
    assert wrong(as_csv([HEADINGS, ROW]), count=2, total_fen=3_001) == [
        (None, None, "count_wrong"),
        (None, None, "total_wrong"),
    ]


@pytest.mark.parametrize("place", [0, 3, 4, 5, 6])
def test_a_column_that_is_missing_is_named(place: int) -> None:
    rows = [[*row[:place], *row[place + 1 :]] for row in (HEADINGS, ROW)]
    assert wrong(as_csv(rows)) == [(1, HEADINGS[place], "heading_missing")]


def test_a_statement_is_no_bank_list() -> None:
    with pytest.raises(Unreadable):
        read(as_csv([OF_STATEMENTS, OF_A_STATEMENT]))


def test_the_template_is_read_as_an_empty_list() -> None:
    found = read(write_bank_list_template(), count=0)
    assert (found.errors, found.lines, len(found.headings.columns)) == ([], [], 7)
