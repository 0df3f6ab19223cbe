"""The columns of one kind of list: where they stand in a file, each heading understood or told. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from app.kernel.wording import Language
from app.services.sheets.cells import comparable, comparable_heading, is_filled, shown
from app.services.sheets.list_words import FEN, YUAN, ListProblem
from app.services.sheets.places import column_letters
from app.services.sheets.workbook import Cell

SEARCHED = 20
"""Rows from the top in which the headings are looked for: titles may stand above them."""

_WITH_UNIT = re.compile(
    r"(.+?)(?:[(\[【](?:单位[:为]?)?(.+)[)\]】]|[:/_](yuan|fen|[十百千万亿]*元|分)|([十百千万亿]*元))"
)
"""`金额（元）`, `金额（单位：元）`, `金额【元】`, `金额：元`, `金额/元`, `amount_fen`."""


@dataclass(frozen=True)
class Layout:
    """What one kind of list has. Fields go by the names that stand in pointers."""

    name_en: str
    name_zh: str
    headings: Mapping[str, str]
    """As the template writes them, in its order."""
    aliases: Mapping[str, tuple[str, ...]]
    """Every heading that is read; an amount's may name its unit besides: `金额（元）`, `amount_fen`."""
    amounts: tuple[str, ...]
    counted: str
    """The amount of which each line has one, and the declared total is the sum."""
    required: tuple[tuple[str, ...], ...]
    """Of each group one column must be there, and be filled in each line that is not excused by `may_be_empty`."""
    sentences: Mapping[str, tuple[str, str]]
    may_be_empty: tuple[str, ...] = ()
    """Columns that have to be there, so that nobody forgets them, and need not be filled in each line."""
    shared: tuple[str, ...] = ()
    """Columns that lines with the same `shared_by` say once, so that a merge may hide them from the second on."""
    shared_by: str = ""
    instead_of_negative: str | None = None
    """The heading of the column in which stands what somebody would write as an amount below 0."""

    @cached_property
    def fields(self) -> Mapping[str, str]:
        """The field that each comparable heading names."""
        return {comparable(alias): field for field, aliases in self.aliases.items() for alias in aliases}

    def sentence(self, problem: ListProblem, language: Language) -> str:
        """A complaint in the words of this kind of list."""
        words = self.sentences[problem.code][0 if language == "en" else 1]
        return words.format(limit=problem.limit, actual=problem.actual)


@dataclass(frozen=True, slots=True)
class Column:
    """A column that was understood: its place from 0, its heading, and whether its amounts are in fen."""

    place: int
    heading: str
    in_fen: bool = False

    @property
    def name(self) -> str:
        """As people find it: `B 补贴金额（元）`."""
        return f"{column_letters(self.place + 1)} {self.heading}"


@dataclass(frozen=True, slots=True)
class Headings:
    """The heading row: which fields stand where, what nobody asked for, what is wrong with it by place (from 0)."""

    columns: Mapping[str, Column]
    ignored: tuple[str, ...]
    problems: tuple[tuple[int, ListProblem], ...]


def find_headings(rows: Sequence[Sequence[Cell]], layout: Layout) -> int | None:
    """The place (from 0) of the row with the most headings among the first ones, or None where there is none."""
    known = [sum(_field(cell, layout) is not None for cell in row) for row in rows[:SEARCHED]]
    most = max(known, default=0)
    return known.index(most) if most else None


def joined_headings(rows: Sequence[Sequence[Cell]], place: int, layout: Layout) -> tuple[list[Cell], int]:
    """The headings of that row and, where they take two, of the one below or above it; the place of the first line.

    As where 企业信息 is merged over two columns. By words alone: the row below goes on where it holds headings only
    and none of them stands under another.
    """
    row = list(rows[place])
    below = list(rows[place + 1]) if place + 1 < len(rows) else []
    told = [n for n, cell in enumerate(below) if is_filled(cell)]
    if told and all(_field(below[n], layout) and not (n < len(row) and _field(row[n], layout)) for n in told):
        wide = [*row, *[""] * (len(below) - len(row))]
        return [below[n] if n in told else cell for n, cell in enumerate(wide)], place + 2
    above = rows[place - 1] if place else []
    for n, cell in enumerate(above[: len(row)]):
        if not is_filled(row[n]) and _field(cell, layout):
            row[n] = cell
    return row, place + 1


def has_headings(rows: Sequence[Sequence[Cell]], layout: Layout) -> bool:
    """Whether a sheet has a row of headings: at least two, or that of the amounts."""
    place = find_headings(rows, layout)
    fields = {found[0] for cell in rows[place] if (found := _field(cell, layout))} if place is not None else set()
    return len(fields) > 1 or layout.counted in fields


def read_headings(row: Sequence[Cell], layout: Layout) -> Headings:
    """Understand a heading row. What is no column of ours is passed over and told."""
    columns: dict[str, Column] = {}
    ignored: list[str] = []
    problems: list[tuple[int, ListProblem]] = []
    for place, cell in enumerate(row):
        found = _field(cell, layout)
        if found is None:
            ignored += [shown(cell)] if is_filled(cell) else []
            continue
        field, unit = found
        if field in columns:
            problems.append((place, ListProblem("heading_duplicate", limit=columns[field].heading, actual=shown(cell))))
        elif unit and unit not in YUAN | FEN:
            problems.append((place, ListProblem("heading_unit", actual=shown(cell))))
        else:
            columns[field] = Column(place, shown(cell).strip(), unit in FEN)
    told = {found[0] for cell in row if (found := _field(cell, layout))}
    for group in layout.required:
        if not told & set(group):
            either = " | ".join(layout.headings[field] for field in group)
            problems.append((0, ListProblem("heading_missing", limit=either)))
    return Headings(columns, tuple(ignored), tuple(problems))


def _field(cell: Cell, layout: Layout) -> tuple[str, str] | None:
    """The field that a heading names, and the unit that it states."""
    heading = comparable_heading(cell)
    if heading in layout.fields:
        return layout.fields[heading], ""
    with_unit = _WITH_UNIT.fullmatch(heading)
    field = layout.fields.get(with_unit[1]) if with_unit else None
    if with_unit is None or field is None or field not in layout.amounts:
        return None
    return field, next(filter(None, with_unit.groups()[1:]))
