"""Twins in one batch: the later one gets the first one's bytes, and what else asks under the same key is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select

from app.kernel.problems import AppError, Code
from app.models import OrderNumber
from app.services.idempotency import Answer
from app.services.identity.principals import Caller, Principal
from app.services.redemption.batch import decide_batch
from app.services.redemption.bills import Bill, BillLine
from app.services.redemption.commands import Redeem
from app.services.redemption.decisions import Asked
from app.services.redemption.outcomes import Outcome, PutOff
from tests.world import HANGZHOU, Counter, World, counter


@pytest.fixture
def desk(world: World) -> Counter:
    return counter(world.city())


def command(desk: Counter, order_no: str, fen: int = 10_000) -> Redeem:
    machine = desk.machine
    return Redeem(
        caller=Caller(Principal(machine.id, machine.organisation_id, HANGZHOU, ()), order_no),
        provider_id=machine.organisation_id,
        region_code=HANGZHOU,
        voucher_code=desk.voucher["code"].replace("-", ""),
        order_no=order_no,
        asked=Asked(Bill(fen, (BillLine("training", str(fen), "card_hour", "0.01", fen),))),
        key="K",
        render=lambda record: Answer(201, record.id.encode(), record.id),
        render_refusal=lambda refusal: Answer(409, refusal.code.encode()),
    )


def test_a_twin_in_the_same_batch_gets_the_first_ones_bytes(world: World, desk: Counter) -> None:
    first = command(desk, "A")
    other = command(desk, "A", 20_000)
    outcomes = world.database.transact(lambda tx: decide_batch(tx, [first, first, other, first], wait=False))
    answer = outcomes[0]
    assert isinstance(answer, Answer)
    assert (answer.status, answer.replayed) == (201, False)
    assert outcomes[1] == outcomes[3] == replace(answer, replayed=True)
    assert isinstance(outcomes[2], AppError)
    assert outcomes[2].code is Code.IDEMPOTENCY_KEY_REUSED
    again = world.database.transact(lambda tx: decide_batch(tx, [first, first], wait=False))
    assert again == [replace(answer, replayed=True)] * 2
    assert desk.balance_fen() == 1_000_000 - 3_000
    assert world.differences() == []


def test_a_twin_waits_where_the_first_has_no_answer_to_keep(world: World, desk: Counter) -> None:
    unknown = replace(command(desk, "A"), voucher_code="330100000000000000", render_refusal=lambda _: None)
    outcomes = world.database.transact(lambda tx: decide_batch(tx, [unknown, unknown], wait=False))
    assert isinstance(outcomes[0], AppError)
    assert outcomes[1] == PutOff(counts=False)


@pytest.mark.parametrize("new_one_first", [True, False])
def test_the_number_of_a_repeated_refusal_is_given_back(world: World, desk: Counter, *, new_one_first: bool) -> None:
    def decide(*commands: Redeem) -> list[Outcome]:
        return world.database.transact(lambda tx: decide_batch(tx, commands, wait=False))

    refused = replace(command(desk, "A"), voucher_code="330100000000000000")
    (refusal,) = decide(refused)
    assert refusal == Answer(409, b"voucher_not_found")
    new = replace(command(desk, "A"), key="K2")
    asked = (new, refused) if new_one_first else (refused, new)
    met = dict(zip([one.key for one in asked], decide(*asked), strict=True))
    assert met["K"] == replace(refusal, replayed=True)
    assert isinstance(met["K2"], Answer) or met["K2"] == PutOff(counts=False)
    (answer,) = decide(new)
    assert isinstance(answer, Answer)
    assert answer.status == 201
    assert decide(refused) == [replace(refusal, replayed=True)]
    assert order_numbers(world) == {("A", answer.resource_id)}
    assert desk.balance_fen() == 1_000_000 - 3_000


def order_numbers(world: World) -> set[tuple[str, str]]:
    rows = world.database.transact(lambda tx: tx.execute(select(OrderNumber.order_no, OrderNumber.redemption_id)).all())
    return {(row.order_no, row.redemption_id) for row in rows}
