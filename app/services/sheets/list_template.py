"""The empty list that somebody downloads and fills in: a sheet with the headings only, and one that explains them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from io import BytesIO

from app.services.sheets.layouts import Layout
from app.services.sheets.writing import new_workbook

GUIDE_NAME = "说明"

_MADE_AT = datetime(2026, 1, 1)  # noqa: DTZ001 - Excel's times have no zone; fixed, so that the file is always the same bytes


def write_list_template(
    layout: Layout, guide: Mapping[str, tuple[str, str, str]], *, version: str, days: Collection[str]
) -> bytes:
    """The .xlsx, always the same bytes. `guide` says of each field whether it must be filled, and what with."""
    file = BytesIO()
    with new_workbook(file) as workbook:
        workbook.set_properties({"title": version, "created": _MADE_AT})
        heading = workbook.add_format({"bold": True, "bottom": 1, "bg_color": "#DDEBF7"})
        text = workbook.add_format({"num_format": "@"})
        day = workbook.add_format({"num_format": "yyyy-mm-dd"})
        amount = workbook.add_format({"num_format": "#,##0.00"})
        sheet = workbook.add_worksheet(layout.name_zh)
        for column, (field, words) in enumerate(layout.headings.items()):
            shape = amount if field in layout.amounts else day if field in days else text
            sheet.set_column(column, column, 22, shape)
            sheet.write_string(0, column, words, heading)
        sheet.freeze_panes(1, 0)
        explained = workbook.add_worksheet(GUIDE_NAME)
        explained.set_column(0, 1, 22)
        explained.set_column(2, 3, 60)
        explained.write_row(0, 0, ["模板版本 Template", version])
        explained.write_row(2, 0, ["列 Column", "必填", "填写说明", "Guidance"], heading)
        for row, (field, guidance) in enumerate(guide.items(), start=3):
            explained.write_row(row, 0, [layout.headings[field], *guidance])
    return file.getvalue()
