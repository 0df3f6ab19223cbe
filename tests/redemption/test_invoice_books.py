"""Side by side, no more is claimed of a line than it is worth, and the books can say who claimed what."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.embedded.databases import Urls
from app.embedded.server import Server
from app.kernel.invoices import invoice_fingerprint
from app.settings import Settings
from tests.conftest import serving
from tests.reconciliation.test_reconciliation import tamper
from tests.redemption.invoicing import bill_of, claimed_fen, digital_number, on_invoice, refund, used_fen
from tests.world import NINGBO, Actor, Counter, World, counter, ok, problem, redemption_body

WORTH = 100
LINES = 2

ACTS = st.lists(
    st.tuples(
        st.sampled_from(("redeem", "redeem", "refund", "red")),
        st.integers(1, LINES),
        st.integers(1, WORTH),
        st.integers(0, 3),
    ),
    min_size=4,
    max_size=8,
)
"""What to do, on which line of the invoice, with how much, to which of one's redemptions."""


@pytest.fixture(scope="module")
def desks(shared_world: World) -> tuple[Counter, ...]:
    rules: dict[str, Any] = {"rate": "1.00", "face_value_fen": 10_000_000}
    stackable = rules | {"stacking": {"base": "stackable"}}
    cities = (shared_world.city(), shared_world.city(NINGBO), shared_world.city(NINGBO))
    return tuple(counter(city, **of) for city, of in zip(cities, (rules, rules, stackable), strict=True))


@hypothesis_settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)
@given(lanes=st.tuples(ACTS, ACTS, ACTS))
def test_no_interleaving_claims_more_than_a_line_is_worth(
    shared_world: World, desks: tuple[Counter, ...], lanes: tuple[list[tuple[str, int, int, int]], ...]
) -> None:
    number = digital_number()

    def run(desk: Counter, acts: list[tuple[str, int, int, int]]) -> set[int]:
        made: list[dict[str, Any]] = []
        statuses = set()
        for act, line_no, fen, which in acts:
            if act == "redeem":
                bill = bill_of(on_invoice(fen, number, whole_fen=WORTH, line_no=line_no))
                answer = desk.redeem(0, bill=bill)
                made += [answer.json()] if answer.is_success else []
            elif made:
                one = made[which % len(made)]
                red = {"red_letter": {"number": digital_number()}} if act == "red" else {}
                answer = refund(desk, one, min(fen, one["bill_total_fen"]), **red)
            else:
                continue
            statuses.add(answer.status_code)
        return statuses

    with ThreadPoolExecutor(3) as pool:
        answered = list(pool.map(run, desks, lanes))
    assert set().union(*answered) <= {201, 409, 422}
    counted: dict[str, int] = defaultdict(int)
    for (_, _, layer), (limit_fen, claimed) in used_fen(shared_world).items():
        assert 0 <= claimed <= limit_fen
        counted[layer] += claimed
    with shared_world.database.engine.connect() as tx:
        rows = tx.execute(text("SELECT layer, sum(base_fen) AS fen FROM invoice_uses GROUP BY layer")).all()
    assert {row.layer: row.fen for row in rows} == {layer: counted[layer] for layer in {row.layer for row in rows}}
    assert shared_world.differences() == []


def test_a_bill_waits_for_whoever_is_just_claiming_of_its_line(shared_world: World, desks: tuple[Counter, ...]) -> None:
    number = digital_number()
    ok(desks[0].redeem(0, bill=bill_of(on_invoice(10, number, whole_fen=100))))
    key = {"fingerprint": invoice_fingerprint("", number)}
    bill = bill_of(on_invoice(90, number, whole_fen=100))
    with ThreadPoolExecutor(1) as pool:
        with shared_world.database.engine.begin() as tx:
            tx.execute(text("SELECT FROM invoice_bases WHERE fingerprint = :fingerprint FOR NO KEY UPDATE"), key)
            answer = pool.submit(desks[1].redeem, 0, bill=bill, key=number)
            wait([answer], timeout=0.1)
            tx.execute(text("UPDATE invoice_bases SET used_fen = 100 WHERE fingerprint = :fingerprint"), key)
        if answer.result().status_code != 409:
            problem(answer.result(), 503, "busy")
        problem(desks[1].redeem(0, bill=bill), 409, "invoice_already_used")
    with shared_world.database.engine.begin() as tx:
        tx.execute(text("UPDATE invoice_bases SET used_fen = 10 WHERE fingerprint = :fingerprint"), key)
    assert shared_world.differences() == []


