"""What somebody with all the database's power does to applications is found by reconciliation."""

from __future__ import annotations

import pytest

from app.embedded.databases import Urls
from app.embedded.server import Server
from app.services.reconciliation.reconcile import check_invariants
from tests.applications.desk import Desk
from tests.reconciliation.test_reconciliation import tamper
from tests.world import World


@pytest.fixture
def books(world: World) -> World:
    desk = Desk(world.city())
    programme_id = desk.programme()
    desk.granted(programme_id)
    desk.accepted(programme_id)
    assert world.differences() == []
    return world


def test_a_changed_grant_a_cut_history_and_altered_facts_are_found(server: Server, urls: Urls, books: World) -> None:
    granted, stands = "granted_applications", "courses"
    for statement, undo, found in (
        (
            "applications SET assessed_fen = 1 WHERE voucher_id > ''",
            "applications SET assessed_fen = 500000 WHERE voucher_id > ''",
            granted,
        ),
        ("issuance_rows SET application_id = NULL", "issuance_rows SET application_id = reference_no", granted),
        ("applications SET status = 'submitted' WHERE voucher_id IS NULL", ACCEPTED, stands),
        (f"application_events SET facts = replace(facts, {OTHER})", f"application_events SET facts = {BACK}", stands),
    ):
        tamper(server, urls, f"UPDATE {statement}")
        assert broken(books) == {found}, statement
        tamper(server, urls, f"UPDATE {undo}")
        assert broken(books) == set(), undo
    tamper(server, urls, "DELETE FROM application_events WHERE act = 'accept'")
    assert broken(books) == {stands}


ACCEPTED = "applications SET status = 'accepted' WHERE voucher_id IS NULL"
OTHER = "'大模型', '小模型'"
BACK = "replace(facts, '小模型', '大模型')"


def broken(books: World) -> set[str]:
    return {finding.name for finding in check_invariants(books.database).findings if finding.count}
