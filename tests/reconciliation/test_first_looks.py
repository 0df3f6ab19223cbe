"""The first looks are in doubt of whatever was changed, so that they never hide what an invariant's own query tells."""

from __future__ import annotations

from sqlalchemy import create_engine, text

from app.embedded.databases import Urls
from app.embedded.server import Server
from tests.reconciliation.looking import broken
from tests.world import World, bill_body, counter, ok

CAPS = [{"scope": "firm", "name": "firm_year", "limit_fen": 100_000, "per": "year"}]
SOURCES = [{"source": "province", "share": 1}, {"source": "city", "share": 2}]

SWAPPED = """
    UPDATE order_numbers o SET redemption_id = other.redemption_id FROM order_numbers other
    WHERE o.order_no IN ('A', 'B') AND other.order_no IN ('A', 'B') AND o.order_no <> other.order_no
"""
UNUSED = "INSERT INTO order_numbers SELECT region_code, provider_id, 'C', redemption_id FROM order_numbers LIMIT 1"
TWICE = """
    INSERT INTO {table} SELECT (jsonb_populate_record(f, jsonb_build_object('id', f.id || 'x'))).* FROM {table} f
"""
NOBODYS = """
    INSERT INTO positions (region_code, programme_id, holder, holder_id, period, category, base_fen, gross_fen,
        granted_fen, claims)
    SELECT region_code, programme_id, holder, 'org_x', period, category, 1, 1, 1, 1 FROM positions LIMIT 1
"""
CHANGES = [  # what is changed, and one invariant that finds it
    ("UPDATE postings SET voucher_id = voucher_id || 'x' WHERE payee_id IS NOT NULL AND line = 2", "causes"),
    ("UPDATE postings SET payee_id = 'org_x' WHERE payee_id IS NOT NULL AND line = 1", "causes"),
    ("UPDATE postings SET payee_id = 'org_x' WHERE payee_id IS NOT NULL AND line = 2", "causes"),
    ("UPDATE postings SET hold_id = 'hld_x' WHERE source = 'committed' AND destination = 'obligated'", "causes"),
    ("UPDATE postings SET source = 'held' WHERE source = 'committed' AND destination = 'obligated'", "causes"),
    ("UPDATE redemptions SET hold_id = NULL", "causes"),
    ("UPDATE redemptions SET programme_id = programme_id || 'x'", "causes"),
    ("UPDATE pools SET programme_id = programme_id || 'x'", "causes"),
    ("UPDATE mandates SET voucher_id = voucher_id || 'x'", "causes"),
    ("UPDATE mandates SET provider_id = provider_id || 'x'", "causes"),
    ("UPDATE vouchers SET firm_id = firm_id || 'x'", "causes"),
    ("DELETE FROM entries WHERE kind = 'redeem'; UPDATE postings SET payee_id = 'org_x'", "causes"),
    ("UPDATE postings SET amount_fen = amount_fen + 1 WHERE destination = 'obligated' AND line = 1", "stored_counters"),
    ("UPDATE postings SET amount_fen = amount_fen + 1 WHERE destination = 'obligated' AND line = 2", "stored_counters"),
    ("UPDATE redemptions SET subsidy_fen = subsidy_fen + 1, firm_pays_fen = firm_pays_fen - 1", "stored_counters"),
    ("UPDATE redemptions SET entry_id = NULL", "stored_counters"),
    ("UPDATE redemptions SET entry_id = entry_id || 'x'", "stored_counters"),
    ("UPDATE holds SET held_fen = held_fen + 1", "stored_counters"),
    ("UPDATE hold_shares SET released_fen = released_fen + 1", "stored_counters"),
    ("UPDATE mandates SET used_fen = used_fen + 1", "stored_counters"),
    ("UPDATE pools SET available_fen = available_fen + 1", "stored_counters"),
    ("UPDATE allotments SET held_fen = held_fen + 1, face_fen = face_fen + 1", "stored_counters"),
    ("UPDATE vouchers SET held_fen = held_fen + 1, face_fen = face_fen + 1", "stored_counters"),
    ("UPDATE postings SET voucher_seq = voucher_seq + 100", "stored_counters"),
    ("UPDATE postings SET voucher_seq = 100 - voucher_seq", "no_negative_voucher"),
    ("UPDATE postings SET destination = 'treasury' WHERE destination = 'obligated'", "pool_equation"),
    ("UPDATE redemptions SET refunded_fen = refunded_fen + 1", "refunds"),
    ("UPDATE redemptions SET recovered_fen = 1", "recoveries"),
    ("UPDATE redemptions SET status = 'paid'", "payments"),
    ("UPDATE redemptions SET status = 'in_settlement'", "payment_orders"),
    ("UPDATE entries SET subject_id = subject_id || 'x' WHERE kind = 'redeem'", "once"),
    ("UPDATE entries SET subject_id = subject_id || 'x' WHERE kind = 'refund'", "once"),
    ("UPDATE entries SET subject_id = subject_id || 'x' WHERE kind = 'hold'", "once"),
    ("UPDATE entries SET kind = 'hold' WHERE kind = 'refund'", "once"),
    ("UPDATE redemptions SET order_no = order_no || 'x' WHERE order_no = 'A'", "once"),
    (UNUSED, "once"),
    (TWICE.format(table="refunds"), "once"),
    (SWAPPED, "once"),
    ("UPDATE entries SET at = at + interval '9 years' WHERE kind = 'redeem'", "closed_years"),
    ("UPDATE entries SET at = at + interval '9 years' WHERE kind = 'hold'", "closed_years"),
    ("UPDATE entries SET at = at + interval '9 years', subject_id = 'x' WHERE kind = 'hold'", "closed_years"),
    ("UPDATE vouchers SET ended_at = issued_at", "closed_years"),
    ("UPDATE redemptions SET redeemed_at = redeemed_at - interval '9 years' WHERE order_no = 'A'", "validity"),
    ("UPDATE redemptions SET redeemed_at = redeemed_at + interval '9 years' WHERE order_no = 'A'", "validity"),
    ("UPDATE redemptions SET redeemed_at = redeemed_at + interval '9 years' WHERE hold_id IS NOT NULL", "validity"),
    ("UPDATE vouchers SET valid_until = issued_at", "validity"),
    ("UPDATE holds SET held_at = held_at - interval '9 years'", "validity"),
    ("UPDATE entries SET id = replace(id, '330100', '330200')", "regions"),
    ("UPDATE entries SET subject_id = replace(subject_id, '330100', '330200')", "regions"),
    ("UPDATE redemptions SET id = replace(id, '330100', '330200')", "regions"),
    ("UPDATE postings SET pool_id = replace(pool_id, '330100', '330200') WHERE line = 2", "regions"),
    ("UPDATE postings SET voucher_id = replace(voucher_id, '330100', '330200'), entry_id = 'x' || entry_id", "regions"),
    ("UPDATE entries SET kind = 'reverse' WHERE kind = 'refund'", "reversals"),
    ("UPDATE redemptions SET facts = replace(facts, '\"granted_fen\"\\:300', '\"granted_fen\"\\:30')", "positions"),
    ("UPDATE redemptions SET facts = replace(facts, '\"period\"\\:\"2', '\"period\"\\:\"3')", "positions"),
    ("UPDATE redemptions SET facts = replace(facts, '\"holders\"\\:{\"firm\"\\:\"', '&x')", "positions"),
    ("UPDATE holds SET facts = replace(facts, '\"claims\"\\:1', '\"claims\"\\:2')", "positions"),
    ("UPDATE refunds SET facts = replace(facts, '\"counted\"\\:[{', '\"uncounted\"\\:[{')", "positions"),
    ("UPDATE positions SET base_fen = base_fen + 1", "positions"),
    ("UPDATE positions SET gross_fen = gross_fen + 1", "positions"),
    ("UPDATE positions SET claims = claims + 1, granted_fen = granted_fen + 1", "positions"),
    ("UPDATE positions SET holder_id = holder_id || 'x'", "positions"),
    (NOBODYS, "positions"),
]  # fmt: skip


