from __future__ import annotations

import contextlib
import zipfile
from datetime import date, datetime
from decimal import Decimal
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kernel.problems import AppError, Code, FieldError
from app.services.issuance.forms import ISSUANCE
from app.services.issuance.rows import MAX_ERRORS
from app.services.issuance.sheet import read_sheet
from app.services.issuance.template import write_template
from app.services.issuance.words import SENTENCES
from app.services.sheets.workbook import MAX_UNPACKED_BYTES
from tests.issuance.sheets import HEADINGS, NAME, SHEET, USCC, altered, row_of, workbook, workbook_of


def errors_of(data: bytes, language: Any = "en") -> tuple[FieldError, ...]:
    sheet = read_sheet(data, language=language)
    return tuple(sheet.layout.refusal(sheet.errors).errors)


def error_of(data: bytes, language: Any = "en") -> FieldError:
    (error,) = errors_of(data, language)
    return error


def why(data: bytes) -> str:
    """Why the file cannot be read, in English."""
    with pytest.raises(AppError) as refused:
        read_sheet(data, language="en")
    assert refused.value.code is Code.FILE_UNREADABLE
    assert refused.value.context["why_zh"]
    return str(refused.value.context["why_en"]).removesuffix(" Save it as .xlsx and try again.")


# -- what is read ------------------------------------------------------------------------------------------------------


def test_a_full_row_is_read_exactly() -> None:
    row = row_of(面值=1234.5, 生效日期=date(2026, 3, 1), 截止日期="2026年12月31日", 备注=" 第一批 ")
    (read,) = read_sheet(workbook([row]), language="zh").rows
    assert (read.row_no, read.reference_no, read.uscc, read.firm_name) == (2, "R1", USCC, NAME)
    assert read.face_value_fen == 123_450
    assert (read.valid_from, read.valid_until) == (date(2026, 3, 1), date(2026, 12, 31))
    assert read.note == "第一批"


def test_columns_may_stand_in_any_order_and_optional_ones_be_missing() -> None:
    headings = ["面值（元）", "企业名称", "申领编号", "统一社会信用代码"]
    (read,) = read_sheet(workbook([row_of()], headings=headings), language="zh").rows
    assert (read.reference_no, read.face_value_fen, read.valid_until, read.note) == ("R1", 100_000, None, None)


@pytest.mark.parametrize(
    "headings",
    [
        ["reference_no", "uscc", "firm_name", "face_value_yuan"],
        ["Reference_No ", "USCC", "Firm_name", " face_value_yuan"],
        ["申 领 编 号", "统一社会\n信用代码", "企业名称　", "面值(元)"],
    ],
)
def test_headings_are_known_in_english_and_without_the_accidents_of_typing(headings: list[str]) -> None:
    data = workbook_of({"任意": [headings, ["R1", USCC, NAME, 1]]})
    assert len(read_sheet(data, language="en").rows) == 1


def test_the_sheet_is_found_behind_others_and_hidden_ones_do_not_count() -> None:
    good: list[list[Any]] = [HEADINGS[:4], ["R1", USCC, NAME, 1]]
    decoy: list[list[Any]] = [HEADINGS[:4], ["R9", USCC, NAME, 999_999]]
    data = workbook_of({"封面": [["市经信局"]], "旧表": decoy, "清单": good}, hidden=["旧表"])
    assert [row.reference_no for row in read_sheet(data, language="zh").rows] == ["R1"]


def test_empty_rows_are_passed_over_and_the_numbers_stay_those_of_excel() -> None:
    data = workbook([row_of(申领编号="R1"), {}, {"备注": "  "}, row_of(申领编号="R2"), {}])
    assert [(row.row_no, row.reference_no) for row in read_sheet(data, language="zh").rows] == [(2, "R1"), (5, "R2")]


def test_full_width_typing_is_read() -> None:
    wide = "".join(chr(ord(character) + 0xFEE0) for character in USCC.lower())
    row = row_of(申领编号="Ｒ－１", 统一社会信用代码=wide, 面值="１，２３４．５０", 截止日期="２０２６-12-31")
    (read,) = read_sheet(workbook([row]), language="zh").rows
    assert (read.reference_no, read.uscc, read.face_value_fen) == ("R-1", USCC, 123_450)
    assert read.valid_until == date(2026, 12, 31)


