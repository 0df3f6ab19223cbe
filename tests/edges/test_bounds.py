"""Whatever may be many in a request has a most: of every array, of every map, and of every page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.main import openapi_document

MOST_OF_A_PAGE = 200
DOCUMENT = openapi_document()


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def unbounded(schema: dict[str, Any], place: str, within: frozenset[str] = frozenset()) -> Iterator[str]:
    """Places of arrays and maps without a most. What lists words of a closed set needs none: each may stand once."""
    if "$ref" in schema:
        if schema["$ref"] in within:
            return
        within |= {schema["$ref"]}
        place = schema["$ref"].rpartition("/")[2]
    schema = resolved(schema)
    for choice in [one for kind in ("anyOf", "oneOf", "allOf") for one in schema.get(kind, ())]:
        yield from unbounded(choice, place, within)
    if schema.get("type") == "array":
        items = schema.get("items", {})
        if "maxItems" not in schema and "enum" not in resolved(items):
            yield place
        yield from unbounded(items, place, within)
    if isinstance(schema.get("additionalProperties"), dict):
        if "enum" not in schema.get("propertyNames", {}) and not {"maxProperties", "maxLength"} & schema.keys():
            yield f"{place} (names)"
        yield from unbounded(schema["additionalProperties"], f"{place}.*", within)
    for name, of in schema.get("properties", {}).items():
        yield from unbounded(of, f"{place}.{name}", within)


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            if method != "parameters":
                yield f"{method} {path}", operation


def test_every_array_and_map_of_a_body_has_a_most() -> None:
    found = {
        place
        for at, operation in operations()
        for content in operation.get("requestBody", {}).get("content", {}).values()
        for place in unbounded(content["schema"], at)
    }
    assert found == set()


def test_every_list_that_is_asked_for_and_every_page_has_a_most() -> None:
    seen = 0
    for at, operation in operations():
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "query":
                assert list(unbounded(parameter["schema"], f"{at} {parameter['name']}")) == []
            if parameter["name"] == "limit":
                assert parameter["schema"]["maximum"] <= MOST_OF_A_PAGE, at
                seen += 1
        answer = operation["responses"].get("200", {}).get("content", {}).get("application/json", {}).get("schema", {})
        if "next_cursor" in resolved(answer).get("properties", {}):
            assert "limit" in {parameter["name"] for parameter in operation.get("parameters", ())}, at
    assert seen > 25
