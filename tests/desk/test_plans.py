"""What the desk and an issuing read is in proportion to what they do, although their sessions began in empty tables."""

from __future__ import annotations

import time
from collections import Counter as Count
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest
from sqlalchemy import Connection, Engine, create_engine, text

from app.database import Database
from app.embedded.databases import Urls
from app.kernel.vocabulary import Role
from app.main import DESK_SETTINGS
from app.reach import EVERYWHERE
from app.services.approvals.decisions import approve
from app.services.idempotency import Answer
from app.services.identity.principals import Caller, Grant, Principal
from app.services.redemption.batch import decide_batch
from app.services.redemption.bills import Bill, BillLine
from app.services.redemption.commands import Command, PlaceHold, Redeem
from app.services.redemption.decisions import Asked
from tests.world import HANGZHOU, Counter, World, counter, ok

T = TypeVar("T")

COPIES = 1_500
BATCH = 20
KEPT_S = 0.2
COPIED: tuple[tuple[str, str, str, dict[str, str | int]], ...] = (
    # What is copied, its table, the column that names the first row; of copy n the columns that tell it apart.
    ("voucher", "vouchers", "id", {"id": "vch", "code": HANGZHOU}),
    ("voucher", "allotments", "voucher_id", {"voucher_id": "vch"}),
    ("voucher", "mandates", "voucher_id", {"voucher_id": "vch", "id": "man"}),
    ("drawn", "entries", "id", {"id": "ent"}),
    ("drawn", "postings", "entry_id", {"entry_id": "ent", "voucher_id": "vch", "voucher_seq": 1_000}),
    ("redemption", "redemptions", "id", {"id": "rdm", "entry_id": "ent", "voucher_id": "vch", "order_no": "C"}),
    ("redemption", "order_numbers", "redemption_id", {"redemption_id": "rdm", "order_no": "C"}),
    ("held", "entries", "id", {"id": "enh"}),
    ("held", "postings", "entry_id", {"entry_id": "enh", "voucher_id": "vch", "voucher_seq": 2_000}),
    ("hold", "holds", "id", {"id": "hld", "entry_id": "enh", "voucher_id": "vch", "hold_no": "C"}),
    ("hold", "hold_shares", "hold_id", {"hold_id": "hld"}),
)


@pytest.fixture
def owner(urls: Urls) -> Iterator[Engine]:
    """The owner of a database that nobody analyses by the way."""
    owner = create_engine(urls.owner_url)
    with owner.begin() as tx:
        for table in tx.execute(text("SELECT relname FROM pg_stat_user_tables")).scalars().all():
            tx.execute(text(f"ALTER TABLE {table} SET (autovacuum_enabled = off)"))
    yield owner
    owner.dispose()


@pytest.fixture
def desk_session(urls: Urls) -> Iterator[Database]:
    """The desk's one session, whose plans soon grow old."""
    session = Database(urls.app_url, pool_size=1, settings=DESK_SETTINGS, plans_kept_s=KEPT_S, reach=EVERYWHERE)
    yield session
    session.dispose()


@pytest.fixture
def session(urls: Urls) -> Iterator[Database]:
    """A session of the service that does all that is asked."""
    session = Database(urls.app_url, pool_size=1, reach=EVERYWHERE)
    yield session
    session.dispose()


def reading(session: Database, work: Callable[[Connection], T]) -> tuple[T, Count[str]]:
    """What the work gives, and how many rows of each table it has read, for the checks of keys as well."""
    read = text("SELECT relname, seq_tup_read + coalesce(idx_tup_fetch, 0) AS rows FROM pg_stat_xact_user_tables")

    def counted(tx: Connection) -> tuple[T, Count[str]]:
        before = Count({row.relname: row.rows for row in tx.execute(read)})
        given = work(tx)
        return given, Count({row.relname: row.rows for row in tx.execute(read)}) - before

    return session.transact(counted)


def copy(tx: Connection, originals: dict[str, str]) -> None:
    """Copy a voucher, a redemption and a hold with what belongs to them, for a voucher each. Counters do not follow."""
    for kind, table, key, columns in COPIED:
        told = [f"'{column}', {_value(value)}" for column, value in columns.items()]
        tx.execute(
            text(
                f"INSERT INTO {table} SELECT (jsonb_populate_record(t, jsonb_build_object({', '.join(told)}))).*"
                f" FROM {table} t, generate_series(1, {COPIES}) n WHERE {key} = '{originals[kind]}'"
            )
        )


def _value(told: str | int) -> str:
    if isinstance(told, int):
        return str(told)
    if told == HANGZHOU:  # a code
        return f"'{told}' || lpad(CAST(n AS text), 12, '0')"
    return f"'{told}_{HANGZHOU}_' || lpad(CAST(n AS text), 26, '0')"


