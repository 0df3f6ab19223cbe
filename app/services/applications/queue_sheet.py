"""A queue of applications as a spreadsheet or CSV file for officials. Amounts in 元; no cell is ever a formula."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from io import BytesIO, StringIO

from app.kernel.clock import SHANGHAI
from app.kernel.regions import is_region, region_name
from app.kernel.widths import half_width
from app.services.applications.reads import Shown, Stage
from app.services.sheets.writing import new_workbook

SHEET_NAME = "申领办理"
MAX_ROWS = 20_000

HEADINGS = (
    "申领编号",
    "项目",
    "企业名称",
    "统一社会信用代码",
    "区县",
    "环节",
    "申领金额（元）",
    "核定金额（元）",
    "提交时间",
    "办理期限",
    "是否逾期",
    "办结时间",
    "说明",
    "用途",
)
STAGES = {
    Stage.COUNTY: "区县审核中",
    Stage.CITY: "市审核中",
    Stage.CORRECTION: "待补正",
    Stage.WAITING: "候补",
    Stage.PASSED: "通过",
    Stage.FAILED: "不通过",
    Stage.WITHDRAWN: "已撤回",
    Stage.DRAFT: "草稿",
}
assert set(STAGES) == set(Stage), "every stage has its word"
_WIDTHS = (38, 28, 30, 22, 12, 12, 16, 16, 18, 12, 8, 18, 30, 50)
_ACTIVE = ("=", "+", "-", "@")
"""What a spreadsheet knows a formula of a CSV file by, in any width and behind spaces, tabs and line ends."""

Cell = str | Decimal | None


def write_xlsx(applications: Sequence[Shown], *, at: datetime) -> bytes:
    """An .xlsx with one row per application. Text stays text, whatever sign it begins with."""
    file = BytesIO()
    with new_workbook(file) as workbook:
        workbook.set_properties({"title": SHEET_NAME, "created": at.astimezone(SHANGHAI).replace(tzinfo=None)})
        sheet = workbook.add_worksheet(SHEET_NAME)
        heading = workbook.add_format({"bold": True, "bottom": 1, "bg_color": "#DDEBF7"})
        amount = workbook.add_format({"num_format": "#,##0.00"})
        for column, (words, width) in enumerate(zip(HEADINGS, _WIDTHS, strict=True)):
            sheet.set_column(column, column, width)
            sheet.write_string(0, column, words, heading)
        sheet.freeze_panes(1, 0)
        for line, application in enumerate(applications, start=1):
            for column, cell in enumerate(_cells(application)):
                if isinstance(cell, Decimal):
                    sheet.write_number(line, column, cell, amount)
                elif cell:
                    sheet.write_string(line, column, cell)
        foot = f"导出时间：{_local(at)}（北京时间）；共 {len(applications)} 件；单位：元"
        sheet.write_string(len(applications) + 2, 0, foot)
    return file.getvalue()


def write_csv(applications: Sequence[Shown]) -> bytes:
    """The same as CSV (UTF-8 with a mark, so that Excel reads it). A cell that would be a formula begins with '."""
    text = StringIO()
    writer = csv.writer(text)
    writer.writerow(HEADINGS)
    for application in applications:
        writer.writerow([_plain(cell) for cell in _cells(application)])
    return text.getvalue().encode("utf-8-sig")


def _cells(shown: Shown) -> Iterator[Cell]:
    record = shown.record
    yield record.id
    yield record.programme_title
    yield record.firm_name
    yield record.firm_identifier
    yield region_name(record.district_code) if is_region(record.district_code) else record.district_code
    yield STAGES[shown.stage]
    yield _yuan(record.amount_fen)
    yield _yuan(record.assessed_fen)
    yield _local(record.submitted_at)
    yield shown.due_on.isoformat() if shown.due_on else None
    yield "是" if shown.overdue else "否"
    yield _local(record.decided_at)
    yield record.decision_reason
    yield record.purpose


def _plain(cell: Cell) -> str:
    if isinstance(cell, Decimal):
        return f"{cell:.2f}"
    text = cell or ""
    return f"'{text}" if half_width(text).lstrip().startswith(_ACTIVE) or text[:1].isspace() else text


def _yuan(fen: int | None) -> Decimal | None:
    return Decimal(fen).scaleb(-2) if fen is not None else None


def _local(at: datetime | None) -> str | None:
    return f"{at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}" if at is not None else None
