"""What can be wrong with any list of amounts that is uploaded. Words only."""

from __future__ import annotations

from collections.abc import Mapping

from app.services.sheets import problems

YUAN, FEN = frozenset({"元", "yuan", "rmb", "cny", "人民币", "人民币元", "¥", "￥"}), frozenset({"分", "fen"})

SENTENCES: Mapping[str, tuple[str, str]] = {
    "heading_missing": ("The file has no column {limit}.", "文件缺少“{limit}”列。"),
    "heading_duplicate": (
        "{actual} means the same as the column {limit}. Leave one of them.",
        "“{actual}”与“{limit}”列含义相同，请只保留一列。",
    ),
    "heading_unit": (
        "The unit of {actual} is neither yuan nor fen. Give the amounts in yuan.",
        "“{actual}”的单位既非元也非分，请以元为单位填写。",
    ),
    "unit_not_yuan": (
        "{actual} stands above the headings, and amounts are read in yuan. Convert all of them, then remove the note.",
        "表头上方写有“{actual}”，而金额一律按元读取。请先将全部金额换算为元，再删除该说明。",
    ),
    "no_rows": (
        "There is no line below the headings. If there was truly none, declare a count of 0.",
        "表头下没有任何明细。如确无明细，请将申报笔数填为 0。",
    ),
    "too_many_rows": ("At most {limit} lines are read; split the period.", "最多读取 {limit} 笔明细，请拆分期间。"),
    "cells_too_many": (
        "The row has {actual} cells under {limit} headings. An amount with a comma needs quotes in a CSV file.",
        "该行有 {actual} 格，而表头只有 {limit} 列。CSV 中带千分位逗号的金额须加引号。",
    ),
    "required": ("This cell must not be empty.", "此单元格不能为空。"),
    "formula_error": (
        "The cell's formula gives {actual}. Correct it or write the value itself.",
        "单元格公式结果为 {actual}。请更正公式或直接填写数值。",
    ),
    "formula_without_result": (
        "The cell's formula was never computed. Open the file in Excel or WPS and save it, or write the value itself.",
        "单元格公式尚未计算出结果。请用 Excel 或 WPS 打开并保存，或直接填写数值。",
    ),
    "number_shown_otherwise": (
        "{actual} is shown otherwise: its format adds words or a unit (as 万元), scales or hides it. Use a plain one.",
        "数值 {actual} 的数字格式加有文字或单位（如“万元”），或将其缩放、隐藏。请改为常规数字格式，并核对数值。",
    ),
    "merged_cell": (
        "This cell is hidden by the merged range {limit}. Unmerge it and fill in every row.",
        "此单元格处于合并区域 {limit} 内。请取消合并并逐行填写。",
    ),
    "row_hidden": (
        "The row is hidden, by a filter or by hand, and would count. Show all rows; delete what does not belong here.",
        "该行已被隐藏（筛选或手工隐藏），但其内容会被读取。请取消筛选和隐藏，并删除不应计入的行。",
    ),
    "column_hidden": (
        "The column {actual} is hidden, and would count. Show it, or delete it.",
        "“{actual}”列已被隐藏，但其内容会被读取。请取消隐藏，或删除该列。",
    ),
    "number_mangled": (
        "{actual} was taken for a number, of which Excel keeps 15 digits. Format the column as text, enter it again.",
        "{actual} 曾被当作数字，Excel 仅保留 15 位有效数字。请将该列设为文本格式后重新填写。",
    ),
    "duplicate": ("{actual} stands in row {limit} already.", "{actual} 已出现在第 {limit} 行。"),
    "amount_unreadable": (
        "{actual} is not an amount. Write digits and at most two decimals, such as 1234.50.",
        "“{actual}”不是金额。请用数字填写，最多两位小数，如 1234.50。",
    ),
    "amount_decimals": (
        "{actual} is more exact than the fen. Round it; where it is a formula, with ROUND(…,2).",
        "{actual} 精确到分以下。请精确到分；如为公式，请使用 ROUND(…,2)。",
    ),
    "amount_negative": ("{actual} is below 0.", "{actual} 为负数。"),
    "date_unreadable": (
        "{actual} is not a date. Use a date cell, or text such as 2026-11-30, 2026/11/30 or 2026年11月30日.",
        "“{actual}”不是日期。请使用日期格式，或填写 2026-11-30、2026/11/30、2026年11月30日。",
    ),
    "date_outside_period": ("{actual} lies outside the period {limit}.", "{actual} 不在对账期间 {limit} 内。"),
    "row_below_total": ("The line stands below the total. Move it up.", "该行位于合计行之后，请移至合计行之前。"),
    "subtotal": ("A subtotal is no line. Remove it.", "小计不是明细，请删除该行。"),
    "total_count_wrong": ("The total says {limit} lines, not {actual}.", "合计写明 {limit} 笔，实际 {actual} 笔。"),
    "total_wrong": ("The total says {limit}; the lines add up to {actual}.", "合计为 {limit}，明细之和为 {actual}。"),
    "count_wrong": ("{limit} lines are declared; there are {actual}.", "申报 {limit} 笔，实际 {actual} 笔。"),
}  # fmt: skip
"""What a person can act on, in English and Chinese. `limit` and `actual` also stand in the answer by themselves.

A kind of list may word one of them in its own way, and has others besides.
"""


class ListProblem(problems.CellProblem):
    """Why a cell of a list cannot be taken as it is."""

    sentences = SENTENCES
