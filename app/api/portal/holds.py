"""A voucher's holds as its page shows them: the open ones first, a stretch at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from app.kernel.ids import is_id
from app.kernel.vocabulary import HoldStatus
from app.services.identity.principals import Caller
from app.services.redemption.commands import HoldRecord
from app.services.redemption.holds.reads import list_holds
from app.services.redemption.holds.states import status_of

HOLDS_SHOWN = 10
"""On the voucher's page, and in each stretch after it."""


@dataclass(frozen=True, slots=True)
class ShownHold:
    """A hold at the instant at which it is looked at, with its provider's name."""

    record: HoldRecord
    provider: str
    status: HoldStatus

    @property
    def is_open(self) -> bool:
        """Whether it still reserves something that can be drawn."""
        return self.status is HoldStatus.OPEN

    @property
    def ended_at(self) -> datetime:
        """When it ended; one that has expired ended then, even where its money has not gone back yet."""
        return self.record.ended_at or self.record.expires_at


@dataclass(frozen=True, slots=True)
class Stretch:
    """Where a stretch of the list begins: behind an open hold, or behind one that has ended; by default at the top."""

    open_before: str | None = None
    ended_before: str | None = None

    @classmethod
    def read(cls, open_before: str, ended_before: str) -> Stretch:
        """From an address; what is no id of a hold counts as not given."""
        return cls(*(given if is_id(given, "hld") else None for given in (open_before, ended_before)))


def shown_holds(
    tx: Connection, caller: Caller, voucher_id: str, names: Mapping[str, str], stretch: Stretch, *, at: datetime
) -> tuple[list[ShownHold], Stretch | None]:
    """A stretch of a voucher's holds, the open ones before those that have ended, each newest first; then the next."""
    found: list[HoldRecord] = []
    if stretch.ended_before is None:
        found = list_holds(
            tx,
            caller=caller,
            limit=HOLDS_SHOWN + 1,
            before_id=stretch.open_before,
            voucher_id=voucher_id,
            status=HoldStatus.OPEN,
            at=at,
        )
    if len(found) <= HOLDS_SHOWN:
        found += list_holds(
            tx,
            caller=caller,
            limit=HOLDS_SHOWN + 1 - len(found),
            before_id=stretch.ended_before,
            voucher_id=voucher_id,
            ended=True,
            at=at,
        )
    shown = [shown_hold(record, names, at=at) for record in found[:HOLDS_SHOWN]]
    if len(found) <= HOLDS_SHOWN:
        return shown, None
    last = shown[-1]
    return shown, Stretch(open_before=last.record.id) if last.is_open else Stretch(ended_before=last.record.id)


def shown_hold(record: HoldRecord, names: Mapping[str, str], *, at: datetime) -> ShownHold:
    """A hold as of this instant. `names`: id → name of its provider."""
    status = status_of(record.status, record.expires_at, at=at, frozen_at=record.frozen_at)
    return ShownHold(record, names[record.provider_id], status)
