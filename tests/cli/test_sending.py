"""Bills over HTTP: interrupted, resumed, crowded, always the totals of an undisturbed run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from sqlalchemy import update

from app.cli.lanes import Order, Place, split_into_lanes
from app.cli.output import Failure
from app.cli.sending import Tally, send
from app.kernel.vocabulary import Role
from app.models import Client
from app.services.identity.opaque import digest
from app.services.redemption.bills import BillLine
from tests.world import City, World

SECRET = "a machine's secret"
FACE_FEN = 5_000
VOUCHERS = 3
BILLS = 90
"""Of 1.00 to 9.00 元 at 60 %: together more than the vouchers hold, so that the last ones are cut or refused."""


class Interrupted(BaseException):
    """Stands for Ctrl-C."""


class Stage:
    """A provider with its machine, and as many sets of equal vouchers as are asked for."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._city: City = world.city()
        self._provider_id = world.provider()
        machine = world.machine(self._provider_id)
        self.client_id = machine.id
        world.database.transact(
            lambda tx: tx.execute(update(Client).where(Client.id == machine.id).values(secret_sha256=digest(SECRET)))
        )
        self._programme_id = self._city.programme(rules={"categories": ["training"], "rate": {"rate": "0.60"}})
        self._city.admit(self._programme_id, self._provider_id)

    def places(self) -> list[Place]:
        codes = []
        for _ in range(VOUCHERS):
            firm_id = self.world.firm()
            voucher = self._city.issue(self._programme_id, firm_id, FACE_FEN)
            manager = self.world.person(Role.FIRM, firm_id)
            body = {"provider_id": self._provider_id, "limit_fen": FACE_FEN}
            assert manager.post(f"/v1/vouchers/{voucher['id']}/mandates", body).is_success
            codes.append(voucher["code"])
        return [Place(code, (self.client_id,)) for code in codes]

    def send(self, orders: list[Order], advance: Callable[[], None] = lambda: None, side_by_side: int = 8) -> Tally:
        return send(
            self.world.base_url,
            {self.client_id: SECRET},
            split_into_lanes(orders),
            advance=advance,
            alive=lambda: True,
            side_by_side=side_by_side,
        )


def orders(places: list[Place], series: str) -> list[Order]:
    made = []
    for number in range(BILLS):
        place = places[number % len(places)]
        yuan = 1 + number % 9
        line = BillLine("training", str(yuan), "card_hour", "1.00", 100 * yuan)
        made.append(
            Order(number, place.client_ids[0], f"{series}-{number}", place.voucher_code, f"{series}-{number}", line)
        )
    return made


def figures(tally: Tally) -> tuple[object, ...]:
    return (
        tally.billed,
        dict(tally.refused),
        tally.bill_fen,
        tally.subsidy_fen,
        tally.firm_pays_fen,
        tally.is_final,
    )


@pytest.fixture
def stage(world: World) -> Stage:
    return Stage(world)


def test_what_the_vouchers_do_not_hold_is_cut_and_then_refused(stage: Stage) -> None:
    tally = stage.send(orders(stage.places(), "a"))
    assert tally.billed + tally.refused["insufficient_balance"] == BILLS
    assert tally.refused["insufficient_balance"] > 10
    assert tally.subsidy_fen == VOUCHERS * FACE_FEN
    assert tally.subsidy_fen + tally.firm_pays_fen == tally.bill_fen
    assert tally.answered_before == 0
    assert tally.is_final
    assert stage.world.differences() == []


def test_interrupted_again_and_again_it_ends_with_the_totals_of_an_undisturbed_run(stage: Stage) -> None:
    undisturbed = stage.send(orders(stage.places(), "calm"), side_by_side=1)

    made = orders(stage.places(), "rough")
    for patience in (1, 9, 20):
        left = iter(range(patience))

        def advance(left: Iterator[int] = left) -> None:
            if next(left, None) is None:
                raise Interrupted

        with pytest.raises(Interrupted):
            stage.send(made, advance)
    resumed = stage.send(made)

    assert figures(resumed) == figures(undisturbed)
    assert 0 < resumed.answered_before < resumed.billed
    assert stage.world.differences() == []


def test_sending_all_again_changes_nothing_and_says_so(stage: Stage) -> None:
    made = orders(stage.places(), "a")
    first, second = stage.send(made), stage.send(made)
    assert figures(first) == figures(second)
    assert second.answered_before == second.billed
    assert second.per_second == 0
    assert stage.world.differences() == []


def test_a_bill_sent_under_another_key_is_the_same_bill(stage: Stage) -> None:
    made = orders(stage.places(), "a")[:20]
    first = stage.send(made)
    second = stage.send([replace(order, key=f"other-{order.key}") for order in made])
    assert figures(second) == figures(first)
    assert second.answered_before == 20
    assert stage.world.differences() == []


def test_a_bill_without_an_answer_holds_back_those_behind_it_and_no_others(stage: Stage) -> None:
    made = orders(stage.places(), "a")[:12]
    wrong = replace(made[3], line=replace(made[3].line, category="NOT A CATEGORY"))
    tally = stage.send([*made[:3], wrong, *made[4:]])
    [failure] = tally.failed
    assert failure.startswith("row 3: 422 validation_failed")
    assert tally.unsent == 2
    assert tally.billed == 12 - 3
    assert not tally.is_final


def test_a_machine_that_cannot_sign_in_ends_it_all(stage: Stage) -> None:
    made = orders(stage.places(), "a")
    with pytest.raises(Failure, match=stage.client_id):
        send(
            stage.world.base_url,
            {stage.client_id: "not its secret"},
            split_into_lanes(made),
            advance=lambda: None,
            alive=lambda: True,
        )


def test_a_service_that_is_gone_is_told_at_once() -> None:
    line = BillLine("training", "1", "card_hour", "1.00", 100)
    order = Order(1, "cli", "key", "code", "order", line)
    with pytest.raises(Failure, match="run the command again"):
        send("http://127.0.0.1:1", {"cli": "secret"}, [[order]], advance=lambda: None, alive=lambda: False)