class Commands:
    """A provider's redemptions and holds of 100 yuan each."""

    def __init__(self, desk: Counter) -> None:
        self._machine, self._count = desk.machine, 0

    def redeem(self, voucher_code: str | None, hold_id: str | None = None) -> Redeem:
        return Redeem(
            **self._told(),
            voucher_code=voucher_code,
            hold_id=hold_id,
            order_no=f"N{self._count}",
            render=lambda record: Answer(201, b"", record.id),
        )

    def hold(self, voucher_code: str) -> PlaceHold:
        return PlaceHold(
            **self._told(),
            voucher_code=voucher_code,
            hold_no=f"N{self._count}",
            render=lambda record: Answer(201, b"", record.id),
        )

    def _told(self) -> dict[str, Any]:
        self._count += 1
        return {
            "caller": Caller(Principal(self._machine.id, self._machine.organisation_id, HANGZHOU, ()), "test"),
            "provider_id": self._machine.organisation_id,
            "region_code": HANGZHOU,
            "asked": Asked(Bill(10_000, (BillLine("training", "10000", "card_hour", "0.01", 10_000),))),
            "key": f"K{self._count}",
            "render_refusal": lambda _: None,
        }


@pytest.mark.parametrize("analysed", [False, True], ids=["never_analysed", "analysed_when_small"])
def test_a_desk_reads_what_it_decides_and_no_more(
    world: World, desk_session: Database, owner: Engine, *, analysed: bool
) -> None:
    desk = counter(world.city())
    spare = desk.second_voucher(1_000_000).voucher["id"]
    first = desk.voucher["code"].replace("-", "")
    commands = Commands(desk)

    def decide(*asked: Command) -> tuple[list[str], Count[str]]:
        """The ids of what came to be, and the rows that it took."""
        answers, read = reading(desk_session, lambda tx: decide_batch(tx, asked, wait=True))
        assert all(isinstance(answer, Answer) and answer.status == 201 for answer in answers), answers
        return [str(answer.resource_id) for answer in answers if isinstance(answer, Answer)], read

    def begin() -> tuple[str, str]:
        """Let the session plan everything, in tables with a row or two."""
        (redemption,), _ = decide(commands.redeem(first))
        (hold,), _ = decide(commands.hold(first))
        decide(commands.redeem(None, hold))
        (hold,), _ = decide(commands.hold(first))
        return redemption, hold

    redemption, hold = begin()
    if analysed:
        with owner.begin() as tx:
            tx.execute(text("ANALYZE"))
        redemption, hold = begin()
    with owner.begin() as tx:
        drawn, held = (
            tx.execute(text(f"SELECT entry_id FROM {table} WHERE id = :id"), {"id": one}).scalar_one()
            for table, one in (("redemptions", redemption), ("holds", hold))
        )
        copy(tx, {"voucher": spare, "redemption": redemption, "hold": hold, "drawn": drawn, "held": held})
    time.sleep(KEPT_S)
    codes = [f"{HANGZHOU}{n:012d}" for n in range(1, 1 + BATCH)]
    _, redeeming = decide(*map(commands.redeem, codes))
    holds, holding = decide(*map(commands.hold, codes))
    _, from_holds = decide(*(commands.redeem(None, one) for one in holds))
    for read in (redeeming, holding, from_holds):
        assert max(read.values()) <= 10 * BATCH, read


def test_a_large_issuing_after_small_ones_reads_its_vouchers_a_few_times_each(
    world: World, session: Database, owner: Engine
) -> None:
    """At once, in the same session: no plan has had the time to grow old."""
    city = world.city()
    programme_id, firm_id = city.programme(), world.firm()
    grant = Grant(Role.CHECKER, HANGZHOU, city.authority_id)
    checker = Caller(Principal(city.checker.id, city.checker.organisation_id, HANGZHOU, (grant,)), "test")

    def issue(number: int, count: int) -> Count[str]:
        rows = [{"reference_no": f"R{number}-{n}", "firm_id": firm_id, "face_value_fen": 100} for n in range(count)]
        body = {"programme_id": programme_id, "declared_count": count, "declared_total_fen": 100 * count, "rows": rows}
        submitted = ok(city.maker.post("/v1/issuance-batches", body))
        approval_id = submitted["approval_id"]
        return reading(session, lambda tx: approve(tx, caller=checker, approval_id=approval_id))[1]

    for number in range(6):  # five times PostgreSQL plans anew by itself
        issue(number, 1)
    read = issue(6, 500)
    assert max(read.values()) <= 10 * 500, read
