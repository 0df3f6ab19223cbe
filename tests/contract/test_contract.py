"""The published contract is the code's, is valid, and its examples are really accepted."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from app.api.documentation import EXAMPLES
from app.kernel.places import WIRE_FORMS
from app.kernel.problems import Code
from app.main import openapi_document
from tests.contract.full_path import people
from tests.world import World

PUBLISHED = Path(__file__).parents[2] / "openapi" / "openapi.json"
RECORDED: list[dict[str, Any]] = json.loads(EXAMPLES.read_text())
STEPS = RECORDED[1:]

PUBLIC = {
    "issue_access_token",
    "revoke_access_token",
    "read_signing_keys",
    "read_authorization_server",
    "create_personal_token",
    "create_personal_token_by_code",
    "begin_second_factor",
    "confirm_second_factor",
    "read_rules_schema",
    "read_accelerators",
    "read_units",
    "healthz",
    "readyz",
    "read_metrics",
    "read_log_checkpoint",
    "read_log_verification_keys",
    "read_disclosure",
    "read_shown_notices",
    "read_shown_notice",
    "read_shown_items",
    "read_shown_sheet",
    "create_objection",
    "read_received_objection",
    "read_round_record",
}
"""Operations that need no token: whoever adds one has to say so here."""


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(json.dumps(openapi_document()))
    return read


def test_the_published_file_is_the_codes_contract(document: dict[str, Any]) -> None:
    assert json.loads(PUBLISHED.read_text()) == document, "run `make openapi` and read the difference"


def test_it_is_valid_openapi(document: dict[str, Any]) -> None:
    validate(document)


def test_no_reference_points_nowhere(document: dict[str, Any]) -> None:
    """The validator above does not look: each must be a part of this very document."""
    references = set(re.findall(r'"\$ref": "([^"]*)"', json.dumps(document)))
    assert references
    for reference in references:
        part: Any = document
        for name in reference.removeprefix("#/").split("/"):
            assert name in part, reference
            part = part[name]


BOUNDS = {
    "string": {"minLength", "maxLength"},
    "array": {"minItems", "maxItems"},
    "object": {"minProperties", "maxProperties"},
}


def test_every_bound_is_one_of_its_type(document: dict[str, Any]) -> None:
    """`maxLength` of an object says nothing in JSON Schema: a reader would send more than is taken."""
    parts: list[tuple[str, Any]] = [("", document)]
    strange = []
    for place, part in parts:
        inner = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
        parts += [(f"{place}/{name}", value) for name, value in inner]
        if isinstance(part, dict) and isinstance(part.get("type"), str):
            others = set().union(*(bounds for name, bounds in BOUNDS.items() if name != part["type"]))
            strange += [f"{place}: {bound} of {part['type']}" for bound in sorted(others & part.keys())]
    assert strange == []


def test_what_is_sent_as_text_is_never_null(document: dict[str, Any]) -> None:
    """An address, a header and a form have no way to say it."""
    for operations in document["paths"].values():
        for operation in operations.values():
            sent = [parameter["schema"] for parameter in operation.get("parameters", ())]
            for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
                if media_type != "application/json":
                    sent += content["schema"]["properties"].values()
            assert '{"type": "null"}' not in json.dumps(sent), operation["operationId"]


def test_every_operation_says_how_to_sign_in(document: dict[str, Any]) -> None:
    without = {
        operation["operationId"]
        for operations in document["paths"].values()
        for operation in operations.values()
        if not operation.get("security")
    }
    assert without == PUBLIC


def test_every_problem_code_is_listed(document: dict[str, Any]) -> None:
    assert document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"] == [str(code) for code in Code]


def test_unknown_fields_are_refused_in_every_request(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    bodies = [
        content["schema"]["$ref"].rsplit("/", 1)[1]
        for operations in document["paths"].values()
        for operation in operations.values()
        for content in operation.get("requestBody", {}).get("content", {}).values()
        if "$ref" in content["schema"]
    ]
    assert bodies
    assert [name for name in bodies if schemas[name].get("additionalProperties") is not False] == []


def test_every_form_that_is_told_in_words_is_one_of_a_request(document: dict[str, Any]) -> None:
    patterns = re.findall(r'"pattern": ("(?:[^"\\]|\\.)*")', json.dumps(document))
    assert set(WIRE_FORMS) <= {json.loads(pattern) for pattern in patterns}


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step["operation"])
def test_examples_fit_their_schemas(document: dict[str, Any], step: dict[str, Any]) -> None:
    operation = _operation(document, step["operation"])
    answer = operation["responses"][str(step["status"])]["content"]["application/json"]["schema"]
    _validate(document, answer, step["answer"])
    if step["body"] is not None:
        _validate(document, operation["requestBody"]["content"]["application/json"]["schema"], step["body"])


def test_the_examples_are_the_full_path_and_really_accepted(world: World) -> None:
    actors = people(world)
    own: dict[str, str] = {}
    for name, ids in RECORDED[0]["actors"].items():
        own |= dict(zip(ids, (actors[name].id, actors[name].organisation_id), strict=True))
    for number, step in enumerate(STEPS, start=1):
        response = actors[step["actor"]].http.request(
            step["method"],
            _translated(step["path"], own),
            json=_translated(step["body"], own),
            headers={"Idempotency-Key": f"example-{number}"},
        )
        assert response.status_code == step["status"], f"{number} {step['operation']}: {response.text}"
        _learn(step["answer"], response.json(), own)
    assert world.differences() == []


def _operation(document: dict[str, Any], operation_id: str) -> dict[str, Any]:
    return next(
        operation
        for operations in document["paths"].values()
        for operation in operations.values()
        if operation["operationId"] == operation_id
    )


def _validate(document: dict[str, Any], schema: dict[str, Any], value: Any) -> None:
    Draft202012Validator({**schema, "components": document["components"]}).validate(value)


def _translated(value: Any, own: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _translated(item, own) for key, item in value.items()}
    if isinstance(value, list):
        return [_translated(item, own) for item in value]
    if isinstance(value, str):
        for recorded, actual in own.items():
            value = value.replace(recorded, actual)
    return value


def _learn(recorded: Any, actual: Any, own: dict[str, str]) -> None:
    """Which id of this run stands where the recorded one stood; numbers and shapes must be the same."""
    assert type(recorded) is type(actual), f"{recorded!r} / {actual!r}"
    if isinstance(recorded, dict):
        assert recorded.keys() == actual.keys()
        for key, item in recorded.items():
            _learn(item, actual[key], own)
    elif isinstance(recorded, list):
        assert len(recorded) == len(actual)
        for one, other in zip(recorded, actual, strict=True):
            _learn(one, other, own)
    elif isinstance(recorded, str):
        if recorded != actual and ("_" in recorded or recorded.startswith("330100-")) and " " not in recorded:
            own.setdefault(recorded, actual)
    else:
        assert recorded == actual
