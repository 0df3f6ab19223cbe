"""The benchmark's load generator: what it sends is what a provider would send, what it counts is what came back."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from app.api.redemptions import RedemptionCreate
from app.kernel.codes import new_code
from benchmarks.redemptions.generator import Connection, Plan, Requests

CODES = (new_code("330100"), new_code("330100"))


def plan(*, rows: int = 0) -> Plan:
    return Plan(
        host="127.0.0.1",
        port=8000,
        tokens=["t0", "t1"],
        targets=[(code, place) for place, code in enumerate(CODES)],
        clients=1,
        seconds=1,
        warm_s=0,
        name="n",
        seed=1,
        rows=rows,
    )


def read(request: bytes) -> tuple[dict[str, str], bytes]:
    head, _, body = request.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")[1:]
    return dict(line.split(": ", 1) for line in lines), body


def test_every_request_is_a_redemption_with_a_key_and_a_number_of_its_own() -> None:
    following, keys, bodies = Requests(plan()), set(), []
    for _ in range(2_000):
        headers, body = read(following())
        assert int(headers["Content-Length"]) == len(body)
        keys.add(headers["Idempotency-Key"])
        bodies.append(json.loads(body))
        trusted = CODES.index(bodies[-1]["voucher_code"])
        assert headers["Authorization"] == f"Bearer t{trusted}"
    assert len(keys) == len({body["order_no"] for body in bodies}) == 2_000
    for body in bodies:
        RedemptionCreate.model_validate(body)


def test_a_batch_holds_rows_of_one_provider() -> None:
    headers, body = read(Requests(plan(rows=3))())
    rows = json.loads(body)["redemptions"]
    assert int(headers["Content-Length"]) == len(body)
    assert [row["order_no"] for row in rows] == ["n-1-0", "n-1-1", "n-1-2"]
    assert len({row["voucher_code"] for row in rows}) == 1


@pytest.mark.parametrize("cut", [1, 20, 60, 10_000])
def test_an_answer_in_pieces_is_counted_once(cut: int) -> None:
    body = b'{"data":[{"index":0,"status":201,"body":{}},{"index":1,"status":409,"body":{"status":409}}]}'
    answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body
    counted: list[tuple[int, int]] = []
    connection = Connection(lambda _, status, created: counted.append((status, created)), lambda: None)
    for at in range(0, len(answer), cut):
        connection.data_received(answer[at : at + cut])
    assert counted == [(200, 1)]


@pytest.mark.parametrize(
    ("benchmark", "told"),
    [
        (("benchmarks.reconciliation", "--entries=300", "--rounds=1"), "all invariants"),
        (("benchmarks.verify", "--leaves=300", "--rounds=1"), "leaves/s"),
    ],
)
def test_a_small_run_ends_with_right_books(benchmark: tuple[str, ...], told: str) -> None:
    run = subprocess.run([sys.executable, "-m", *benchmark], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert told in run.stdout
