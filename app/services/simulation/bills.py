"""Bills to simulate: the shape in which they are stated, checked against what the rule versions know. Pure."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, TypeVar

from pydantic import StringConstraints, TypeAdapter, ValidationError

from app.kernel.places import field_errors, joined
from app.kernel.problems import AppError, Code, FieldError
from app.services.rules.facts import Facts, Value
from app.services.rules.model import Rules
from app.services.rules.parts import Part, said
from app.services.rules.stated import Instant, StatedFacts, fact_problems

MAX_BILLS = 100_000
"""Bills of one simulation."""
MAX_ERRORS = 1_000
"""Complaints listed in one answer; `count` says how many there are."""

T = TypeVar("T")

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


@dataclass(frozen=True, slots=True)
class SimulatedBill:
    """One claim of one firm. The group is the fact `holder.group`, the contract `claim.contract_no`."""

    firm: str
    facts: Facts
    voucher: str | None = None
    """Which voucher it draws on; without it all bills of a firm draw on one."""


class StatedBill(StatedFacts):
    """A bill as it is stated: the facts of a claim, its instant, and whose it is."""

    firm: Annotated[Name, said("Whose bill it is: any name or code.", "企业名称或代码")]
    at: Annotated[Instant, said("When it is claimed.", "申报时刻")]
    voucher_no: Annotated[
        Name | None, said("Which voucher it draws on; left out: one voucher per firm.", "券编号，不填则每企业一张")
    ] = None

    def bill(self) -> SimulatedBill:
        """The bill as the simulation takes it."""
        return SimulatedBill(self.firm, self.facts(at=self.at), self.voucher_no)


BillList = Annotated[
    tuple[StatedBill, ...], said("The bills.", "账单列表", min_length=1, max_length=MAX_BILLS, strict=False)
]


class BillDocument(Part):
    """A JSON file of bills."""

    bills: BillList


_LISTED: TypeAdapter[tuple[StatedBill, ...]] = TypeAdapter(BillList)


def read_json_bills(data: bytes, versions: Sequence[Rules]) -> list[SimulatedBill]:
    """The bills of a JSON file: a list, or an object with the list under `bills`.

    Raises AppError `malformed_request` for what is no JSON, `validation_failed` with every wrong place.
    """
    text = data.removeprefix(codecs.BOM_UTF8)
    if text.lstrip().startswith(b"["):
        return checked(validated(_LISTED.validate_json, text, "bills"), versions)
    return checked(validated(BillDocument.model_validate_json, text).bills, versions)


def validated(parse: Callable[[bytes], T], data: bytes, *above: str) -> T:
    """What `parse` makes of JSON. Raises AppError `malformed_request`, or `validation_failed` with every wrong place.

    `above` are the keys under which the parsed part stands in the pointers.
    """
    try:
        return parse(data)
    except ValidationError as error:
        found = error.errors(include_url=False)[:MAX_ERRORS]
        if any(item["type"] == "json_invalid" for item in found):
            raise AppError(Code.MALFORMED_REQUEST, why="JSON") from error
        places = field_errors(found, json.loads(data))
        errors = [replace(place, pointer=f"{joined(above)}{place.pointer}") for place in places]
        count = len(errors) if len(found) < MAX_ERRORS else error.error_count()
        raise AppError(Code.VALIDATION_FAILED, count=count, errors=errors) from error


def with_facts(bills: Iterable[SimulatedBill], stated: Mapping[str, Value]) -> list[SimulatedBill]:
    """The bills with facts (by their full names, `holder.size`) that each of them has unless it states them itself."""
    of: dict[str, dict[str, Value]] = {"holder": {}, "provider": {}, "claim": {}}
    for name, value in stated.items():
        subject, _, key = name.partition(".")
        of[subject][key] = value
    return [replace(bill, facts=_completed(bill.facts, of)) for bill in bills]


def _completed(facts: Facts, of: Mapping[str, Mapping[str, Value]]) -> Facts:
    return replace(
        facts,
        holder={**of["holder"], **facts.holder},
        provider={**of["provider"], **facts.provider},
        claim={**of["claim"], **facts.claim},
    )


def checked(stated: Sequence[StatedBill], versions: Sequence[Rules]) -> list[SimulatedBill]:
    """The bills, once every fact in them is known to one of the versions and of the right type for all that know it.

    Raises AppError `validation_failed` with the place of every fact that is not.
    """
    problems = [
        FieldError(f"/bills/{place}{problem.pointer}", problem.code, limit=problem.limit, actual=problem.actual)
        for place, bill in enumerate(stated)
        for problem in _problems(bill, versions)
    ]
    if problems:
        raise AppError(Code.VALIDATION_FAILED, count=len(problems), errors=problems[:MAX_ERRORS])
    return [bill.bill() for bill in stated]


def _problems(bill: StatedBill, versions: Sequence[Rules]) -> Iterator[FieldError]:
    if not (bill.holder or bill.provider or bill.claim or any(line.facts for line in bill.lines)):
        return
    by_version = [fact_problems(rules, bill) for rules in versions]
    unknown = [{problem.pointer for problem in found if problem.code == "unknown_fact"} for found in by_version]
    unknown_to_all = set.intersection(*unknown)
    told: set[str] = set()
    for problem in _flat(by_version):
        if problem.pointer not in told and (problem.code != "unknown_fact" or problem.pointer in unknown_to_all):
            told.add(problem.pointer)
            yield problem


def _flat(found: Iterable[Iterable[FieldError]]) -> Iterator[FieldError]:
    for problems in found:
        yield from problems
