"""Simulations over HTTP: a maker's what-if, by JSON or file, with nothing left behind."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import httpx
import pytest

from app.api import simulations
from app.kernel.vocabulary import Role
from tests.world import NINGBO, Actor, City, World, ok, problem, programme_body, rules_body

CSV = "at,firm,category,amount_yuan\n2026-03-01,A,training,1000\n2026-04-01,B,training,2000\n"


@pytest.fixture
def city(world: World) -> City:
    return world.city()


def bill(firm: str, fen: int, at: str = "2026-03-01T02:00:00Z", **changes: Any) -> dict[str, Any]:
    return {"at": at, "firm": firm, "lines": [{"category": "training", "amount_fen": fen}]} | changes


def path(programme_id: str) -> str:
    return f"/v1/programmes/{programme_id}/simulations"


def version_of(city: City, programme_id: str) -> str:
    found: str = ok(city.maker.get(f"/v1/programmes/{programme_id}/rule-versions"))[0]["id"]
    return found


def upload(maker: Actor, programme_id: str, data: bytes, versions: list[Any], **fields: str) -> httpx.Response:
    return maker.http.post(
        path(programme_id),
        files={"file": ("bills.csv", data)},
        data={"versions": json.dumps(versions), **fields},
    )


def test_a_draft_version_is_compared_with_the_published_one(city: City) -> None:
    programme_id = city.programme()
    version_id = version_of(city, programme_id)
    body = {
        "versions": [version_id, rules_body(rate="0.20")],
        "bills": [bill("A", 100_000), bill("B", 200_000, at="2026-03-31T16:30:00Z")],
    }
    found = ok(city.maker.post(path(programme_id), body))
    first, second = found["versions"]
    assert (first["rule_version_id"], second["rule_version_id"]) == (version_id, None)
    assert (first["subsidy_fen"], second["subsidy_fen"]) == (90_000, 60_000)
    assert [(month["month"], month["subsidy_fen"]) for month in first["months"]] == [
        ("2026-03", 30_000),
        ("2026-04", 60_000),
    ]
    assert found["comparison"]["difference_fen"] == -30_000
    assert [one["firm"] for one in found["comparison"]["lose_most"]] == ["B", "A"]
    assert (found["stored"], found["programme_id"]) == (False, programme_id)


def test_the_budget_is_the_requests_else_the_appropriation_else_none(city: City) -> None:
    rules, bills = [rules_body()], [bill("A", 100_000)]
    funded = city.programme(appropriation_fen=20_000)
    asked = ok(city.maker.post(path(funded), {"versions": rules, "bills": bills, "budget_fen": 5_000}))
    assert (asked["budget_fen"], asked["budget_from"], asked["versions"][0]["subsidy_fen"]) == (5_000, "request", 5_000)
    own = ok(city.maker.post(path(funded), {"versions": rules, "bills": bills}))
    assert (own["budget_fen"], own["budget_from"], own["versions"][0]["subsidy_fen"]) == (
        20_000,
        "appropriation",
        20_000,
    )
    assert own["versions"][0]["runs_out_on"] == "2026-03-01"
    unfunded = city.programme(appropriation_fen=None)
    free = ok(city.maker.post(path(unfunded), {"versions": rules, "bills": bills}))
    assert (free["budget_fen"], free["budget_from"], free["versions"][0]["left_fen"]) == (None, "none", None)


def test_a_draft_programme_is_simulated_before_it_is_published(city: City) -> None:
    programme_id = ok(city.maker.post("/v1/programmes", programme_body(city)))["id"]
    body = {"versions": [version_of(city, programme_id)], "bills": [bill("A", 100_000)]}
    assert ok(city.maker.post(path(programme_id), body))["versions"][0]["subsidy_fen"] == 30_000


def test_a_file_is_simulated_like_json(city: City) -> None:
    programme_id = city.programme()
    found = ok(upload(city.maker, programme_id, CSV.encode(), [rules_body()], budget_fen="50000"))
    assert (found["budget_fen"], found["comparison"]) == (50_000, None)
    assert (found["versions"][0]["billed_fen"], found["versions"][0]["subsidy_fen"]) == (300_000, 50_000)


def test_a_hundred_thousand_bills_fit_into_one_upload(city: City) -> None:
    programme_id = city.programme()
    rows = "".join(f"2026-{1 + n % 12:02d}-15,F{n % 700},training,12.34\n" for n in range(100_000))
    data = f"at,firm,category,amount_yuan\n{rows}".encode()
    answers: list[httpx.Response] = []
    slow = threading.Thread(target=lambda: answers.append(upload(city.maker, programme_id, data, [rules_body()])))
    slow.start()
    while not simulations._ONE_AT_A_TIME.locked() and slow.is_alive():
        time.sleep(0.005)
    # While it runs the service answers others, and refuses a second simulation.
    ok(city.checker.get(f"/v1/programmes/{programme_id}"))
    twin = city.maker.post(path(programme_id), {"versions": [rules_body()], "bills": [bill("A", 1)]})
    problem(twin, 503, "busy")
    assert twin.headers["Retry-After"] == "10"
    slow.join()
    found = ok(answers[0])["versions"][0]
    assert (found["bills"], found["firms"]) == (100_000, 700)
    # 1,234 fen × 30 % = 370.2 → 370 each, and the appropriation of 1,000,000 yuan suffices.
    assert found["subsidy_fen"] == 37_000_000


def test_only_a_maker_of_the_programme_may_ask(world: World, city: City) -> None:
    programme_id = city.programme()
    body = {"versions": [rules_body()], "bills": [bill("A", 1)]}
    for other in (city.checker, city.finance, world.person(Role.FIRM, world.firm())):
        problem(other.post(path(programme_id), body), 403, "forbidden")
    problem(world.city(NINGBO).maker.post(path(programme_id), body), 404, "not_found")
    problem(city.maker.post(path("prg_330100_00000000000000000000000000"), body), 404, "not_found")
    assert world.anonymous().post(path(programme_id), json=body).status_code == 401


@pytest.mark.parametrize(
    ("change", "pointers"),
    [
        ({"versions": []}, ["/versions"]),
        ({"versions": [rules_body()] * 3}, ["/versions"]),
        ({"versions": [rules_body(rate="1.3")]}, ["/versions/0/rate/rate"]),
        ({"versions": ["rul_330100_00000000000000000000000000"]}, ["/versions/0"]),
        ({"bills": []}, ["/bills"]),
        ({"bills": [bill("A", 0), bill("B", 1, colour="red")]}, ["/bills/0/lines/0/amount_fen", "/bills/1/colour"]),
        ({"bills": [bill("A", 1, holder={"shoe_size": "43"})]}, ["/bills/0/holder/shoe_size"]),
        ({"budget_fen": -1}, ["/budget_fen"]),
        ({"budget_fen": 1.5}, ["/budget_fen"]),
        ({"when": "now"}, ["/when"]),
    ],
)
def test_bad_input_is_refused_with_every_place(
    shared_world: World, change: dict[str, Any], pointers: list[str]
) -> None:
    city = shared_world.city()
    body = {"versions": [rules_body()], "bills": [bill("A", 1)]} | change
    refused = problem(city.maker.post(path(city.programme()), body), 422, "validation_failed")
    assert [error["pointer"] for error in refused["errors"]] == pointers


def test_a_bad_file_is_refused_row_by_row_in_the_readers_language(city: City) -> None:
    programme_id = city.programme()
    data = b"at,firm,category,amount_yuan\n2026-03-01,A,training,x\nnever,B,training,1\n"
    refused = problem(upload(city.maker, programme_id, data, [rules_body()]), 422, "sheet_invalid")
    assert [(error["row"], error["column"]) for error in refused["errors"]] == [(2, "amount_yuan"), (3, "at")]
    assert refused["errors"][0]["detail"] == "x is no amount above 0."
    problem(upload(city.maker, programme_id, b"\x00\x01", [rules_body()]), 422, "file_unreadable")
    problem(upload(city.maker, programme_id, CSV.encode(), [rules_body()], budget_fen="1.5"), 422, "validation_failed")
    problem(upload(city.maker, programme_id, CSV.encode(), ["x"]), 422, "validation_failed")
    text = city.maker.http.post(path(programme_id), content=b"x", headers={"Content-Type": "text/plain"})
    problem(text, 415, "unsupported_media_type")
    broken = city.maker.http.post(path(programme_id), content=b"{", headers={"Content-Type": "application/json"})
    problem(broken, 400, "malformed_request")


def test_nothing_is_stored(world: World, city: City) -> None:
    programme_id = city.programme()
    before = ok(city.maker.get(f"/v1/programmes/{programme_id}/rule-versions"))
    ok(city.maker.post(path(programme_id), {"versions": [rules_body(rate="0.1")], "bills": [bill("A", 100)]}))
    assert ok(city.maker.get(f"/v1/programmes/{programme_id}/rule-versions")) == before
    assert world.differences() == []
