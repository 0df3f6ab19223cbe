"""What one transaction writes: redemptions, holds, their ends. Collected while deciding, then written set by set."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from app.kernel.canonical import canonical
from app.kernel.clock import rfc3339
from app.kernel.vocabulary import EventKind, HoldStatus
from app.models import Hold, HoldShare, Redemption
from app.services.events import Told, tell
from app.services.ledger.entries import JournalEntry
from app.services.ledger.journal import post
from app.services.redemption.assessing import Counts, counts_json
from app.services.redemption.commands import HoldRecord, RedemptionRecord
from app.services.redemption.consents import MandateKey, use_mandates
from app.services.redemption.effects import NewHold, NewRedemption
from app.services.redemption.holds.states import HoldState
from app.sql import BulkInsert, Statement

_REDEEMED = tuple(name for name in RedemptionRecord.__slots__ if name != "leaf")
_HELD = tuple(name for name in HoldRecord.__slots__ if name not in {"frozen_at", "leaf"})
_REDEMPTIONS = BulkInsert(Redemption.__table__, (*_REDEEMED, "redeemed_by"))
_HOLDS = BulkInsert(Hold.__table__, (*_HELD, "held_by"))
_HOLD_SHARES = BulkInsert(
    HoldShare.__table__,
    ("region_code", "hold_id", "pool_id", "line", "amount_fen", "held_fen", "redeemed_fen", "released_fen"),
)
_END_HOLDS = Statement(
    "UPDATE holds h SET status = ended.status, ended_at = ended.at, end_counted = ended.counted"
    " FROM unnest(CAST(:regions AS text[]), CAST(:ids AS text[]), CAST(:statuses AS text[]),"
    " CAST(:at AS timestamptz[]), CAST(:counted AS text[])) AS ended(region_code, id, status, at, counted)"
    " WHERE h.region_code = ended.region_code AND h.id = ended.id"
)


@dataclass(slots=True)
class Writes:
    """What is to be written."""

    entries: list[JournalEntry] = field(default_factory=list)
    used_fen: Counter[MandateKey] = field(default_factory=Counter)
    """Mandate → fen drawn or held under it, less where it came back."""
    _redemptions: list[dict[str, Any]] = field(default_factory=list)
    _holds: list[dict[str, Any]] = field(default_factory=list)
    _shares: list[dict[str, Any]] = field(default_factory=list)
    _events: list[Told] = field(default_factory=list)
    _ends: list[tuple[str, str, str, datetime, str | None]] = field(default_factory=list)

    def redemption(self, made: NewRedemption, *, by: str) -> None:
        """A redemption by this principal; without an entry where nothing moved."""
        if made.entry is not None:
            self.entries.append(made.entry)
        self._redemptions.append({name: getattr(made.record, name) for name in _REDEEMED} | {"redeemed_by": by})

    def hold(self, made: NewHold, *, by: str) -> None:
        """A hold by this principal, with its shares."""
        self.entries.append(made.entry)
        self._holds.append({name: getattr(made.record, name) for name in _HELD} | {"held_by": by})
        self._shares += [
            {
                "region_code": made.record.region_code,
                "hold_id": made.record.id,
                "pool_id": pool_id,
                "line": line,
                "amount_fen": part_fen,
                "held_fen": part_fen,
                "redeemed_fen": 0,
                "released_fen": 0,
            }
            for line, (pool_id, part_fen) in enumerate(made.shares, start=1)
        ]

    def end(self, key: tuple[str, str], status: HoldStatus, counted: Counts | None, *, at: datetime) -> None:
        """The end of a hold. `counted` is what it changed in the counters, where no redemption tells."""
        written = canonical(counts_json(counted)).decode() if counted else None
        self._ends.append((*key, status, at, written))

    def tell(self, kind: EventKind, hold: HoldState, *, at: datetime) -> None:
        """Tell the hold's provider and its firm, with what the hold has come to."""
        data = canonical(
            {
                "hold_id": hold.id,
                "voucher_id": hold.voucher_id,
                "subsidy_fen": hold.amount_fen,
                "redeemed_fen": hold.redeemed_fen,
                "held_fen": hold.held_fen,
                "expires_at": rfc3339(hold.expires_at),
            }
        ).decode()
        self._events += [
            Told(hold.region_code, recipient_id, kind, hold.id, data, at)
            for recipient_id in (hold.provider_id, hold.firm_id)
        ]

    def write(self, tx: Connection) -> None:
        """Write it all, in no order that matters: see `together`. The ends of holds come after, by `end_holds`."""
        if self._holds:
            _HOLDS.send(tx, self._holds)
            _HOLD_SHARES.send(tx, self._shares)
        if self.entries:
            post(tx, self.entries)
        if self._redemptions:
            _REDEMPTIONS.send(tx, self._redemptions)
        use_mandates(tx, self.used_fen)
        tell(tx, self._events)

    def end_holds(self, tx: Connection) -> None:
        """Say of the holds that ended how: after their money has left them."""
        if self._ends:
            regions, ids, statuses, at, counted = (list(column) for column in zip(*self._ends, strict=True))
            columns = {"regions": regions, "ids": ids, "statuses": statuses, "at": at, "counted": counted}
            _END_HOLDS.send(tx, columns)
