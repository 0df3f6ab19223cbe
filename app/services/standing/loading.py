"""Loading what is on record of organisations: one look-up says of whom there is anything, which is almost nobody."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime
from fractions import Fraction
from typing import Any

from sqlalchemy import Connection, Row, text

from app.kernel.clock import civil_date
from app.kernel.problems import AppError, Code
from app.kernel.regions import covers
from app.kernel.vocabulary import Checkpoint, RelationKind
from app.services.standing.facts import (
    Debarment,
    Relation,
    Standing,
    debarment_at,
    identifier_of,
    naming,
    person_of,
    telling,
)
from app.sql import Statement

_COLUMNS = "r.id, r.kind, r.person, r.other_person, r.group_name, r.share, r.from_on, r.until_on, r.ended_on"
_PERSONS = Statement(
    "SELECT o.id, o.identifier_type || ':' || o.identifier_value AS person,"
    " EXISTS (SELECT FROM organisation_relations r WHERE r.person = o.identifier_type || ':' || o.identifier_value)"
    " OR EXISTS (SELECT FROM organisation_relations r"
    " WHERE r.other_person = o.identifier_type || ':' || o.identifier_value)"
    " OR EXISTS (SELECT FROM debarments d WHERE d.person = o.identifier_type || ':' || o.identifier_value"
    " AND d.lifted_at IS NULL) AS on_record FROM organisations o WHERE o.id = ANY(CAST(:ids AS text[]))"
)
"""Of almost nobody there is anything on record, and then this is all that is asked."""
_RELATIONS = Statement(
    f"SELECT {_COLUMNS} FROM organisations o JOIN organisation_relations r"
    " ON r.person = o.identifier_type || ':' || o.identifier_value WHERE o.id = ANY(CAST(:ids AS text[]))"
    f" UNION ALL SELECT {_COLUMNS} FROM organisations o JOIN organisation_relations r"
    " ON r.other_person = o.identifier_type || ':' || o.identifier_value WHERE o.id = ANY(CAST(:ids AS text[]))"
)
_DEBARMENTS = Statement(
    "SELECT d.id, d.region_code, d.person, d.name, d.document_no, d.checkpoints, d.from_on, d.until_on"
    " FROM organisations o JOIN debarments d ON d.person = o.identifier_type || ':' || o.identifier_value"
    " AND d.lifted_at IS NULL WHERE o.id = ANY(CAST(:ids AS text[]))"
)
_BINDING = text(
    "SELECT id, region_code, person, name, document_no, checkpoints, from_on, until_on FROM debarments"
    " WHERE lifted_at IS NULL AND :checkpoint = ANY(checkpoints) AND from_on <= :on"
    " AND (until_on IS NULL OR until_on >= :on)"
)
_FIRMS = text(
    "SELECT o.id, o.identifier_type, o.identifier_value FROM organisations o"
    " JOIN unnest(CAST(:types AS text[]), CAST(:codes AS text[])) AS asked(type, code)"
    " ON o.kind = 'firm' AND o.identifier_type = asked.type AND o.identifier_value = asked.code"
)

Standings = Mapping[str, Standing]
"""By organisation."""


def load_standings(tx: Connection, ids: Collection[str]) -> Standings:
    """What is on record of these organisations, by their id."""
    return ask_standings(tx, ids)()


def ask_standings(tx: Connection, ids: Collection[str]) -> Callable[[], Standings]:
    """The same, given when it is asked for: see `pipelined`."""
    persons = _PERSONS.ask(tx, {"ids": sorted(ids)})

    def standings() -> Standings:
        rows = persons()
        told = _on_record(tx, [row.id for row in rows if row.on_record])
        return {row.id: told.get(row.person) or Standing(row.person) for row in rows}

    return standings


def _on_record(tx: Connection, ids: list[str]) -> dict[str, Standing]:
    """What there is of each legal person."""
    if not ids:
        return {}
    linked: dict[str, set[Relation]] = defaultdict(set)
    for row in _RELATIONS(tx, {"ids": ids}):
        relation = _relation(row)
        for person in (relation.person, relation.other):
            if person is not None:
                linked[person].add(relation)
    barred: dict[str, set[Debarment]] = defaultdict(set)
    for row in _DEBARMENTS(tx, {"ids": ids}):
        barred[row.person].add(_debarment(row))
    return {
        person: Standing(person, tuple(linked.get(person, ())), tuple(barred.get(person, ())))
        for person in linked.keys() | barred.keys()
    }


def require_not_debarred(
    tx: Connection, organisation_id: str, *, region_code: str, checkpoint: Checkpoint, at: datetime
) -> None:
    """Raise `debarred` where the organisation is on a list that rules out this step in that region at that instant."""
    standing = load_standings(tx, {organisation_id}).get(organisation_id)
    found = debarment_at(standing, region_code, checkpoint, on=civil_date(at))
    if found is not None:
        raise AppError(Code.DEBARRED, **telling(found, checkpoint), extra=naming(found))


def debarred_firms(tx: Connection, region_code: str, checkpoint: Checkpoint, *, at: datetime) -> dict[str, Debarment]:
    """The registered firms that a step is ruled out for in a region, by id. Its work grows with the list alone."""
    rows = tx.execute(_BINDING, {"checkpoint": checkpoint, "on": civil_date(at)})
    barred = {row.person: _debarment(row) for row in rows if covers(row.region_code, region_code)}
    if not barred:
        return {}
    types, codes = zip(*(identifier_of(person) for person in sorted(barred)), strict=True)
    firms = tx.execute(_FIRMS, {"types": list(types), "codes": list(codes)})
    return {firm.id: barred[person_of(firm.identifier_type, firm.identifier_value)] for firm in firms}


def _relation(row: Row[Any]) -> Relation:
    ends: list[date] = [day for day in (row.until_on, row.ended_on) if day is not None]
    return Relation(
        RelationKind(row.kind),
        row.person,
        row.other_person,
        row.from_on,
        min(ends, default=None),
        Fraction(row.share) if row.share is not None else None,
        row.group_name,
        row.id,
    )


def _debarment(row: Row[Any]) -> Debarment:
    return Debarment(
        row.id,
        row.region_code,
        row.person,
        row.name,
        row.document_no,
        tuple(row.checkpoints),
        row.from_on,
        row.until_on,
    )
