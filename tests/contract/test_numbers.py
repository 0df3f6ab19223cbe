"""Every number in an address has an end: beyond it is a refusal, and never an overflow of the database's."""

from __future__ import annotations

import re
from typing import Any

from app.main import openapi_document
from tests.world import World, problem


def numbers() -> list[tuple[str, str, int]]:
    """Path, name and end of every whole number that is asked for in a query."""
    found = []
    for path, operations in openapi_document()["paths"].items():
        for parameter in operations.get("get", {}).get("parameters", ()):
            schema: dict[str, Any] = parameter["schema"]
            if parameter["in"] == "query" and schema.get("type") == "integer":
                assert "maximum" in schema, f"{path} {parameter['name']}"
                found.append((path, parameter["name"], schema["maximum"]))
    return found


def test_no_number_of_a_query_is_without_an_end(shared_world: World) -> None:
    maker = shared_world.city().maker
    asked = numbers()
    assert {name for _, name, _ in asked} >= {"cursor", "limit", "tree_size"}
    for path, name, end in asked:
        address = re.sub(r"\{\w*region_code\}", "330100", path)
        address = re.sub(r"\{year\}", "2026", re.sub(r"\{level\}", "0", address))
        address = re.sub(r"\{\w+\}", "bkl_330100_01m85r7edwejb9kg3szhzhwwdp", address)
        told = problem(maker.get(address, **{name: end + 1}), 422, "validation_failed")
        assert name in {error["pointer"].rsplit("/", 1)[-1] for error in told["errors"]}, (path, told)


def test_page_numbers_of_rows_fit_the_column() -> None:
    ends = {path: end for path, name, end in numbers() if name == "cursor"}
    assert len(ends) >= 6
    assert max(ends.values()) == 2**31 - 1
