"""Who calls: from the bearer token to the principal with its present roles."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security.utils import get_authorization_scheme_param
from starlette.concurrency import run_in_threadpool

from app.api.context import Service, get_service
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import TokenScope
from app.reach import of_request
from app.services.identity.loading import load_bearer
from app.services.identity.principals import Caller, Principal
from app.services.reach import reach_of


async def authenticate(request: Request) -> Caller:
    """The caller of a request that carries a token of ours, good for reading or writing as the request does.

    Raises `unauthenticated`, `insufficient_scope`.
    """
    caller = await authenticate_any_scope(request)
    caller.require_scope(TokenScope.READ if request.method in READING else TokenScope.WRITE)
    return caller


async def authenticate_any_scope(request: Request) -> Caller:
    """The caller whatever his token is for: every token may be given back. Raises `unauthenticated`."""
    principal = await principal_of(get_service(request), request.headers.get("Authorization"))
    of_request.set(reach_of(principal))
    return Caller(principal, request.state.request_id, source_of(request))


async def principal_of(service: Service, authorization: str | None) -> Principal:
    """Whose token an Authorization header carries. Raises `unauthenticated`.

    A token that is not remembered is verified once, however many requests wait for it.
    """
    scheme, token = get_authorization_scheme_param(authorization)
    if scheme.lower() != "bearer" or not token:
        raise AppError(Code.UNAUTHENTICATED)
    known = service.principal_cache.get(token)
    return known or await service.verifying.do(token, run_in_threadpool(_verified, service, token))


UNKNOWN_SOURCE = "unknown"
READING = frozenset({"GET", "HEAD"})

CallerDep = Annotated[Caller, Depends(authenticate)]
AnyScopeDep = Annotated[Caller, Depends(authenticate_any_scope)]


def source_of(request: Request) -> str:
    """The client's network address, as audit events name it."""
    return request.client.host if request.client else UNKNOWN_SOURCE


def _verified(service: Service, token: str) -> Principal:
    claims = service.tokens.verify(token)
    principal = service.database.transact(lambda tx: load_bearer(tx, claims))
    if principal is None:
        raise AppError(Code.UNAUTHENTICATED)
    service.principal_cache.put(token, principal, expires_at=claims.expires_at)
    return principal
