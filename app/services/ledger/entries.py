"""Journal entries and postings as values, and the bytes of a leaf. Pure.

The leaf's format is for ever: `v` and `alg` are there so that a later one can differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from app.kernel.canonical import canonical, sha256_hex
from app.kernel.clock import rfc3339
from app.kernel.vocabulary import Account, EntryKind, VoucherEnd

VOUCHER_PART: Mapping[Account, str] = {
    Account.COMMITTED: "balance_fen",
    Account.HELD: "held_fen",
    Account.OBLIGATED: "redeemed_fen",
    Account.IN_PAYMENT: "redeemed_fen",
    Account.DISBURSED: "redeemed_fen",
}
"""Which counter of a voucher holds what lies on an account on its behalf."""

ENDED_PART: Mapping[VoucherEnd, str] = {
    VoucherEnd.EXPIRED: "expired_fen",
    VoucherEnd.VOIDED: "voided_fen",
    VoucherEnd.SURRENDERED: "surrendered_fen",
}

HOLD_COUNTERS = ("held_fen", "redeemed_fen", "released_fen")
HOLD_SHARE_COUNTERS = ("amount_fen", *HOLD_COUNTERS)

COUNTERS = (
    "face_fen",
    "balance_fen",
    "held_fen",
    "redeemed_fen",
    "recovered_fen",
    "expired_fen",
    "voided_fen",
    "surrendered_fen",
)


@dataclass(frozen=True, slots=True)
class Movement:
    """A posting to be: `amount_fen` of one pool from one account to another."""

    pool_id: str
    source: Account
    destination: Account
    amount_fen: int
    voucher_id: str | None = None
    voucher_seq: int | None = None
    payee_id: str | None = None
    hold_id: str | None = None


@dataclass(frozen=True, slots=True)
class Cause:
    """Who and what brought an entry about."""

    principal_id: str
    organisation_id: str
    request_id: str
    maker_id: str | None = None
    checker_id: str | None = None
    approval_id: str | None = None


@dataclass(frozen=True)
class JournalEntry:
    """One thing that happened, with the movements that follow from it."""

    region_code: str
    id: str
    kind: EntryKind
    at: datetime
    programme_id: str
    subject_id: str
    cause: Cause
    movements: tuple[Movement, ...]
    voucher_id: str | None = None
    rule_version_id: str | None = None
    reverses_id: str | None = None
    pair_id: str | None = None
    voucher_end: VoucherEnd | None = None
    facts_sha256: str | None = None
    trace_sha256: str | None = None
    details: Mapping[str, str | int | Sequence[str]] = field(default_factory=dict)

    @cached_property
    def written(self) -> bytes:
        """Its leaf, written once: it is stored with the entry, and a receipt has its hash before that."""
        return leaf(self)

    @cached_property
    def written_details(self) -> bytes:
        """Its details, written once: they are stored, and the leaf has their hash."""
        return canonical(dict(self.details)) if self.details else b"{}"


def details_json(entry: JournalEntry) -> bytes:
    """The entry's details as the canonical bytes whose SHA-256 stands in the leaf."""
    return entry.written_details


def leaf(entry: JournalEntry) -> bytes:
    """The bytes that are hashed for the log: ids, amounts and hashes, no names, no words.

    Raises ValueError where they would exceed 65,535 bytes, the limit of an entry bundle.
    """
    written = canonical(
        {
            "v": 1,
            "alg": "sha256",
            "type": "entry",
            "id": entry.id,
            "region": entry.region_code,
            "kind": entry.kind,
            "at": rfc3339(entry.at),
            "programme": entry.programme_id,
            "voucher": entry.voucher_id,
            "subject": entry.subject_id,
            "principal": entry.cause.principal_id,
            "organisation": entry.cause.organisation_id,
            "maker": entry.cause.maker_id,
            "checker": entry.cause.checker_id,
            "approval": entry.cause.approval_id,
            "request": entry.cause.request_id,
            "rules": entry.rule_version_id,
            "reverses": entry.reverses_id,
            "pair": entry.pair_id,
            "voucher_end": entry.voucher_end,
            "facts": entry.facts_sha256,
            "trace": entry.trace_sha256,
            "details": sha256_hex(details_json(entry)),
            "postings": [
                {
                    "line": line,
                    "pool": movement.pool_id,
                    "from": movement.source,
                    "to": movement.destination,
                    "fen": movement.amount_fen,
                    "voucher": movement.voucher_id,
                    "seq": movement.voucher_seq,
                    "payee": movement.payee_id,
                    **({"hold": movement.hold_id} if movement.hold_id is not None else {}),
                }
                for line, movement in enumerate(entry.movements, start=1)
            ],
        }
    )
    if len(written) > 65_535:
        raise ValueError(f"the leaf of {entry.id} has {len(written)} bytes; an entry has at most 65535")
    return written


def freed_to(*, voucher_ended: bool, pool_closed: bool) -> Account:
    """Where money goes that was promised on a voucher and comes free: by a refund, a hold's end, a void, an expiry.

    Back onto the voucher as long as that lives; else to what the pool has available, or, once the pool's year is
    closed, it lapses.
    """
    if not voucher_ended:
        return Account.COMMITTED
    return Account.LAPSED if pool_closed else Account.AVAILABLE


def voucher_effect(entry: JournalEntry, movement: Movement) -> dict[str, int]:
    """What a movement does to its voucher's counters: the table of `docs/architecture.md`, section 4.

    Money comes onto a voucher at issue and leaves it for good where it ends or is recovered. A move between pools takes
    it off one allotment and puts it onto another, so the faces of these change and that of the voucher does not.
    """
    gone, come = VOUCHER_PART.get(movement.source), VOUCHER_PART.get(movement.destination)
    if entry.kind is EntryKind.MOVE and gone is not None:
        return {gone: -movement.amount_fen, "face_fen": -movement.amount_fen}
    if gone is None:
        gone = "face_fen"
    if come is None:
        assert entry.kind is EntryKind.RECOVER or entry.voucher_end is not None, (
            "money leaves a voucher only for a reason"
        )
        come = "recovered_fen" if entry.kind is EntryKind.RECOVER else ENDED_PART[VoucherEnd(entry.voucher_end or "")]
    if gone == come:
        return {}
    sign = 1 if gone == "face_fen" else -1
    return {gone: sign * movement.amount_fen, come: movement.amount_fen}


def opening_counters(entry: JournalEntry) -> dict[str, dict[str, int]]:
    """The counters with which an entry brings its voucher into being, by pool: `voucher_effect` upon nothing."""
    opened: dict[str, dict[str, int]] = {}
    for movement in entry.movements:
        counters = opened.setdefault(movement.pool_id, dict.fromkeys(COUNTERS, 0))
        for counter, change in voucher_effect(entry, movement).items():
            counters[counter] += change
    return opened


def hold_effect(entry: JournalEntry, movement: Movement) -> dict[str, int]:
    """What a movement does to its hold's counters. A hold is written with its amount held, so making it changes none.

    What leaves it was redeemed where it is owed to a payee, and released otherwise. A move between pools changes the
    amounts of the hold's shares, and not the hold.
    """
    if entry.kind is EntryKind.MOVE:
        sign = -1 if movement.source is Account.HELD else 1
        return {"amount_fen": sign * movement.amount_fen, "held_fen": sign * movement.amount_fen}
    if movement.source is not Account.HELD:
        return {}
    come = "redeemed_fen" if movement.destination is Account.OBLIGATED else "released_fen"
    return {"held_fen": -movement.amount_fen, come: movement.amount_fen}
