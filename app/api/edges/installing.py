"""The order in which a request passes the edges, and an answer comes back through them."""

from __future__ import annotations

from fastapi import FastAPI
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from app.api.edges.answer_headers import AnswerHeaders
from app.api.edges.bodies import BodyGuard
from app.api.edges.rates import RateLimits
from app.api.edges.shape import RequestHead, names_of
from app.api.middleware import RequestId
from app.api.shortcut import Shortcut
from app.settings import Settings


def guard(app: FastAPI, settings: Settings) -> None:
    """Put the edges round the application. What is added last is met first."""
    app.add_middleware(Shortcut)
    app.add_middleware(BodyGuard, grace_s=settings.body_grace_s)
    app.add_middleware(RateLimits)
    app.add_middleware(RequestHead, names=names_of(settings.public_url, settings.hosts))
    app.add_middleware(RequestId)
    app.add_middleware(AnswerHeaders, https=settings.public_url.startswith("https:"))
    if settings.proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=settings.proxies.split())
