"""The desk: batches, put-off commands, poisoned ones, a full queue, clients that hang up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

import httpx
import pytest
from sqlalchemy import Connection, text

from app.database import Database
from app.kernel.ids import new_id
from app.kernel.problems import AppError, Code
from app.services.desk.gatherer import Desk
from app.services.idempotency import Answer
from app.services.identity.principals import Caller, Principal
from app.services.redemption.bills import Bill, BillLine
from app.services.redemption.commands import Command, Redeem
from app.services.redemption.decisions import Asked
from app.services.redemption.outcomes import Outcome, PutOff
from tests.apart import run_apart
from tests.world import HANGZHOU, World, counter, ok, problem, redemption_body

T = TypeVar("T")


class Run(Protocol):
    """What the desk runs in a transaction."""

    def __call__(self, tx: Connection, commands: Sequence[Command], *, wait: bool) -> list[Outcome]: ...


def command(order_no: str) -> Redeem:
    principal = Principal(new_id("cli"), new_id("org"), HANGZHOU, ())
    return Redeem(
        caller=Caller(principal, "test"),
        provider_id=principal.organisation_id,
        region_code=HANGZHOU,
        voucher_code="330100000000000000",
        order_no=order_no,
        asked=Asked(Bill(1, (BillLine("training", "1", "card_hour", "0.01", 1),))),
        key=order_no,
        render=lambda record: Answer(201, record.id.encode()),
        render_refusal=lambda _: None,
    )


def answer(order_no: str) -> Answer:
    return Answer(201, order_no.encode())


@contextmanager
def desk_of(database: Database, run: Run, *, batch_limit: int = 50, queue_limit: int = 50) -> Iterator[Desk]:
    desk = Desk(database, run, batch_limit=batch_limit, queue_limit=queue_limit)
    desk.start()
    try:
        yield desk
    finally:
        desk.stop()


async def all_of(desk: Desk, order_nos: Sequence[str]) -> list[Answer | BaseException]:
    return await asyncio.gather(*(desk.submit(command(no)) for no in order_nos), return_exceptions=True)


def test_commands_that_wait_are_gathered_into_one_transaction(database: Database) -> None:
    sizes: list[int] = []
    began, first = threading.Event(), threading.Event()

    def run(tx: Connection, commands: Sequence[Command], *, wait: bool) -> list[Outcome]:
        sizes.append(len(commands))
        began.set()
        if len(sizes) == 1:
            first.wait(10)
        return [answer(command.number) for command in commands]

    async def scenario(desk: Desk) -> list[Any]:
        lone = asyncio.create_task(desk.submit(command("lone")))
        assert await asyncio.to_thread(began.wait, 10)
        rest = asyncio.create_task(all_of(desk, [f"n{n}" for n in range(20)]))
        await asyncio.sleep(0.05)
        first.set()
        return [await lone, *await rest]

    with desk_of(database, run) as desk:
        answers = run_apart(scenario(desk))
    assert [given.body for given in answers] == [b"lone", *(f"n{n}".encode() for n in range(20))]
    assert sizes == [1, 20]


def test_a_poisoned_command_fails_alone(database: Database) -> None:
    def run(tx: Connection, commands: Sequence[Command], *, wait: bool) -> list[Outcome]:
        if any(command.number == "poison" for command in commands):
            raise ZeroDivisionError
        return [answer(command.number) for command in commands]

    order_nos = [f"n{n}" for n in range(15)] + ["poison"] + [f"m{n}" for n in range(15)]
    with desk_of(database, run) as desk:
        answers = run_apart(all_of(desk, order_nos))
    for order_no, given in zip(order_nos, answers, strict=True):
        if order_no == "poison":
            assert isinstance(given, ZeroDivisionError)
        else:
            assert given == answer(order_no)


def test_a_put_off_command_is_tried_again_and_at_last_waits_alone(database: Database) -> None:
    tries: list[tuple[bool, bool]] = []

    def run(tx: Connection, commands: Sequence[Command], *, wait: bool) -> list[Outcome]:
        if any(command.number == "busy" for command in commands):
            tries.append((wait, len(commands) == 1))
        return [PutOff() if not wait and c.number == "busy" else answer(c.number) for c in commands]

    with desk_of(database, run) as desk:
        answers = run_apart(all_of(desk, ["free", "busy"]))
    assert answers == [answer("free"), answer("busy")]
    assert [wait for wait, _ in tries] == [False, False, False, True]
    assert tries[-1] == (True, True)


def test_the_commands_of_one_busy_voucher_wait_for_it_once(database: Database) -> None:
    waited: list[list[str]] = []

    def run(tx: Connection, commands: Sequence[Command], *, wait: bool) -> list[Outcome]:
        if wait:
            waited.append([command.number for command in commands])
        return [answer(command.number) if wait else PutOff() for command in commands]

    with desk_of(database, run) as desk:
        answers = run_apart(all_of(desk, ["a", "b", "c"]))
    assert answers == [answer("a"), answer("b"), answer("c")]
    assert waited == [["a", "b", "c"]]


def test_who_waited_for_a_voucher_in_vain_is_told_at_once(database: Database) -> None:
    waited: list[int] = []

    def run(tx: Connection, commands: Sequence[Command], *, wait: bool) -> list[Outcome]:
        if wait:
            waited.append(len(commands))
            raise AppError(Code.BUSY, retry_after_s=1)
        return [PutOff() for _ in commands]

    with desk_of(database, run) as desk:
        answers = run_apart(all_of(desk, ["a", "b", "c"]))
    assert [given.code for given in answers if isinstance(given, AppError)] == [Code.BUSY] * 3
    assert waited == [3]


def test_a_full_queue_refuses_at_once_and_nothing_was_done(database: Database) -> None:
    release = threading.Event()
    ran: list[str] = []

    def run(tx: Connection, commands: Sequence[Command], *, wait: bool) -> list[Outcome]:
        release.wait(10)
        ran.extend(command.number for command in commands)
        return [answer(command.number) for command in commands]

    async def scenario(desk: Desk) -> list[Any]:
        tasks = [asyncio.create_task(desk.submit(command("first")))]
        await asyncio.sleep(0.1)
        tasks += [asyncio.create_task(desk.submit(command(f"n{n}"))) for n in range(8)]
        await asyncio.sleep(0.1)
        release.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    with desk_of(database, run, queue_limit=5) as desk:
        answers = run_apart(scenario(desk))
    refused = [given for given in answers if isinstance(given, AppError)]
    assert len(refused) == 3
    assert {given.code for given in refused} == {Code.BUSY}
    assert all(given.retry_after_s for given in refused)
    assert len(ran) == 6


def test_commands_handed_over_together_are_all_taken_or_none(database: Database) -> None:
    ran: list[str] = []

    def run(tx: Connection, commands: Sequence[Command], *, wait: bool) -> list[Outcome]:
        ran.extend(command.number for command in commands)
        return [answer(command.number) for command in commands]

    async def scenario(desk: Desk) -> list[Answer | BaseException]:
        with pytest.raises(AppError) as refused:
            await desk.submit_all([command(f"big{n}") for n in range(6)])
        assert refused.value.code is Code.BUSY
        assert refused.value.retry_after_s
        return await desk.submit_all([command(f"n{n}") for n in range(5)])

    with desk_of(database, run, queue_limit=5) as desk:
        assert run_apart(scenario(desk)) == [answer(f"n{n}") for n in range(5)]
    assert ran == [f"n{n}" for n in range(5)]


def test_what_one_of_them_failed_with_stands_at_its_place(database: Database) -> None:
    def run(tx: Connection, commands: Sequence[Command], *, wait: bool) -> list[Outcome]:
        if any(command.number == "n1" for command in commands):
            raise ValueError("poison")
        return [answer(command.number) for command in commands]

    async def scenario(desk: Desk) -> list[Answer | BaseException]:
        return await desk.submit_all([command(f"n{n}") for n in range(3)])

    with desk_of(database, run) as desk:
        first, second, third = run_apart(scenario(desk))
    assert (first, third) == (answer("n0"), answer("n2"))
    assert isinstance(second, ValueError)


def test_a_desk_that_stops_finishes_what_waits_and_takes_no_more(database: Database) -> None:
    def run(tx: Connection, commands: Sequence[Command], *, wait: bool) -> list[Outcome]:
        return [answer(command.number) for command in commands]

    async def scenario() -> None:
        desk = Desk(database, run, batch_limit=2, queue_limit=100)
        waiting = [asyncio.create_task(desk.submit(command(f"n{n}"))) for n in range(20)]
        await asyncio.sleep(0)
        desk.start()
        await asyncio.to_thread(desk.stop)
        assert [given.body for given in await asyncio.gather(*waiting)] == [f"n{n}".encode() for n in range(20)]
        with pytest.raises(AppError):
            await desk.submit(command("late"))

    run_apart(scenario())


def test_a_client_that_hangs_up_changes_nothing(world: World) -> None:
    desk = counter(world.city())
    body = redemption_body(desk.voucher["code"], 1_000)
    headers = dict(desk.machine.http.headers) | {"Idempotency-Key": "K"}
    with _voucher_locked(world, desk.voucher["id"]), pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{world.base_url}/v1/redemptions", json=body, headers=headers, timeout=0.02, trust_env=False)
    answers = [desk.machine.post("/v1/redemptions", body, key="K") for _ in range(2)]
    assert [given.status_code for given in answers] == [201, 201]
    assert desk.balance_fen() == 1_000_000 - 300
    assert world.differences() == []


def test_a_busy_voucher_is_answered_with_busy_and_holds_nobody_else_up(world: World) -> None:
    city = world.city()
    busy, free = counter(city), counter(city)
    with _voucher_locked(world, busy.voucher["id"]), ThreadPoolExecutor(8) as pool:
        stuck = pool.submit(busy.redeem, 1_000, key="K")
        others = list(pool.map(lambda _: free.redeem(1_000), range(7)))
        refused = stuck.result()
    assert {given.status_code for given in others} == {201}
    problem(refused, 503, "busy")
    assert refused.headers["Retry-After"]
    ok(busy.redeem(1_000, key="K"))
    assert world.differences() == []


@contextmanager
def _voucher_locked(world: World, voucher_id: str) -> Iterator[None]:
    """Somebody else's transaction holds the voucher."""
    with world.database.engine.connect() as connection:
        connection.execute(text("SELECT 1 FROM vouchers WHERE id = :id FOR UPDATE"), {"id": voucher_id})
        yield
        connection.rollback()
