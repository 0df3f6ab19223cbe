"""The first look at the sealed log: no doubt about books of every kind, and doubt about whatever was changed."""

from __future__ import annotations

from typing import Any

import pytest

from app.services.reconciliation.screening import look_at_leaves
from tests.tampering.books import Books
from tests.world import World, counter, ok


def doubts(world_or_copy: Any) -> set[str]:
    return set(world_or_copy.database.snapshot(lambda tx: look_at_leaves(tx, "").doubts))


def test_books_with_every_kind_of_entry_are_proven_at_first_sight(books: Books) -> None:
    """Issued, held, redeemed, refunded, voided, adjusted, in two cities; all sealed, or all waiting."""
    with books.copy() as copy:
        assert doubts(copy) == set()


def test_entries_with_several_postings_are_too(world: World) -> None:
    """Two fund sources; nothing is sealed yet."""
    sources = [{"source": "province", "share": 1}, {"source": "city", "share": 2}]
    desk = counter(world.city(), fund_sources=sources)
    redemption = ok(desk.redeem(10_000))
    body = {"amount_fen": 1_000, "reason": "退单"}
    ok(desk.machine.post(f"/v1/redemptions/{redemption['id']}/refunds", body))
    assert doubts(world) == set()


@pytest.mark.parametrize(
    ("statement", "doubt"),
    [
        ("UPDATE postings SET amount_fen = amount_fen + 1 WHERE source = 'committed'", "columns"),
        ("UPDATE postings SET line = line + 10", "columns"),
        ("DELETE FROM postings WHERE source = 'held'", "columns"),
        ("UPDATE postings SET hold_id = hold_id || 'x' WHERE source = 'held'", "columns"),
        ("UPDATE entries SET details = '{\"a\"\\:1}' WHERE kind = 'redeem'", "columns"),
        ("UPDATE entries SET maker_id = 'usr_1' WHERE kind = 'issue'", "columns"),
        ("UPDATE entries SET request_id = request_id || '\"'", "columns"),
        ("UPDATE redemptions SET facts = facts || ' '", "columns"),
        ("UPDATE holds SET trace = '{}'", "columns"),
        ("UPDATE refunds SET facts = '{}'", "columns"),
        ("UPDATE audit_events SET result = 'failed'", "columns"),
        ("UPDATE audit_events SET leaf = 'x'", "leaves"),
        ("UPDATE entries SET leaf = leaf || ' '", "leaves"),
        ("UPDATE entries SET leaf = '\\xff'", "leaves"),
        ("UPDATE log_leaves SET leaf_kind = 'entry'", "leaves"),
        ("UPDATE log_leaves SET leaf_hash = sha256('x') WHERE leaf_index = 1", "leaves"),
        ("DELETE FROM log_leaves WHERE leaf_index = 2", "leaves"),
        ("DELETE FROM entries WHERE kind = 'void'", "leaves"),
        ("INSERT INTO seal_queue SELECT region_code, 1, leaf_kind, leaf_id FROM log_leaves LIMIT 1", "leaves"),
    ],
)
def test_what_was_changed_is_in_doubt(books: Books, statement: str, doubt: str) -> None:
    with books.copy() as copy:
        copy.tamper(statement)
        assert doubt in doubts(copy)
