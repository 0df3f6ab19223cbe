"""Who calls: from the bearer token to the principal with its present roles."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security.utils import get_authorization_scheme_param
from starlette.concurrency import run_in_threadpool

from app.api.context import Service, get_service
from app.kernel.problems import AppError, Code
from app.services.identity.loading import load_bearer
from app.services.identity.principals import Caller, Principal


async def authenticate(request: Request) -> Caller:
    """The caller of a request that carries a token of ours. Raises `unauthenticated`."""
    scheme, token = get_authorization_scheme_param(request.headers.get("Authorization"))
    if scheme.lower() != "bearer" or not token:
        raise AppError(Code.UNAUTHENTICATED)
    service = get_service(request)
    principal = service.principal_cache.get(token)
    if principal is None:
        principal = await run_in_threadpool(_verified, service, token)
    return Caller(principal, request.state.request_id, source_of(request))


CallerDep = Annotated[Caller, Depends(authenticate)]


def source_of(request: Request) -> str:
    """The client's network address, as audit events name it."""
    return request.client.host if request.client else "unknown"


def _verified(service: Service, token: str) -> Principal:
    claims = service.tokens.verify(token)
    principal = service.database.transact(lambda tx: load_bearer(tx, claims))
    if principal is None:
        raise AppError(Code.UNAUTHENTICATED)
    service.principal_cache.put(token, principal, expires_at=claims.expires_at)
    return principal
