"""One cell of a bill file as the value it stands for, or what is wrong with it. Pure.

A CSV gives text, a workbook also numbers and dates. A workbook's float is read by its shortest decimal form, so that
no binary fraction reaches an amount.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from functools import partial

from app.kernel.clock import FIRST_DAY, LAST_DAY, SHANGHAI, start_of_day
from app.kernel.money import MAX_FEN, parse_yuan
from app.kernel.problems import Scalar
from app.kernel.rates import parse_decimal, parse_rate
from app.kernel.widths import half_width, is_printable
from app.services.rules.facts import FactType, Value
from app.services.rules.parts import NUMBER_DECIMALS
from app.services.sheets.cells import plain_number
from app.services.sheets.workbook import Cell

MAX_TEXT = 200
NUMBER_DIGITS = 18
_SHOWN = 60
_SLUG = re.compile("[a-z][a-z0-9_]{0,62}")
_DAY = re.compile(r"([0-9]{4})[-/年]([0-9]{1,2})[-/月]([0-9]{1,2})日?")
_SEPARATORS = re.compile("[;；|]")
_YES = frozenset({"true", "yes", "1", "是"})
_NO = frozenset({"false", "no", "0", "否"})

SENTENCES: Mapping[str, tuple[str, str]] = {
    "heading_missing": ("The file has no column {limit}.", "文件缺少 {limit} 列。"),
    "heading_unknown": (
        "{actual} is no column of the template and no known fact. Correct or remove it.",
        "“{actual}”不是模板中的列，也不是已知事实。请更正或删除。",
    ),
    "heading_duplicate": ("The column {actual} stands twice.", "“{actual}”列重复。"),
    "fact_types_differ": (
        "The two rule versions give {actual} different types.", "两个规则版本对 {actual} 的类型规定不一致。",
    ),
    "no_rows": ("There is no row below the heading.", "表头下没有数据。"),
    "too_many_rows": ("At most {limit} rows are read; split the file.", "最多读取 {limit} 行，请拆分文件。"),
    "too_many_bills": ("At most {limit} bills are simulated at once.", "一次最多测算 {limit} 笔账单。"),
    "cells_missing": ("The row has {actual} cells under {limit} headings.", "该行有 {actual} 格，表头为 {limit} 列。"),
    "required": ("This cell must not be empty.", "此单元格不能为空。"),
    "text_unfit": ("Text has 1 to {limit} printable characters.", "文本应为 1 至 {limit} 个可见字符。"),
    "code_unfit": (
        "{actual} is no code such as training_inference: lower-case letters, digits, underscores.",
        "“{actual}”不是代码；应为小写字母、数字与下划线，如 training_inference。",
    ),
    "amount_unreadable": ("{actual} is no amount above 0.", "“{actual}”不是大于 0 的金额。"),
    "number_unreadable": ("{actual} is no plain decimal number such as 12.5.", "“{actual}”不是数字，如 12.5。"),
    "rate_unreadable": ("{actual} is no rate such as 0.06.", "“{actual}”不是比例，如 0.06。"),
    "date_unreadable": ("{actual} is no date such as 2026-03-31.", "“{actual}”不是日期，如 2026-03-31。"),
    "time_unreadable": (
        "{actual} is no time such as 2026-03-31 or 2026-03-31T09:30+08:00 (Asia/Shanghai where no offset is given).",
        "“{actual}”不是时间，如 2026-03-31 或 2026-03-31T09:30+08:00（未注明时区按北京时间）。",
    ),
    "yes_no_unreadable": ("{actual} is neither yes nor no.", "“{actual}”既非“是”也非“否”。"),
    "bill_differs": (
        "Row {limit} of the same bill says something else here.", "与同一账单的第 {limit} 行内容不一致。",
    ),
}  # fmt: skip
"""What a person can act on, in English and Chinese."""


class CellProblem(ValueError):
    """Why a cell cannot be taken as it is."""

    def __init__(self, code: str, *, limit: Scalar = None, actual: Scalar = None) -> None:
        self.code, self.limit, self.actual = code, limit, actual
        super().__init__(self.sentence)

    @property
    def sentence(self) -> str:
        """The complaint as `English / 中文`."""
        return " / ".join(words.format(limit=self.limit, actual=self.actual) for words in SENTENCES[self.code])


def written(cell: Cell) -> str:
    """A cell as the text that somebody would have typed, without the spaces around it."""
    if isinstance(cell, float) and math.isfinite(cell):
        return plain_number(cell)
    return str(cell).strip()


def read_text(cell: Cell) -> str:
    """A name or number of somebody's own."""
    text = written(cell)
    if not is_printable(text) or not 0 < len(text) <= MAX_TEXT:
        raise CellProblem("text_unfit", limit=MAX_TEXT)
    return text


