"""Rows of an issuance batch as they were sent, and what can be wrong with a cell. Pure.

A row comes from a sheet or from JSON; from here on nobody asks which. `Layout` remembers where its fields stood,
so that every complaint names the place in what the sender has before him.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from functools import partial

from app.kernel.money import MAX_FEN
from app.kernel.problems import AppError, Code, FieldError
from app.kernel.uscc import USCC_LENGTH, UsccCharacterError, UsccCheckError, UsccLengthError, parse_uscc
from app.kernel.widths import half_width
from app.services.issuance.terms import Terms
from app.services.sheets import problems, workbook

Language = problems.Language

MAX_ROWS = workbook.MAX_ROWS
"""Rows of one batch."""
MAX_ERRORS = 1_000
"""Complaints listed in one answer; `count` says how many there are."""
MAX_FACE_VALUE_FEN = MAX_FEN
REFERENCE_LENGTH = 64
NAME_LENGTH = 200
NOTE_LENGTH = 500


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


@dataclass(frozen=True, slots=True)
class GrantRow:
    """One voucher to be, as the authority wrote it. The firm is given by its code or its id; days are Shanghai's."""

    row_no: int
    """The row of the sheet (the heading is row 1), or the position in the JSON list from 1."""
    reference_no: str
    face_value_fen: int
    uscc: str | None = None
    firm_id: str | None = None
    firm_name: str | None = None
    valid_from: date | None = None
    valid_until: date | None = None
    note: str | None = None
    terms: Terms | None = None


SENTENCES: Mapping[str, tuple[str, str]] = {
    "heading_missing": ("The sheet has no column {limit}.", "表格缺少“{limit}”列。"),
    "heading_unknown": (
        "{actual} is no column of the template. Remove the column or correct its heading.",
        "“{actual}”不是模板中的列。请删除该列或更正表头。",
    ),
    "heading_duplicate": ("The column {actual} stands twice. Remove one.", "“{actual}”列重复。请删除其中一列。"),
    "heading_empty": (
        "The column holds something in row {actual} but has no heading. Clear it or give it a heading of the template.",
        "该列第 {actual} 行有内容但没有表头。请清除内容或补填模板表头。",
    ),
    "no_rows": ("There is no row below the headings.", "表头下没有任何数据行。"),
    "required": ("This cell must not be empty.", "此单元格不能为空。"),
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
    "amount_not_positive": ("A face value must be above 0; this is {actual}.", "面值必须大于 0，现为 {actual}。"),
    "amount_too_large": ("A face value is at most {limit} yuan.", "面值最高 {limit} 元。"),
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
    "firm_unknown": (
        "No firm is registered as {actual}. Have it registered first, or correct the code.",
        "未登记的企业：{actual}。请先登记该企业，或更正代码。",
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


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the fields of the rows stood in what was sent, and the language to complain in."""

    language: Language
    columns: Mapping[Field, str] | None = None
    """`B 统一社会信用代码` per field of a sheet; None where the rows came as JSON."""
    single: bool = False
    """Whether the JSON is one row itself, not a list of them."""

    def complaint(self, row_no: int, field: Field, problem: CellProblem) -> FieldError:
        """The problem at its place: row and column of a sheet, a pointer into the JSON document."""
        if self.columns is not None:
            pointer = f"/rows/{row_no}/{field}"
        else:
            pointer = f"/{field}" if self.single else f"/rows/{row_no - 1}/{field}"
        return FieldError(
            pointer=pointer,
            code=problem.code,
            detail=problem.sentence(self.language),
            limit=problem.limit,
            actual=problem.actual,
            row=row_no,
            column=self.columns.get(field) if self.columns is not None else None,
        )

    def refusal(self, errors: Sequence[FieldError]) -> AppError:
        """All complaints in one problem, by row; at most MAX_ERRORS are listed."""
        code = Code.VALIDATION_FAILED if self.columns is None else Code.SHEET_INVALID
        ordered = sorted(errors, key=lambda error: error.row or 0)
        return AppError(code, count=len(ordered), errors=ordered[:MAX_ERRORS])


def read_uscc(text: str) -> str:
    """A 统一社会信用代码 in its stored form. Raises CellProblem."""
    try:
        return parse_uscc(text)
    except UsccLengthError as error:
        raise CellProblem("uscc_length", limit=USCC_LENGTH, actual=error.length) from error
    except UsccCharacterError as error:
        raise CellProblem("uscc_character", position=error.position, actual=error.character) from error
    except UsccCheckError as error:
        problem = CellProblem("uscc_check", position=error.position, limit=error.expected, actual=error.found)
        raise problem from error


def read_text(text: str, *, max_length: int) -> str:
    """A line of text without the spaces around it. Raises CellProblem."""
    line = text.strip()
    if not all(character.isprintable() or character in "\u3000\u00a0" for character in line):
        raise CellProblem("control_character")
    if len(line) > max_length:
        raise CellProblem("too_long", limit=max_length, actual=len(line))
    return line


def read_reference(text: str) -> str:
    """A reference number in its stored form: half-width, so that one grant has one spelling. Raises CellProblem."""
    return read_text(half_width(text), max_length=REFERENCE_LENGTH)


def duplicate_references(references: Iterable[tuple[int, str]], layout: Layout) -> list[FieldError]:
    """A complaint for every row (by its number) whose reference number stood in a row before."""
    first: dict[str, int] = {}
    return [
        layout.complaint(
            row_no,
            Field.REFERENCE_NO,
            CellProblem("reference_duplicate", limit=first[reference_no], actual=reference_no),
        )
        for row_no, reference_no in references
        if first.setdefault(reference_no, row_no) != row_no
    ]


def clean_rows(rows: Sequence[GrantRow], layout: Layout) -> tuple[GrantRow, ...]:
    """Rows that did not come from a sheet, with every text in its stored form.

    Raises the layout's refusal with every complaint at once.
    """
    errors: list[FieldError] = []

    def read(row: GrantRow, field: Field, text: str | None, reader: Callable[[str], str]) -> str | None:
        try:
            return None if text is None else reader(text)
        except CellProblem as problem:
            errors.append(layout.complaint(row.row_no, field, problem))
            return None

    cleaned = [
        replace(
            row,
            reference_no=read(row, Field.REFERENCE_NO, row.reference_no, read_reference) or "",
            uscc=read(row, Field.USCC, row.uscc, read_uscc),
            firm_name=read(row, Field.FIRM_NAME, row.firm_name, partial(read_text, max_length=NAME_LENGTH)),
            note=read(row, Field.NOTE, row.note, partial(read_text, max_length=NOTE_LENGTH)),
        )
        for row in rows
    ]
    errors += [
        layout.complaint(row.row_no, Field.REFERENCE_NO, CellProblem("required"))
        for row in rows
        if not row.reference_no.strip()
    ]
    errors += duplicate_references([(row.row_no, row.reference_no) for row in cleaned if row.reference_no], layout)
    if errors:
        raise layout.refusal(errors)
    return tuple(cleaned)
