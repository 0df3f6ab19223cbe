"""The columns of a bill file: which there are, and where they stand in one. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from app.kernel.widths import half_width
from app.services.rules.facts import FactType
from app.services.rules.model import Rules
from app.services.sheets.workbook import Cell
from app.services.simulation.cells import (
    AMOUNT_READERS,
    FACT_READERS,
    CellProblem,
    read_code,
    read_fen,
    read_instant,
    read_number,
    read_rate,
    read_text,
    read_yuan,
    written,
)

Reader = Callable[[Cell], object]

READERS: Mapping[str, Reader] = {
    "at": read_instant,
    "firm": read_text,
    "category": read_code,
    "amount_yuan": partial(read_yuan, least_fen=1),
    "amount_fen": partial(read_fen, least_fen=1),
    "quantity": read_number,
    "unit": read_code,
    "unit_price": read_number,
    "tax_rate": read_rate,
    "used_from": read_instant,
    "used_until": read_instant,
    "facility_class": read_code,
    "provider": read_text,
    "contract_no": read_text,
    "voucher_no": read_text,
    "bill_no": read_text,
}
"""The template's columns. Facts stand in further ones (`holder.size`), other amounts too (`paid_yuan`, `paid_fen`)."""

CHINESE: Mapping[str, str] = {
    "申报时间": "at",
    "企业": "firm",
    "服务类别": "category",
    "金额（元）": "amount_yuan",
    "数量": "quantity",
    "计量单位": "unit",
    "单价（元）": "unit_price",
    "税率": "tax_rate",
    "使用起始": "used_from",
    "使用截止": "used_until",
    "设施类型": "facility_class",
    "供给方": "provider",
    "合同编号": "contract_no",
    "券编号": "voucher_no",
    "账单号": "bill_no",
    "合同金额（元）": "contracted_yuan",
    "核定金额（元）": "assessed_yuan",
    "开票金额（元）": "invoiced_yuan",
    "付款金额（元）": "paid_yuan",
    "计量金额（元）": "metered_yuan",
    "合同签订日": "claim.contract_signed_on",
    "开票日": "claim.invoiced_on",
    "付款日": "claim.paid_on",
    "企业规模": "holder.size",
    "企业标签": "holder.tags",
    "企业注册地": "holder.region_code",
    "所属集团": "holder.group",
}
"""Headings that are read as well."""

AMOUNTS = ("contracted", "assessed", "invoiced", "paid", "metered", "claimed", "other_grants")
REQUIRED = ("at", "firm", "category")
OF_THE_BILL = frozenset({"at", "voucher_no"})
"""What must be the same in all rows of one bill; so must the facts of holder, provider and claim."""
AS_FACTS: Mapping[str, str] = {"provider": "provider.id", "contract_no": "claim.contract_no"}
"""Columns that are facts under a shorter name."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column that was found: its name in the template, its place from 0, its heading, how it is read."""

    name: str
    place: int
    heading: str
    read: Reader


def find_columns(
    heading: Sequence[Cell], versions: Sequence[Rules]
) -> tuple[list[Column], list[tuple[int, CellProblem]]]:
    """The columns of a heading row, and what is wrong with it by place (from 0); facts are those the versions know."""
    types, clashing = _types(versions)
    columns: dict[str, Column] = {}
    problems: list[tuple[int, CellProblem]] = []
    for place, cell in enumerate(heading):
        shown = written(cell)
        named = _named(shown)
        name, reader = AS_FACTS.get(named, named), _reader(named, types)
        if name in columns:
            problems.append((place, CellProblem("heading_duplicate", actual=shown)))
        elif name in clashing:
            problems.append((place, CellProblem("fact_types_differ", actual=shown)))
        elif reader is None:
            problems.append((place, CellProblem("heading_unknown", actual=shown)))
        else:
            columns[name] = Column(name, place, shown, reader)
    problems += [(0, CellProblem("heading_missing", limit=name)) for name in REQUIRED if name not in columns]
    problems += _amount_problems(columns)
    return list(columns.values()), problems


def is_bill_heading(heading: Sequence[Cell]) -> bool:
    """Whether a first row has the columns that every bill file has."""
    return {_named(written(cell)) for cell in heading}.issuperset(REQUIRED)


def _amount_problems(columns: Mapping[str, Column]) -> list[tuple[int, CellProblem]]:
    found = [name for name in ("amount_yuan", "amount_fen") if name in columns]
    if not found:
        return [(0, CellProblem("heading_missing", limit="amount_yuan / amount_fen"))]
    twice = ["amount_fen"] if len(found) > 1 else []
    twice += [f"{name}_fen" for name in AMOUNTS if {f"{name}_fen", f"{name}_yuan"} <= columns.keys()]
    return [(columns[name].place, CellProblem("heading_duplicate", actual=name)) for name in twice]


def _types(versions: Sequence[Rules]) -> tuple[dict[str, FactType], set[str]]:
    types: dict[str, FactType] = {}
    clashing: set[str] = set()
    for rules in versions:
        for name, type_ in rules.fact_types.items():
            if types.setdefault(name, type_) != type_:
                clashing.add(name)
    return types, clashing


def _reader(name: str, types: Mapping[str, FactType]) -> Reader | None:
    if name in READERS:
        return READERS[name]
    amount, _, unit = name.rpartition("_")
    if amount in AMOUNTS and unit in AMOUNT_READERS:
        return AMOUNT_READERS[unit]
    type_ = types.get(name)
    return FACT_READERS[type_] if type_ is not None else None


def _named(heading: str) -> str:
    """The template's name of a column; a line's own field may be written as the fact that it is."""
    known = _ALIASES.get(_comparable(heading), heading)
    return known.removeprefix("line.") if known.removeprefix("line.") in READERS else known


def _comparable(heading: str) -> str:
    return "".join(half_width(heading).split())


_ALIASES: Mapping[str, str] = {_comparable(zh): name for zh, name in CHINESE.items()}