@pytest.fixture
def other_url(settings: Settings, world: World) -> Iterator[str]:
    """A second service on the same database and signing keys, with a desk of its own."""
    with serving(settings) as base_url:
        yield base_url


def test_two_services_never_give_away_what_is_left_of_a_line_twice(world: World, other_url: str) -> None:
    """Two cities and two services: bills of 40 on three lines of 100, in either order, and refunds among them."""
    number = digital_number()
    desks = [counter(world.city(), rate="1.00"), counter(world.city(NINGBO), rate="1.00")]
    codes = [[desk.voucher["code"], *(desk.second_voucher(10_000).voucher["code"] for _ in range(5))] for desk in desks]
    lines = [on_invoice(40, number, whole_fen=100, line_no=line_no) for line_no in (1, 2, 3)]
    with ExitStack() as stack:
        others = [
            stack.enter_context(
                httpx.Client(base_url=other_url, headers=desk.machine.http.headers, timeout=60, trust_env=False)
            )
            for desk in desks
        ]

        def race(place: int) -> list[httpx.Response]:
            city, service = place % 2, place // 2 % 2
            machine = desks[city].machine
            machine = machine if service else Actor(machine.id, machine.organisation_id, others[city])
            bill = bill_of(*(lines if place % 3 else lines[::-1]))
            answers = [machine.post("/v1/redemptions", redemption_body(codes[city][place // 2], 0, bill=bill))]
            if place % 4 == 0 and answers[0].is_success:
                path = f"/v1/redemptions/{answers[0].json()['id']}/refunds"
                answers.append(machine.post(path, {"lines": [{"line": 1, "amount_fen": 30}], "reason": "红冲"}))
            return answers

        with ThreadPoolExecutor(12) as pool:
            answers = [one for some in pool.map(race, range(12)) for one in some]
    assert {one.status_code for one in answers} <= {201, 409}
    assert {one.json()["code"] for one in answers if one.status_code == 409} <= {"invoice_already_used"}
    assert all(claimed <= 100 for _, claimed in used_fen(world).values())
    drawn_fen = sum(one.json()["subsidy_fen"] for one in answers if "subsidy_fen" in one.json())
    assert drawn_fen >= 300
    assert world.differences() == []


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE invoice_bases SET used_fen = used_fen - 1 WHERE used_fen > 0", "invoice_bases"),
        ("UPDATE invoice_bases SET limit_fen = limit_fen + 1, stated_fen = stated_fen + 2", "invoice_bases"),
        ("UPDATE invoice_uses SET base_fen = base_fen - 1 WHERE base_fen > 0", "invoice_uses"),
        ("DELETE FROM invoice_uses; UPDATE invoice_bases SET used_fen = 0, granted_fen = 0", "invoice_uses"),
        ("DELETE FROM red_letters", "invoice_bases"),
    ],
)
def test_an_edit_of_what_is_claimed_is_found(
    world: World, server: Server, urls: Urls, statement: str, found: str
) -> None:
    desk, number = counter(world.city()), digital_number()
    first = ok(desk.redeem(0, bill=bill_of(on_invoice(60, number, whole_fen=100))))
    ok(refund(desk, first, 10, red_letter={"number": digital_number()}))
    assert claimed_fen(world, number) == (90, 50)
    assert world.differences() == []
    tamper(server, urls, statement)
    assert any(difference.startswith(found) or found in difference for difference in world.differences())


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE invoice_bases SET used_fen = limit_fen + 1",
        "UPDATE invoice_bases SET stated_fen = stated_fen + 1",
        "UPDATE invoice_bases SET limit_fen = limit_fen + 1, stated_fen = stated_fen",
        "DELETE FROM invoice_bases",
        "UPDATE invoice_uses SET base_fen = 0",
        "DELETE FROM red_letters",
        "DELETE FROM red_invoices",
    ],
)
def test_the_service_itself_cannot_do_so(shared_world: World, desks: tuple[Counter, ...], statement: str) -> None:
    number = digital_number()
    first = ok(desks[0].redeem(0, bill=bill_of(on_invoice(60, number, whole_fen=100))))
    ok(refund(desks[0], first, 10, red_letter={"number": digital_number()}))
    with pytest.raises(DBAPIError):
        shared_world.database.transact(lambda tx: tx.execute(text(statement)))
