"""Two hundred officials approve at once, and the money is enough for half of them: never over, no deadlock."""

from __future__ import annotations

import threading
from collections import Counter as Counts
from concurrent.futures import ThreadPoolExecutor

import httpx

from app.kernel.vocabulary import Role
from tests.issuance.test_batches import available_fen
from tests.world import Actor, City, World, ok, rules_body

OFFICIALS = 200
GRANT_FEN = 1_000
PLANNED = 100


def submitted(city: City, programme_id: str, firm_id: str, amounts_fen: list[int]) -> list[str]:
    """One batch of one voucher for each amount; what each approval is called."""
    approvals = []
    for number, fen in enumerate(amounts_fen):
        row = {"reference_no": f"R{number}", "firm_id": firm_id, "face_value_fen": fen}
        body = {"programme_id": programme_id, "declared_count": 1, "declared_total_fen": fen, "rows": [row]}
        approvals.append(ok(city.maker.post("/v1/issuance-batches", body))["approval_id"])
    return approvals


def pressed_at_once(pairs: list[tuple[Actor, str]]) -> list[httpx.Response]:
    """Everybody approves what is his at the same moment."""
    together = threading.Barrier(len(pairs))

    def press(pair: tuple[Actor, str]) -> httpx.Response:
        official, approval_id = pair
        together.wait(timeout=30)
        return official.post(f"/v1/approvals/{approval_id}/approve")

    with ThreadPoolExecutor(len(pairs)) as pool:
        return list(pool.map(press, pairs))


def test_two_hundred_officials_pressing_at_once_issue_exactly_what_is_there(world: World) -> None:
    city = world.city()
    # Two sources at 1:1: each voucher takes from both pools, and half a voucher is left over in each.
    sources = [{"source": "provincial", "share": 1}, {"source": "municipal", "share": 1}]
    each_fen = PLANNED * GRANT_FEN // 2 + GRANT_FEN // 4
    programme_id = city.programme(appropriation_fen=each_fen, rules=rules_body(fund_sources=sources))
    approvals = submitted(city, programme_id, world.firm(), [GRANT_FEN] * OFFICIALS)
    officials = [world.person(Role.CHECKER, city.authority_id) for _ in approvals]

    answers = pressed_at_once(list(zip(officials, approvals, strict=True)))

    told = Counts((answer.status_code, answer.json().get("code")) for answer in answers)
    assert told == {(200, None): PLANNED, (409, "budget_exhausted"): OFFICIALS - PLANNED}
    left_fen = each_fen - PLANNED * GRANT_FEN // 2
    assert available_fen(world, programme_id) == {"provincial": left_fen, "municipal": left_fen}
    refused = next(answer.json() for answer in answers if answer.status_code == 409)
    assert [(place["limit"], place["actual"]) for place in refused["errors"]] == [(left_fen, GRANT_FEN // 2)]
    assert world.differences() == []


def test_officials_pressing_the_same_approval_issue_it_once(world: World) -> None:
    city = world.city()
    programme_id = city.programme(appropriation_fen=GRANT_FEN * 2)
    (approval_id,) = submitted(city, programme_id, world.firm(), [GRANT_FEN])
    officials = [world.person(Role.CHECKER, city.authority_id) for _ in range(12)]
    answers = pressed_at_once([(official, approval_id) for official in officials])
    told = Counts((answer.status_code, answer.json().get("code")) for answer in answers)
    assert told == {(200, None): 1, (409, "wrong_state"): 11}
    assert available_fen(world, programme_id) == {"local": GRANT_FEN}
    assert world.differences() == []