def read_code(cell: Cell) -> str:
    """A category, unit or facility class."""
    text = half_width(written(cell))
    if _SLUG.fullmatch(text) is None:
        raise CellProblem("code_unfit", actual=text[:_SHOWN])
    return text


def read_yuan(cell: Cell, *, least_fen: int = 0) -> int:
    """An amount in yuan, as fen."""
    text = written(cell)
    try:
        fen = parse_yuan(text)
    except ValueError as error:
        raise CellProblem("amount_unreadable", actual=text[:_SHOWN]) from error
    return _enough(fen, least_fen, text)


def read_fen(cell: Cell, *, least_fen: int = 0) -> int:
    """An amount in whole fen."""
    text = half_width(written(cell))
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(MAX_FEN))):
        raise CellProblem("amount_unreadable", actual=text[:_SHOWN])
    return _enough(int(text), least_fen, text)


def _enough(fen: int, least_fen: int, text: str) -> int:
    if not least_fen <= fen <= MAX_FEN:
        raise CellProblem("amount_unreadable", actual=text[:_SHOWN])
    return fen


def read_number(cell: Cell) -> str:
    """A quantity, a unit price or a numeric fact, as its decimal string."""
    text = half_width(written(cell))
    try:
        parse_decimal(text, max_decimals=NUMBER_DECIMALS, max_digits=NUMBER_DIGITS)
    except ValueError as error:
        raise CellProblem("number_unreadable", actual=text[:_SHOWN]) from error
    return text


def read_rate(cell: Cell) -> str:
    """A tax rate as its decimal string."""
    text = half_width(written(cell))
    try:
        parse_rate(text)
    except ValueError as error:
        raise CellProblem("rate_unreadable", actual=text[:_SHOWN]) from error
    return text


def read_instant(cell: Cell) -> datetime:
    """A time; a day alone is its beginning, and what has no offset is Asia/Shanghai's."""
    at = _instant(cell)
    if at is None or not FIRST_DAY.year <= at.year <= LAST_DAY.year:
        raise CellProblem("time_unreadable", actual=written(cell)[:_SHOWN])
    return at if at.tzinfo is not None else at.replace(tzinfo=SHANGHAI)


def _instant(cell: Cell) -> datetime | None:
    if isinstance(cell, datetime):
        return cell
    if isinstance(cell, date):
        return start_of_day(cell)
    text = half_width(written(cell))
    match = _DAY.match(text)
    if match is None:
        return None
    try:
        return datetime.fromisoformat(f"{match[1]}-{match[2]:0>2}-{match[3]:0>2}{text[match.end() :]}")
    except ValueError:
        return None


def read_day(cell: Cell) -> str:
    """A day, as ISO writes it."""
    at = _instant(cell)
    if at is None or not FIRST_DAY <= at.date() <= LAST_DAY:
        raise CellProblem("date_unreadable", actual=written(cell)[:_SHOWN])
    return at.date().isoformat()


def read_words(cell: Cell) -> Value:
    """One word, or several with semicolons between them."""
    words = [word.strip() for word in _SEPARATORS.split(read_text(cell)) if word.strip()]
    if not words:
        raise CellProblem("text_unfit", limit=MAX_TEXT)
    return words[0] if len(words) == 1 else tuple(words)


def read_yes_no(cell: Cell) -> bool:
    """Yes or no, in either language."""
    text = half_width(written(cell)).lower()
    if text in _YES:
        return True
    if text in _NO:
        return False
    raise CellProblem("yes_no_unreadable", actual=text[:_SHOWN])


FACT_READERS: Mapping[FactType, Callable[[Cell], Value]] = {
    "words": read_words,
    "number": read_number,
    "date": read_day,
    "yes_no": read_yes_no,
}
"""How a fact is read, by its type."""

AMOUNT_READERS: Mapping[str, Callable[[Cell], int]] = {
    "yuan": partial(read_yuan, least_fen=0),
    "fen": partial(read_fen, least_fen=0),
}
"""How an amount is read, by the unit in its column's name."""
