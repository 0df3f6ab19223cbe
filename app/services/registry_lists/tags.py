"""Taking in a list of firms that a bureau has recognised: one tag or several, with their days and what grants them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, select

from app.database import Database
from app.kernel.names import same_name
from app.kernel.tags import same_tag
from app.kernel.vocabulary import IdentifierType, OrganisationKind, Role
from app.kernel.wording import Language
from app.models import Organisation
from app.services import audit
from app.services.identity.principals import Caller
from app.services.organisations import registered_within
from app.services.profiles import MAX_TAGS
from app.services.registry_lists.lines import TagFile, TagLine, read_tags
from app.services.registry_lists.organisations import Change, ImportReport, Named, rewrite
from app.services.registry_lists.words import CellProblem, Field
from app.sql import any_of, now

Tag = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TagUpload:
    """A list with what is said of all its lines; a line that says it itself goes before."""

    data: bytes
    tag: str | None = None
    since_on: date | None = None
    until_on: date | None = None
    evidence: str | None = None
    update: bool = False


def import_tags(
    database: Database, *, caller: Caller, upload: TagUpload, language: Language, dry_run: bool = False
) -> ImportReport:
    """Give every firm of a list its tag; all or none, and the same list twice does nothing.

    A firm that has the tag already, by whatever name, for some of the days is told and left as it is; with `update` the
    list's days and evidence are put in the place of what is there. Raises `forbidden`, `file_unreadable`,
    `sheet_invalid` with every complaint.
    """
    caller.require(Role.REGISTRAR)
    read = read_tags(upload.data, language=language)
    return database.transact(lambda tx: _take_in(tx, caller, upload, read, dry_run=dry_run))


def merged(tags: Sequence[Tag], new: Tag, *, replace: bool) -> tuple[list[Tag], str]:
    """The tags with one more, and what became of it: `added`, `same`, `replaced`, or `differs` and nothing changed."""
    if any(same_tag(one["name"], new["name"]) and _told(one) == _told(new) for one in tags):
        return list(tags), "same"
    clashing = [one for one in tags if same_tag(one["name"], new["name"]) and _overlap(one, new)]
    if not clashing:
        return [*tags, new], "added"
    if not replace:
        return list(tags), "differs"
    return [*(one for one in tags if one not in clashing), new], "replaced"


def _told(tag: Tag) -> tuple[Any, ...]:
    return tag["since_on"], tag["until_on"], tag.get("evidence")


def _overlap(a: Tag, b: Tag) -> bool:
    return bool(a["since_on"] <= (b["until_on"] or "9999") and b["since_on"] <= (a["until_on"] or "9999"))


def _take_in(tx: Connection, caller: Caller, upload: TagUpload, read: TagFile, *, dry_run: bool) -> ImportReport:
    firms = _firms(tx, caller, {line.uscc for line in read.lines})
    tags: dict[str, list[Tag]] = {uscc: list(row.profile.get("tags", ())) for uscc, row in firms.items()}
    sorts: dict[str, list[Named]] = {"added": [], "replaced": [], "differs": [], "same": []}
    for line in read.lines:
        row, new = firms.get(line.uscc), _tag(read, upload, line)
        if row is None:
            read.complain(line.row_no, CellProblem("firm_unknown", actual=line.uscc), Field.USCC)
            continue
        if line.name is not None and not same_name(line.name, row.name):
            read.complain(line.row_no, CellProblem("name_differs", limit=row.name, actual=line.name), Field.NAME)
        if new is None:
            continue
        before = tags[line.uscc]
        tags[line.uscc], sort = merged(before, new, replace=upload.update)
        if len(tags[line.uscc]) > MAX_TAGS:
            read.complain(line.row_no, CellProblem("too_many_tags", limit=MAX_TAGS, actual=row.name), Field.USCC)
        there = [one for one in before if same_tag(one["name"], new["name"]) and _overlap(one, new)]
        change = Change("tags", there, new)
        sorts[sort].append(Named(line.row_no, row.id, line.uscc, row.name, () if sort == "same" else (change,)))
    read.require_sound()
    if not dry_run:
        _write(tx, caller, upload, firms, tags)
    return ImportReport(
        dry_run=dry_run,
        file_sha256=hashlib.sha256(upload.data).hexdigest(),
        created=tuple(sorts["added"]),
        changed=tuple(sorts["replaced"]),
        differing=tuple(sorts["differs"]),
        unchanged_count=len(sorts["same"]),
        ignored_columns=read.headings.ignored,
    )


def _firms(tx: Connection, caller: Caller, usccs: set[str]) -> dict[str, Any]:
    rows = tx.execute(
        select(Organisation)
        .where(
            Organisation.kind == OrganisationKind.FIRM,
            Organisation.identifier_type == IdentifierType.USCC,
            Organisation.identifier_value == any_of(sorted(usccs)),
            registered_within(caller, Role.REGISTRAR),
        )
        .order_by(Organisation.id)
        .with_for_update(key_share=True)
    )
    return {row.identifier_value: row for row in rows}


def _tag(read: TagFile, upload: TagUpload, line: TagLine) -> Tag | None:
    """The tag of a line, with what the request says of all; None where that is not enough, and it is complained of."""
    name, since_on = line.tag or upload.tag, line.since_on or upload.since_on
    until_on = line.until_on or upload.until_on
    if name is None:
        read.complain(line.row_no, CellProblem("tag_missing"), Field.TAG)
    if since_on is None:
        read.complain(line.row_no, CellProblem("since_missing"), Field.SINCE_ON)
    if name is None or since_on is None:
        return None
    if until_on is not None and until_on < since_on:
        problem = CellProblem("days_reversed", limit=since_on.isoformat(), actual=until_on.isoformat())
        read.complain(line.row_no, problem, Field.UNTIL_ON)
        return None
    tag = {"name": name, "since_on": since_on.isoformat(), "until_on": until_on.isoformat() if until_on else None}
    evidence = line.evidence or upload.evidence
    return tag | ({"evidence": evidence} if evidence else {})


def _write(
    tx: Connection, caller: Caller, upload: TagUpload, firms: Mapping[str, Any], tags: Mapping[str, list[Tag]]
) -> None:
    at = now(tx)
    changed = [row for uscc, row in firms.items() if tags[uscc] != list(row.profile.get("tags", ()))]
    rewrite(
        tx,
        [
            {
                "id": row.id,
                "name": row.name,
                "region_code": row.region_code,
                "profile": {**row.profile, "tags": tags[row.identifier_value]},
            }
            for row in changed
        ],
    )
    audit.record_all(
        tx,
        caller=caller,
        action="organisation.changed",
        at=at,
        subjects=[
            (
                row.region_code,
                row.id,
                {
                    "fields": ["profile.tags"],
                    "version": row.version + 1,
                    "file_sha256": hashlib.sha256(upload.data).hexdigest(),
                },
            )
            for row in changed
        ],
    )
