"""Where a check can rightly not hold, and why: as narrow as it can be said."""

from __future__ import annotations

import re
from typing import Any

from app.main import openapi_document
from tests.fuzzing.promises import SAYABLE
from tests.fuzzing.seeding import operations_of

LABELS = [label.split(" ", 1) for label, _ in operations_of(openapi_document())]

OF_KINDS = {"POST /v1/organisations": "/profile", "POST /v1/public-notices": "/subject"}
WITH_REGION = {"GET /v1/ledger/accounts", "GET /v1/ledger/movements"}
OPAQUE = "a cursor is opaque: only one that a page has given is taken"
SHARED = "the address is also that of another operation, which knows the method: `check` stands where an id may"
BY_KIND = "which fields a profile or a subject has follows from the kind that stands beside it"
A_LIST_IN_TEXT = "a JSON list in a field of a form: the schema can but call it text"
NO_FLOAT = "JSON Schema counts 1.0 as a whole number; money and counts are refused as floats on purpose"
READ_NULL = "the fuzzer puts a null that it read in an answer into the address of another operation"
GOES_WITH = "which filter needs the region besides is said in words: some are known in many regions"
ROW_BY_ROW = "each row of a batch is answered by itself: a wrong one is refused within the answer to all"
BY_PERSON = "a person without a second factor gives his password, one with it his code: the form cannot know who asks"


def reason_for(check: str, failure: Any, case: Any) -> str | None:
    """Why this failure of a check is none, or None."""
    told, label = str(failure.message), case.operation.label
    if check == "allowed_is_not_invalid":
        if "malformed_request: null" in told and "cursor" in case.query:
            return OPAQUE
        if any(value in (None, "null") for value in case.path_parameters.values()):
            return READ_NULL
        if label in WITH_REGION and _all_below(told, "/query/region_code"):
            return GOES_WITH
        if label.split(" ")[0] != "GET" and _only_written_as_floats(told):
            return NO_FLOAT
        if label in OF_KINDS and _all_below(told, OF_KINDS[label]):
            return BY_KIND
        if label.endswith("/simulations") and case.media_type == "multipart/form-data" and "versions" in case.body:
            return A_LIST_IN_TEXT
        if label == "POST /v1/personal-tokens/step-up" and _all_below(told, "/password"):
            return BY_PERSON
    if check == "negative_data_rejection" and label == "POST /v1/redemptions:batch" and _has_rows(case.body):
        return ROW_BY_ROW
    if check in {"unsupported_method", "allow_header_conformance"} and _is_shared(case):
        return SHARED
    return None


def _only_written_as_floats(told: str) -> bool:
    """Whether a whole number with a decimal point is all that a schema could have told."""
    found = re.findall(r'"code": "(\w+)"(?:[^{}]*"actual": "([^"]*)")?', told)
    sayable = [(code, actual) for code, actual in found if SAYABLE.fullmatch(code)]
    return all(code.endswith("_type") and re.fullmatch(r"-?\d+\.0", actual) for code, actual in sayable)


def _has_rows(body: Any) -> bool:
    return isinstance(body, dict) and isinstance(body.get("redemptions"), list) and bool(body["redemptions"])


def _all_below(told: str, pointer: str) -> bool:
    return all(found.startswith(pointer) for found in re.findall(r'"pointer": "([^"]*)"', told))


def _is_shared(case: Any) -> bool:
    """Whether the address is one of another operation too."""
    asked = case.formatted_path
    return any(
        re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", path), asked) for _, path in LABELS if path != case.operation.path
    )
