"""What is held against each answer: Schemathesis' own checks, and what this service promises of every problem."""

from __future__ import annotations

import json
import re
from typing import Any

import schemathesis

from app.api.problems import MEDIA_TYPE, STATUS
from app.kernel.catalogue import CATALOGUE
from app.kernel.problems import Code

REFUSED = ["400", "401", "403", "404", "405", "409", "412", "413", "414", "415", "422", "428", "429", "431"]
"""What may become of a request that the contract does not allow."""
POSITIVE = ["2xx", "3xx", *REFUSED]
"""What may become of one that it allows: rights, state and rules refuse. `allowed_is_not_invalid` is the sharp one."""
SAYABLE = re.compile(
    r"missing|extra_forbidden|enum|literal_error|union_\w+|\w+_(type|parsing|too_long|too_short|pattern_mismatch)"
    r"|too_(long|short)|(greater|less)_than(_equal)?|multiple_of|json_invalid"
)
"""The kinds of refusal that a schema could have told beforehand."""
INSIDES = ("Traceback", "sqlalchemy", "psycopg", "pydantic", "site-packages", 'File "', "SELECT ", "INSERT INTO")
SENTENCES = ("/oauth/",)
"""Where errors are in the words of RFC 6749, section 5.2."""

CHECKS: dict[str, Any] = {
    "positive_data_acceptance": {"expected-statuses": POSITIVE},
    "negative_data_rejection": {"expected-statuses": REFUSED},
    "missing_required_header": {"expected-statuses": REFUSED},
}


@schemathesis.check
def problem_is_told(ctx: Any, response: Any, case: Any) -> None:
    """Every refusal is a problem of the catalogue under its own status, and shows nothing of the inside."""
    if response.status_code < 400 or case.operation.path.startswith(SENTENCES):
        return
    shown = response.text
    assert response.headers["content-type"][0] == MEDIA_TYPE, f"{response.status_code} is no problem: {shown[:200]}"
    problem = json.loads(shown)
    code = Code(problem["code"])
    assert STATUS[CATALOGUE[code].kind] == response.status_code, f"{code} under {response.status_code}"
    assert problem["detail"].strip(), f"{code} without a sentence"
    said = f"{case.path_parameters} {case.query} {case.body} {case.headers}"
    for word in INSIDES:
        assert word not in shown or word in said, f"{code} shows {word!r}: {shown[:500]}"


@schemathesis.check
def allowed_is_not_invalid(ctx: Any, response: Any, case: Any) -> None:
    """What the contract allows is never refused for its form: the schemas tell the truth."""
    if case.meta is None or not case.meta.generation.mode.is_positive or case.operation.path.startswith(SENTENCES):
        return
    if response.status_code not in (400, 422):
        return
    problem = json.loads(response.text)
    told = f"{problem['code']}: {json.dumps(problem.get('errors'), ensure_ascii=False)}"
    assert problem["code"] != Code.MALFORMED_REQUEST, told
    if problem["code"] == Code.VALIDATION_FAILED:
        assert not any(SAYABLE.fullmatch(error["code"]) for error in problem["errors"]), told


@schemathesis.check
def every_answer_has_its_number(ctx: Any, response: Any, case: Any) -> None:
    """By which the log of the service is searched."""
    assert response.headers.get("x-request-id"), "no X-Request-Id"