@pytest.mark.parametrize("written", ["2026-12-31", "2026/12/31", "2026年12月31日", " 2026-12-31 ", date(2026, 12, 31)])
def test_every_way_of_writing_a_date(written: Any) -> None:
    (read,) = read_sheet(workbook([row_of(截止日期=written)]), language="zh").rows
    assert read.valid_until == date(2026, 12, 31)


def test_dates_may_be_written_without_leading_zeros() -> None:
    (read,) = read_sheet(workbook([row_of(生效日期="2026/1/5", 截止日期="2026年2月3日")]), language="zh").rows
    assert (read.valid_from, read.valid_until) == (date(2026, 1, 5), date(2026, 2, 3))


@given(st.integers(1, 10**15))
def test_a_number_cell_comes_out_to_the_fen(fen: int) -> None:
    # What Excel stores for the amount is the nearest float; its shortest decimal is the amount that was typed.
    (read,) = read_sheet(workbook([row_of(面值=float(Decimal(fen) / 100))]), language="zh").rows
    assert read.face_value_fen == fen


@given(st.integers(1, 10**15))
def test_a_text_cell_comes_out_to_the_fen(fen: int) -> None:
    written = f"{fen // 100:,}.{fen % 100:02d}"
    (read,) = read_sheet(workbook([row_of(面值=written)]), language="zh").rows
    assert read.face_value_fen == fen


def test_text_that_looks_like_a_formula_is_just_text() -> None:
    (read,) = read_sheet(workbook([row_of(备注="=1+1")]), language="zh").rows
    assert read.note == "=1+1"


def test_a_number_in_the_note_is_read_as_it_is_shown() -> None:
    rows = read_sheet(workbook([row_of(备注=2026), row_of(申领编号="R2", 备注=0.5)]), language="zh").rows
    assert [row.note for row in rows] == ["2026", "0.5"]


# -- complaints --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "code", "column"),
    [
        ({"申领编号": ""}, "required", "A 申领编号"),
        ({"申领编号": 20260001}, "text_required", "A 申领编号"),
        ({"申领编号": "R" * 65}, "too_long", "A 申领编号"),
        ({"申领编号": "R\n1"}, "control_character", "A 申领编号"),
        ({"统一社会信用代码": ""}, "required", "B 统一社会信用代码"),
        ({"统一社会信用代码": 913301060000000190}, "text_required", "B 统一社会信用代码"),
        ({"统一社会信用代码": USCC[:-1]}, "uscc_length", "B 统一社会信用代码"),
        ({"统一社会信用代码": "91330106MI0000015K"}, "uscc_character", "B 统一社会信用代码"),
        ({"统一社会信用代码": "91330106MA0000015L"}, "uscc_check", "B 统一社会信用代码"),
        ({"企业名称": "  "}, "required", "C 企业名称"),
        ({"企业名称": True}, "text_required", "C 企业名称"),
        ({"企业名称": "名" * 201}, "too_long", "C 企业名称"),
        ({"面值": ""}, "required", "D 面值（元）"),
        ({"面值": "一千"}, "amount_unreadable", "D 面值（元）"),
        ({"面值": "1e3"}, "amount_unreadable", "D 面值（元）"),
        ({"面值": "12,34"}, "amount_unreadable", "D 面值（元）"),
        ({"面值": "¥100"}, "amount_unreadable", "D 面值（元）"),
        ({"面值": True}, "amount_unreadable", "D 面值（元）"),
        ({"面值": date(2026, 1, 1)}, "amount_unreadable", "D 面值（元）"),
        ({"面值": 33.355}, "amount_decimals", "D 面值（元）"),
        ({"面值": "33.355"}, "amount_decimals", "D 面值（元）"),
        ({"面值": 0.001}, "amount_decimals", "D 面值（元）"),
        ({"面值": 0}, "amount_not_positive", "D 面值（元）"),
        ({"面值": "0.00"}, "amount_not_positive", "D 面值（元）"),
        ({"面值": -5}, "amount_not_positive", "D 面值（元）"),
        ({"面值": "-5.00"}, "amount_not_positive", "D 面值（元）"),
        ({"面值": 1e300}, "amount_too_large", "D 面值（元）"),
        ({"面值": "10000000000000.01"}, "amount_too_large", "D 面值（元）"),
        ({"生效日期": "2026-02-30"}, "date_unreadable", "E 生效日期"),
        ({"生效日期": "2026/12-31"}, "date_unreadable", "E 生效日期"),
        ({"生效日期": "31.12.2026"}, "date_unreadable", "E 生效日期"),
        ({"生效日期": "1999-12-31"}, "date_unreadable", "E 生效日期"),
        ({"生效日期": "3000-01-01"}, "date_unreadable", "E 生效日期"),
        ({"截止日期": 46387}, "date_unreadable", "F 截止日期"),
        ({"截止日期": datetime(2026, 12, 31, 12, 30)}, "date_with_time", "F 截止日期"),  # noqa: DTZ001 - as Excel's are
        ({"备注": "长" * 501}, "too_long", "G 备注"),
        ({"备注": "两\n行"}, "control_character", "G 备注"),
    ],
)
def test_a_bad_cell_is_named_with_row_and_column(change: dict[str, Any], code: str, column: str) -> None:
    error = error_of(workbook([row_of(申领编号="R0"), row_of(**change)]))
    assert (error.code, error.row, error.column) == (code, 3, column)
    assert error.pointer.startswith("/rows/3/")
    assert error.detail
    assert "{" not in error.detail


