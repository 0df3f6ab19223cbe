"""The words of a sheet of grants: its fields, and what can be wrong with one. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from app.services.sheets import problems

REFERENCE_LENGTH = 64
NAME_LENGTH = 200
NOTE_LENGTH = 500
MARK_LENGTH = 200


class Field(StrEnum):
    """The fields of a row, by the names that stand in pointers."""

    REFERENCE_NO = "reference_no"
    USCC = "uscc"
    FIRM_ID = "firm_id"
    FIRM_NAME = "firm_name"
    FACE_VALUE = "face_value_yuan"
    VALID_FROM = "valid_from"
    VALID_UNTIL = "valid_until"
    NOTE = "note"
    TERMS = "terms"
    ASKED = "asked_yuan"
    SCORE = "score"
    TIER = "tier"
    PROJECT = "project"
    PROJECT_LEVEL = "project_level"


MARKS = frozenset((Field.SCORE, Field.TIER, Field.PROJECT, Field.PROJECT_LEVEL))
"""What some rules for giving out money ask of a row besides the amount."""


FINDINGS = "校验结果"
"""The column of an annotated copy that says what is wrong with each row; passed over when the copy is sent in."""
PASSED_OVER = (FINDINGS, "序号")
"""Columns that may stand in the sheet and mean nothing here."""


SENTENCES: Mapping[str, tuple[str, str]] = {
    "heading_missing": ("The sheet has no column {limit}.", "表格缺少“{limit}”列。"),
    "heading_unknown": (
        "{actual} is no column of the template. Remove the column or correct its heading.",
        "“{actual}”不是模板中的列。请删除该列或更正表头。",
    ),
    "heading_unit": (
        "{actual} does not say yuan. Convert the amounts where they are in another unit, then name the column {limit}.",
        "“{actual}”未注明以元为单位。金额如非以元填写，请先逐一换算，再将表头改为“{limit}”。",
    ),
    "unit_not_yuan": (
        "{actual} stands above the headings, and {limit} says yuan. Convert the amounts to yuan, then remove the note.",
        "表头上方写有“{actual}”，与“{limit}”不符。请先将全部金额换算为元，再删除该说明。",
    ),
    "heading_duplicate": ("The column {actual} stands twice. Remove one.", "“{actual}”列重复。请删除其中一列。"),
    "heading_empty": (
        "The column holds something in row {actual} but has no heading. Clear it or give it a heading of the template.",
        "该列第 {actual} 行有内容但没有表头。请清除内容或补填模板表头。",
    ),
    "no_rows": ("There is no row below the headings.", "表头下没有任何数据行。"),
    "heading_repeated": (
        "This row repeats the headings. Delete it: headings stand once, above the rows.",
        "该行重复了表头。请删除该行，表头只能在数据上方出现一次。",
    ),
    "number_shown_otherwise": (
        "{actual} is shown otherwise: its format adds words or a unit (as 万元), scales or hides it. Use a plain one.",
        "数值 {actual} 的数字格式加有文字或单位（如“万元”），或将其缩放、隐藏。请改为常规数字格式，并核对数值。",
    ),
    "merged_cell": (
        "This cell is hidden by the merged range {limit}. Unmerge it and fill in every row.",
        "此单元格处于合并区域 {limit} 内。请取消合并并逐行填写。",
    ),
    "cells_too_many": (
        "The row has {actual} cells under {limit} headings. An amount with a comma needs quotes in a CSV file.",
        "该行有 {actual} 格，而表头只有 {limit} 列。CSV 中带千分位逗号的金额须加引号。",
    ),
    "formula_without_result": (
        "The cell's formula was never computed. Open the file in Excel or WPS and save it, or write the value itself.",
        "单元格公式尚未计算出结果。请用 Excel 或 WPS 打开并保存，或直接填写数值。",
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
    "formula_as_text": (
        "{actual} looks like a formula, and a CSV file does not say whether one was meant. Write the value itself.",
        "{actual} 形似公式，CSV 文件无法判断是否为公式。请直接填写数值或文字。",
    ),
    "subtotal": ("A subtotal is no line. Remove it.", "小计不是明细，请删除该行。"),
    "row_below_total": ("The line stands below the total. Move it up.", "该行位于合计行之后，请移至合计行之前。"),
    "total_count_wrong": ("The total says {limit} lines, not {actual}.", "合计写明 {limit} 笔，实际 {actual} 笔。"),
    "total_wrong": ("The total says {limit}; the lines add up to {actual}.", "合计为 {limit}，明细之和为 {actual}。"),
    "sheet_too_long": ("At most {limit} rows are read; split the sheet.", "最多读取 {limit} 行，请拆分表格。"),
    "required": ("This cell must not be empty.", "此单元格不能为空。"),
    "row_no_grant": (
        "The row has neither a credit code nor an amount. Fill in both, or remove it; remarks stand below a row 合计.",
        "该行既无统一社会信用代码也无金额。请补填，或删除该行；备注、签字请写在“合计”行之后。",
    ),
    "formula_error": (
        "The cell's formula gives {actual}. Correct it or write the value itself.",
        "单元格公式结果为 {actual}。请更正公式或直接填写数值。",
    ),
    "text_required": (
        "The cell holds a number, and Excel keeps only 15 digits of one. Format the column as text and enter it again.",
        "单元格为数字格式，Excel 仅保留 15 位有效数字。请将该列设为文本格式后重新填写。",
    ),
    "control_character": ("The text has a line break or another control character.", "文本含有换行或其他控制字符。"),
    "too_long": ("The text has {actual} characters; at most {limit} fit.", "文本共 {actual} 个字符，最多 {limit} 个。"),
    "uscc_length": (
        "A unified social credit code has {limit} characters; this one has {actual}.",
        "统一社会信用代码应为 {limit} 位，现为 {actual} 位。",
    ),
    "uscc_character": (
        "Character {position} of the unified social credit code cannot be {actual}.",
        "统一社会信用代码第 {position} 位不能是“{actual}”。",
    ),
    "uscc_check": (
        "Character {position} of the unified social credit code should be {limit}, is {actual}. Something is mistyped.",
        "统一社会信用代码第 {position} 位校验码应为“{limit}”，现为“{actual}”，请核对是否录入有误。",
    ),
    "amount_unreadable": (
        "{actual} is not an amount in yuan. Write digits and at most two decimals, such as 1234.50.",
        "“{actual}”不是以元为单位的金额。请用数字填写，最多两位小数，如 1234.50。",
    ),
    "amount_decimals": (
        "{actual} has more than two decimals. Round it to the fen; where it is a formula, with ROUND(…,2).",
        "{actual} 超过两位小数。请精确到分；如为公式，请使用 ROUND(…,2)。",
    ),
    "amount_not_positive": ("The amount must be above 0; this is {actual}.", "金额必须大于 0，现为 {actual}。"),
    "amount_too_large": ("The amount is at most {limit} yuan.", "金额最高 {limit} 元。"),
    "score_unreadable": (
        "{actual} is not a score. Write digits and at most {limit} decimals, such as 87.5.",
        "“{actual}”不是评分。请用数字填写，最多 {limit} 位小数，如 87.5。",
    ),
    "score_decimals": (
        "{actual} has more than {limit} decimals. Round it; where it is a formula, with ROUND(…,{limit}).",
        "{actual} 超过 {limit} 位小数。请先取整到规定位数；如为公式，请使用 ROUND(…,{limit})。",
    ),
    "heading_not_for_method": (
        "These rules allocate by {limit}, for which {actual} decides nothing. Remove the column.",
        "本项目规则的分配方式为“{limit}”，不使用“{actual}”列。请删除该列。",
    ),
    "date_unreadable": (
        "{actual} is not a date. Use a date cell, or text such as 2026-12-31, 2026/12/31 or 2026年12月31日.",
        "“{actual}”不是日期。请使用日期格式，或填写 2026-12-31、2026/12/31、2026年12月31日。",
    ),
    "date_with_time": (
        "{actual} has a time of day. Validity is counted in whole days: give the date alone.",
        "{actual} 含有时刻。有效期按整日计算，请只填日期。",
    ),
    "reference_duplicate": (
        "The reference number {actual} stands in row {limit} already.",
        "申领编号 {actual} 已出现在第 {limit} 行。",
    ),
    "reference_already_used": (
        "The reference number {actual} was issued or submitted in batch {limit}.",
        "申领编号 {actual} 已在批次 {limit} 中发放或提交。",
    ),
    "reference_used_by_another": (
        "The reference number {actual} was used by another authority that issues under this programme.",
        "申领编号 {actual} 已由本项目的其他发放单位使用。",
    ),
    "firm_elsewhere": (
        "The firm is registered in {actual}; your county {limit} issues to its own firms.",
        "该企业登记在 {actual}，本县（市、区）{limit} 仅向本地企业发放。",
    ),
    "firm_unknown": (
        "No firm is registered as {actual}. Have it registered first, or correct the code.",
        "未登记的企业：{actual}。请先登记该企业，或更正代码。",
    ),
    "firm_related": (
        "{actual} is related to every listed provider ({limit}) and could spend a voucher nowhere. Remove the row.",
        "{actual} 与全部入围服务机构均存在关联关系（{limit}），所发的券无处可用。请删除该行。",
    ),
    "firm_debarred": (
        "{actual} is on the debarment list by {limit} and is given no voucher. Remove the row.",
        "{actual} 已依据{limit}列入失信名单，不得发放。请删除该行。",
    ),
    "firm_name_mismatch": (
        "The firm with this code is registered as {limit}, not as {actual}.",
        "该代码登记的企业名称为“{limit}”，与“{actual}”不符。",
    ),
    "terms_unknown_fact": (
        "{actual} is no fact that these rules know. Known are: {limit}.",
        "本项目规则未定义事实 {actual}。可用：{limit}。",
    ),
    "terms_wrong_fact_type": (
        "{actual} is not of the type that this fact has ({limit}).",
        "{actual} 与该事实的类型（{limit}）不符。",
    ),
    "terms_rate_above_maximum": (
        "The approved rate {actual} is above the maximum {limit} of the rules.",
        "核定比例 {actual} 超过规则规定的最高比例 {limit}。",
    ),
    "terms_no_exception": (
        "The rules allow no exception from {actual}. Exceptions are possible from: {limit}.",
        "规则不允许对 {actual} 作例外审批。可例外的上限：{limit}。",
    ),
    "terms_above_hard_limit": (
        "The exception of {actual} fen is above the hard limit of {limit} fen.",
        "例外金额 {actual} 分超过硬上限 {limit} 分。",
    ),
    "terms_unknown_layer": (
        "The rules name no layer {actual}. Known are: {limit}.",
        "规则未设层级 {actual}。可用：{limit}。",
    ),
    "declaration_mismatch": ("{limit} is declared; the rows give {actual}.", "申报为 {limit}，清单合计为 {actual}。"),
    "valid_until_past": (
        "The voucher would have ended already: it would be valid until {actual}, and it is {limit} now.",
        "有效期已过：有效期至 {actual}，现为 {limit}。",
    ),
    "valid_until_before_start": (
        "The voucher would end at {actual}, before it is valid from {limit}.",
        "截止时间 {actual} 早于生效时间 {limit}。",
    ),
}
"""What a person can act on, in English and Chinese. `limit` and `actual` also stand in the answer by themselves."""


class CellProblem(problems.CellProblem):
    """Why one cell cannot be taken as it is."""

    sentences = SENTENCES
