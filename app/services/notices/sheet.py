"""A public notice as the spreadsheet that authorities put up: title across, columns, issuing body and date below."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from io import BytesIO

import xlsxwriter  # type: ignore[import-untyped]

from app.kernel.clock import SHANGHAI, civil_date
from app.services.notices.reads import ItemRecord, NoticeRecord
from app.services.sheets.writing import new_workbook

SHEET_NAME = "公示名单"
HEADINGS = ("序号", "企业名称", "统一社会信用代码", "项目", "金额（元）", "备注")
_WIDTHS = (8, 38, 24, 34, 18, 24)
_LAST = len(HEADINGS) - 1


def write_notice(notice: NoticeRecord, items: Sequence[ItemRecord]) -> bytes:
    """The .xlsx. Text stays text, whatever sign it begins with; amounts are numbers in 元. `项目` and 备注 as shown."""
    file = BytesIO()
    issued_on = civil_date(notice.published_at or notice.created_at)
    with new_workbook(file) as workbook:
        made_at = (notice.published_at or notice.created_at).astimezone(SHANGHAI).replace(tzinfo=None)
        workbook.set_properties({"title": notice.title, "created": made_at})
        _Sheet(workbook).write(notice, items, issued_on)
    return file.getvalue()


def chinese_day(day: date) -> str:
    """A day as official papers write it: `2026年11月26日`."""
    return f"{day.year}年{day.month}月{day.day}日"


class _Sheet:
    """Writes line by line."""

    def __init__(self, workbook: xlsxwriter.Workbook) -> None:
        edged = {"border": 1, "valign": "vcenter", "font_name": "宋体"}
        plain = {"valign": "vcenter", "font_name": "宋体", "text_wrap": True}
        self._title = workbook.add_format(
            {"bold": True, "font_size": 16, "align": "center", "valign": "vcenter", "text_wrap": True}
        )
        self._heading = workbook.add_format(edged | {"bold": True, "align": "center"})
        self._number = workbook.add_format(edged | {"align": "center"})
        self._text = workbook.add_format(edged | {"num_format": "@", "text_wrap": True})
        self._amount = workbook.add_format(edged | {"num_format": "#,##0.00"})
        self._plain = workbook.add_format(plain)
        self._signed = workbook.add_format(plain | {"align": "right"})
        self._sheet = workbook.add_worksheet(SHEET_NAME)
        self._line = 0
        for column, width in enumerate(_WIDTHS):
            self._sheet.set_column(column, column, width)
        self._sheet.set_landscape()
        self._sheet.set_paper(9)
        self._sheet.fit_to_pages(1, 0)

    def write(self, notice: NoticeRecord, items: Sequence[ItemRecord], issued_on: date) -> None:
        self._across(notice.title, self._title, height=36)
        self._across(f"文号：{notice.document_no}", self._plain)
        if notice.basis:
            self._across(notice.basis, self._plain, height=48)
        for column, words in enumerate(HEADINGS):
            self._sheet.write_string(self._line, column, words, self._heading)
        self._sheet.repeat_rows(self._line)
        self._sheet.freeze_panes(self._line + 1, 0)
        self._line += 1
        for item in items:
            self._item(item)
        self._total(items)
        self._line += 1
        if notice.ends_on is not None:
            self._across(
                f"公示期：{notice.working_days} 个工作日，自 {chinese_day(issued_on)}发布之次日起至 "
                f"{chinese_day(notice.ends_on)}止（含当日）。",
                self._plain,
            )
        self._across(f"异议受理：{notice.contact}", self._plain, height=32)
        self._across(notice.authority_name, self._signed)
        self._across(chinese_day(issued_on), self._signed)

    def _across(self, words: str, shape: object, *, height: int | None = None) -> None:
        self._sheet.merge_range(self._line, 0, self._line, _LAST, "", shape)
        self._sheet.write_string(self._line, 0, words, shape)
        if height is not None:
            self._sheet.set_row(self._line, height)
        self._line += 1

    def _item(self, item: ItemRecord) -> None:
        self._sheet.write_number(self._line, 0, item.item_no, self._number)
        for column, words in enumerate((item.name, item.identifier, item.project), start=1):
            self._sheet.write_string(self._line, column, words, self._text)
        self._fen(4, item.amount_fen)
        self._sheet.write_string(self._line, 5, item.note or "", self._text)
        self._line += 1

    def _total(self, items: Sequence[ItemRecord]) -> None:
        for column in (0, 2, 3, 5):
            self._sheet.write_string(self._line, column, "合计" if not column else "", self._heading)
        self._sheet.write_string(self._line, 1, f"{len(items)} 项", self._text)
        self._fen(4, sum(item.amount_fen or 0 for item in items))
        self._line += 1

    def _fen(self, column: int, fen: int | None) -> None:
        if fen is None:
            self._sheet.write_string(self._line, column, "—", self._text)
        else:
            self._sheet.write_number(self._line, column, Decimal(fen).scaleb(-2), self._amount)
