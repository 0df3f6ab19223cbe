"""What a database's superuser can change beside the journal without moving a counter: reconciliation names the row."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, create_engine, text

from app.services.reconciliation.invariants import INVARIANTS
from app.services.reconciliation.reconcile import check_invariants
from tests.tampering.books import Books

_HASHED = "encode(sha256(convert_to({}, 'UTF8')), 'hex')"
_COMMAND = "command || ' '"
_RULES = "replace(rules, '\"rate\":', '\"rote\":')"
_PUBLISHED = "(SELECT id FROM approvals WHERE kind = 'publish_programme')"

CHANGES: dict[str, tuple[tuple[str, ...], str, str]] = {
    "whose vouchers they are": (
        ("UPDATE vouchers SET firm_id = 'org_other'", "UPDATE redemptions SET firm_id = 'org_other'"),
        "records",
        "holder of vch_",
    ),
    "when a voucher was issued": (
        ("UPDATE vouchers SET issued_at = issued_at - interval '1 day'",),
        "records",
        "holder",
    ),
    "that a voucher has ended": (
        ("UPDATE vouchers SET ended_as = NULL, ended_at = NULL WHERE ended_as IS NOT NULL",),
        "records",
        "end of vch_",
    ),
    "the provider's number of a bill": (
        ("UPDATE redemptions SET order_no = order_no || '0'", "UPDATE order_numbers SET order_no = order_no || '0'"),
        "records",
        "rdm_",
    ),
    "the provider's number of a hold": (
        ("UPDATE holds SET hold_no = hold_no || '0'", "UPDATE hold_numbers SET hold_no = hold_no || '0'"),
        "records",
        "hld_",
    ),
    "a bill, the firm paying the rest": (
        ("UPDATE redemptions SET bill_total_fen = bill_total_fen + 1, firm_pays_fen = firm_pays_fen + 1",),
        "records",
        "rdm_",
    ),
    "by which rules a bill was judged": (("UPDATE redemptions SET rule_version_id = 'rul_other'",), "records", "rdm_"),
    "when a bill was redeemed": (
        ("UPDATE redemptions SET redeemed_at = redeemed_at + interval '1 microsecond'",),
        "records",
        "rdm_",
    ),
    "when a bill was refunded": (
        ("UPDATE refunds SET refunded_at = refunded_at - interval '1 day'",),
        "records",
        "rfd_",
    ),
    "whose money a pool is": (("UPDATE pools SET fund_source = 'x' || fund_source",), "records", "pool pol_"),
    "of which year a pool is": (("UPDATE pools SET fiscal_year = fiscal_year - 1",), "records", "pool pol_"),
    "what two persons approved, with its hash": (
        (f"UPDATE approvals SET command = {_COMMAND}, command_sha256 = {_HASHED.format(_COMMAND)}",),
        "approvals",
        "decision of apv_",
    ),
    "who made a request": (
        (
            f"UPDATE approval_decisions SET made_by = 'usr_x' WHERE approval_id IN {_PUBLISHED}",
            "UPDATE approvals SET made_by = 'usr_x' WHERE kind = 'publish_programme'",
        ),
        "approvals",
        "decision of apv_",
    ),
    "who decided": (
        (
            f"UPDATE approval_decisions SET decided_by = 'usr_x', person_id = 'p' WHERE approval_id IN {_PUBLISHED}",
            "UPDATE approvals SET decided_by = 'usr_x' WHERE kind = 'publish_programme'",
        ),
        "approvals",
        "decision of apv_",
    ),
    "that anybody approved": (
        (
            f"DELETE FROM approval_decisions WHERE approval_id IN {_PUBLISHED}",
            "DELETE FROM approvals WHERE kind = 'publish_programme'",
        ),
        "approvals",
        "approval apv_",
    ),
    "the rules, with their hash": (
        (f"UPDATE rule_versions SET rules = {_RULES}, rules_sha256 = {_HASHED.format(_RULES)}",),
        "approved_rules",
        "rules rul_",
    ),
    "from when the rules hold": (
        ("UPDATE rule_versions SET effective_on = effective_on - 30",),
        "approved_rules",
        "rules rul_",
    ),
}


def told(connection: Connection, name: str) -> set[str]:
    """What an invariant by itself finds wrong."""
    (invariant,) = (of for of in INVARIANTS if of.name == name)
    return {row.subject for row in connection.execute(text(invariant.query))}


def test_what_moves_no_counter_is_found_by_what_was_sealed(books: Books) -> None:
    """Each change by itself, by the superuser, and taken back."""
    server = books.server
    with books.copy() as copy:
        engine = create_engine(server.url("postgres", server.password, copy.urls.owner_url.rsplit("/", 1)[1]))
        for what, (statements, name, subject) in CHANGES.items():
            with engine.connect() as connection:
                assert told(connection, name) == set(), what
                connection.execute(text("SET LOCAL session_replication_role = replica"))
                for statement in statements:
                    assert connection.execute(text(statement.replace(":", r"\:"))).rowcount > 0, what
                found = told(connection, name)
                connection.rollback()
            assert any(one.startswith(subject) for one in found), (what, found)
        engine.dispose()


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE entries SET details = '{' WHERE kind = 'issue'", {"columns", "records", "sealed_validity"}),
        ("UPDATE rule_versions SET rules = '{'", {"approved_rules", "caps"}),
    ],
)
def test_what_cannot_be_read_any_more_is_a_difference_and_no_traceback(
    books: Books, statement: str, found: set[str]
) -> None:
    with books.copy() as copy:
        copy.tamper(statement)
        report = check_invariants(copy.database)
    assert found <= {of.name for of in report.findings if of.count}
