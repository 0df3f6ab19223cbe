"""Who did what, for how long personal data are kept, and how the system is doing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypedDict, Unpack

from app.client.models import (
    AuditEventRead,
    KeyRotated,
    RetentionRead,
    RetentionWrite,
    SystemRead,
)
from app.client.wire import Wire


class Wanted(TypedDict, total=False):
    """Which events; what is left out does not count."""

    actor_id: str | None
    organisation_id: str | None
    action: str | None
    object_id: str | None
    result: str | None
    source: str | None
    request_id: str | None
    region_code: str | None
    since: str | None
    until: str | None


class AuditEvents:
    """`/v1/audit-events`. 审计事件"""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def list(self, **wanted: Unpack[Wanted]) -> Iterator[AuditEventRead]:
        """Those of your regions, newest first."""
        return self._wire.each("/v1/audit-events", AuditEventRead, **wanted)

    def get(self, event_id: str) -> AuditEventRead:
        """One, with its leaf and its place in the log."""
        return self._wire.fetch(f"/v1/audit-events/{event_id}", AuditEventRead)

    def export(
        self,
        *,
        purpose: str,
        format: str | None = None,  # noqa: A002 - the field's name
        **wanted: Unpack[Wanted],
    ) -> bytes:
        """The same as .xlsx or .csv; that you exported them is an event."""
        return self._wire.download("/v1/audit-events/export", purpose=purpose, format=format, **wanted)


class Retention:
    """`/v1/retention-settings`. 留存期限"""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def list(self) -> Sequence[RetentionRead]:
        """The settings that count in your regions."""
        return self._wire.fetch("/v1/retention-settings", tuple[RetentionRead, ...])

    def set(self, body: RetentionWrite) -> RetentionRead:
        """Set how long something is kept in a region of yours."""
        return self._wire.change("PUT", "/v1/retention-settings", RetentionRead, body)


class System:
    """`/v1/system`: for system administrators."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def get(self) -> SystemRead:
        """Settings, limits, keys by name, health."""
        return self._wire.fetch("/v1/system", SystemRead)

    def rotate_token_keys(self) -> KeyRotated:
        """Add a key that signs tokens from now on."""
        return self._wire.change("POST", "/v1/system/token-keys", KeyRotated)
