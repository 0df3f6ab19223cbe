"""What a recovery takes off the counters, and how its money moves. Pure. Amounts are fen."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from app.kernel.money import split_by_peeling
from app.kernel.vocabulary import Account
from app.services.ledger.entries import Movement
from app.services.redemption.assessing import Counts
from app.services.rules.position import Bucket, Counter

Parts = tuple[tuple[str, int], ...]
"""Pool id and fen, in the declared order of the fund sources."""


def spread(changes: Counts, pieces_fen: Sequence[int], recovered: Sequence[bool]) -> tuple[Counts, list[Counts]]:
    """What of a refund's change in the counters holds at once, and what waits for each recovery's money.

    Base and subsidy before caps change at once: they tell what was billed. What was granted is the firm's again only as
    the money comes back, in proportion to the pieces; one claim less counts with the last of them.
    """
    if not any(fen and waits for fen, waits in zip(pieces_fen, recovered, strict=True)):
        return changes, [() for _ in pieces_fen]
    last = max(place for place, fen in enumerate(pieces_fen) if fen)
    at_once = []
    later: list[list[tuple[Bucket, Counter]]] = [[] for _ in pieces_fen]
    for bucket, change in changes:
        assert change.granted_fen <= 0 and change.claims <= 0, "a refund raises no counter"
        granted = split_by_peeling(-change.granted_fen, pieces_fen)
        now_granted_fen, now_claims = 0, 0
        for place, waits in enumerate(recovered):
            claims = change.claims if place == last else 0
            if waits and pieces_fen[place]:
                later[place].append((bucket, Counter(0, 0, -granted[place], claims)))
            else:
                now_granted_fen, now_claims = now_granted_fen - granted[place], now_claims + claims
        at_once.append((bucket, change._replace(granted_fen=now_granted_fen, claims=now_claims)))
    return tuple(at_once), [tuple(one) for one in later]


def claimed(parts: Parts, *, payee_id: str) -> tuple[Movement, ...]:
    """The memo of a claim on a payee: it belongs to no stage of the budget."""
    return tuple(
        Movement(pool_id, Account.RECOVERY_CLAIMED, Account.RECOVERY_DUE, fen, payee_id=payee_id)
        for pool_id, fen in parts
    )


def settled(parts: Parts, *, payee_id: str) -> tuple[Movement, ...]:
    """The end of that memo, where the money is in the pool again."""
    return tuple(
        Movement(pool_id, Account.RECOVERY_DUE, Account.RECOVERY_CLAIMED, fen, payee_id=payee_id)
        for pool_id, fen in parts
    )


def received(
    parts: Parts,
    restored: Collection[str],
    *,
    voucher_id: str,
    posting_count: int,
    payee_id: str,
) -> tuple[Movement, ...]:
    """Where money goes that a payee has paid back, pool by pool.

    Pools in `restored`, whose own fiscal year it is, have it again, and their spending falls. Of the others it goes to
    the treasury, and the pool stays as it was.
    """
    back = tuple((pool_id, fen) for pool_id, fen in parts if pool_id in restored)
    gone = tuple((pool_id, fen) for pool_id, fen in parts if pool_id not in restored)
    to_pools = tuple(
        Movement(pool_id, Account.DISBURSED, Account.AVAILABLE, fen, voucher_id, posting_count + n, payee_id)
        for n, (pool_id, fen) in enumerate(back, start=1)
    )
    to_treasury = tuple(
        Movement(pool_id, Account.RECOVERY_DUE, Account.TREASURY, fen, payee_id=payee_id) for pool_id, fen in gone
    )
    return to_pools + settled(back, payee_id=payee_id) + to_treasury
