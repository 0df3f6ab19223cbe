"""Side by side, no more is claimed of a line than it is worth, and the books can say who claimed what."""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.embedded.databases import Urls
from app.embedded.server import Server
from tests.reconciliation.test_reconciliation import tamper
from tests.redemption.invoicing import bill_of, claimed_fen, digital_number, on_invoice, refund, used_fen
from tests.world import NINGBO, Counter, World, counter, ok

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


@settings(
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
