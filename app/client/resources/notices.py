"""Public notices (公示): as officials prepare them, as everybody reads them, and objections to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from app.client.models import (
    ApprovalRead,
    DecisionWrite,
    NoticeItemRead,
    NoticeRead,
    NoticeSubmitted,
    NoticeWrite,
    ObjectionRead,
    ObjectionReceived,
    ObjectionWrite,
    ReasonWrite,
    SenderRead,
    SenderSearch,
    ShownItem,
    ShownNotice,
)
from app.client.wire import Again, Wire


class PublicNotices:
    """`/v1/public-notices`: an official's."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.objections = Objections(wire)

    def list(self, *, programme_id: str | None = None) -> Iterator[NoticeRead]:
        """Notices within reach, newest first."""
        return self._wire.each("/v1/public-notices", NoticeRead, programme_id=programme_id)

    def get(self, notice_id: str) -> NoticeRead:
        """One."""
        return self._wire.fetch(f"/v1/public-notices/{notice_id}", NoticeRead)

    def items(self, notice_id: str) -> Iterator[NoticeItemRead]:
        """Its lines in their order."""
        return self._wire.each(f"/v1/public-notices/{notice_id}/items", NoticeItemRead)

    def sheet(self, notice_id: str) -> bytes:
        """The notice to print, an .xlsx file."""
        return self._wire.download(f"/v1/public-notices/{notice_id}/sheet")

    def create(self, body: NoticeWrite) -> NoticeRead:
        """Write a draft down; its lines are taken as they stand now."""
        return self._wire.change("POST", "/v1/public-notices", NoticeRead, body)

    def submit(self, notice_id: str) -> NoticeSubmitted:
        """Ask a checker to publish a draft."""
        return self._wire.change("POST", f"/v1/public-notices/{notice_id}/submit", NoticeSubmitted)

    def withdraw(self, notice_id: str, body: ReasonWrite) -> NoticeSubmitted:
        """Give a draft up, or ask a checker to take a published notice back."""
        return self._wire.change("POST", f"/v1/public-notices/{notice_id}/withdraw", NoticeSubmitted, body)


class Objections:
    """`/v1/public-notices/{id}/objections`. 异议"""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def list(self, notice_id: str) -> Iterator[ObjectionRead]:
        """All to a notice, newest first, their senders masked."""
        return self._wire.each(f"/v1/public-notices/{notice_id}/objections", ObjectionRead)

    def create(self, notice_id: str, body: ObjectionWrite) -> ObjectionReceived:
        """Object to a line, as anybody. Keep the id: it is the way to the answer."""
        return self._wire.change("POST", f"/v1/public-notices/{notice_id}/objections", ObjectionReceived, body)

    def decide(self, notice_id: str, objection_id: str, body: DecisionWrite) -> ApprovalRead:
        """Ask a checker to uphold or dismiss one."""
        path = f"/v1/public-notices/{notice_id}/objections/{objection_id}/decide"
        return self._wire.change("POST", path, ApprovalRead, body)

    def sender(self, notice_id: str, objection_id: str, *, purpose: str) -> SenderRead:
        """Who objected, as given; each look at it is written down, with what it was for."""
        path = f"/v1/public-notices/{notice_id}/objections/{objection_id}/sender"
        return self._wire.fetch(path, SenderRead, purpose=purpose)

    def search(self, body: SenderSearch) -> Sequence[ObjectionRead]:
        """Those to your authority that were sent with exactly this contact; that you asked is written down."""
        path = "/v1/public-notices/objections/search"
        return self._wire.change("POST", path, tuple[ObjectionRead, ...], body)

    def erase_sender(self, notice_id: str, objection_id: str) -> None:
        """Forget who objected; the objection stays."""
        path = f"/v1/public-notices/{notice_id}/objections/{objection_id}/sender"
        self._wire.send("DELETE", path, again=Again.NEVER)


class ShownNotices:
    """`/v1/notices`: what everybody may read, without signing in."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def list(self, *, region_code: str | None = None) -> Iterator[ShownNotice]:
        """Notices that are shown, newest first."""
        return self._wire.each("/v1/notices", ShownNotice, region_code=region_code)

    def get(self, notice_id: str) -> ShownNotice:
        """One."""
        return self._wire.fetch(f"/v1/notices/{notice_id}", ShownNotice)

    def items(self, notice_id: str) -> Iterator[ShownItem]:
        """Its lines in their order."""
        return self._wire.each(f"/v1/notices/{notice_id}/items", ShownItem)

    def sheet(self, notice_id: str) -> bytes:
        """The same as an .xlsx file."""
        return self._wire.download(f"/v1/notices/{notice_id}/sheet")

    def objection(self, notice_id: str, objection_id: str) -> ObjectionReceived:
        """What became of an objection, for who has its id."""
        return self._wire.fetch(f"/v1/notices/{notice_id}/objections/{objection_id}", ObjectionReceived)
