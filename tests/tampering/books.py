"""Two cities with sealed books, made once: each test tampers with a copy of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text

from app.database import Database
from app.embedded import databases
from app.embedded.databases import Urls
from app.embedded.server import Server
from app.reach import EVERYWHERE
from app.services.export.export import Exported, Request, export
from app.services.identity.tokens import Tokens
from app.services.sealing.keys import LogKeys
from app.services.sealing.seal import seal, waiting_regions
from app.settings import Settings
from app.verifier.report import Report
from app.verifier.verify import Options, verify
from tests.world import HANGZHOU, NINGBO, City, Counter, World, bill_body, counter, ok

MADE = "tests_sealed_books"
BACKUP = "tests_sealed_backup"
_copies = count(1)


@dataclass(frozen=True)
class Books:
    """Books at rest, and what an auditor has of them: the keys, and the head after about half of the entries."""

    server: Server
    settings: Settings
    half_head: str
    """Hangzhou's signed head after the first batch."""
    whole_head: str
    vkeys: tuple[str, ...]
    receipts: tuple[dict[str, Any], ...]
    """What the provider was given with redemptions, holds and refunds."""

    @contextmanager
    def copy(self, of: str = MADE) -> Iterator[Copy]:
        """A copy of the books, or of their backup."""
        name = f"{MADE}_{next(_copies)}"
        urls = databases.clone(self.server, template=of, database=name)
        database = Database(urls.app_url, pool_size=4, reach=EVERYWHERE)
        try:
            yield Copy(self, urls, database)
        finally:
            database.dispose()
            databases.drop(self.server, database=name)


@dataclass(frozen=True)
class Copy:
    """A copy of the books that may be changed."""

    books: Books
    urls: Urls
    database: Database

    def tamper(self, *statements: str, **bound: Any) -> None:
        """What only somebody with the server in his hands could do: no trigger fires, no constraint is asked."""
        name = self.urls.owner_url.rsplit("/", 1)[1]
        server = self.books.server
        engine = create_engine(server.url("postgres", server.password, name))
        with engine.begin() as connection:
            connection.execute(text("SET session_replication_role = replica"))
            for statement in statements:
                changed = connection.execute(text(statement), bound)
                assert changed.rowcount != 0, f"it changed nothing: {statement}"
        engine.dispose()

    def one(self, query: str, **bound: Any) -> Any:
        """The first value of the first row."""
        return self.database.transact(lambda tx: tx.execute(text(query), bound).scalar())

    def seal(self) -> None:
        """Seal all that waits."""
        seal_all(self.urls, LogKeys.from_settings(self.books.settings))

    def unseal(self, region: str) -> None:
        """Take a region's log apart and queue its leaves anew, as if nothing had ever been sealed."""
        tables = ("account_marks", "log_leaves", "log_tiles", "log_batches", "logs")
        self.tamper(
            "INSERT INTO seal_queue (region_code, leaf_kind, leaf_id) SELECT region_code, leaf_kind, leaf_id"
            " FROM log_leaves WHERE region_code = :region ORDER BY leaf_index",
            *(f"DELETE FROM {table} WHERE region_code = :region" for table in tables),
            region=region,
        )

    def signer(self, region: str) -> Any:
        """Who signs a region's log and its receipts."""
        keys = LogKeys.from_settings(self.books.settings)
        return keys.signers(keys.origin(region))[0]

    def export(
        self, folder: Path, progress: Callable[[int, int], None] = lambda _done, _total: None, **changes: Any
    ) -> Exported:
        signers = LogKeys.from_settings(self.books.settings).signers
        changes = {"vkeys": lambda origin: [one.verifier.vkey for one in signers(origin)], **changes}
        return export(self.database, Request(folder, **changes), progress=progress)

    def judge(self, folder: Path, **options: Any) -> Report:
        """Export every head, and verify with keys that come from elsewhere."""
        self.export(folder, every_head=True)
        return verify(folder, Options(**{"vkeys": self.books.vkeys} | options))


def forge(copy: Copy, like: str, leaf: dict[str, Any], *, region: str = HANGZHOU) -> None:
    """Write an entry that never was, queued like any other: the sealer seals it."""
    columns = copy.one(
        "SELECT string_agg(column_name, ', ' ORDER BY ordinal_position) FROM information_schema.columns"
        " WHERE table_name = 'entries' AND column_name NOT IN ('region_code', 'id', 'leaf')"
    )
    forged_id = f"ent_{region}_forged{leaf['kind']}"
    written = json.dumps(leaf, sort_keys=True, separators=(",", ":")).encode()
    copy.tamper(
        f"INSERT INTO entries (region_code, id, leaf, {columns})"
        f" SELECT :region, :id, :leaf, {columns} FROM entries WHERE id = :like",
        "INSERT INTO seal_queue (region_code, leaf_kind, leaf_id) VALUES (:region, 'entry', :id)",
        region=region,
        id=forged_id,
        leaf=written,
        like=like,
    )
    copy.seal()


