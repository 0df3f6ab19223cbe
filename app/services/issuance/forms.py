"""The kinds of sheets that say who is to get what: their columns, and what a person is told of each. Pure.

One reader, one template and one annotated copy serve all of them; a kind is a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from app.services.issuance.rows import MAX_ROWS
from app.services.issuance.words import NAME_LENGTH, NOTE_LENGTH, REFERENCE_LENGTH, Field
from app.services.sheets.cells import comparable, comparable_heading
from app.services.sheets.workbook import Cell


class Shape(StrEnum):
    """How a column's cells are formatted in the template."""

    TEXT = "text"
    AMOUNT = "amount"
    DAY = "day"
    NUMBER = "number"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its heading, what to fill it with (Chinese, English), and its look."""

    heading: str
    guide: tuple[str, str]
    shape: Shape = Shape.TEXT
    width: int = 22
    is_required: bool = False
    """Whether the column must be there, and filled in each row."""


@dataclass(frozen=True, eq=False)
class Form:
    """A kind of sheet. Its columns stand in the order of the template; any order is read."""

    name: str
    """Of the sheet in the workbook."""
    version: str
    columns: Mapping[Field, Column]
    amount: Field
    """The column of which each row has one amount in yuan, and the declared total is the sum."""
    max_rows: int = MAX_ROWS

    @cached_property
    def headings(self) -> Mapping[Field, str]:
        """As the template writes them; the field's own name (`reference_no` …) is read as well."""
        return {field: column.heading for field, column in self.columns.items()}

    @cached_property
    def required(self) -> tuple[Field, ...]:
        """The columns that must be there."""
        return tuple(field for field, column in self.columns.items() if column.is_required)

    @cached_property
    def amount_words(self) -> tuple[str, ...]:
        """The amount's heading without its unit, comparably: with another unit behind it, or none, it may be 万元."""
        return comparable(self.headings[self.amount]).partition("(")[0], self.amount.removesuffix("_yuan")

    @cached_property
    def _fields(self) -> Mapping[str, Field]:
        return {comparable(name): field for field, heading in self.headings.items() for name in (heading, field.value)}

    def field_of(self, cell: Cell) -> Field | None:
        """The field that a heading names, without the accidents of typing, or None."""
        return self._fields.get(comparable_heading(cell))


COMMON: Mapping[Field, Column] = {
    Field.REFERENCE_NO: Column(
        "申领编号",
        (
            f"主管部门自编的申领编号，文本，最多 {REFERENCE_LENGTH} 个字符，同一项目内不得重复。",
            f"The authority's number of the grant: text, at most {REFERENCE_LENGTH} characters, once in the programme.",
        ),
        is_required=True,
    ),
    Field.USCC: Column(
        "统一社会信用代码",
        (
            "18 位统一社会信用代码，文本格式。企业须已登记。",
            "The firm's code of 18 characters, as text. The firm must be registered.",
        ),
        width=24,
        is_required=True,
    ),
    Field.FIRM_NAME: Column(
        "企业名称",
        (
            f"须与登记名称一致（全角、半角和空格不计），最多 {NAME_LENGTH} 个字符。",
            f"As it is registered; widths and spaces do not count. At most {NAME_LENGTH} characters.",
        ),
        width=36,
        is_required=True,
    ),
}
"""What every kind begins with."""

IN_YUAN = ("以元为单位，大于 0，最多两位小数。", "In yuan, above 0, at most two decimals.")

ISSUANCE = Form(
    name="发放清单",
    version="voucher-issuance/1",
    columns={
        **COMMON,
        Field.FACE_VALUE: Column("面值（元）", IN_YUAN, Shape.AMOUNT, width=16, is_required=True),
        Field.VALID_FROM: Column(
            "生效日期",
            (
                "可不填：自发放时生效。填写日期，当日零时（北京时间）起生效。",
                "Optional: valid from the moment of issue. A date counts from its beginning, Shanghai time.",
            ),
            Shape.DAY,
            width=14,
        ),
        Field.VALID_UNTIL: Column(
            "截止日期",
            (
                "可不填：按项目规则。填写日期，含当日。",
                "Optional: as the programme's rules say. A date counts to its end.",
            ),
            Shape.DAY,
            width=14,
        ),
        Field.NOTE: Column(
            "备注",
            (f"可不填，最多 {NOTE_LENGTH} 个字符。", f"Optional, at most {NOTE_LENGTH} characters."),
            width=40,
        ),
    },
    amount=Field.FACE_VALUE,
)
"""Vouchers to be issued as they stand there."""
