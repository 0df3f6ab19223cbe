"""Many redemptions in one request: an answer per row, no row touching another, repetitions harmless."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from app.kernel.vocabulary import Role
from tests.world import NINGBO, Counter, World, bill_body, counter, ok, problem, redemption_body

PATH = "/v1/redemptions:batch"


@pytest.fixture
def desk(world: World) -> Counter:
    return counter(world.city(), face_value_fen=30_000_000)


def send(desk: Counter, rows: list[Any], *, key: str | None = None) -> httpx.Response:
    return desk.machine.post(PATH, {"redemptions": rows}, key=key)


def rows_of(desk: Counter, count: int, total_fen: int = 1_000) -> list[dict[str, Any]]:
    return [redemption_body(desk.voucher["code"], total_fen, order_no=f"o{n}") for n in range(count)]


def statuses(response: httpx.Response) -> list[int]:
    return [row["status"] for row in ok(response)["data"]]


def test_every_row_is_answered_at_its_place(world: World, desk: Counter) -> None:
    data = ok(send(desk, rows_of(desk, 3, 20_000)))["data"]
    assert [(row["index"], row["status"]) for row in data] == [(0, 201), (1, 201), (2, 201)]
    assert [row["body"]["order_no"] for row in data] == ["o0", "o1", "o2"]
    assert [row["body"]["subsidy_fen"] for row in data] == [6_000] * 3
    for row in data:
        assert ok(desk.machine.get(f"/v1/redemptions/{row['body']['id']}")) == row["body"]
    assert desk.balance_fen() == 30_000_000 - 18_000
    assert world.differences() == []


def test_a_row_that_is_refused_or_not_valid_touches_no_other(world: World, desk: Counter) -> None:
    code = desk.voucher["code"]
    good = rows_of(desk, 8)
    rows: list[Any] = [
        good[0],
        good[1] | {"bill": bill_body(1_000, "storage")},
        good[2] | {"voucher_code": "330100-0000-0000-0001"},
        good[3] | {"bill": bill_body(1_000) | {"total_fen": 999}},
        good[4] | {"order_no": "o0"},
        "not an object",
        good[5] | {"bill": bill_body(1_000) | {"total_fen": 1_000.5}},
        good[6] | {"vouchercode": code},
        good[7],
    ]
    data = ok(send(desk, rows))["data"]
    assert [row["status"] for row in data] == [201, 422, 422, 422, 409, 422, 422, 422, 201]
    codes = [row["body"].get("code") for row in data]
    assert codes == [
        None,
        "category_not_covered",
        "validation_failed",
        "validation_failed",
        "order_no_already_used",
        "validation_failed",
        "validation_failed",
        "validation_failed",
        None,
    ]
    assert data[4]["body"]["redemption_id"] == data[0]["body"]["id"]
    assert [error["pointer"] for error in data[6]["body"]["errors"]] == ["/bill/total_fen"]
    assert [error["pointer"] for error in data[7]["body"]["errors"]] == ["/vouchercode"]
    assert {row["body"]["instance"] for row in data if row["status"] != 201} == {PATH}
    assert desk.balance_fen() == 30_000_000 - 600
    assert world.differences() == []


def test_a_repetition_gets_the_same_bytes_and_spends_nothing(world: World, desk: Counter) -> None:
    rows = rows_of(desk, 5)
    rows[3] |= {"bill": bill_body(1_000, "storage")}
    first, again = send(desk, rows, key="K"), send(desk, rows, key="K")
    assert again.content == first.content
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert desk.balance_fen() == 30_000_000 - 4 * 300
    assert world.differences() == []


def test_a_corrected_row_goes_with_the_same_key_and_the_decided_ones_stay(world: World, desk: Counter) -> None:
    rows = rows_of(desk, 3)
    wrong = [rows[0], rows[1] | {"order_no": ""}, rows[2]]
    first = ok(send(desk, wrong, key="K"))["data"]
    second = ok(send(desk, rows, key="K"))["data"]
    assert [row["status"] for row in first] == [201, 422, 201]
    assert [row["status"] for row in second] == [201, 201, 201]
    assert (second[0], second[2]) == (first[0], first[2])
    assert desk.balance_fen() == 30_000_000 - 900
    assert world.differences() == []


def test_a_row_that_became_another_command_is_refused_alone(desk: Counter) -> None:
    rows = rows_of(desk, 3)
    ok(send(desk, rows, key="K"))
    swapped = [rows[0], rows[2], rows[1], *rows_of(desk, 4)[3:]]
    data = ok(send(desk, swapped, key="K"))["data"]
    assert [row["status"] for row in data] == [201, 422, 422, 201]
    assert [data[n]["body"]["code"] for n in (1, 2)] == ["idempotency_key_reused"] * 2


def test_a_batch_and_a_lone_redemption_may_use_the_same_key(desk: Counter) -> None:
    first, second = rows_of(desk, 2)
    ok(desk.machine.post("/v1/redemptions", first, key="K/0"))
    assert statuses(send(desk, [second], key="K")) == [201]


def test_rows_draw_the_last_fen_once(world: World) -> None:
    desk = counter(world.city(), face_value_fen=1_000, rate="1.00")
    data = ok(send(desk, rows_of(desk, 12, 300)))["data"]
    drawn = [row["body"]["subsidy_fen"] for row in data if row["status"] == 201]
    assert sorted(drawn) == [100, 300, 300, 300]
    assert {row["body"]["code"] for row in data if row["status"] != 201} == {"insufficient_balance"}
    assert desk.balance_fen() == 0
    assert world.differences() == []


def test_twin_batches_have_one_effect_and_one_answer(world: World, desk: Counter) -> None:
    rows = rows_of(desk, 40)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: send(desk, rows, key="K"), range(6)))
    assert len({answer.content for answer in answers}) == 1
    assert statuses(answers[0]) == [201] * 40
    assert desk.balance_fen() == 30_000_000 - 40 * 300
    assert world.differences() == []


def test_a_thousand_rows_and_vouchers_of_two_regions(world: World, desk: Counter) -> None:
    """More than one transaction of the desk; each region keeps its own keys."""
    elsewhere = counter(world.city(NINGBO), face_value_fen=1_000_000)
    elsewhere.city.admit(elsewhere.programme_id, desk.machine.organisation_id)
    mandate = {"provider_id": desk.machine.organisation_id, "limit_fen": 1_000_000}
    ok(elsewhere.manager.post(f"/v1/vouchers/{elsewhere.voucher['id']}/mandates", mandate))
    codes = [desk.voucher["code"], elsewhere.voucher["code"]]
    rows = [redemption_body(codes[n % 2], 1_000, order_no=f"o{n}") for n in range(1_000)]
    data = ok(send(desk, rows))["data"]
    assert [row["status"] for row in data] == [201] * 1_000
    assert [row["body"]["order_no"] for row in data] == [f"o{n}" for n in range(1_000)]
    assert desk.balance_fen() == 30_000_000 - 500 * 300
    assert elsewhere.balance_fen() == 1_000_000 - 500 * 300
    assert world.differences() == []


@pytest.mark.parametrize(
    ("count", "code", "limit"),
    [(0, "too_short", 1), (1_001, "too_long", 1_000)],
)
def test_none_and_more_than_a_thousand_rows_are_refused_whole(desk: Counter, count: int, code: str, limit: int) -> None:
    refusal = problem(send(desk, rows_of(desk, count)), 422, "validation_failed")
    (error,) = refusal["errors"]
    assert error["pointer"] == "/redemptions"
    assert (error["code"], error["limit"], error["actual"]) == (code, limit, count)
    assert desk.balance_fen() == 30_000_000


def test_a_batch_needs_a_key_and_a_provider(world: World, desk: Counter) -> None:
    body = {"redemptions": rows_of(desk, 1)}
    problem(desk.machine.http.post(PATH, json=body), 400, "idempotency_key_missing")
    official = world.person(Role.MAKER, world.firm())
    problem(official.post(PATH, body), 403, "forbidden")
    assert desk.balance_fen() == 30_000_000


def test_many_wrong_places_of_a_row_are_counted_and_the_first_are_told(desk: Counter) -> None:
    row = redemption_body(desk.voucher["code"], 1_000) | {f"extra_{n}": n for n in range(50)}
    (answer,) = ok(send(desk, [row]))["data"]
    assert "50" in answer["body"]["detail"]
    assert len(answer["body"]["errors"]) == 20
