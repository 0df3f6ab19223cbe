"""The published contract with one tenant's right requests as its examples, and his ids wherever one is asked for.

What a fuzzer makes up is refused at the door (404). So of what it makes up, some values are exchanged for real ones of
the same shape: a request that was right stays right, and one that was wrong on purpose stays wrong where it was.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import HTTP
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.matrix.forms import Sent
from tests.matrix.requests import REQUESTS, request_of
from tests.matrix.tenants import Tenant
from tests.world import rules_body

SEEDED_KEY = "seeded"
RULES = (rules_body(), rules_body(rate="1.00"), rules_body(rate="0.5", minimum_bill_fen=100))
"""Rule documents to choose from. Their own schema has more branches than a fuzzer can count (it took 3 GB to begin);
`tests/rules_documents` and `tests/rules` ask after each of them."""
ID = re.compile(r"[a-z]{3}_([0-9]{6}_)?[0-9a-z]{26}")
SHAPES: Mapping[str, re.Pattern[str]] = {
    "region_code": re.compile(r".{6}", re.DOTALL),
    "county_code": re.compile(r".{6}", re.DOTALL),
    "voucher_code": re.compile(r".{1,64}", re.DOTALL),
    "payment_code": re.compile(r".+", re.DOTALL),
}
"""Fields other than ids that mean something of the tenant's, and what a made-up value must look like."""


@dataclass(frozen=True)
class Seed:
    """A right request of one operation, taken apart."""

    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None


def label_of(route: str) -> str:
    """A route as the document names it."""
    return route.replace(":path}", "}")


def seeds_of(tenant: Tenant) -> dict[str, Seed]:
    """Operation → a right request for it."""
    return {label_of(route): _taken_apart(label_of(route), request_of(route, tenant)) for route in REQUESTS}


def _taken_apart(label: str, sent: Sent) -> Seed:
    template, address = label.split(" ", 1)[1], urlsplit(sent.path)
    names = re.findall(r"\{(\w+)\}", template)
    pattern = "".join(
        f"(?P<{part[1:-1]}>.+?)" if part.startswith("{") else re.escape(part)
        for part in re.split(r"(\{\w+\})", template)
    )
    found = re.fullmatch(pattern, address.path)
    assert found, f"{sent.path} is no {template}"
    headers = {name: value for name, value in sent.headers.items() if name == "If-Match"}
    return Seed({name: unquote(found[name]) for name in names}, dict(parse_qsl(address.query)), headers, _body(sent))


def _body(sent: Sent) -> Any:
    kind = sent.headers.get("Content-Type", "")
    if kind == "application/json":
        return json.loads(sent.content)
    if kind == "application/x-www-form-urlencoded":
        return dict(parse_qsl(sent.content.decode()))
    if not kind.startswith("multipart/"):
        return None
    message = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + sent.content, policy=HTTP)
    fields: dict[str, Any] = {}
    for part in message.iter_parts():
        name, content = part.get_param("name", header="content-disposition"), part.get_payload(decode=True)
        assert isinstance(name, str) and isinstance(content, bytes)
        fields[name] = content if part.get_filename() else content.decode()
    return fields


def seeded(document: Mapping[str, Any], seeds: Mapping[str, Seed]) -> dict[str, Any]:
    """The document with these as its examples, and no others."""
    seeded = deepcopy(dict(document))
    seeded["components"]["schemas"]["Rules"] = {"enum": list(RULES)}
    for label, operation in operations_of(seeded):
        seed = seeds[label]
        values = {"path": seed.path, "query": seed.query, "header": {**seed.headers, "Idempotency-Key": SEEDED_KEY}}
        for parameter in operation.get("parameters", ()):
            given = values[parameter["in"]].get(parameter["name"])
            if given is not None:
                parameter["example"] = _typed(given, parameter["schema"])
        for media in operation.get("requestBody", {}).get("content", {}).values():
            media.pop("example", None)
            if seed.body is not None and not any(isinstance(value, bytes) for value in _values(seed.body)):
                media["example"] = seed.body
    return seeded


def operations_of(document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each operation with its name."""
    for path, by_method in document["paths"].items():
        for method, operation in by_method.items():
            yield f"{method.upper()} {path}", operation


def _typed(given: str, schema: Mapping[str, Any]) -> Any:
    kinds = [schema, *schema.get("anyOf", ())]
    return int(given) if any(kind.get("type") == "integer" for kind in kinds) else given


def _values(body: Any) -> list[Any]:
    return list(body.values()) if isinstance(body, dict) else []


def with_real_ids(value: Any, real: Mapping[str, str], name: str = "") -> Any:
    """The same, with the tenant's own id in the place of each well-formed one of a field that names one of his."""
    if isinstance(value, dict):
        return {key: with_real_ids(inner, real, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [with_real_ids(inner, real, name.removesuffix("s")) for inner in value]
    if isinstance(value, str) and name in real and SHAPES.get(name, ID).fullmatch(value):
        return real[name]
    return value