def test_limits_and_values_stand_in_the_complaint() -> None:
    error = error_of(workbook([row_of(统一社会信用代码=USCC[:-1])]))
    assert (error.limit, error.actual) == (18, 17)
    error = error_of(workbook([row_of(面值="10000000000001")]))
    assert error.limit == "10,000,000,000,000.00"


def test_complaints_are_in_the_language_asked_for() -> None:
    data = workbook([row_of(申领编号="")])
    assert error_of(data, "zh").detail == "此单元格不能为空。"
    assert error_of(data, "en").detail == "This cell must not be empty."


def test_every_sentence_has_both_languages_with_the_same_values() -> None:
    for code, (english, chinese) in SENTENCES.items():
        values = [
            {name for name in ("limit", "actual", "position") if f"{{{name}}}" in text} for text in (english, chinese)
        ]
        assert values[0] == values[1], code


def test_all_complaints_come_at_once_in_the_order_of_the_rows() -> None:
    errors = errors_of(workbook([row_of(申领编号="", 面值=0), row_of(), row_of(申领编号="R3", 截止日期="明年")]))
    assert [(error.row, error.code) for error in errors] == [
        (2, "required"),
        (2, "amount_not_positive"),
        (4, "date_unreadable"),
    ]


def test_very_many_complaints_are_counted_and_the_first_are_listed() -> None:
    data = workbook([row_of(申领编号=f"R{n}", 面值=0) for n in range(MAX_ERRORS + 5)])
    sheet = read_sheet(data, language="en")
    refusal = sheet.layout.refusal(sheet.errors)
    assert (refusal.context["count"], len(refusal.errors)) == (MAX_ERRORS + 5, MAX_ERRORS)


def test_a_reference_number_that_stands_twice_names_both_rows() -> None:
    # The first row has another fault besides; its number still counts.
    error = errors_of(workbook([row_of(面值=0), row_of(申领编号="R2"), row_of(申领编号="Ｒ1")]))[1]
    assert (error.code, error.row, error.limit, error.actual) == ("reference_duplicate", 4, 2, "R1")


@pytest.mark.parametrize("value", ["#DIV/0!", "#N/A", "#REF!", "#VALUE!", "#NAME?"])
def test_a_formula_error_is_reported_even_where_the_cell_may_be_empty(value: str) -> None:
    cell = f'<c r="G2" t="e"><f>1/0</f><v>{value}</v></c></row></sheetData>'.encode()
    data = altered(workbook([row_of()]), {SHEET: lambda part: part.replace(b"</row></sheetData>", cell)})
    error = error_of(data)
    assert (error.code, error.row, error.column, error.actual) == ("formula_error", 2, "G 备注", value)


def test_a_formula_counts_by_its_value() -> None:
    cell = b'<c r="D2"><f>500+500.5</f><v>1000.5</v></c>'
    data = altered(workbook([row_of(面值=1)]), {SHEET: lambda part: part.replace(b'<c r="D2"><v>1</v></c>', cell)})
    assert read_sheet(data, language="zh").rows[0].face_value_fen == 100_050