@contextmanager
def making(
    server: Server, template: str, state_dir: Path, serving: Callable[[Settings], AbstractContextManager[str]]
) -> Iterator[Books]:
    """Write the books through a running service, seal them in two batches, and leave them alone.

    After the first batch the service rests, and somebody makes a backup.
    """
    urls = databases.clone(server, template=template, database=MADE)
    settings = Settings(database_url=urls.app_url, state_dir=state_dir, principal_cache_s=1, sweep_every_s=3600)
    database = Database(urls.app_url, pool_size=20, reach=EVERYWHERE)
    keys = LogKeys.from_settings(settings)
    world = World("", database, Tokens.from_settings(settings))
    try:
        with serving(settings) as world.base_url:
            till, receipts = _begin(world)
            seal_all(urls, keys)
        heads = [_head(database)]
        database.dispose()
        databases.clone(server, template=MADE, database=BACKUP)
        with serving(settings) as world.base_url:
            world.move()
            receipts += _go_on(till)
            seal_all(urls, keys)
        heads.append(_head(database))
    finally:
        world.close()
        database.dispose()
    origins = [keys.origin(region) for region in (HANGZHOU, NINGBO)]
    vkeys = tuple(signer.verifier.vkey for origin in origins for signer in keys.signers(origin))
    yield Books(server, settings, heads[0], heads[1], vkeys, tuple(receipts))
    for name in (MADE, BACKUP):
        databases.drop(server, database=name)


def _head(database: Database) -> str:
    query = text("SELECT checkpoint FROM logs WHERE region_code = :region")
    return str(database.transact(lambda tx: tx.execute(query, {"region": HANGZHOU}).scalar()))


def _begin(world: World) -> tuple[Counter, list[dict[str, Any]]]:
    hangzhou, ningbo = world.city(), world.city(NINGBO)
    both = [{"source": "central", "share": 1}, {"source": "local", "share": 2}]
    till = counter(hangzhou, fund_sources=both)
    ok(counter(ningbo, face_value_fen=500_000).redeem(10_000))
    first = ok(till.redeem(100_000))
    refund = ok(till.machine.post(f"/v1/redemptions/{first['id']}/refunds", {"amount_fen": 20_000, "reason": "退单"}))
    return till, [first["receipt"], refund["refund"]["receipt"]]


def _go_on(till: Counter) -> list[dict[str, Any]]:
    drawn = _held(till, 400_000)
    ok(_from_hold(till, drawn, 100_000))
    ok(_from_hold(till, drawn, 50_000, final=True))
    ok(till.machine.post(f"/v1/holds/{_held(till, 30_000)['id']}/release", {}))
    _held(till, 60_000)
    other = till.second_voucher(200_000)
    ok(other.redeem(10_000))
    _held(other, 50_000)
    _void(till.city, other)
    _take_back(till.city, till.programme_id)
    last = [ok(till.redeem(5_000)) for _ in range(4)]
    return [one["receipt"] for one in (drawn, *last)]


def _held(till: Counter, total_fen: int) -> dict[str, Any]:
    body = {"voucher_code": till.voucher["code"], "hold_no": f"H{next(_copies)}", "bill": bill_body(total_fen)}
    held: dict[str, Any] = ok(till.machine.post("/v1/holds", body))
    return held


def _from_hold(till: Counter, held: dict[str, Any], total_fen: int, **changes: Any) -> Any:
    body = {"hold_id": held["id"], "order_no": f"P{next(_copies)}", "bill": bill_body(total_fen)} | changes
    return till.machine.post("/v1/redemptions", body)


def _void(city: City, till: Counter) -> None:
    ok(city.approve(city.maker.post(f"/v1/vouchers/{till.voucher['id']}/void", {"reason": "重复发放"})))


def _take_back(city: City, programme_id: str) -> None:
    body = {"document_no": "财字9号", "amount_fen": -1_000_000, "fund_source": "local"}
    asked = city.finance.post(f"/v1/programmes/{programme_id}/appropriations", body)
    ok(city.approve(asked, by=city.second_finance))


def seal_all(urls: Urls, keys: LogKeys) -> None:
    """As the sealer's role. Fewer leaves wait than one transaction takes."""
    database = Database(urls.sealer_url, pool_size=1)
    for region in database.transact(waiting_regions):
        database.transact(partial(seal, region_code=region, keys=keys))
    database.dispose()
