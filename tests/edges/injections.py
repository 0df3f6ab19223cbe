"""Bodies made from the OpenAPI document, with something evil in every text field."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

SQL = "'; DROP TABLE vouchers; --"
TEMPLATE = "{{7*7}}${7*7}#{7*7}<%= 7*7 %>{% for x in ().__class__.__base__.__subclasses__() %}"
SCRIPT = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
FORMULA = "=HYPERLINK(\"http://evil.example\")|'+cmd|' /C calc'!A0"
HEADER = "x\r\nSet-Cookie: evil=1\r\n\r\n<html>"
FORMAT = "%s%n%x {0.__class__} \\u0041 \x1b[31m \u202e\ufeff\U0001f4a3"
EVIL = (SQL, TEMPLATE, SCRIPT, FORMULA, HEADER, FORMAT)


def bodies(document: dict[str, Any]) -> Iterator[tuple[str, str, str, Any]]:
    """Method, path template, operation and a body for each that takes JSON; three of the evil texts by turns."""
    turns = count()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            if schema is not None:
                turn = next(turns)
                for evil in (EVIL[turn % 6], EVIL[(turn + 2) % 6], EVIL[(turn + 4) % 6]):
                    yield method, path, operation["operationId"], made(document, schema, evil)


def queries(document: dict[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """Path template and names of the query fields of each GET."""
    for path, operations in document["paths"].items():
        if "get" in operations:
            given = operations["get"].get("parameters", ())
            yield path, [parameter["name"] for parameter in given if parameter["in"] == "query"]


def made(document: dict[str, Any], schema: dict[str, Any], evil: str, depth: int = 0) -> Any:
    """A value of a schema; texts are evil, whatever their pattern says."""
    if "$ref" in schema:
        return made(document, document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], evil, depth)
    if "const" in schema or "enum" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    choices = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
    if choices:
        return made(document, choices[0], evil, depth)
    match schema.get("type"):
        case "object" if depth < 6:
            fields = {name: made(document, of, evil, depth + 1) for name, of in schema.get("properties", {}).items()}
            return fields if "properties" in schema else {evil: evil}
        case "array" if depth < 6:
            return [made(document, schema.get("items", {}), evil, depth + 1)]
        case "integer":
            return max(1, schema.get("minimum", 1))
        case "boolean":
            return True
        case "string":
            return evil
    return None
