"""Reconciliation finds what is planted: each invariant is broken on purpose, below the code and its guards."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from app.database import Database
from app.embedded import databases
from app.embedded.databases import Urls
from app.embedded.server import Server
from app.reach import EVERYWHERE
from app.services.reconciliation.reconcile import check_invariants
from tests.conftest import standing
from tests.world import CIXI, NINGBO, Counter, World, counter, ok, problem

CAPS = [{"scope": "firm", "name": "firm_year", "limit_fen": 5_000}]


def traded(world: World, **rules: Any) -> Counter:
    """A counter at which a bill was redeemed and cancelled in part."""
    desk = counter(world.city(), **rules)
    redemption = ok(desk.redeem(10_000, order_no="A-1"))
    body = {"amount_fen": 1_000, "reason": "退单"}
    ok(desk.machine.post(f"/v1/redemptions/{redemption['id']}/refunds", body))
    assert world.differences() == []
    return desk


@pytest.fixture
def desk(world: World) -> Counter:
    return traded(world)


@contextmanager
def closed_books(server: Server, template: str, folder: Path, name: str, **rules: Any) -> Iterator[str]:
    """The name of a database with such a counter, which nobody is connected to any more: to be copied."""
    with standing(server, template, folder, database=name) as world:
        traded(world, **rules)
    yield name
    databases.drop(server, database=name)


@pytest.fixture(scope="module")
def books(server: Server, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with closed_books(server, template, tmp_path_factory.mktemp("books"), "books_plain") as name:
        yield name


@pytest.fixture(scope="module")
def capped_books(server: Server, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with closed_books(server, template, tmp_path_factory.mktemp("books"), "books_capped", caps=CAPS) as name:
        yield name


@contextmanager
def tampered(server: Server, books: str, statements: str) -> Iterator[Database]:
    """A copy of the books with what only somebody with the server in his hands could do to them."""
    urls = databases.clone(server, template=books, database=f"{books}_tampered")
    tamper(server, urls, statements)
    database = Database(urls.app_url, pool_size=2, reach=EVERYWHERE)
    yield database
    database.dispose()
    databases.drop(server, database=f"{books}_tampered")


def tamper(server: Server, urls: Urls, statements: str) -> None:
    """What only somebody with the server in his hands could do."""
    engine = create_engine(server.url("postgres", server.password, urls.owner_url.rsplit("/", 1)[1]))
    with engine.begin() as connection:
        connection.execute(text("SET session_replication_role = replica"))
        for statement in statements.split(";"):
            connection.execute(text(statement))
    engine.dispose()


OF_THE_LOG = {"columns", "leaves", "dense", "tree", "marks"}
"""What invariant 10 says besides: see tests/sealing/test_sealed_invariant.py."""

EDITS_ENTRIES = re.compile("(UPDATE|DELETE FROM) (entries|postings)")


@pytest.mark.parametrize(
    ("statements", "found"),
    [
        (
            "UPDATE postings SET amount_fen = amount_fen + 1 WHERE source = 'appropriation'",
            {"stored_counters", "causes"},
        ),
        ("DELETE FROM postings WHERE source = 'appropriation'", {"no_negative_account", "stored_counters", "causes"}),
        (
            "UPDATE postings SET destination = 'recovery_due' WHERE destination = 'obligated'",
            {
                "pool_equation",
                "no_negative_account",
                "no_negative_voucher",
                "stored_counters",
                "recoveries",
                "causes",
            },
        ),
        (
            (
                "ALTER TABLE vouchers DROP CONSTRAINT ck_vouchers_identity;"
                "UPDATE vouchers SET balance_fen = balance_fen + 1"
            ),
            {"voucher_identity", "stored_counters"},
        ),
        (
            "UPDATE allotments SET face_fen = face_fen + 1, balance_fen = balance_fen + 1",
            {"voucher_identity", "stored_counters"},
        ),
        ("UPDATE pools SET available_fen = available_fen - 1", {"stored_counters"}),
        ("UPDATE vouchers SET valid_until = valid_from + interval '1 microsecond'", {"validity", "sealed_validity"}),
        ("UPDATE entries SET at = at - interval '1 year' WHERE kind = 'issue'", {"no_negative_account", "records"}),
        ("UPDATE entries SET at = at - interval '1 year' WHERE kind = 'refund'", {"no_negative_account", "records"}),
        ("UPDATE postings SET voucher_seq = 10 - voucher_seq", {"no_negative_voucher", "stored_counters"}),
        ("UPDATE mandates SET used_fen = used_fen - 1", {"stored_counters"}),
        ("UPDATE vouchers SET posting_count = posting_count + 1", {"stored_counters"}),
        ("UPDATE redemptions SET refunded_fen = refunded_fen + 1", {"refunds", "stored_counters"}),
        ("DELETE FROM refunds", {"refunds", "once"}),
        ("DELETE FROM order_numbers", {"once"}),
        ("INSERT INTO payment_code_uses SELECT region_code, 'pay_1', id FROM redemptions", {"once"}),
        ("UPDATE idempotency_keys SET status = NULL, body = NULL", {"once"}),
        ("DELETE FROM redemptions; DELETE FROM refunds", {"once", "stored_counters"}),
        ("UPDATE redemptions SET firm_id = 'org_somebody'", {"causes"}),
        ("UPDATE postings SET payee_id = 'org_somebody' WHERE payee_id IS NOT NULL", {"causes"}),
        ("UPDATE approvals SET amount_fen = 1 WHERE kind = 'appropriate'", {"causes"}),
        ("UPDATE approvals SET command = '{}' WHERE kind = 'issue_batch'", {"causes"}),
        (
            "UPDATE refunds SET bill_refund_fen = 2000; UPDATE redemptions SET bill_refunded_fen = 2000",
            {"refunds"},
        ),
        ("UPDATE postings SET pool_id = replace(pool_id, '330100', '330200')", {"regions", "stored_counters"}),
        ("UPDATE entries SET checker_id = maker_id WHERE kind = 'issue'", {"two_persons"}),
        (
            "UPDATE approvals SET decided_by = 'usr_somebody' WHERE kind = 'issue_batch'",
            {"two_persons", "approval_steps", "approvals"},
        ),
        ("DELETE FROM approval_decisions WHERE role = 'finance'", {"approval_steps"}),
        ("UPDATE approval_decisions SET role = 'finance'", {"approval_steps"}),
        ("UPDATE approval_decisions SET step = 2", {"approval_steps"}),
        ("UPDATE approvals SET steps = steps || ARRAY['finance'], steps_done = 2", {"approvals", "approval_steps"}),
        (
            "UPDATE approvals SET barred_ids = ARRAY[decided_by] WHERE kind = 'admit_provider'",
            {"approvals", "approval_steps"},
        ),
    ],
)
def test_what_is_tampered_with_is_found(server: Server, books: str, statements: str, found: set[str]) -> None:
    if "checker_id" in statements:
        statements = f"ALTER TABLE entries DROP CONSTRAINT ck_entries_two_persons; {statements}"
    with tampered(server, books, statements) as database:
        report = check_invariants(database, "330100")
    named = {finding.name for finding in report.findings if finding.count}
    assert named - OF_THE_LOG == found
    assert "columns" in named or not EDITS_ENTRIES.search(statements)
    assert report.difference_count == sum(finding.count for finding in report.findings)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE positions SET granted_fen = granted_fen - 1 WHERE period = '2026'",
        "DELETE FROM positions WHERE period = '2026'",
        "UPDATE redemptions SET facts = replace(facts, '3000', '2000')",
    ],
)
def test_a_counter_of_cumulative_rules_that_was_changed_is_found(
    server: Server, capped_books: str, statement: str
) -> None:
    with tampered(server, capped_books, statement) as database:
        report = check_invariants(database)
    told = [difference.subject for finding in report.findings for difference in finding.differences]
    named = {finding.name for finding in report.findings if finding.count} - OF_THE_LOG
    assert named == {"positions"} | ({"caps"} if "facts" in statement else set())
    assert told


def test_a_report_is_kept_and_lists_every_invariant(server: Server, urls: Urls, desk: Counter) -> None:
    report = ok(desk.city.finance.post("/v1/reconciliations", {"region_code": "330100"}))
    assert report["difference_count"] == 0
    assert {finding["number"] for finding in report["findings"]} == set(range(1, 13))
    assert ok(desk.city.auditor.get(f"/v1/reconciliations/{report['id']}")) == report
    assert ok(desk.city.auditor.get("/v1/reconciliations"))["data"] == [report]
    tamper(server, urls, "UPDATE mandates SET used_fen = used_fen - 1; UPDATE pools SET available_fen = 0")
    found = ok(desk.city.auditor.post("/v1/reconciliations", {"region_code": "330100"}))
    counted = {finding["name"]: finding["count"] for finding in found["findings"] if finding["count"]}
    assert counted == {"stored_counters": found["difference_count"]} == {"stored_counters": 2}


def test_a_region_is_checked_by_its_own_finance_and_auditors(world: World, desk: Counter) -> None:
    other = world.city(NINGBO)
    problem(other.finance.post("/v1/reconciliations", {"region_code": "330100"}), 404, "not_found")
    problem(other.maker.post("/v1/reconciliations", {"region_code": NINGBO}), 403, "forbidden")
    problem(other.finance.post("/v1/reconciliations", {"region_code": "999999"}), 422, "validation_failed")
    assert ok(other.auditor.post("/v1/reconciliations", {"region_code": CIXI}))["region_code"] == CIXI
