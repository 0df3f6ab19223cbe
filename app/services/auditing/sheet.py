"""Audit events as a spreadsheet or CSV file. Text stays text: no cell is ever a formula."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from datetime import datetime
from io import BytesIO, StringIO

import orjson
import xlsxwriter  # type: ignore[import-untyped]

from app.kernel.canonical import sha256_hex
from app.kernel.clock import SHANGHAI
from app.services.auditing.reads import AuditEventRecord

SHEET_NAME = "审计事件"
MAX_ROWS = 20_000

HEADINGS = (
    "时间（北京时间）",
    "地区",
    "操作人",
    "操作人机构",
    "操作",
    "对象",
    "结果",
    "来源",
    "请求编号",
    "详情",
    "事件编号",
    "日志序号",
    "叶子 SHA-256",
)
_WIDTHS = (24, 10, 32, 32, 30, 40, 10, 18, 36, 60, 42, 10, 68)
_ACTIVE = ("=", "+", "-", "@", "\t", "\r", "\n")


def write_xlsx(events: Sequence[AuditEventRecord], *, at: datetime) -> bytes:
    """An .xlsx with one row per event."""
    file = BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(file, options) as workbook:
        workbook.set_properties({"title": SHEET_NAME, "created": at.astimezone(SHANGHAI).replace(tzinfo=None)})
        sheet = workbook.add_worksheet(SHEET_NAME)
        heading = workbook.add_format({"bold": True, "bottom": 1, "bg_color": "#DDEBF7"})
        for column, (words, width) in enumerate(zip(HEADINGS, _WIDTHS, strict=True)):
            sheet.set_column(column, column, width)
            sheet.write_string(0, column, words, heading)
        sheet.freeze_panes(1, 0)
        for line, event in enumerate(events, start=1):
            for column, cell in enumerate(_cells(event)):
                sheet.write_string(line, column, cell)
        sheet.write_string(len(events) + 2, 0, f"导出时间：{_local(at)}（北京时间）；共 {len(events)} 条")
    return file.getvalue()


def write_csv(events: Sequence[AuditEventRecord]) -> bytes:
    """The same as CSV (UTF-8 with a mark, so that Excel reads it). A cell that would be a formula begins with '."""
    text = StringIO()
    writer = csv.writer(text)
    writer.writerow(HEADINGS)
    for event in events:
        writer.writerow([f"'{cell}" if cell.startswith(_ACTIVE) else cell for cell in _cells(event)])
    return text.getvalue().encode("utf-8-sig")


def _cells(event: AuditEventRecord) -> Iterator[str]:
    yield _local(event.at)
    yield event.region_code
    yield event.principal_id
    yield event.organisation_id
    yield event.action
    yield event.object_id
    yield event.result
    yield event.source
    yield event.request_id
    yield orjson.dumps(event.details).decode()
    yield event.id
    yield "" if event.leaf_index is None else str(event.leaf_index)
    yield sha256_hex(event.leaf)


def _local(at: datetime) -> str:
    return f"{at.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S.%f}"
