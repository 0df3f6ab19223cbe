"""Problems on the wire: RFC 9457 for everything that is not a success, in the reader's language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from app.database import CommitUnknown
from app.kernel.catalogue import CATALOGUE
from app.kernel.places import field_error, field_errors, in_language, joined, places_of, told
from app.kernel.problems import AppError, Code, FieldError, Kind, Scalar
from app.kernel.wording import NOT_JSON, Language, detail, title
from app.services.idempotency import Answer
from app.services.identity.public_keys import ALGORITHMS

MEDIA_TYPE = "application/problem+json"

STATUS: dict[Kind, int] = {
    Kind.MALFORMED: 400,
    Kind.UNAUTHENTICATED: 401,
    Kind.FORBIDDEN: 403,
    Kind.MISSING: 404,
    Kind.GONE: 410,
    Kind.WRONG_METHOD: 405,
    Kind.CONFLICT: 409,
    Kind.STALE: 412,
    Kind.UNCONDITIONAL: 428,
    Kind.TOO_LARGE: 413,
    Kind.WRONG_MEDIA: 415,
    Kind.ADDRESS_TOO_LONG: 414,
    Kind.HEADERS_TOO_LARGE: 431,
    Kind.TOO_SLOW: 408,
    Kind.WRONG_HOST: 421,
    Kind.INVALID: 422,
    Kind.REFUSED: 422,
    Kind.THROTTLED: 429,
    Kind.UNAVAILABLE: 503,
    Kind.BUG: 500,
}
assert set(STATUS) == set(Kind), "every kind has its status"

STORED_KINDS = frozenset({Kind.CONFLICT, Kind.REFUSED})
"""Refusals by rule or state stay refused under their key."""
NEVER_STORED = frozenset({Code.REQUEST_IN_PROGRESS, Code.REPLAY_EXPIRED})
"""Except those that are about the key itself."""


DPOP_CHALLENGES: dict[Code, str] = {
    Code.DPOP_PROOF_INVALID: "invalid_dpop_proof",
    Code.DPOP_NONCE_NEEDED: "use_dpop_nonce",
}
"""What is wrong with a proof, in the words of RFC 9449, section 7.1."""
DPOP_ALGS = " ".join(sorted(ALGORITHMS.values()))
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
JSON = "JSON (RFC 8259)"
MAX_EXACT = 2**53 - 1
KEY_HEADER = "/header/Idempotency-Key"
POINTERS: dict[Code, str] = {
    Code.IDEMPOTENCY_KEY_MISSING: KEY_HEADER,
    Code.IDEMPOTENCY_KEY_INVALID: KEY_HEADER,
    Code.IDEMPOTENCY_KEY_REUSED: KEY_HEADER,
    Code.REQUEST_IN_PROGRESS: KEY_HEADER,
    Code.REPLAY_EXPIRED: KEY_HEADER,
    Code.ETAG_MISSING: "/header/If-Match",
    Code.ETAG_STALE: "/header/If-Match",
    Code.UNSUPPORTED_MEDIA_TYPE: "/header/Content-Type",
    Code.HOST_UNKNOWN: "/header/Host",
}
"""Where in a request lies what is about a header: the same for every route."""


def http_status(error: AppError) -> int:
    """The status with which a problem is answered."""
    return STATUS[CATALOGUE[error.code].kind]


def language_of(request: Request) -> Language:
    """`zh` or `en` by Accept-Language; the first that is known wins, Chinese where none is named."""
    return _language_among(request.headers.get("accept-language", ""))


def _language_among(accepted: str) -> Language:
    wanted = []
    for part in accepted.split(","):
        tag, _, quality = part.strip().partition(";q=")
        try:
            rank = -int(quality.replace(".", "").ljust(4, "0")[:4]) if quality else -1000
        except ValueError:
            rank = 0
        wanted.append((rank, tag.lower()))
    for _, tag in sorted(wanted, key=lambda pair: pair[0]):
        if tag.startswith("zh"):
            return "zh"
        if tag.startswith("en"):
            return "en"
    return "zh"


def document(error: AppError, *, language: str, request_id: str, instance: str) -> tuple[int, bytes]:
    """The status and the bytes of a problem."""
    status = http_status(error)
    body: dict[str, Any] = {
        "type": f"urn:compute-vouchers:problem:{error.code}",
        "title": title(error.code, language),
        "status": status,
        "detail": detail(error.code, language, error.context),
        "instance": instance,
        "code": error.code,
        "request_id": request_id,
        **error.extra,
    }
    if places := places_of(error, POINTERS.get(error.code)):
        body["errors"] = [_place(place, language) for place in places]
    return status, orjson.dumps(body)


def refusal_renderer(request: Request) -> RefusalRenderer:
    """How a refusal of this request is rendered where it is stored with its key."""
    return RefusalRenderer(request.headers.get("accept-language", ""), request.state.request_id, request.scope["path"])


class RefusalRenderer:
    """Pure: what it needs of the request is copied, so that it may run in another thread.

    Most requests are not refused, so what is copied is read only then.
    """

    __slots__ = ("_accepted", "_instance", "_request_id")

    def __init__(self, accepted: str, request_id: str, instance: str) -> None:
        self._accepted = accepted
        self._request_id = request_id
        self._instance = instance

    def __call__(self, error: AppError) -> Answer | None:
        """The answer to store, or None for a refusal that leaves its key free."""
        if CATALOGUE[error.code].kind not in STORED_KINDS or error.code in NEVER_STORED:
            return None
        language = _language_among(self._accepted)
        status, body = document(error, language=language, request_id=self._request_id, instance=self._instance)
        return Answer(status, body)


def response(answer: Answer) -> Response:
    """An answer on the wire, byte for byte as it was stored."""
    media_type = "application/json" if answer.status < 400 else MEDIA_TYPE
    headers = {"Idempotency-Replayed": "true"} if answer.replayed else None
    return Response(answer.body, status_code=answer.status, media_type=media_type, headers=headers)


def install(app: FastAPI) -> None:
    """Answer every exception that has a meaning with its problem. A bug has none: `middleware.RequestId` answers it."""
    app.add_exception_handler(AppError, _app_error)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(CommitUnknown, _commit_unknown)


def problem_response(request: Request, error: AppError) -> Response:
    """The response for a refusal."""
    request_id = getattr(request.state, "request_id", "-")
    status, body = document(error, language=language_of(request), request_id=request_id, instance=request.url.path)
    headers: dict[str, str] = {}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(error.retry_after_s)
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="compute-vouchers"'
    if (challenge := DPOP_CHALLENGES.get(error.code)) is not None:
        headers["WWW-Authenticate"] = f'DPoP realm="compute-vouchers", error="{challenge}", algs="{DPOP_ALGS}"'
    if error.code is Code.DPOP_NONCE_NEEDED:
        headers["DPoP-Nonce"] = error.context["nonce"]
    if error.code is Code.INSUFFICIENT_SCOPE:
        headers["WWW-Authenticate"] = 'Bearer realm="compute-vouchers", error="insufficient_scope"'
    if error.code is Code.STEP_UP_NEEDED:  # RFC 9470
        headers["WWW-Authenticate"] = (
            'Bearer realm="compute-vouchers", error="insufficient_user_authentication",'
            f' error_description="A fresh verification is needed", max_age="{error.context["max_age_s"]}"'
        )
    return Response(body, status_code=status, media_type=MEDIA_TYPE, headers=headers)


async def _app_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, AppError)
    return problem_response(request, error)


_WHOLE_BODY = {("body",), ()}
"""The place of a body that is wrong as a whole: read by the framework, or by a route that reads its own."""


async def _validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return validation_response(request, error)


def validation_response(request: Request, error: RequestValidationError) -> Response:
    """The response for what does not fit its schema."""
    found = error.errors()
    broken = [item["loc"] for item in found if item["type"] == "json_invalid"]
    if broken:  # a route that reads its own body does not know where
        return problem_response(request, not_json(broken[0][-1] if broken[0] else None))
    if any(item["loc"] == ("body",) for item in found) and not is_json(request):
        return problem_response(request, AppError(Code.UNSUPPORTED_MEDIA_TYPE, expected="application/json"))
    if any(item["loc"] in _WHOLE_BODY and item["input"] is None for item in found):  # nothing at all, or null
        return problem_response(request, not_json())
    places = _places(found, error.body)
    return problem_response(request, AppError(Code.VALIDATION_FAILED, count=len(places), errors=places))


def _places(found: Sequence[Any], body: Any) -> list[FieldError]:
    """Of the body by pointers into it, of parameters by their name."""
    in_body = [{**item, "loc": item["loc"][1:]} for item in found if item["loc"][:1] == ("body",)]
    elsewhere = [item for item in found if item["loc"][:1] != ("body",)]
    named = [
        replace(
            field_error(item, None), pointer=joined((*item["loc"], *filter(None, [item.get("ctx", {}).get("field")])))
        )
        for item in elsewhere
    ]
    return field_errors(in_body, body) + named


def not_json(broken_at: int | None = None) -> AppError:
    """That a body is no JSON, and from which character on (from 0) where that is known."""
    if broken_at is None:
        return AppError(Code.MALFORMED_REQUEST, why=NOT_JSON, pointer="", limit=JSON)
    place = FieldError("", "json_invalid", limit=JSON, actual=broken_at + 1)
    return AppError(Code.MALFORMED_REQUEST, why=NOT_JSON, errors=[place])


def is_json(request: Request) -> bool:
    """Whether the body says to be JSON."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return media_type == "application/json" or media_type.endswith("+json")


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        answer = problem_response(request, AppError(Code.METHOD_NOT_ALLOWED, method=request.method))
        answer.headers["Allow"] = ", ".join(allowed_methods(request))
        return answer
    known = {
        404: AppError(Code.NOT_FOUND, what="resource"),
        413: AppError(Code.BODY_TOO_LARGE, limit="-"),
        415: AppError(Code.UNSUPPORTED_MEDIA_TYPE, expected="application/json"),
    }
    fallback = AppError(Code.MALFORMED_REQUEST, why=str(error.detail)[:200])
    if error.status_code == 400 and is_json(request):
        fallback = not_json()
    return problem_response(request, known.get(error.status_code, fallback))


def allowed_methods(request: Request) -> list[str]:
    """What may be asked of this address (RFC 9110, section 15.5.6): the framework names those of one route only."""
    return [
        method
        for method in METHODS
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in request.app.routes)
    ]


async def _commit_unknown(request: Request, _: Exception) -> Response:
    return commit_unknown(request)


def commit_unknown(request: Request) -> Response:
    """The response where nobody knows whether it happened: the same request, repeated, will tell."""
    return problem_response(request, AppError(Code.UNAVAILABLE, retry_after_s=1))


def _place(place: FieldError, language: str) -> dict[str, Any]:
    shown: dict[str, Any] = {"pointer": place.pointer, "code": place.code}
    for name in ("detail", "limit", "actual", "row", "column"):
        value = told(place) if name == "detail" else getattr(place, name)
        if value is not None:
            shown[name] = in_language(value, language) if name == "detail" else _exact(value)
    return shown


def _exact(value: Scalar) -> Scalar:
    """The value, as text where it is a number that readers of JSON would round (RFC 8259, section 6)."""
    return str(value) if isinstance(value, int) and abs(value) > MAX_EXACT else value
