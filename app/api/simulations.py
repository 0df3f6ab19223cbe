"""Simulations: what one or two rule versions would have granted for a file of bills. Nothing is stored."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter
from pydantic import Discriminator, Field, StringConstraints, Tag, TypeAdapter

from app.api.authentication import CallerDep
from app.api.context import ServiceDep
from app.api.fields import AnyId, Fen, Read, Wire
from app.api.inlined import inlined
from app.api.issuance_bodies import Sent, SentByMaker
from app.kernel.canonical import sha256_hex
from app.kernel.problems import AppError, Code, FieldError
from app.services.rules.checks import raise_if_wrong
from app.services.rules.model import Rules
from app.services.simulation.bills import BillList, SimulatedBill, StatedBill, checked, validated
from app.services.simulation.engine import simulate
from app.services.simulation.reading import read_bills
from app.services.simulation.report import Simulation, compare
from app.services.simulation.terms import SimulationTerms, terms_for_simulation

router = APIRouter(prefix="/v1/programmes", tags=["programmes"])

RETRY_AFTER_S = 10
_ONE_AT_A_TIME = threading.Lock()
"""A simulation keeps a processor busy for seconds; a second one would only make both, and everything else, slower."""


def _kind_of_version(value: Any) -> str:
    return "id" if isinstance(value, str) else "rules"


Version = Annotated[
    Annotated[AnyId, Tag("id")] | Annotated[Rules, Tag("rules")],
    Discriminator(_kind_of_version),
]
Versions = Annotated[
    list[Version],
    Field(min_length=1, max_length=2, description="One or two: ids of the programme's versions, or whole documents"),
]
BudgetFen = Annotated[Fen | None, Field(description="Money to give out; default: what the programme was appropriated")]


class SimulationCreate(Wire):
    """Bills as JSON."""

    versions: Versions
    bills: BillList
    budget_fen: BudgetFen = None


class SimulationForm(Wire):
    """Bills as a file (CSV, .xlsx or JSON) in the part `file`."""

    versions: Annotated[str, Field(description="A JSON list like `versions` of the JSON body")]
    budget_fen: Annotated[str, StringConstraints(pattern="^(0|[1-9][0-9]{0,15})$")] | None = None


class MonthRead(Read):
    """One month, Asia/Shanghai."""

    month: str
    bills: int
    firms_reached: int
    billed_fen: int
    eligible_fen: int
    subsidy_fen: int
    unmet_fen: int


class BeneficiaryRead(Read):
    """A firm and its share of all that was given out."""

    firm: str
    subsidy_fen: int
    bills: int
    share: str | None


class RefusalsRead(Read):
    """Bills that got nothing, by the reason that decided."""

    reason: str
    bills: int
    billed_fen: int


class CutRead(Read):
    """What one reason took from the base or from the subsidy; the two are never added up."""

    code: str
    cap: str | None
    requirement: str | None
    missing: tuple[str, ...]
    bills: int
    base_fen: int
    subsidy_fen: int


class SimulatedVersionRead(Read):
    """The result of one version. `unmet_fen` is what bills were entitled to beyond the budget.

    `runs_out_on` is the day of the first bill that the budget did not pay in full; `average_rate` is subsidy over
    eligible amount. In kind, `_fen` counts hundredths of `unit`.
    """

    rule_version_id: str | None
    rules_sha256: str
    unit: str
    left_fen: int | None
    on_exhaustion: str
    runs_out_on: date | None
    bills: int
    paid_bills: int
    firms: int
    firms_reached: int
    billed_fen: int
    eligible_fen: int
    subsidy_fen: int
    unmet_fen: int
    average_rate: str | None
    months: tuple[MonthRead, ...]
    largest: tuple[BeneficiaryRead, ...]
    refused: tuple[RefusalsRead, ...]
    cuts: tuple[CutRead, ...]


class MonthDifferenceRead(Read):
    """One month under both versions."""

    month: str
    first_fen: int
    second_fen: int
    difference_fen: int


class FirmDifferenceRead(Read):
    """One firm under both versions."""

    firm: str
    first_fen: int
    second_fen: int
    difference_fen: int


class ComparisonRead(Read):
    """The second version less the first, on the same bills."""

    difference_fen: int
    months: tuple[MonthDifferenceRead, ...]
    firms_gaining: int
    firms_losing: int
    gain_most: tuple[FirmDifferenceRead, ...]
    lose_most: tuple[FirmDifferenceRead, ...]


class SimulationRead(Read):
    """What was computed; `budget_from` says whether the budget was asked for, appropriated, or that there is none."""

    programme_id: str
    stored: Literal[False]
    budget_fen: int | None
    budget_from: Literal["request", "appropriation", "none"]
    versions: tuple[SimulatedVersionRead, ...]
    comparison: ComparisonRead | None


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is to be computed."""

    ids: list[str | None]
    rules: list[Rules]
    bills: Sequence[SimulatedBill]
    budget_fen: int | None


