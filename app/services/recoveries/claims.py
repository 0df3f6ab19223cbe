"""Recoveries that are open: recorded by a refund, claimed once the payment is confirmed. Under the vouchers' locks."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from app.kernel.canonical import sha256_hex
from app.kernel.ids import new_id
from app.kernel.vocabulary import EntryKind, RecoveryStatus
from app.services.ledger.entries import Cause, JournalEntry
from app.services.recoveries.decisions import Parts, claimed
from app.services.redemption.assessing import Counts, counts_of_json
from app.services.redemption.positions import HolderKey
from app.sql import Statement

RedemptionKey = tuple[str, str]

_OPEN = (
    "SELECT v.region_code, v.id, v.refund_id, v.redemption_id, v.payee_id, v.amount_fen, v.parts, v.counted, v.status,"
    " r.voucher_id, r.programme_id, r.rule_version_id, r.mandate_id, r.facts AS judged, f.facts, f.trace, f.reason"
    " FROM recoveries v"
    " JOIN unnest(CAST(:regions AS text[]), CAST(:ids AS text[])) AS asked(region_code, id)"
    " ON v.region_code = asked.region_code AND {column} = asked.id"
    " JOIN refunds f ON f.region_code = v.region_code AND f.id = v.refund_id"
    " JOIN redemptions r ON r.region_code = v.region_code AND r.id = v.redemption_id"
    " WHERE v.status IN ('recorded', 'due') ORDER BY v.region_code, v.id"
)
_OF_REDEMPTIONS = Statement(_OPEN.format(column="v.redemption_id"))
_BY_ID = Statement(_OPEN.format(column="v.id"))
_MARK_DUE = Statement(
    "UPDATE recoveries v SET status = 'due', claim_entry_id = due.entry_id"
    " FROM unnest(CAST(:regions AS text[]), CAST(:ids AS text[]), CAST(:entries AS text[]))"
    " AS due(region_code, id, entry_id) WHERE v.region_code = due.region_code AND v.id = due.id"
)


@dataclass(frozen=True, slots=True)
class OpenRecovery:
    """A recovery whose money has not come back, with what the redemption and the refund behind it say."""

    region_code: str
    id: str
    refund_id: str
    redemption_id: str
    payee_id: str
    amount_fen: int
    parts: Parts
    counted: Counts
    status: RecoveryStatus
    voucher_id: str
    programme_id: str
    rule_version_id: str
    mandate_id: str | None
    holders: Mapping[str, str]
    facts: str
    trace: str
    reason: str

    @property
    def holder_keys(self) -> set[HolderKey]:
        """Whose counters it is taken off when the money comes back."""
        if not self.counted:
            return set()
        return {(self.region_code, self.programme_id, kind, of) for kind, of in self.holders.items()}

    def entry(self, kind: EntryKind, cause: Cause, **values: Any) -> JournalEntry:
        """An entry about it; `values` are its instant, its movements and what differs."""
        return JournalEntry(
            **{
                "region_code": self.region_code,
                "id": new_id("ent", self.region_code),
                "kind": kind,
                "programme_id": self.programme_id,
                "subject_id": self.id,
                "cause": cause,
                "voucher_id": self.voucher_id,
                "rule_version_id": self.rule_version_id,
                "facts_sha256": sha256_hex(self.facts.encode()),
                "trace_sha256": sha256_hex(self.trace.encode()),
                **values,
            }
        )

    def claim(self, cause: Cause, **values: Any) -> JournalEntry:
        """The entry that claims it from the payee."""
        details = {"step": "claimed", "redemption": self.redemption_id, "reason": self.reason}
        movements = claimed(self.parts, payee_id=self.payee_id)
        return self.entry(EntryKind.RECOVER, cause, details=details, movements=movements, **values)


def open_recoveries(tx: Connection, redemptions: Collection[RedemptionKey]) -> list[OpenRecovery]:
    """The open recoveries of redemptions whose vouchers are locked."""
    return _read(_OF_REDEMPTIONS(tx, _columns(redemptions)))


def open_recovery(tx: Connection, region_code: str, recovery_id: str) -> OpenRecovery | None:
    """One recovery, if it is open; its voucher is locked."""
    return next(iter(_read(_BY_ID(tx, _columns([(region_code, recovery_id)])))), None)


def mark_due(tx: Connection, claims: Sequence[tuple[OpenRecovery, JournalEntry]]) -> None:
    """Say of recoveries that they are claimed now, by these entries, which are posted."""
    if claims:
        columns = _columns((recovery.region_code, recovery.id) for recovery, _ in claims)
        _MARK_DUE.send(tx, columns | {"entries": [entry.id for _, entry in claims]})


def _read(rows: Sequence[Any]) -> list[OpenRecovery]:
    return [
        OpenRecovery(
            **{name: getattr(row, name) for name in OpenRecovery.__slots__ if name in row._fields}
            | {
                "parts": tuple((pool_id, fen) for pool_id, fen in json.loads(row.parts)),
                "counted": counts_of_json(json.loads(row.counted)),
                "status": RecoveryStatus(row.status),
                "holders": json.loads(row.judged).get("holders", {}),
            }
        )
        for row in rows
    ]


def _columns(keys: Any) -> dict[str, list[str]]:
    listed = list(keys)
    return {"regions": [key[0] for key in listed], "ids": [key[1] for key in listed]}
