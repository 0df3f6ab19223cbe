"""Taking in a debarment list: every line is one entry, and one approval puts all of them on the list."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, select

from app.database import Database
from app.kernel.clock import civil_date
from app.kernel.names import same_name
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import Checkpoint, IdentifierType, OrganisationKind, Role
from app.kernel.wording import Language
from app.models import Organisation
from app.services.identity.principals import Caller
from app.services.registry_lists.lines import DebarmentFile, read_debarments
from app.services.registry_lists.words import CellProblem, Field
from app.services.standing.debarments import DEFAULT_CHECKPOINTS, Asked, Entry, request_debarment
from app.services.standing.facts import person_of
from app.sql import any_of, now

MAX_ENTRIES = 5_000
"""In one list: a checker has to see what he approves."""


@dataclass(frozen=True, slots=True)
class DebarmentUpload:
    """A list with whose it is, and what it rules out where a line does not say so itself."""

    region_code: str
    authority_id: str
    data: bytes
    checkpoints: tuple[Checkpoint, ...] = DEFAULT_CHECKPOINTS


@dataclass(frozen=True, slots=True)
class DebarmentReport:
    """What a list asked for, and the columns that nobody read."""

    asked: Asked
    ignored_columns: tuple[str, ...]


def import_debarments(
    database: Database, *, caller: Caller, upload: DebarmentUpload, language: Language, dry_run: bool = False
) -> DebarmentReport:
    """Ask a checker to put all of a list on the debarment list of the region; all or none.

    What is there already, by the same document, is left out, so the same list twice asks for nothing. Raises
    `forbidden`, `not_found`, `file_unreadable`, `sheet_invalid` with every complaint, `approval_pending`.
    """
    caller.require(Role.MAKER)
    if not caller.holds_in(Role.MAKER, upload.region_code, upload.authority_id):
        raise AppError(Code.NOT_FOUND, what="region")
    read = read_debarments(upload.data, language=language)
    return database.transact(lambda tx: _ask(tx, caller, upload, read, dry_run=dry_run))


def _ask(
    tx: Connection, caller: Caller, upload: DebarmentUpload, read: DebarmentFile, *, dry_run: bool
) -> DebarmentReport:
    today = civil_date(now(tx))
    names = _registered_names(tx, {line.uscc for line in read.lines})
    for line in read.lines:
        known = names.get(line.uscc, [])
        if known and not any(same_name(line.name, name) for name in known):
            read.complain(line.row_no, CellProblem("name_differs", limit=known[0], actual=line.name), Field.NAME)
        if line.until_on is not None and line.until_on < today:
            read.complain(line.row_no, CellProblem("until_past", actual=line.until_on.isoformat()), Field.UNTIL_ON)
    if len(read.lines) > MAX_ENTRIES:
        read.complain(read.lines[MAX_ENTRIES].row_no, CellProblem("too_many_rows", limit=MAX_ENTRIES))
    read.require_sound()
    asked = request_debarment(
        tx,
        caller=caller,
        region_code=upload.region_code,
        authority_id=upload.authority_id,
        entries=[
            Entry(
                person=person_of(IdentifierType.USCC, line.uscc),
                name=line.name,
                reason=line.reason,
                document_no=line.document_no,
                from_on=line.from_on,
                until_on=line.until_on,
                checkpoints=line.checkpoints or upload.checkpoints,
            )
            for line in read.lines
        ],
        dry_run=dry_run,
    )
    return DebarmentReport(asked, read.headings.ignored)


def _registered_names(tx: Connection, usccs: set[str]) -> dict[str, list[str]]:
    """Under which names each of them is registered, as a firm or a provider."""
    rows = tx.execute(
        select(Organisation.identifier_value, Organisation.name)
        .where(
            Organisation.kind.in_((OrganisationKind.FIRM, OrganisationKind.PROVIDER)),
            Organisation.identifier_type == IdentifierType.USCC,
            Organisation.identifier_value == any_of(sorted(usccs)),
        )
        .order_by(Organisation.id)
    )
    names: dict[str, list[str]] = {}
    for row in rows:
        names.setdefault(row.identifier_value, []).append(row.name)
    return names