def test_a_float_that_is_no_amount_is_refused_with_advice() -> None:
    cell = b'<c r="D2"><f>0.1+0.2</f><v>0.30000000000000004</v></c>'
    data = altered(workbook([row_of(面值=1)]), {SHEET: lambda part: part.replace(b'<c r="D2"><v>1</v></c>', cell)})
    error = error_of(data)
    assert (error.code, error.actual) == ("amount_decimals", "0.30000000000000004")
    assert "ROUND" in (error.detail or "")


@pytest.mark.parametrize("value", [b"nan", b"inf", b"1e999"])
def test_numbers_that_are_none_are_refused(value: bytes) -> None:
    cell = b'<c r="D2"><v>' + value + b"</v></c>"
    data = altered(workbook([row_of(面值=1)]), {SHEET: lambda part: part.replace(b'<c r="D2"><v>1</v></c>', cell)})
    assert error_of(data).code == "amount_unreadable"


# -- headings ----------------------------------------------------------------------------------------------------------


def test_a_missing_column_is_named() -> None:
    error = error_of(workbook([row_of()], headings=["申领编号", "企业名称", "面值（元）"]))
    assert (error.code, error.row, error.column, error.limit) == (
        "heading_missing",
        1,
        "统一社会信用代码",
        "统一社会信用代码",
    )


def test_every_missing_column_is_named() -> None:
    errors = errors_of(workbook([], headings=["申领编号"]))
    assert [error.column for error in errors] == ["统一社会信用代码", "企业名称", "面值（元）"]


def test_a_foreign_column_is_named() -> None:
    error = error_of(workbook([row_of(联系电话="138")], headings=[*HEADINGS, "联系电话"]))
    assert (error.code, error.column, error.actual) == ("heading_unknown", "H 联系电话", "联系电话")


def test_a_column_twice_is_named_also_where_one_is_in_english() -> None:
    error = error_of(workbook_of({"发放清单": [[*HEADINGS, "note"], ["R1", USCC, NAME, 1]]}))
    assert (error.code, error.column) == ("heading_duplicate", "H note")


def test_values_in_a_column_without_heading_are_not_lost_in_silence() -> None:
    error = error_of(workbook_of({"发放清单": [HEADINGS[:4], ["R1", USCC, NAME, 1, "", "见附件"]]}))
    assert (error.code, error.column, error.actual) == ("heading_empty", "F", 2)


def test_a_sheet_without_rows_is_refused() -> None:
    assert error_of(workbook([])).code == "no_rows"


def test_the_downloaded_template_is_readable_and_still_empty() -> None:
    assert error_of(write_template(ISSUANCE)).code == "no_rows"
    assert write_template(ISSUANCE) == write_template(ISSUANCE)


def test_a_workbook_without_the_headings_says_which_are_looked_for() -> None:
    assert "申领编号" in why(workbook_of({"Sheet1": [["姓名", "电话"], ["甲", "1"]]}))
    assert "申领编号" in why(workbook_of({"空": []}))


# -- files that are no sheet -------------------------------------------------------------------------------------------

GOOD = workbook([row_of()])


@pytest.mark.parametrize(
    "data",
    [
        b"PK\x03\x04 but nothing more",
        GOOD[: len(GOOD) // 2],
        altered(GOOD, {"[Content_Types].xml": None}),
        altered(GOOD, {"[Content_Types].xml": lambda part: part.replace(b"sheet.main+xml", b"template.main+xml")}),
    ],
)
def test_what_is_no_xlsx_is_refused(data: bytes) -> None:
    assert why(data) == "The file is not an Excel workbook."


@pytest.mark.parametrize(
    "data",
    [
        altered(GOOD, {"xl/workbook.xml": lambda part: part[:-20]}),
        altered(GOOD, {"xl/_rels/workbook.xml.rels": None}),
        altered(GOOD, {SHEET: None}),
        altered(GOOD, {SHEET: lambda part: part.replace(b"<v>0</v>", b"<v>99</v>")}),
        altered(GOOD, {SHEET: lambda part: part.replace(b"<v>0</v>", b"<v>-1</v>")}),
        altered(GOOD, {SHEET: lambda part: part.replace(b'r="A2"', b'r="2A"')}),
        altered(GOOD, {SHEET: lambda part: part.replace(b'<row r="2"', b'<row r="zwei"')}),
    ],
)
def test_a_damaged_workbook_is_refused(data: bytes) -> None:
    assert why(data) == "The workbook is damaged."


def test_old_and_encrypted_workbooks_are_told_apart() -> None:
    old = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)
    assert ".xls" in why(old)
    assert "password" in why(old + "EncryptedPackage".encode("utf-16-le"))


