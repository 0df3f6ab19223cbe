"""What the published contract says besides the routes: title, how to sign in, the problems."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from app.api.keys import KEY_PATTERN
from app.api.problems import MEDIA_TYPE, STATUS
from app.kernel.catalogue import CATALOGUE
from app.kernel.problems import Code

EXAMPLES = Path(__file__).with_name("examples.json")
"""Requests and answers of one real run of the full path, in its order; the first item names who calls."""

PUBLIC_PATHS = frozenset(
    {
        "/v1/personal-tokens/by-code",
        "/v1/second-factors",
        "/v1/second-factors/confirm",
        "/v1/rules/schema",
        "/v1/accelerators",
        "/v1/units",
        "/v1/logs/{region_code}/checkpoint",
        "/v1/logs/{region_code}/keys",
        "/v1/reports/disclosure",
        "/v1/notices",
        "/v1/notices/{notice_id}",
        "/v1/notices/{notice_id}/items",
        "/v1/notices/{notice_id}/sheet",
        "/v1/notices/{notice_id}/objections/{objection_id}",
        "/v1/allocation-rounds/{round_id}/record",
    }
)
"""Where nobody needs a token: the first are how people get one; the others are documentation, or for everybody."""
PUBLIC_OPERATIONS = frozenset({"create_objection", "create_personal_token"})
"""The same where only one operation of a path is."""
FORMS = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
REQUIRED_HEADERS = frozenset({"idempotency-key", "if-match"})
WRITTEN_OR_CHANGED = frozenset({"/v1/calendars/{year}"})
"""Where If-Match is needed for what is there only."""

DESCRIPTION = """\
Cities issue AI compute vouchers (AI算力券) and assessment vouchers (智评券) to firms, compute centres and assessment
providers redeem them, and a ledger reconciles every subsidy with the budget.

Money is an integer of fen (分). Every POST that moves money takes an `Idempotency-Key`: repeat a call with the same key
and you get the same answer, byte for byte. Lists are newest first within a region; most callers have one.
Errors are `application/problem+json`; switch on `code` only.
"""

_PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "RFC 9457. `detail` is a sentence to act on, in the language of Accept-Language (zh-CN, en).",
    "required": ["type", "title", "status", "detail", "instance", "code", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "code": {"type": "string", "enum": [str(code) for code in Code]},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "code"],
                "properties": {
                    "pointer": {"type": "string"},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                    "limit": {"type": ["string", "integer"]},
                    "actual": {"type": ["string", "integer"]},
                    "row": {"type": "integer"},
                    "column": {"type": "string"},
                },
            },
        },
    },
    "x-codes": {str(code): STATUS[row.kind] for code, row in CATALOGUE.items()},
}


_PROBLEM_BODY = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
_FIELD = {"schema": {"type": "string"}}
EDGES: dict[str, Any] = {
    "408": {"description": "The request came too slowly: `request_too_slow`", "content": _PROBLEM_BODY},
    "413": {"description": "The body is larger than this route takes: `body_too_large`", "content": _PROBLEM_BODY},
    "429": {
        "description": "Too often: `rate_limited`, or a limit of the route's own. Nothing was done; repeat it later.",
        "headers": {
            "Retry-After": {"schema": {"type": "integer"}, "description": "Seconds to wait"},
            "RateLimit": _FIELD | {"description": "What is left of each quota, and for how long (IETF draft)"},
            "RateLimit-Policy": _FIELD | {"description": "Each quota and its window in seconds (IETF draft)"},
        },
        "content": _PROBLEM_BODY,
    },
    "431": {"description": "Too many or too long header fields: `headers_too_large`", "content": _PROBLEM_BODY},
}
"""What any request may meet before it reaches its route."""


def describe(app: FastAPI) -> None:
    """Make `app.openapi()` give the full contract."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _document(app: FastAPI) -> dict[str, Any]:
    document = deepcopy(get_openapi(title="Compute vouchers", version="1", description=DESCRIPTION, routes=app.routes))
    components = document.setdefault("components", {})
    _close_tables(components.get("schemas"))
    components.setdefault("schemas", {})["Problem"] = _PROBLEM
    components["schemas"].pop("HTTPValidationError", None)
    components["schemas"].pop("ValidationError", None)
    components["securitySchemes"] = {
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "Machines: POST /oauth/token. Persons: POST /v1/personal-tokens.",
        }
    }
    components["responses"] = EDGES
    for path, operations in document["paths"].items():
        for operation in operations.values():
            _complete(operation)
            if path.startswith("/v1/"):
                _complete_under_v1(path, operation)
    _add_examples(document)
    return document


def _complete(operation: dict[str, Any]) -> None:
    _leave_out_nulls(operation)
    _close_tables(operation.get("requestBody"))
    problem = {"description": "Problem", "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
    operation["responses"].pop("422", None)
    operation["responses"].setdefault("4XX", problem)
    operation["responses"].setdefault("5XX", problem)


def _complete_under_v1(path: str, operation: dict[str, Any]) -> None:
    """What the edges answer, headers that must be there, and the token where there must be one."""
    for status in ("429", "431") if "requestBody" not in operation else ("408", "413", "429", "431"):
        operation["responses"][status] = {"$ref": f"#/components/responses/{status}"}
    for parameter in operation.get("parameters", ()):
        if parameter["name"].lower() in REQUIRED_HEADERS and path not in WRITTEN_OR_CHANGED:
            _require(parameter)
    if path not in PUBLIC_PATHS and operation["operationId"] not in PUBLIC_OPERATIONS:
        operation["security"] = [{"bearer": []}]


def _require(parameter: dict[str, Any]) -> None:
    """A header whose absence is a problem of its own is optional to the framework, and required by the contract."""
    parameter["required"] = True
    parameter["schema"] = {"type": "string"}
    if parameter["name"].lower() == "idempotency-key":
        parameter["schema"]["pattern"] = KEY_PATTERN


def _leave_out_nulls(operation: dict[str, Any]) -> None:
    """An address, a header and a form have no way to say null: what may be left out of them is optional, no more."""
    for parameter in operation.get("parameters", ()):
        parameter["schema"] = _without_null(parameter["schema"])
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        if media_type in FORMS:
            fields = content["schema"]["properties"]
            content["schema"]["properties"] = {name: _without_null(field) for name, field in fields.items()}


def _close_tables(schema: Any) -> None:
    """A table whose keys have a form takes no others, which the framework does not say."""
    if isinstance(schema, dict):
        if "patternProperties" in schema:
            schema.setdefault("additionalProperties", False)
        schema = list(schema.values())
    for part in schema if isinstance(schema, list) else ():
        _close_tables(part)


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    choices = [choice for choice in schema.get("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) != 1:
        return schema
    only: dict[str, Any] = choices[0]
    return only | {name: value for name, value in schema.items() if name not in {"anyOf", "default"}}


def _add_examples(document: dict[str, Any]) -> None:
    """Put the first recorded call of each operation into the contract."""
    operations = {
        operation["operationId"]: operation
        for by_method in document["paths"].values()
        for operation in by_method.values()
    }
    for step in reversed(json.loads(EXAMPLES.read_text())[1:]):
        operation = operations[step["operation"]]
        if step["body"] is not None:
            operation["requestBody"]["content"]["application/json"]["example"] = step["body"]
        operation["responses"][str(step["status"])]["content"]["application/json"]["example"] = step["answer"]
