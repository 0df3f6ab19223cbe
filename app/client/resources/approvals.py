"""What waits for a second person."""

from __future__ import annotations

from collections.abc import Iterator

from app.client.jobs import Progress, follow
from app.client.models import ApprovalRead, ApprovalStatus, ApproveBody, RejectBody
from app.client.wire import Wire


class Approvals:
    """`/v1/approvals`: each the exact command with its hash, and what approving it does."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def list(self, *, status: ApprovalStatus | None = None) -> Iterator[ApprovalRead]:
        """Approvals within reach, newest first."""
        return self._wire.each("/v1/approvals", ApprovalRead, status=status)

    def get(self, approval_id: str) -> ApprovalRead:
        """One, with its command, effect and totals."""
        return self._wire.fetch(f"/v1/approvals/{approval_id}", ApprovalRead)

    def approve(
        self,
        approval_id: str,
        body: ApproveBody | None = None,
        *,
        key: str | None = None,
        progress: Progress | None = None,
    ) -> ApprovalRead:
        """Execute what was asked for, as another person than its maker."""
        path = f"/v1/approvals/{approval_id}/approve"
        return follow(self._wire, path, ApprovalRead, body, key=key, progress=progress)

    def reject(self, approval_id: str, body: RejectBody) -> ApprovalRead:
        """Say no, and why."""
        return self._wire.change("POST", f"/v1/approvals/{approval_id}/reject", ApprovalRead, body)
