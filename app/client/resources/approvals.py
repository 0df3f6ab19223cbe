"""What waits for a second person, how many it takes, and who stands in for whom."""

from __future__ import annotations

from collections.abc import Iterator

from app.client.jobs import Progress, follow
from app.client.models import (
    ApprovalForeseen,
    ApprovalKind,
    ApprovalRead,
    ApprovalStatus,
    ApproveBody,
    BandsBody,
    BandsRead,
    DelegationBody,
    DelegationRead,
    RejectBody,
    WithdrawBody,
)
from app.client.wire import Wire


class Approvals:
    """`/v1/approvals`: each the exact command with its hash, and what approving it does."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def list(
        self,
        *,
        status: ApprovalStatus | None = None,
        kind: ApprovalKind | None = None,
        subject_id: str | None = None,
        authority_id: str | None = None,
        amount_from_fen: int | None = None,
        amount_to_fen: int | None = None,
        mine: bool | None = None,
        asked_by_me: bool | None = None,
    ) -> Iterator[ApprovalRead]:
        """Approvals within reach, newest first; `mine` are those whose next step I may take."""
        query = {"status": status, "kind": kind, "subject_id": subject_id, "authority_id": authority_id}
        amounts = {"amount_from_fen": amount_from_fen, "amount_to_fen": amount_to_fen}
        return self._wire.each("/v1/approvals", ApprovalRead, **query, **amounts, mine=mine, asked_by_me=asked_by_me)

    def get(self, approval_id: str) -> ApprovalForeseen:
        """One, with its command, what it would do now, and who may take the next step."""
        return self._wire.fetch(f"/v1/approvals/{approval_id}", ApprovalForeseen)

    def approve(
        self,
        approval_id: str,
        body: ApproveBody | None = None,
        *,
        key: str | None = None,
        progress: Progress | None = None,
    ) -> ApprovalRead:
        """Take the step whose turn it is, as another person; the last one executes what was asked for.

        With `command_sha256` in the body exactly what was seen is approved, and nothing else.
        """
        path = f"/v1/approvals/{approval_id}/approve"
        return follow(self._wire, path, ApprovalRead, body, key=key, progress=progress)

    def reject(self, approval_id: str, body: RejectBody) -> ApprovalRead:
        """Say no, and why."""
        return self._wire.change("POST", f"/v1/approvals/{approval_id}/reject", ApprovalRead, body)

    def withdraw(self, approval_id: str, body: WithdrawBody | None = None) -> ApprovalRead:
        """Take back what I asked for."""
        return self._wire.change("POST", f"/v1/approvals/{approval_id}/withdraw", ApprovalRead, body)


class ApprovalBands:
    """`/v1/approval-bands`: how many persons an act takes, by its amount."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def list(self, *, kind: ApprovalKind | None = None) -> Iterator[BandsRead]:
        """Tables within reach, newest first."""
        return self._wire.each("/v1/approval-bands", BandsRead, kind=kind)

    def ask(self, body: BandsBody) -> ApprovalRead:
        """Ask for a table to hold from a day on."""
        return self._wire.change("POST", "/v1/approval-bands", ApprovalRead, body)


class Delegations:
    """`/v1/delegations`: who stands in for whom, for a while."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def list(self) -> Iterator[DelegationRead]:
        """Delegations within reach, newest first."""
        return self._wire.each("/v1/delegations", DelegationRead)

    def ask(self, body: DelegationBody) -> ApprovalRead:
        """Ask that another person may use a role of mine for a while."""
        return self._wire.change("POST", "/v1/delegations", ApprovalRead, body)

    def revoke(self, delegation_id: str) -> DelegationRead:
        """End one before its time."""
        return self._wire.change("POST", f"/v1/delegations/{delegation_id}/revoke", DelegationRead)
