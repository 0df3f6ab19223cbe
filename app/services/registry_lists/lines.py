"""What the lines of the registry's lists say. Pure: bytes in; lines, and every complaint, out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Any

from app.kernel.vocabulary import Checkpoint, IdentifierType
from app.kernel.wording import Language
from app.services.profiles import MAX_CARDS, MAX_RACKS
from app.services.registry_lists.cells import (
    read_count,
    read_date,
    read_decimal,
    read_line,
    read_maker_no,
    read_region,
    read_uscc,
    read_word,
    read_words,
)
from app.services.registry_lists.words import (
    CHECKPOINTS,
    FACILITY_CLASSES,
    LAYOUTS,
    PROVIDER_KINDS,
    SIZES,
    CellProblem,
    Field,
    ListKind,
)
from app.services.sheets.lists import Declared, ListFile, Read, Row, read_list
from app.services.sheets.workbook import Cell


@dataclass(frozen=True, slots=True)
class OrganisationLine:
    """A firm or a provider, and of a provider one of its sites. What is not said is not there."""

    row_no: int
    identifier_type: IdentifierType
    identifier_value: str
    name: str
    region_code: str | None
    profile: Mapping[str, Any] = field(default_factory=dict)
    site: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class TagLine:
    """A recognition of one firm, as far as the line says it."""

    row_no: int
    uscc: str
    name: str | None
    tag: str | None
    since_on: date | None
    until_on: date | None
    evidence: str | None


@dataclass(frozen=True, slots=True)
class DebarmentLine:
    """A decision about one legal person."""

    row_no: int
    uscc: str
    name: str
    reason: str
    document_no: str
    from_on: date
    until_on: date | None
    checkpoints: tuple[Checkpoint, ...] | None


OrganisationFile = ListFile[OrganisationLine]
TagFile = ListFile[TagLine]
DebarmentFile = ListFile[DebarmentLine]

_Take = Callable[[Cell], Any]


def read_organisations(data: bytes, kind: ListKind, *, region_code: str, language: Language) -> OrganisationFile:
    """Read a list of firms or providers; names of regions are looked for in `region_code`. Raises `file_unreadable`."""
    read = _firm if kind is ListKind.FIRMS else _provider
    return read_list(data, LAYOUTS[kind], Declared(), partial(read, region_code), language=language)


def read_tags(data: bytes, *, language: Language) -> TagFile:
    """Read a list of firms that have a tag. Raises `file_unreadable`."""
    return read_list(data, LAYOUTS[ListKind.TAGS], Declared(), _tag, language=language)


def read_debarments(data: bytes, *, language: Language) -> DebarmentFile:
    """Read a list of legal persons to be debarred. Raises `file_unreadable`."""
    return read_list(data, LAYOUTS[ListKind.DEBARMENTS], Declared(), _debarment, language=language)


def _firm(within: str, row: Row) -> Read[OrganisationLine]:
    uscc = row.take(Field.USCC, read_uscc)
    maker_no = row.take(Field.MAKER_NO, read_maker_no)
    if row.is_filled(Field.USCC) and row.is_filled(Field.MAKER_NO):
        row.complain(CellProblem("one_identifier"), Field.MAKER_NO)
    said: Mapping[Field, _Take] = {
        Field.SIZE: partial(read_word, words=SIZES),
        Field.INDUSTRY: read_line,
        Field.GROUP: read_line,
        Field.REGISTERED_ON: lambda cell: read_date(cell).isoformat(),
    }
    name, region_code, profile = _common(within, row, said)
    code = uscc or maker_no
    if code is None or name is None:
        return Read(None)
    identifier_type = IdentifierType.USCC if uscc else IdentifierType.MAKER
    line = OrganisationLine(row.row_no, identifier_type, code, name, region_code, profile)
    return Read(line, [(Field.USCC if uscc else Field.MAKER_NO, code, code)])


def _provider(within: str, row: Row) -> Read[OrganisationLine]:
    uscc = row.take(Field.USCC, read_uscc)
    said: Mapping[Field, _Take] = {
        Field.PROVIDER_KIND: partial(read_word, words=PROVIDER_KINDS),
        Field.FACILITY_CLASS: partial(read_word, words=FACILITY_CLASSES),
        Field.CARDS: partial(read_count, most=MAX_CARDS),
        Field.PFLOPS: read_decimal,
        Field.RACKS: partial(read_count, most=MAX_RACKS),
    }
    name, region_code, profile = _common(within, row, said)
    site = _site(within, row)
    if uscc is None or name is None:
        return Read(None)
    line = OrganisationLine(row.row_no, IdentifierType.USCC, uscc, name, region_code, profile, site)
    code = site["code"] if site else ""
    return Read(line, [(Field.SITE_CODE if code else Field.USCC, f"{uscc} {code}", f"{uscc} {code}".strip())])


def _common(within: str, row: Row, said: Mapping[Field, _Take]) -> tuple[str | None, str | None, dict[str, Any]]:
    name = row.take(Field.NAME, read_line)
    region_code = row.take(Field.REGION, partial(read_region, within=within))
    profile = {str(of): value for of, read in said.items() if (value := row.take(of, read)) is not None}
    return name, region_code, profile


def _site(within: str, row: Row) -> dict[str, Any] | None:
    said: Mapping[Field, tuple[str, _Take]] = {
        Field.SITE_CODE: ("code", read_line),
        Field.SITE_NAME: ("name", read_line),
        Field.SITE_REGION: ("region_code", partial(read_region, within=within)),
        Field.SITE_FACILITY_CLASS: ("facility_class", partial(read_word, words=FACILITY_CLASSES)),
        Field.SITE_CARDS: ("capacity_cards", partial(read_count, most=MAX_CARDS)),
        Field.SITE_PFLOPS: ("capacity_pflops", read_decimal),
    }
    if not any(map(row.is_filled, said)):
        return None
    if not all(map(row.is_filled, (Field.SITE_CODE, Field.SITE_NAME, Field.SITE_REGION))):
        row.complain(CellProblem("site_incomplete"), Field.SITE_CODE)
    site = {name: value for of, (name, read) in said.items() if (value := row.take(of, read)) is not None}
    return site if {"code", "name", "region_code"} <= site.keys() else None


def _tag(row: Row) -> Read[TagLine]:
    uscc = row.take(Field.USCC, read_uscc)
    line = TagLine(
        row_no=row.row_no,
        uscc=uscc or "",
        name=row.take(Field.NAME, read_line),
        tag=row.take(Field.TAG, read_line),
        since_on=row.take(Field.SINCE_ON, read_date),
        until_on=row.take(Field.UNTIL_ON, read_date),
        evidence=row.take(Field.EVIDENCE, read_line),
    )
    if uscc is None:
        return Read(None)
    mark = f"{uscc} {line.tag or ''} {line.since_on or ''}"
    return Read(line, [(Field.USCC, mark, f"{uscc} {line.tag or ''}".strip())])


def _debarment(row: Row) -> Read[DebarmentLine]:
    uscc = row.take(Field.USCC, read_uscc)
    name = row.take(Field.NAME, read_line)
    reason = row.take(Field.REASON, read_line)
    document_no = row.take(Field.DOCUMENT_NO, read_line)
    from_on = row.take(Field.FROM_ON, read_date)
    until_on = row.take(Field.UNTIL_ON, read_date)
    words = row.take(Field.CHECKPOINTS, partial(read_words, words=CHECKPOINTS))
    if from_on and until_on and until_on < from_on:
        row.complain(
            CellProblem("days_reversed", limit=from_on.isoformat(), actual=until_on.isoformat()), Field.UNTIL_ON
        )
    if uscc is None or name is None or reason is None or document_no is None or from_on is None:
        return Read(None)
    checkpoints = tuple(Checkpoint(word) for word in words) if words else None
    line = DebarmentLine(row.row_no, uscc, name, reason, document_no, from_on, until_on, checkpoints)
    return Read(line, [(Field.USCC, f"{uscc} {document_no}", f"{uscc} {document_no}")])
