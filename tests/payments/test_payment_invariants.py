"""What is changed below the code and its guards is found: in one set of books, each change taken back again."""

from __future__ import annotations

from sqlalchemy import create_engine, text

from app.embedded.databases import Urls
from app.embedded.server import Server
from tests.corrections.test_corrections import reverse
from tests.payments.paying import Paying
from tests.reconciliation.looking import broken
from tests.world import World, counter, ok

WAN = 1_000_000

CHANGES: list[tuple[str, set[str]]] = [
    ("UPDATE payment_items SET amount_fen = amount_fen + 1 WHERE status = 'confirmed'", {"payment_orders", "payments"}),
    ("UPDATE payment_items SET status = 'proposed', order_entry_id = NULL WHERE status = 'in_payment'",
     {"payment_orders", "payments"}),
    ("UPDATE payment_items SET status = 'confirmed' WHERE status = 'bounced'", {"payment_orders"}),
    ("UPDATE payment_orders SET total_fen = total_fen + 1", {"payment_orders"}),
    ("UPDATE payment_orders SET payee_id = 'org_somebody'", {"payment_orders", "records"}),
    ("UPDATE payment_orders SET payee_account_id = 'pac_somebody'", {"records"}),
    ("UPDATE payment_results SET bank_reference = bank_reference || '0' WHERE kind = 'confirmed'", {"records"}),
    ("UPDATE payment_results SET bank_reference = bank_reference || '0' WHERE kind = 'bounced'", {"records"}),
    ("UPDATE payment_results SET total_fen = total_fen + 1 WHERE kind = 'bounced'", {"payment_orders"}),
    ("UPDATE approvals SET amount_fen = amount_fen + 1 WHERE kind = 'order_payment'", {"payment_orders"}),
    ("DELETE FROM payment_items WHERE status = 'confirmed'", {"payment_orders", "payments"}),
    ("UPDATE redemptions SET status = 'posted' WHERE status = 'paid'", {"payment_orders", "payments", "recoveries"}),
    ("UPDATE redemptions SET status = 'paid' WHERE status = 'in_settlement'",
     {"payment_orders", "payments", "recoveries"}),
    ("UPDATE entries SET subject_id = id WHERE kind = 'confirm_payment'", {"payments"}),
    ("UPDATE redemptions SET recovered_fen = recovered_fen - 1 WHERE recovered_fen > 0", {"recoveries"}),
    ("DELETE FROM recoveries WHERE status = 'due'", {"recoveries"}),
    ("UPDATE recoveries SET status = 'due' WHERE status = 'received'", {"recoveries"}),
    ("UPDATE recoveries SET treasury_fen = 1 WHERE status = 'received'", {"recoveries"}),
    ("UPDATE recoveries SET parts = replace(parts, '6000000', '6000001') WHERE status = 'due'", {"recoveries"}),
    ("UPDATE recovery_transfers SET amount_fen = amount_fen + 1", {"recoveries"}),
    ("UPDATE recoveries SET restored = false, counted = '[]' WHERE restored", {"positions"}),
    ("UPDATE entries SET reverses_id = (SELECT min(id) FROM entries) WHERE kind = 'reverse'", {"reversals"}),
    ("UPDATE entries SET reverses_id = NULL WHERE kind = 'reverse'", {"reversals"}),
]  # fmt: skip


def test_every_change_to_payments_is_found(server: Server, urls: Urls, world: World) -> None:
    eventful(world)
    engine = create_engine(server.url("postgres", server.password, urls.owner_url.rsplit("/", 1)[1]))
    with engine.connect() as connection:
        assert broken(connection) == set()
        for statement, found in CHANGES:
            with connection.begin_nested() as savepoint:
                connection.execute(text("SET LOCAL session_replication_role = replica"))
                for constraint in _CHECKS:
                    connection.execute(text(constraint))
                assert connection.execute(text(statement)).rowcount > 0, statement
                assert broken(connection) == found, statement
                savepoint.rollback()
    engine.dispose()


_CHECKS = [
    "ALTER TABLE payment_items DROP CONSTRAINT ck_payment_items_bounced_by_an_entry",
    "ALTER TABLE payment_items DROP CONSTRAINT ck_payment_items_confirmed_by_an_entry",
    "ALTER TABLE recoveries DROP CONSTRAINT ck_recoveries_end_complete",
    "ALTER TABLE recoveries DROP CONSTRAINT ck_recoveries_received_by_an_entry",
    "ALTER TABLE recoveries DROP CONSTRAINT ck_recoveries_restored_when_received",
]
"""The guards above the invariants, so that what lies below them is seen."""


def eventful(world: World) -> None:
    """Books in which there is one of everything."""
    caps = [{"scope": "firm", "name": "yearly", "limit_fen": 900 * WAN, "per": "year"}]
    paying = Paying(counter(world.city(), face_value_fen=100 * WAN, rate="0.30", caps=caps))
    received, due, recorded, returned = (ok(paying.desk.redeem(50 * WAN))["id"] for _ in range(4))
    for one in (received, due):
        ok(paying.confirm(paying.order(one)))
    ok(paying.receive(paying.refund(received, 10 * WAN)["refund"]["recovery"]["id"]))
    paying.refund(due, 20 * WAN)
    paying.order(recorded)
    paying.refund(recorded, 10 * WAN)
    order_id = paying.order(returned)
    paying.refund(returned, 10 * WAN)
    ok(paying.bounce(order_id))
    wrong = ok(paying.desk.redeem(10 * WAN))
    ok(reverse(paying.desk, wrong["entry_id"]))
    assert world.differences() == []
