"""Claims of usage references: each metered usage of a provider is billed by one redemption.

Each function is one statement, however many bills there are. Rows are inserted in sorted order by everybody and as the
last of all locks, so that two batches never wait for each other in a circle.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from app.models import UsageReference
from app.services.redemption.bills import Bill
from app.services.redemption.grounds import Billed
from app.sql import BulkInsert, Statement

UsageScope = tuple[str, str, str]
"""Where a usage reference is unique: region, provider, reference."""


@dataclass(frozen=True, slots=True)
class UsageClaim:
    """A redemption to be that wants a usage for itself; `line` is the first of its bill that names it."""

    scope: UsageScope
    redemption_id: str
    line: int


_CLAIM = BulkInsert(
    UsageReference.__table__,
    ("region_code", "provider_id", "usage_ref", "redemption_id", "line"),
    suffix="ON CONFLICT DO NOTHING RETURNING region_code, provider_id, usage_ref, redemption_id",
)
_ARRAYS = "unnest(CAST(:regions AS text[]), CAST(:providers AS text[]), CAST(:refs AS text[]))"
_MATCH = "u.region_code = asked.region_code AND u.provider_id = asked.provider_id AND u.usage_ref = asked.usage_ref"
_HOLDERS = Statement(
    "SELECT u.region_code, u.provider_id, u.usage_ref, u.redemption_id, u.line FROM usage_references u"
    f" JOIN {_ARRAYS} AS asked(region_code, provider_id, usage_ref) ON {_MATCH}"
)
_GIVE_BACK = Statement(
    f"DELETE FROM usage_references u USING {_ARRAYS} AS asked(region_code, provider_id, usage_ref) WHERE {_MATCH}"
)
_FREE = Statement(
    "DELETE FROM usage_references u USING redemptions r WHERE u.region_code = :region AND u.redemption_id = :redemption"
    " AND r.region_code = u.region_code AND r.id = u.redemption_id AND r.bill_refunded_fen = r.bill_total_fen"
)


def claims_of(bill: Bill, *, region_code: str, provider_id: str, redemption_id: str) -> list[UsageClaim]:
    """The usages that a bill names, each once."""
    first: dict[str, int] = {}
    for number, line in enumerate(bill.lines, start=1):
        if line.usage_ref is not None:
            first.setdefault(line.usage_ref, number)
    return [UsageClaim((region_code, provider_id, ref), redemption_id, number) for ref, number in first.items()]


def claim_references(tx: Connection, claims: Sequence[UsageClaim]) -> dict[UsageScope, str]:
    """Claim usages in the order of their references; return those that were free, with who has them now.

    Of several that want one usage the first in the given order gets it.
    """
    rows = [
        {
            "region_code": claim.scope[0],
            "provider_id": claim.scope[1],
            "usage_ref": claim.scope[2],
            "redemption_id": claim.redemption_id,
            "line": claim.line,
        }
        for claim in sorted(claims, key=lambda claim: claim.scope)
    ]
    claimed = _CLAIM(tx, rows) if rows else ()
    return {(row.region_code, row.provider_id, row.usage_ref): row.redemption_id for row in claimed}


def holders_of_references(tx: Connection, scopes: Collection[UsageScope]) -> dict[UsageScope, Billed]:
    """Where usages were billed; one that nobody has is not among them."""
    if not scopes:
        return {}
    rows = _HOLDERS(tx, _columns(sorted(scopes)))
    return {(row.region_code, row.provider_id, row.usage_ref): Billed(row.redemption_id, row.line) for row in rows}


def give_back_references(tx: Connection, scopes: Collection[UsageScope]) -> None:
    """Free usages again that no redemption came to bill. The database refuses one that was billed."""
    if scopes:
        _GIVE_BACK.send(tx, _columns(sorted(scopes)))


def free_references(tx: Connection, *, region_code: str, redemption_id: str) -> None:
    """Free the usages of a redemption whose bill was cancelled as a whole, so that they can be billed anew."""
    _FREE.send(tx, {"region": region_code, "redemption": redemption_id})


def _columns(scopes: Sequence[UsageScope]) -> dict[str, Any]:
    return {
        "regions": [scope[0] for scope in scopes],
        "providers": [scope[1] for scope in scopes],
        "refs": [scope[2] for scope in scopes],
    }