def test_macros_are_refused_whatever_the_file_is_called() -> None:
    xlsm = altered(
        GOOD,
        {
            "[Content_Types].xml": lambda part: part.replace(
                b"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml",
                b"application/vnd.ms-excel.sheet.macroEnabled.main+xml",
            )
        },
    )
    assert "macros" in why(xlsm)


def test_a_file_that_unpacks_to_too_much_is_refused_before_it_is_unpacked() -> None:
    bomb = BytesIO(GOOD)
    with zipfile.ZipFile(bomb, "a", zipfile.ZIP_DEFLATED) as archive, archive.open("xl/media/bomb.bin", "w") as part:
        for _ in range(MAX_UNPACKED_BYTES // 2**20):
            part.write(bytes(2**20))
    assert "Unpacked" in why(bomb.getvalue())


def test_a_file_over_the_limit_is_refused() -> None:
    assert "bytes" in why(GOOD + bytes(20 * 2**20))


def test_a_cell_far_out_is_named_instead_of_taking_all_memory() -> None:
    assert "XFD1048576" in why(altered(GOOD, {SHEET: lambda part: _with_cell(part, b"XFD1048576", b"<v>1</v>")}))
    assert "A100101" in why(altered(GOOD, {SHEET: lambda part: _with_cell(part, b"A100101", b"<v>1</v>")}))


def test_a_far_cell_without_content_does_not_matter() -> None:
    data = altered(GOOD, {SHEET: lambda part: _with_cell(part, b"XFD1048576", b"")})
    assert len(read_sheet(data, language="zh").rows) == 1


def test_cells_without_a_place_are_counted() -> None:
    cells = b'<row r="3">' + b"<c><v>1</v></c>" * 60 + b"</row></sheetData>"
    assert "AY3" in why(altered(GOOD, {SHEET: lambda part: part.replace(b"</sheetData>", cells)}))


def test_a_long_text_used_in_every_cell_is_refused() -> None:
    data = workbook([row_of(备注="字" * 32_000)])
    cells = b"".join(b'<row r="%d"><c r="G%d" t="s"><v>10</v></c></row>' % (n, n) for n in range(3, 2_000))
    assert "characters of text" in why(
        altered(data, {SHEET: lambda part: part.replace(b"</sheetData>", cells + b"</sheetData>")})
    )


def test_a_document_type_declaration_is_refused() -> None:
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa">]><worksheet>&a;</worksheet>'
    assert "document type" in why(altered(GOOD, {SHEET: lambda _: bomb}))


def test_a_part_that_stands_twice_is_refused() -> None:
    twice = altered(GOOD, {SHEET.upper(): lambda _: b"<worksheet/>"})
    assert "twice" in why(twice)


@given(st.data())
def test_no_damage_to_a_file_does_more_than_get_it_refused(data: st.DataObject) -> None:
    broken = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 8))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    _read_or_refused(bytes(broken))


@given(st.data())
def test_no_damage_to_the_sheet_itself_does_more_than_get_it_refused(data: st.DataObject) -> None:
    with zipfile.ZipFile(BytesIO(GOOD)) as archive:
        part = bytearray(archive.read(SHEET))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(part) - 1))
        part[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    _read_or_refused(altered(GOOD, {SHEET: lambda _: bytes(part)}))


@given(
    st.lists(st.lists(st.one_of(st.text(max_size=20), st.floats(), st.booleans(), st.dates()), max_size=7), max_size=4)
)
def test_no_cell_does_more_than_get_a_sheet_refused(lines: list[list[Any]]) -> None:
    def plain(value: Any) -> Any:
        return "" if value != value or value in {float("inf"), float("-inf")} else value  # noqa: PLR0124 - NaN

    cells = [[plain(value) for value in line] for line in lines]
    _read_or_refused(workbook_of({"发放清单": [HEADINGS, *cells]}))


def _read_or_refused(data: bytes) -> None:
    """Anything but rows or a refusal fails the test."""
    with contextlib.suppress(AppError):
        read_sheet(data, language="zh")


def _with_cell(part: bytes, place: bytes, content: bytes) -> bytes:
    row = place.lstrip(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    added = b'<row r="' + row + b'"><c r="' + place + b'">' + content + b"</c></row></sheetData>"
    return part.replace(b"</sheetData>", added)
