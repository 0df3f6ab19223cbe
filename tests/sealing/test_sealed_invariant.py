"""Invariant 10: what a superuser edits, drops or forges below the service is found, and named."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, create_engine, text

from app.database import Database
from app.embedded.postmaster import SUPERUSER
from app.embedded.server import Server
from app.services.sealing.keys import LogKeys
from app.services.sealing.seal import seal
from app.settings import Settings
from tests.world import HANGZHOU, World, bill_body, counter, ok


def as_superuser(server: Server, database: Database, work: Callable[[Connection], None]) -> None:
    """What whoever owns the machine can do: triggers and foreign keys do not hold him."""
    engine = create_engine(server.url(SUPERUSER, server.password, database.engine.url.database or ""))
    with engine.begin() as tx:
        tx.execute(text("SET session_replication_role = replica"))
        work(tx)
    engine.dispose()


TAMPERINGS = {  # what is changed, by which part of the invariant it is found, what that names
    "an amount": ("UPDATE postings SET amount_fen = amount_fen + 1 WHERE entry_id = :entry", "columns", ":entry"),
    "the actor": ("UPDATE entries SET principal_id = 'cli_other' WHERE id = :entry", "columns", ":entry"),
    "the time": ("UPDATE entries SET at = at - interval '1 us' WHERE id = :entry", "columns", ":entry"),
    "a leaf": (
        (
            "UPDATE entries SET leaf = convert_to(replace(convert_from(leaf, 'UTF8'), 'redeem', 'refund'), 'UTF8')"
            " WHERE id = :entry"
        ),
        "leaves",
        ":entry",
    ),
    "leaf and hash together": (
        (
            "WITH changed AS (UPDATE entries SET kind = 'refund',"
            " leaf = convert_to(replace(convert_from(leaf, 'UTF8'), 'redeem', 'refund'), 'UTF8')"
            " WHERE id = :entry RETURNING id, leaf)"
            " UPDATE log_leaves SET leaf_hash = sha256('\\x00'::bytea || leaf) FROM changed WHERE leaf_id = changed.id"
        ),
        "tree",
        "head of",
    ),
    "a deleted entry": ("DELETE FROM entries WHERE id = :entry", "leaves", ":entry"),
    "a deleted leaf": ("DELETE FROM log_leaves WHERE leaf_id = :entry", "leaves", ":entry"),
    "a deleted tail": (
        "DELETE FROM log_leaves WHERE leaf_index = (SELECT max(leaf_index) FROM log_leaves)",
        "dense",
        "size of the log",
    ),
    "two leaves swapped": (
        (
            "UPDATE log_leaves SET leaf_index = 999 WHERE leaf_index = 0;"
            "UPDATE log_leaves SET leaf_index = 0 WHERE leaf_index = 1;"
            "UPDATE log_leaves SET leaf_index = 1 WHERE leaf_index = 999"
        ),
        "tree",
        "head of",
    ),
    "a dropped queue row": ("DELETE FROM seal_queue WHERE leaf_id = :waiting", "leaves", ":waiting"),
    "a forged head": ("UPDATE logs SET root = sha256('x')", "tree", "head of"),
    "a forged checkpoint": (
        "UPDATE log_batches SET checkpoint = regexp_replace(checkpoint, '\\n[0-9]+\\n', E'\\n7\\n')",
        "tree",
        "head of",
    ),
    "a mark": (
        "UPDATE account_marks SET balance_fen = balance_fen + 1 WHERE account = 'obligated'",
        "marks",
        "mark of",
    ),
    "a tile": ("UPDATE log_tiles SET hashes = sha256('x') || substr(hashes, 33)", "dense", "tile 0/0"),
    "an unreadable leaf": ("UPDATE entries SET leaf = '\\xff' WHERE id = :entry", "columns", ":entry"),
    "facts": ("UPDATE redemptions SET facts = '{}' WHERE entry_id = :entry", "columns", "facts and trace of"),
    "an audit event": (
        "UPDATE audit_events SET action = 'nothing' WHERE id = (SELECT min(id) FROM audit_events)",
        "columns",
        "evt_",
    ),
}


def test_each_tampering_is_found_and_named(
    world: World, database: Database, sealing: Database, settings: Settings, server: Server
) -> None:
    till = counter(world.city())
    code = till.voucher["code"]
    hold = ok(till.machine.post("/v1/holds", {"voucher_code": code, "hold_no": "H1", "bill": bill_body(900)}))
    ok(till.machine.post("/v1/redemptions", {"hold_id": hold["id"], "order_no": "P1", "bill": bill_body(500)}))
    entry = ok(till.redeem(1_000))["entry_id"]
    keys = LogKeys.from_settings(settings)
    sealing.transact(lambda tx: seal(tx, region_code=HANGZHOU, keys=keys))
    waiting = ok(till.redeem(1_000))["entry_id"]
    assert world.differences() == []
    for what, (change, finding, named) in TAMPERINGS.items():

        def tamper(tx: Connection, change: str = change) -> None:
            for table in TABLES:
                tx.execute(text(f"CREATE TABLE kept_{table} AS SELECT * FROM {table}"))
            bound = {name: value for name, value in (("entry", entry), ("waiting", waiting)) if f":{name}" in change}
            tx.execute(text(change), bound)

        as_superuser(server, database, tamper)
        found = world.differences()
        as_superuser(server, database, put_back)
        place = named.replace(":entry", entry).replace(":waiting", waiting)
        assert any(line.split()[1] == f"{finding}:" and place in line for line in found), (what, found)
    assert world.differences() == []


TABLES = (
    "postings",
    "entries",
    "audit_events",
    "log_leaves",
    "log_batches",
    "log_tiles",
    "logs",
    "seal_queue",
    "account_marks",
    "redemptions",
)


def put_back(tx: Connection) -> None:
    for table in TABLES:
        tx.execute(text(f"DELETE FROM {table}"))
        tx.execute(text(f"INSERT INTO {table} SELECT * FROM kept_{table}"))
        tx.execute(text(f"DROP TABLE kept_{table}"))
