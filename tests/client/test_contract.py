"""The client and the published contract say the same: every field, every route, every key.

After a change of the contract: `python -m tests.contract.client_models`, and a method for a new route.
"""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, get_args, get_origin, get_type_hints

import msgspec
import pytest

from app.client import VoucherClient
from app.client.wire import Again, Patience, Upload, Wire
from tests.contract.client_models import MODELS, is_page, models_text, openapi, python_name

LEFT_OUT = {
    "create_simulation",  # `voucher simulate` computes the same from a file, without the service
    "issue_access_token",  # ClientCredentials
    "read_accelerators",
    "read_authorization_server",
    "read_log_entries",  # an auditor's and a witness's, who have tools of their own
    "read_log_tile",
    "read_log_verification_keys",
    "read_metrics",
    "read_signing_keys",
    "read_units",
    "healthz",
    "readyz",
    "revoke_access_token",  # a machine's own, which ends by itself within minutes
}
"""Routes that the client does not have, by their operation."""
NOT_PASSED_ON = {"limit", "cursor", "format", "at"}
"""Query fields that are the client's own affair, or an older name of another."""
QUESTIONS = {"create_quote", "check_voucher", "check_rules", "annotate_sheet", "annotate_list"}
"""Requests by POST that change nothing and may be repeated freely."""

CONTRACT = openapi()


@dataclass(frozen=True)
class Sent:
    """What a method sends."""

    method: str
    path: str
    again: Again
    query: frozenset[str]
    form: frozenset[str]
    body: Any
    has_file: bool


class Recorded(Exception):
    def __init__(self, sent: Sent) -> None:
        self.sent = sent


class Recorder(Wire):
    """Says what would be sent instead of sending it."""

    def send(self, method: str, path: str, **parts: Any) -> NoReturn:
        again = parts.get("again", Again.FREELY)
        query, form = frozenset(parts.get("query") or ()), frozenset(parts.get("form") or ())
        raise Recorded(Sent(method, path, again, query, form, parts.get("body"), parts.get("file") is not None))


def resources(owner: object) -> Iterator[object]:
    for name, value in vars(owner).items():
        if not name.startswith("_") and name != "wire":
            yield value
            yield from resources(value)


def methods() -> Iterator[Any]:
    with VoucherClient("http://127.0.0.1:1") as client:
        client.wire.close()
        for resource in resources(client):
            for name, method in inspect.getmembers(type(resource), inspect.isfunction):
                if not name.startswith("_"):
                    yield method


def template(path: str) -> str:
    return re.sub(r"\{\w+\}", "{}", path)


OPERATIONS = {
    (method.upper(), template(path)): operation
    for path, described in CONTRACT["paths"].items()
    for method, operation in described.items()
}
METHODS = list(methods())
RECORDER = Recorder("http://127.0.0.1:1", signing=None, language="en", patience=Patience())


def sent_by(method: Any) -> Sent:
    """Call it with every argument given: a path's place with its name in braces, a body with its class."""
    hints = get_type_hints(method)
    given: dict[str, Any] = {}
    for name, parameter in list(inspect.signature(method).parameters.items())[1:]:
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            given |= dict.fromkeys(get_type_hints(get_args(hints[name])[0]), "given")
        else:
            is_file = hints[name] is Upload
            given[name] = Upload("sheet.csv", b"") if is_file else body_of(hints[name]) or f"{{{name}}}"
    try:
        answer = method(types.SimpleNamespace(_wire=RECORDER), **given)
        next(answer)
    except Recorded as recorded:
        return recorded.sent
    raise AssertionError(f"{method.__qualname__} sends nothing")


def body_of(hint: Any) -> Any:
    kinds = [hint, *get_args(hint)]
    return next((one for one in kinds if isinstance(one, type) and issubclass(one, msgspec.Struct)), None)


def operation_of(method: Any) -> tuple[dict[str, Any], Sent]:
    sent = sent_by(method)
    return OPERATIONS[sent.method, template(sent.path)], sent


def shape(schema: dict[str, Any]) -> Any:
    """What a schema of the contract is to the client."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        described = CONTRACT["components"]["schemas"][name]
        if is_page(name) or set(described.get("properties", ())) >= {"data", "next_cursor"}:
            return "each", python_name(described["properties"]["data"]["items"]["$ref"].rsplit("/", 1)[-1])
        return python_name(name)
    if schema.get("type") == "array":
        return "all", shape(schema["items"])
    return "object"


def promised(hint: Any) -> Any:
    """The same for a method's promise."""
    origin = get_origin(hint)
    if origin is Iterator:
        return "each", get_args(hint)[0].__name__
    if origin in {list, Sequence}:
        return "all", get_args(hint)[0].__name__
    return "object" if origin is dict else hint.__name__


def test_the_models_are_those_of_the_contract() -> None:
    assert MODELS.read_text(encoding="utf-8") == models_text(CONTRACT), "run python -m tests.contract.client_models"


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.__qualname__)
def test_a_method_sends_and_promises_what_its_route_says(method: Any) -> None:
    operation, sent = operation_of(method)
    parameters = operation.get("parameters", ())
    fields = {one["name"] for one in parameters if one["in"] == "query"}
    assert sent.query - NOT_PASSED_ON == fields - NOT_PASSED_ON

    content = operation.get("requestBody", {}).get("content", {})
    if sent.has_file:
        assert sent.form == set(content["multipart/form-data"]["schema"]["properties"]) - {"file"} - (
            {"dry_run"} if operation["operationId"] in QUESTIONS else set()
        )
    else:
        schema = content.get("application/json", {}).get("schema")
        choices = [shape(one) for one in schema.get("anyOf", [schema])] if schema else [None]
        assert (sent.body.__name__ if sent.body else None) in choices

    keyed = any(one["name"] == "Idempotency-Key" for one in parameters)
    assert (sent.again is Again.BY_KEY) == keyed == ("key" in inspect.signature(method).parameters)
    if sent.again is Again.FREELY and sent.method != "GET":
        assert operation["operationId"] in QUESTIONS

    described = operation["responses"]
    promise = get_type_hints(method)["return"]
    if promise is types.NoneType:
        assert not described["204"].get("content")
        return
    answers = [answer["content"] for status, answer in described.items() if status in {"200", "201"}]
    answers = answers or [described["202"]["content"]]
    if promise in {bytes, str}:
        assert "application/json" not in answers[0]
    elif method.__qualname__ == "Events.after":
        assert shape(answers[0]["application/json"]["schema"]) == ("each", "EventRead")
    else:
        assert promised(promise) == shape(answers[0]["application/json"]["schema"])


def test_the_client_has_every_route_but_those_it_leaves_out_on_purpose() -> None:
    offered = {operation_of(method)[0]["operationId"] for method in METHODS}
    assert {operation["operationId"] for operation in OPERATIONS.values()} - offered == LEFT_OUT
