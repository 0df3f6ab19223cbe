"""The execution report as the spreadsheet that a finance bureau files. Amounts in 元."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from io import BytesIO

import xlsxwriter  # type: ignore[import-untyped]

from app.kernel.clock import SHANGHAI
from app.kernel.regions import is_region, region_name
from app.services.budgets.execution import ACCOUNTS, ExecutionRow, Standing, total_of
from app.services.budgets.groups import Group
from app.services.sheets.writing import new_workbook

SHEET_NAME = "预算执行"

NAME_HEADINGS = ("地区", "项目", "文号", "预算年度", "资金来源")
AMOUNT_HEADINGS = {
    "appropriation_fen": "预算指标",
    "available_fen": "可用额度",
    "committed_fen": "已发放占用",
    "held_fen": "预扣",
    "obligated_fen": "应付",
    "in_payment_fen": "支付中",
    "disbursed_fen": "已拨付",
    "lapsed_fen": "指标收回",
}
assert tuple(AMOUNT_HEADINGS) == tuple(ACCOUNTS.values()), "every amount has its heading"
RATE_HEADING = "预算执行率"

_WIDTHS = (14, 36, 26, 10, 14, *(18 for _ in AMOUNT_HEADINGS), 12)


GROUPS_NAME = "分组汇总"

GROUP_HEADINGS = {
    "programme_id": "项目",
    "city_code": "市",
    "county_code": "县（市、区）",
    "fund_source": "资金来源",
    "fiscal_year": "预算年度",
}


def write_execution(rows: Sequence[ExecutionRow], *, at: datetime, groups: Sequence[Group] = ()) -> bytes:
    """An .xlsx: one row per pool, the sum below; groups, where there are any, on a second sheet.

    Text stays text, whatever sign it begins with.
    """
    file = BytesIO()
    with new_workbook(file) as workbook:
        workbook.set_properties({"title": SHEET_NAME, "created": at.astimezone(SHANGHAI).replace(tzinfo=None)})
        sheet = _Sheet(workbook, SHEET_NAME, _WIDTHS)
        sheet.headings(NAME_HEADINGS)
        for row in rows:
            names = (row.programme_title, row.document_no, str(row.fiscal_year), row.fund_source)
            sheet.row((region_name(row.region_code), *names), row.standing)
        sheet.row(("合计", "", "", "", ""), total_of(rows))
        footer = f"统计时间：{at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}（北京时间）；单位：元"
        sheet.footer(footer)
        if groups:
            by = tuple(groups[0].key)
            summary = _Sheet(workbook, GROUPS_NAME, (*(24 for _ in by), *(18 for _ in AMOUNT_HEADINGS), 12))
            summary.headings(tuple(GROUP_HEADINGS[name] for name in by))
            for group in groups:
                summary.row(tuple(_group_cell(name, group) for name in by), group.standing)
            summary.footer(footer)
    return file.getvalue()


def _group_cell(name: str, group: Group) -> str:
    if name == "programme_id":
        return group.rows[0].programme_title
    value = group.key[name]
    return region_name(value) if name.endswith("_code") and is_region(value) else value


class _Sheet:
    """Writes line by line."""

    def __init__(self, workbook: xlsxwriter.Workbook, name: str, widths: Sequence[int]) -> None:
        self._sheet = workbook.add_worksheet(name)
        self._heading = workbook.add_format({"bold": True, "bottom": 1, "bg_color": "#DDEBF7"})
        self._amount = workbook.add_format({"num_format": "#,##0.00"})
        self._rate = workbook.add_format({"num_format": "0.00%"})
        self._line = 0
        for column, width in enumerate(widths):
            self._sheet.set_column(column, column, width)
        self._sheet.freeze_panes(1, 0)

    def headings(self, names: Sequence[str]) -> None:
        for column, words in enumerate((*names, *AMOUNT_HEADINGS.values(), RATE_HEADING)):
            self._sheet.write_string(self._line, column, words, self._heading)
        self._line += 1

    def row(self, names: Sequence[str], standing: Standing) -> None:
        for column, words in enumerate(names):
            self._sheet.write_string(self._line, column, words)
        for column, name in enumerate(AMOUNT_HEADINGS, start=len(names)):
            self._sheet.write_number(self._line, column, Decimal(getattr(standing, name)).scaleb(-2), self._amount)
        if standing.execution_rate is not None:
            rate = Decimal(standing.execution_rate)
            self._sheet.write_number(self._line, len(names) + len(AMOUNT_HEADINGS), rate, self._rate)
        self._line += 1

    def footer(self, words: str) -> None:
        self._sheet.write_string(self._line + 1, 0, words)
