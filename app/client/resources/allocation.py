"""Who gets money where it does not reach for all: rounds, and those who wait."""

from __future__ import annotations

from collections.abc import Iterator

from app.client.models import (
    ApprovalRead,
    CancelBody,
    CandidateRead,
    EndBody,
    PromoteBody,
    PromotionProposed,
    RecordRead,
    RoundCreate,
    RoundProposed,
    RoundRead,
    SeedBody,
    Sent,
    WaitlistRead,
)
from app.client.wire import Again, Upload, Wire


class ListForm(Sent, frozen=True, kw_only=True):
    """What a maker says of a list's file; it is refused where the file says otherwise. Of a lottery also its seed."""

    title: str
    declared_count: int
    declared_total_fen: int
    budget_fen: int | None = None
    announcement: str | None = None
    seed_format: str | None = None
    draws_at: str | None = None


class AllocationRounds:
    """`/v1/allocation-rounds`: a frozen list, served as the programme's rules say, by lot or otherwise."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def list(self, *, programme_id: str | None = None) -> Iterator[RoundRead]:
        """Rounds within reach, newest first."""
        return self._wire.each("/v1/allocation-rounds", RoundRead, programme_id=programme_id)

    def get(self, round_id: str) -> RoundRead:
        """One."""
        return self._wire.fetch(f"/v1/allocation-rounds/{round_id}", RoundRead)

    def candidates(self, round_id: str) -> Iterator[CandidateRead]:
        """Who is on its list, and what each gets once that is decided."""
        return self._wire.each(f"/v1/allocation-rounds/{round_id}/candidates", CandidateRead)

    def record(self, round_id: str) -> RecordRead:
        """All to compute it again; everybody may read it. Before it is decided: hashes only."""
        return self._wire.fetch(f"/v1/allocation-rounds/{round_id}/record", RecordRead)

    def create(self, programme_id: str, body: RoundCreate, *, key: str | None = None) -> RoundProposed:
        """Freeze a list, or with `dry_run` only say what would come of it."""
        return self._wire.act(f"/v1/programmes/{programme_id}/allocation-rounds", RoundProposed, body, key=key)

    def template(self, programme_id: str) -> bytes:
        """The list to fill in, an .xlsx file with the columns that the programme's rules ask for."""
        return self._wire.download(f"/v1/programmes/{programme_id}/allocation-lists/template")

    def create_from_sheet(
        self, programme_id: str, file: Upload, form: ListForm, *, dry_run: bool = False, key: str | None = None
    ) -> RoundProposed:
        """Freeze a list from a sheet, or with `dry_run` only say what comes of it. Raises Invalid with each row."""
        sent = _fields(form) | {"dry_run": dry_run}
        path = f"/v1/programmes/{programme_id}/allocation-lists"
        return self._wire.act(path, RoundProposed, key=key, form=sent, file=file)

    def annotate(self, programme_id: str, file: Upload, form: ListForm) -> bytes:
        """The list with what is wrong beside each row, an .xlsx file to correct and send."""
        path = f"/v1/programmes/{programme_id}/allocation-lists/annotated-sheet"
        return self._wire.send("POST", path, again=Again.FREELY, form=_fields(form), file=file).content

    def draw(self, round_id: str, body: SeedBody, *, key: str | None = None) -> RoundRead:
        """Give the public number that was announced; it is taken once."""
        return self._wire.act(f"/v1/allocation-rounds/{round_id}/draw", RoundRead, body, key=key)

    def submit(self, round_id: str, *, key: str | None = None) -> ApprovalRead:
        """Ask a checker to issue what it awards."""
        return self._wire.act(f"/v1/allocation-rounds/{round_id}/submit", ApprovalRead, key=key)

    def cancel(self, round_id: str, body: CancelBody, *, key: str | None = None) -> ApprovalRead:
        """Ask a checker to let nothing come of it."""
        return self._wire.act(f"/v1/allocation-rounds/{round_id}/cancel", ApprovalRead, body, key=key)


class Waitlists:
    """`/v1/programmes/{id}/waitlist`. 候补"""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def get(self, programme_id: str) -> WaitlistRead:
        """Who waits for a programme's money, in their order."""
        return self._wire.fetch(f"/v1/programmes/{programme_id}/waitlist", WaitlistRead)

    def promote(self, programme_id: str, body: PromoteBody, *, key: str | None = None) -> PromotionProposed:
        """Ask a checker to issue to the next in turn, or with `dry_run` only say who they are."""
        return self._wire.act(f"/v1/programmes/{programme_id}/waitlist/promote", PromotionProposed, body, key=key)

    def end(self, programme_id: str, body: EndBody, *, key: str | None = None) -> ApprovalRead:
        """Ask a checker to end some waits, or all, without a grant."""
        return self._wire.act(f"/v1/programmes/{programme_id}/waitlist/end", ApprovalRead, body, key=key)


def _fields(form: ListForm) -> dict[str, object]:
    return {name: getattr(form, name) for name in form.__struct_fields__}