def test_no_look_hides_what_an_invariant_finds(server: Server, urls: Urls, world: World) -> None:
    """Redemptions by themselves and from a hold, a part refunded, of two funds and under a cap."""
    desk = counter(world.city(), fund_sources=SOURCES, caps=CAPS)
    redemption = ok(desk.redeem(1_000, order_no="A"))
    ok(desk.redeem(1_000, order_no="B"))
    hold = {"voucher_code": desk.voucher["code"], "hold_no": "H1", "bill": bill_body(900)}
    part = {"hold_id": ok(desk.machine.post("/v1/holds", hold))["id"], "order_no": "P", "bill": bill_body(500)}
    ok(desk.machine.post("/v1/redemptions", part))
    ok(desk.machine.post(f"/v1/redemptions/{redemption['id']}/refunds", {"amount_fen": 100, "reason": "退单"}))
    engine = create_engine(server.url("postgres", server.password, urls.owner_url.rsplit("/", 1)[1]))
    with engine.connect() as connection:
        assert broken(connection) == set()
        for statements, name in CHANGES:
            with connection.begin_nested() as savepoint:
                connection.execute(text("SET LOCAL session_replication_role = replica"))
                for table in TABLES:
                    connection.execute(text(_WITHOUT_CHECKS.format(table=table)))
                for statement in statements.split("; "):
                    assert connection.execute(text(statement)).rowcount > 0, statement
                assert name in broken(connection), statements
                savepoint.rollback()
    engine.dispose()


TABLES = ("entries", "redemptions", "postings", "vouchers", "holds", "hold_shares", "allotments", "pools", "mandates")
_WITHOUT_CHECKS = """
    DO $$ DECLARE name text; BEGIN
        FOR name IN SELECT conname FROM pg_constraint WHERE conrelid = '{table}'\\:\\:regclass AND contype = 'c' LOOP
            EXECUTE 'ALTER TABLE {table} DROP CONSTRAINT ' || name;
        END LOOP;
    END $$
"""
