"""Headers that every answer has, whoever wrote it: a route says what is different, and can leave nothing out."""

from __future__ import annotations

from types import MappingProxyType

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.edges.refusing import is_page

Headers = tuple[tuple[bytes, bytes], ...]

NOTHING_POLICY = (
    b"default-src 'none'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"
)
"""For data: should a browser ever show it, nothing in it runs."""
PAGE_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    b"object-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
DOCS = "/docs"
HSTS = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")

_SAME: Headers = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (
        b"permissions-policy",
        b"camera=(), clipboard-read=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
    (b"cache-control", b"no-store"),
)
OF_PAGES: Headers = (*_SAME, (b"content-security-policy", PAGE_POLICY))
OF_DATA: Headers = (*_SAME, (b"content-security-policy", NOTHING_POLICY))
NAMES = MappingProxyType({name.decode(): value.decode() for name, value in OF_DATA})


class AnswerHeaders:
    """Adds what is missing to every answer, refusals and bugs included; HSTS where clients come by https."""

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        self._app = app
        self._https = https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; complete the head of its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        wanted = OF_PAGES if is_page(path) or path == DOCS else OF_DATA

        async def send_complete(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                given = {name.lower() for name, _ in headers}
                headers.extend(one for one in wanted if one[0] not in given)
                if self._https or scope["scheme"] == "https":
                    headers.append(HSTS)
                message["headers"] = headers
            await send(message)

        await self._app(scope, receive, send_complete)
