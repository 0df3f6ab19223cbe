"""Applications (申领), and the papers that come with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypedDict, Unpack

from app.client.models import (
    ApplicationActs,
    ApplicationBody,
    ApplicationCreate,
    ApplicationEventRead,
    ApplicationJudged,
    ApplicationRead,
    ApprovalRead,
    AssessBody,
    CountsRead,
    GrantsBody,
    GrantsProposed,
    ReasonBody,
    ReturnBody,
    UploadRead,
    UploadStored,
)
from app.client.wire import Upload, Wire


class Queue(TypedDict, total=False):
    """Which applications: all of what is given must hold. Amounts are fen, days Asia/Shanghai's."""

    programme_id: str | None
    district_code: str | None
    stage: str | None
    status: str | None
    firm_id: str | None
    firm_name: str | None
    least_fen: int | None
    most_fen: int | None
    submitted_from: str | None
    submitted_until: str | None
    overdue: bool | None


class Applications:
    """`/v1/applications`."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def list(self, **queue: Unpack[Queue]) -> Iterator[ApplicationRead]:
        """Applications within reach, newest first."""
        return self._wire.each("/v1/applications", ApplicationRead, **queue)

    def counts(self, **queue: Unpack[Queue]) -> CountsRead:
        """How many there are, and of how much, by stage and district."""
        return self._wire.fetch("/v1/applications/counts", CountsRead, **queue)

    def export(self, *, format: str | None = None, **queue: Unpack[Queue]) -> bytes:  # noqa: A002 - the field's name
        """The same applications as a sheet: `xlsx` or `csv`."""
        return self._wire.download("/v1/applications/export", format=format, **queue)

    def get(self, application_id: str) -> ApplicationRead:
        """One."""
        return self._wire.fetch(f"/v1/applications/{application_id}", ApplicationRead)

    def events(self, application_id: str) -> Sequence[ApplicationEventRead]:
        """What became of it, step by step."""
        return self._wire.fetch(f"/v1/applications/{application_id}/events", list[ApplicationEventRead])

    def create(self, body: ApplicationCreate, *, key: str | None = None) -> ApplicationJudged:
        """Apply, as a firm; with what the rules say of it."""
        return self._wire.act("/v1/applications", ApplicationJudged, body, key=key)

    def change(self, application_id: str, body: ApplicationBody, *, version: int) -> ApplicationRead:
        """Write one anew that was read as this version. Raises Stale where somebody else was faster."""
        headers = {"If-Match": f'"{version}"'}
        path = f"/v1/applications/{application_id}"
        return self._wire.change("PUT", path, ApplicationRead, body, headers=headers)

    def submit(self, application_id: str, *, key: str | None = None) -> ApplicationJudged:
        """Hand it in, as the firm; also again, once corrected."""
        return self._wire.act(f"/v1/applications/{application_id}/submit", ApplicationJudged, key=key)

    def withdraw(self, application_id: str, body: ReasonBody, *, key: str | None = None) -> ApplicationJudged:
        """Take it back, as the firm."""
        return self._wire.act(f"/v1/applications/{application_id}/withdraw", ApplicationJudged, body, key=key)

    def accept(self, application_id: str, *, key: str | None = None) -> ApplicationJudged:
        """Take it in for review. 受理"""
        return self._wire.act(f"/v1/applications/{application_id}/accept", ApplicationJudged, key=key)

    def return_(self, application_id: str, body: ReturnBody, *, key: str | None = None) -> ApplicationJudged:
        """Send it back to be corrected; the clock stops. 补正"""
        return self._wire.act(f"/v1/applications/{application_id}/return", ApplicationJudged, body, key=key)

    def pass_first_review(self, application_id: str, body: ReasonBody, *, key: str | None = None) -> ApplicationJudged:
        """Pass it on to the next level. 初审"""
        return self._wire.act(f"/v1/applications/{application_id}/first-review", ApplicationJudged, body, key=key)

    def assess(self, application_id: str, body: AssessBody, *, key: str | None = None) -> ApplicationJudged:
        """Say what amount is due. 核定"""
        return self._wire.act(f"/v1/applications/{application_id}/assess", ApplicationJudged, body, key=key)

    def approve(self, application_id: str, *, key: str | None = None) -> GrantsProposed:
        """Ask a checker to grant it."""
        return self._wire.act(f"/v1/applications/{application_id}/approve", GrantsProposed, key=key)

    def grant_many(self, body: GrantsBody, *, key: str | None = None) -> GrantsProposed:
        """Ask a checker to grant several, in one approval."""
        return self._wire.act("/v1/applications/grants", GrantsProposed, body, key=key)

    def reject(self, application_id: str, body: ReasonBody, *, key: str | None = None) -> ApprovalRead:
        """Ask a checker to say no, and why."""
        return self._wire.act(f"/v1/applications/{application_id}/reject", ApprovalRead, body, key=key)

    def waitlist(self, application_id: str, body: ReasonBody, *, key: str | None = None) -> ApprovalRead:
        """Ask a checker to let it wait for money. 候补"""
        return self._wire.act(f"/v1/applications/{application_id}/waitlist", ApprovalRead, body, key=key)

    def act_on_many(self, body: ApplicationActs, *, key: str | None = None) -> ApprovalRead:
        """Ask a checker to refuse many, or to let many wait, in one approval; refused where one does not allow it."""
        return self._wire.act("/v1/application-acts", ApprovalRead, body, key=key)


class Uploads:
    """`/v1/uploads`: papers, known by their content."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def create(self, file: Upload, *, region_code: str) -> UploadStored:
        """Hand a paper in; an application names it by its id."""
        return self._wire.change("POST", "/v1/uploads", UploadStored, form={"region_code": region_code}, file=file)

    def get(self, upload_id: str) -> UploadRead:
        """What is known of one."""
        return self._wire.fetch(f"/v1/uploads/{upload_id}", UploadRead)

    def content(self, upload_id: str) -> bytes:
        """The paper itself."""
        return self._wire.download(f"/v1/uploads/{upload_id}/content")
