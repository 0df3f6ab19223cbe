"""Pools put together: per programme, city, county, fund source and budget year. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.services.budgets.execution import ExecutionRow, Standing, total_of


class Dimension(StrEnum):
    """By what pools are put together."""

    PROGRAMME = "programme"
    CITY = "city"
    COUNTY = "county"
    FUND_SOURCE = "fund_source"
    FISCAL_YEAR = "fiscal_year"


FILTERS: Mapping[Dimension, tuple[str, Callable[[ExecutionRow], str]]] = {
    Dimension.PROGRAMME: ("programme_id", lambda row: row.programme_id),
    Dimension.CITY: ("city_code", lambda row: row.city_code),
    Dimension.COUNTY: ("county_code", lambda row: row.place_code),
    Dimension.FUND_SOURCE: ("fund_source", lambda row: row.fund_source),
    Dimension.FISCAL_YEAR: ("fiscal_year", lambda row: str(row.fiscal_year)),
}
"""Of each dimension the filter of the ledger's entries that picks a group's out, and its value for a pool."""


@dataclass(frozen=True, slots=True)
class Group:
    """Pools that agree in some dimensions. `key` holds the filters that pick out exactly these pools' entries."""

    key: Mapping[str, str]
    rows: tuple[ExecutionRow, ...]
    standing: Standing


def grouped(rows: Sequence[ExecutionRow], by: Sequence[Dimension]) -> list[Group]:
    """The pools by these dimensions, each group once, in the order of its key; no groups without a dimension."""
    if not by:
        return []
    members: dict[tuple[str, ...], list[ExecutionRow]] = {}
    for row in rows:
        members.setdefault(tuple(FILTERS[one][1](row) for one in by), []).append(row)
    return [
        Group(dict(zip((FILTERS[one][0] for one in by), key, strict=True)), tuple(of_group), total_of(of_group))
        for key, of_group in sorted(members.items())
    ]
