"""What is not JSON is malformed on every route that takes a key: 400, nothing is stored, and the key stays free."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import text

from app.main import openapi_document
from tests.contract.full_path import people
from tests.world import World, problem

NOT_JSON = (
    b"",
    b"null",
    b"  ",
    b"NaN",
    b"{",
    b"'x'",
    b"\xff",
    b'{"total_fen": NaN}',
    b'{"redemptions": [NaN]}',
    b'{"a": -Infinity}',
)
JSON_BUT_WRONG = (b"[]", b"5", b'"NaN"', b'{"NaN": 1}')
JSON = {"Content-Type": "application/json"}


def routes() -> list[str]:
    """Every path whose POST wants an Idempotency-Key and takes JSON, with some id in each place."""
    found = []
    for path, operations in openapi_document()["paths"].items():
        post: dict[str, Any] = operations.get("post", {})
        named = {parameter["name"] for parameter in post.get("parameters", ())}
        if "Idempotency-Key" in named and "application/json" in post.get("requestBody", {}).get("content", {}):
            found.append(re.sub(r"\{\w+\}", _SOME_ID, path))
    return found


_SOME_ID = "vch_330100_01m85r7edwejb9kg3szhzhwwdp"


def test_what_is_not_json_is_malformed_on_every_route_with_a_key(world: World) -> None:
    paths = routes()
    optional = {path for path in paths if path.endswith("/approve")}  # whose body may be left out, which null says too
    assert {"/v1/redemptions", "/v1/redemptions:batch", "/v1/holds", "/v1/issuance-batches"} <= set(paths)
    maker = people(world)["maker"]
    for path in paths:
        for content in NOT_JSON[2 if path in optional else 0 :]:
            answer = maker.http.post(path, content=content, headers=JSON | {"Idempotency-Key": "K"})
            assert answer.status_code == 400, (path, content, answer.text)
            problem(answer, 400, "malformed_request")
        for content in JSON_BUT_WRONG:
            answer = maker.http.post(path, content=content, headers=JSON | {"Idempotency-Key": "K"})
            assert answer.status_code in {403, 422}, (path, content, answer.text)
    assert (
        world.database.transact(lambda tx: tx.execute(text("SELECT count(*) FROM idempotency_keys")).scalar_one()) == 0
    )
