"""Where the columns of a statement stand: its heading row found, each heading understood or told. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.services.sheets.cells import comparable, is_filled, shown
from app.services.sheets.places import column_letters
from app.services.sheets.workbook import Cell
from app.services.statements.words import ALIASES, AMOUNTS, FEN, HEADINGS, IDENTIFYING, YUAN, CellProblem, Field

SEARCHED = 20
"""Rows from the top in which the headings are looked for: titles may stand above them."""

_WITH_UNIT = re.compile(r"(.+?)(?:\((.+)\)|_(yuan|fen))")


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

    columns: Mapping[Field, Column]
    ignored: tuple[str, ...]
    problems: tuple[tuple[int, CellProblem], ...]


def find_headings(rows: Sequence[Sequence[Cell]]) -> int | None:
    """The place (from 0) of the row with the most headings among the first ones, or None where there is none."""
    known = [sum(_field(cell) is not None for cell in row) for row in rows[:SEARCHED]]
    most = max(known, default=0)
    return known.index(most) if most else None


def is_statement(rows: Sequence[Sequence[Cell]]) -> bool:
    """Whether a sheet has a row of headings: at least what says which redemption and how much."""
    place = find_headings(rows)
    fields = {found[0] for cell in rows[place] if (found := _field(cell))} if place is not None else set()
    return len(fields) > 1 or Field.SUBSIDY in fields


def read_headings(row: Sequence[Cell]) -> Headings:
    """Understand a heading row. What is no column of ours is passed over and told."""
    columns: dict[Field, Column] = {}
    ignored: list[str] = []
    problems: list[tuple[int, CellProblem]] = []
    for place, cell in enumerate(row):
        found = _field(cell)
        if found is None:
            ignored += [shown(cell)] if is_filled(cell) else []
            continue
        field, unit = found
        if field in columns:
            problems.append((place, CellProblem("heading_duplicate", limit=columns[field].heading, actual=shown(cell))))
        elif unit and unit not in YUAN | FEN:
            problems.append((place, CellProblem("heading_unit", actual=shown(cell))))
        else:
            columns[field] = Column(place, shown(cell).strip(), unit in FEN)
    told = {field for field, _ in filter(None, map(_field, row))}
    if not told & set(IDENTIFYING):
        either = " | ".join(HEADINGS[field] for field in IDENTIFYING)
        problems.append((0, CellProblem("heading_missing", limit=either)))
    if Field.SUBSIDY not in told:
        problems.append((0, CellProblem("heading_missing", limit=HEADINGS[Field.SUBSIDY])))
    return Headings(columns, tuple(ignored), tuple(problems))


def _field(cell: Cell) -> tuple[Field, str] | None:
    """The field that a heading names, and the unit that it states."""
    heading = comparable(cell)
    if heading in _FIELDS:
        return _FIELDS[heading], ""
    with_unit = _WITH_UNIT.fullmatch(heading)
    field = _FIELDS.get(with_unit[1]) if with_unit else None
    if with_unit is None or field not in AMOUNTS:
        return None
    return field, with_unit[2] or with_unit[3]


_FIELDS: Mapping[str, Field] = {comparable(alias): field for field, aliases in ALIASES.items() for alias in aliases}
