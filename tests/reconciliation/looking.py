"""What invariants find by their whole queries, and after first looks: it must be alike."""

from __future__ import annotations

from sqlalchemy import Connection, text

from app.services.reconciliation.grouping import look_at_groups
from app.services.reconciliation.invariants import INVARIANTS
from app.services.reconciliation.screening import SCREENED, doubts_of, look_at_leaves


def broken(connection: Connection) -> set[str]:
    """The names of the invariants whose queries find something; none of which the first looks would have hidden."""
    doubts = doubts_of([look_at_leaves(connection, ""), look_at_groups(connection, "")])
    found = {of.name for of in INVARIANTS if _finds(connection, of.query)}
    assert found & SCREENED <= doubts
    for of in INVARIANTS:
        if of.rest is not None and of.name not in doubts:
            assert (of.rest != "" and _finds(connection, of.rest)) == (of.name in found), of.name
    return found


def _finds(connection: Connection, query: str) -> bool:
    return bool(connection.execute(text(f"SELECT count(*) FROM ({query}) AS wrong")).scalar_one())
