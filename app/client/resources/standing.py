"""Who is linked with whom, who is debarred, lists of organisations, and which days are worked."""

from __future__ import annotations

from collections.abc import Iterator

from app.client.models import (
    ApprovalRead,
    CalendarList,
    CalendarRead,
    CalendarWrite,
    DebarmentAsked,
    DebarmentCreate,
    DebarmentLift,
    DebarmentListAsked,
    DebarmentRead,
    KnownTag,
    OrganisationListTaken,
    RelationCreate,
    RelationEnd,
    RelationRead,
    Relations,
)
from app.client.wire import Upload, Wire


class RelatedParties:
    """`/v1/organisations/{id}/relations`."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def get(self, organisation_id: str, *, on: str | None = None) -> Relations:
        """Who is linked with an organisation on a day, and by what."""
        return self._wire.fetch(f"/v1/organisations/{organisation_id}/relations", Relations, on=on)

    def record(self, organisation_id: str, body: RelationCreate) -> RelationRead:
        """Write a link down."""
        return self._wire.change("POST", f"/v1/organisations/{organisation_id}/relations", RelationRead, body)

    def end(self, organisation_id: str, relation_id: str, body: RelationEnd) -> RelationRead:
        """Say from when on it is none any more."""
        path = f"/v1/organisations/{organisation_id}/relations/{relation_id}/end"
        return self._wire.change("POST", path, RelationRead, body)


class Debarments:
    """`/v1/debarments`."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def list(
        self, *, identifier: str | None = None, organisation_id: str | None = None, live: bool | None = None
    ) -> Iterator[DebarmentRead]:
        """Debarments within reach, newest first."""
        query = {"identifier": identifier, "organisation_id": organisation_id, "live": live}
        return self._wire.each("/v1/debarments", DebarmentRead, **query)

    def get(self, debarment_id: str) -> DebarmentRead:
        """One."""
        return self._wire.fetch(f"/v1/debarments/{debarment_id}", DebarmentRead)

    def ask(self, body: DebarmentCreate, *, key: str | None = None) -> DebarmentAsked:
        """Ask a checker to debar."""
        return self._wire.act("/v1/debarments", DebarmentAsked, body, key=key)

    def lift(self, debarment_id: str, body: DebarmentLift, *, key: str | None = None) -> ApprovalRead:
        """Ask a checker to end one before its time."""
        return self._wire.act(f"/v1/debarments/{debarment_id}/lift", ApprovalRead, body, key=key)

    def upload(
        self,
        file: Upload,
        *,
        region_code: str,
        authority_id: str | None = None,
        checkpoints: str | None = None,
        dry_run: bool | None = None,
    ) -> DebarmentListAsked:
        """Ask a checker to debar all of a list, an .xlsx or .csv file."""
        form = {"region_code": region_code, "authority_id": authority_id, "checkpoints": checkpoints}
        form_sent = form | {"dry_run": dry_run}
        return self._wire.change("POST", "/v1/debarment-lists", DebarmentListAsked, form=form_sent, file=file)


class OrganisationLists:
    """`/v1/organisation-lists`: firms or providers from a sheet, and the tags that lists give."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def tags(self) -> list[KnownTag]:
        """The usual tags."""
        return self._wire.fetch("/v1/organisation-lists/tags", list[KnownTag])

    def template(self, *, kind: str | None = None) -> bytes:
        """The sheet to fill in, an .xlsx file."""
        return self._wire.download("/v1/organisation-lists/template", kind=kind)

    def upload(
        self,
        file: Upload,
        *,
        kind: str,
        region_code: str | None = None,
        update: bool | None = None,
        dry_run: bool | None = None,
        tag: str | None = None,
        since_on: str | None = None,
        until_on: str | None = None,
        evidence: str | None = None,
    ) -> OrganisationListTaken:
        """Have a list taken in, or only checked. All or none."""
        form = {
            "kind": kind,
            "region_code": region_code,
            "update": update,
            "dry_run": dry_run,
            "tag": tag,
            "since_on": since_on,
            "until_on": until_on,
            "evidence": evidence,
        }
        return self._wire.change("POST", "/v1/organisation-lists", OrganisationListTaken, form=form, file=file)


class Calendars:
    """`/v1/calendars`: the days off and the days worked of each year."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def all(self) -> CalendarList:
        """The tables in force."""
        return self._wire.fetch("/v1/calendars", CalendarList)

    def get(self, year: int, *, version: int | None = None) -> CalendarRead:
        """A year's table, as it is or was."""
        return self._wire.fetch(f"/v1/calendars/{year}", CalendarRead, version=version)

    def versions(self, year: int) -> CalendarList:
        """All that ever held for a year."""
        return self._wire.fetch(f"/v1/calendars/{year}/versions", CalendarList)

    def load(self, year: int, body: CalendarWrite, *, version: int | None = None) -> CalendarRead:
        """Write a year's table down, in place of the version that was read."""
        headers = None if version is None else {"If-Match": f'"{version}"'}
        return self._wire.change("PUT", f"/v1/calendars/{year}", CalendarRead, body, headers=headers)
