"""A shortcut past the framework for the one request that comes by the thousand: `POST /v1/redemptions`.

FastAPI's way to an endpoint (a dozen routers asked, exit stacks, dependencies solved, parameters validated one by one)
takes more processor time than the endpoint and its transaction together; ADR 15 has the figures. So what is plain is
taken here by hand, with the same authentication, the same Pydantic model and the same work behind the endpoint.
Whatever is not plain (a header that is missing, a body that is not valid) goes on to the route as if this were not
here, and it is the route that says what is wrong. Without the shortcut every answer would be the same to the byte,
only later.
"""

from __future__ import annotations

import orjson
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.authentication import UNKNOWN_SOURCE, principal_of
from app.api.context import Service
from app.api.edges.rates import count_voucher
from app.api.keys import idempotency_key
from app.api.problems import RefusalRenderer, commit_unknown, problem_response
from app.api.redemptions import RedemptionCreate, redeem
from app.database import CommitUnknown
from app.kernel.problems import AppError
from app.kernel.vocabulary import TokenScope
from app.services.identity.principals import Caller

PATH = "/v1/redemptions"


class Shortcut:
    """Takes plain redemptions; stands behind the body limit, which hands on a body in one piece."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a plain redemption, pass everything else on."""
        if scope["type"] != "http" or scope["path"] != PATH or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        message = await receive()
        answer = await _taken(scope, message)
        if answer is not None:
            await answer(scope, receive, send)
            return
        given: Message | None = message

        async def replay() -> Message:
            nonlocal given
            if given is not None:
                again, given = given, None
                return again
            return await receive()

        await self._app(scope, replay, send)


async def _taken(scope: Scope, message: Message) -> Response | None:
    """The answer to a plain request, None for any other."""
    headers = _headers(scope)
    if headers.get(b"content-type") != "application/json" or message.get("more_body"):
        return None
    try:
        body = RedemptionCreate.model_validate(orjson.loads(message["body"]))
        key = await idempotency_key([headers[_KEY]] if _KEY in headers else None)
        service: Service = scope["app"].state.service
        principal = await principal_of(service, headers.get(b"authorization"))
    except (AppError, ValidationError, orjson.JSONDecodeError):
        return None
    except CommitUnknown:  # nothing was written: who the caller is was only read
        return commit_unknown(Request(scope))
    if TokenScope.WRITE not in principal.scopes:
        return None
    request_id: str = scope["state"]["request_id"]
    render_refusal = RefusalRenderer(headers.get(b"accept-language", ""), request_id, PATH)
    try:
        await count_voucher(scope, service.rates, body.voucher_code or body.hold_id)
        caller = Caller(principal, request_id, scope["client"][0] if scope["client"] else UNKNOWN_SOURCE)
        scope["state"]["caller"] = caller
        return await redeem(body, caller, key, service, render_refusal)
    except AppError as error:
        return problem_response(Request(scope), error)
    except CommitUnknown:
        return commit_unknown(Request(scope))


def _headers(scope: Scope) -> dict[bytes, str]:
    """Those that are looked at, read once; of one that is repeated the first counts, as everywhere, but of the key."""
    found: dict[bytes, str] = {}
    for name, value in scope["headers"]:
        if name in _LOOKED_AT:
            read = value.decode("latin-1")
            found[name] = f"{found[name]}, {read}" if name == _KEY and name in found else found.get(name, read)
    return found


_KEY = b"idempotency-key"
_LOOKED_AT = frozenset({b"content-type", _KEY, b"authorization", b"accept-language"})