_VERSIONS: TypeAdapter[list[Version]] = TypeAdapter(Versions)


_ID = TypeAdapter(AnyId).json_schema()
_BUDGET = TypeAdapter(Fen).json_schema() | {"description": "Fen; default: what the programme was appropriated"}
_REQUEST_BODY = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "additionalProperties": False,
                "required": ["versions", "bills"],
                "properties": {
                    "versions": {
                        "type": "array",
                        "minItems": 1,
                        "maxItems": 2,
                        "description": "Ids of the programme's rule versions, or whole rule documents",
                        "items": {"anyOf": [_ID, {"$ref": "#/components/schemas/Rules"}]},
                    },
                    "bills": {"type": "array", "minItems": 1, "maxItems": 100_000, "items": inlined(StatedBill)},
                    "budget_fen": _BUDGET | {"type": ["integer", "null"]},
                },
            }
        },
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "additionalProperties": False,
                "required": ["file", "versions"],
                "properties": {
                    "file": {"type": "string", "format": "binary", "description": "Bills as CSV, .xlsx or JSON"},
                    "versions": {"type": "string", "description": "A JSON list like `versions` of the JSON body"},
                    "budget_fen": _BUDGET,
                },
            }
        },
    },
}


@router.post("/{programme_id}/simulations", openapi_extra={"requestBody": _REQUEST_BODY})
def create_simulation(programme_id: AnyId, sent: SentByMaker, caller: CallerDep, service: ServiceDep) -> SimulationRead:
    """Compute what rule versions would have granted for these bills, first come first served. Nothing is stored.

    One at a time per process: while one runs, another gets 503 `busy`. The face values of vouchers are not looked at.
    """
    terms = service.database.transact(lambda tx: terms_for_simulation(tx, caller=caller, programme_id=programme_id))
    with _alone():
        asked = _asked(sent, terms)
        budget_fen, budget_from = _budget(asked, terms)
        results = [simulate(rules, asked.bills, budget_fen=budget_fen) for rules in asked.rules]
    return SimulationRead(
        programme_id=programme_id,
        stored=False,
        budget_fen=budget_fen,
        budget_from=budget_from,
        versions=tuple(
            _shown(result, version_id, rules)
            for result, version_id, rules in zip(results, asked.ids, asked.rules, strict=True)
        ),
        comparison=ComparisonRead.model_validate(compare(*results)) if len(results) == 2 else None,
    )


@contextmanager
def _alone() -> Iterator[None]:
    if not _ONE_AT_A_TIME.acquire(blocking=False):
        raise AppError(Code.BUSY, retry_after_s=RETRY_AFTER_S)
    try:
        yield
    finally:
        _ONE_AT_A_TIME.release()


def _asked(sent: Sent, terms: SimulationTerms) -> _Asked:
    if sent.json is not None:
        body = validated(SimulationCreate.model_validate_json, sent.json)
        ids, rules = _chosen(body.versions, terms)
        return _Asked(ids, rules, checked(body.bills, rules), body.budget_fen)
    form = validated(SimulationForm.model_validate_json, orjson.dumps(sent.form))
    ids, rules = _chosen(validated(_VERSIONS.validate_json, form.versions.encode(), "versions"), terms)
    budget_fen = int(form.budget_fen) if form.budget_fen is not None else None
    return _Asked(ids, rules, read_bills(sent.file, rules), budget_fen)


def _chosen(versions: Sequence[str | Rules], terms: SimulationTerms) -> tuple[list[str | None], list[Rules]]:
    ids: list[str | None] = []
    documents: list[Rules] = []
    for place, version in enumerate(versions):
        if isinstance(version, Rules):
            raise_if_wrong(version, pointer_prefix=f"/versions/{place}")
            ids.append(None)
            documents.append(version)
            continue
        record = terms.versions.get(version)
        if record is None:
            known = ", ".join(sorted(terms.versions))
            error = FieldError(f"/versions/{place}", "unknown_rule_version", limit=known, actual=version)
            raise AppError(Code.VALIDATION_FAILED, count=1, errors=[error])
        ids.append(version)
        documents.append(Rules.model_validate_json(record.rules))
    return ids, documents


def _budget(asked: _Asked, terms: SimulationTerms) -> tuple[int | None, Literal["request", "appropriation", "none"]]:
    if asked.budget_fen is not None:
        return asked.budget_fen, "request"
    if terms.appropriated_fen > 0:
        return terms.appropriated_fen, "appropriation"
    return None, "none"


def _shown(result: Simulation, version_id: str | None, rules: Rules) -> SimulatedVersionRead:
    known = {name: getattr(result, name) for name in SimulatedVersionRead.model_fields if hasattr(result, name)}
    return SimulatedVersionRead.model_validate(
        known | {"rule_version_id": version_id, "rules_sha256": sha256_hex(rules.canonical())}
    )
