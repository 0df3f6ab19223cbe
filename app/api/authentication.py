"""Who calls: from the bearer token to the principal with its present roles."""

from __future__ import annotations

import hmac
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security.utils import get_authorization_scheme_param
from starlette.concurrency import run_in_threadpool

from app.api.context import Service, get_service
from app.kernel.clock import utc_now
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import TokenScope
from app.services.identity.loading import load_bearer
from app.services.identity.principals import Caller, Principal
from app.services.identity.staff import require_fresh


async def authenticate(request: Request) -> Caller:
    """The caller of a request that carries a token of ours, good for reading or writing as the request does.

    Raises `unauthenticated`, `insufficient_scope`.
    """
    caller = await authenticate_any_scope(request)
    caller.require_scope(TokenScope.READ if request.method in READING else TokenScope.WRITE)
    return caller


async def authenticate_any_scope(request: Request) -> Caller:
    """The caller whatever his token is for: every token may be given back.

    Raises `unauthenticated`, and where the token is bound to a key `dpop_proof_invalid`, `dpop_nonce_needed`.
    """
    service, authorization = get_service(request), request.headers.get("Authorization")
    scheme, token = get_authorization_scheme_param(authorization)
    if scheme.lower() == "dpop":
        principal = await run_in_threadpool(_proven, service, request, token)
    else:
        principal = await principal_of(service, authorization)
    return Caller(principal, request.state.request_id, source_of(request))


async def principal_of(service: Service, authorization: str | None) -> Principal:
    """Whose bearer token an Authorization header carries. Raises `unauthenticated`.

    A token that is not remembered is verified once, however many requests wait for it. One that is bound to a key is
    nobody's without a proof, so it is refused here, remembered or not (`dpop_proof_invalid`).
    """
    scheme, token = get_authorization_scheme_param(authorization)
    if scheme.lower() != "bearer" or not token:
        raise AppError(Code.UNAUTHENTICATED)
    known = service.principal_cache.get(token)
    principal = known or await service.verifying.do(token, run_in_threadpool(_verified, service, token))
    if principal.key_thumbprint is not None:
        raise AppError(Code.DPOP_PROOF_INVALID, why="Authorization: DPoP")
    return principal


UNKNOWN_SOURCE = "unknown"
READING = frozenset({"GET", "HEAD"})


async def authenticate_freshly(request: Request) -> Caller:
    """The caller of an act of weight: a person has proved himself a short while ago. Raises `step_up_needed` too."""
    caller = await authenticate(request)
    max_age_s = get_service(request).settings.step_up_max_age_s
    require_fresh(caller.principal, at=utc_now(), max_age_s=max_age_s)
    return caller


CallerDep = Annotated[Caller, Depends(authenticate)]
FreshCallerDep = Annotated[Caller, Depends(authenticate_freshly)]
AnyScopeDep = Annotated[Caller, Depends(authenticate_any_scope)]


def source_of(request: Request) -> str:
    """The client's network address, as audit events name it."""
    return request.client.host if request.client else UNKNOWN_SOURCE


def _verified(service: Service, token: str) -> Principal:
    claims = service.tokens.verify(token)
    staff = service.settings.staff_second_factor
    principal = service.database.transact(lambda tx: load_bearer(tx, claims, staff_second_factor=staff))
    if principal is None:
        raise AppError(Code.UNAUTHENTICATED)
    service.principal_cache.put(token, principal, expires_at=claims.expires_at)
    return principal


def _proven(service: Service, request: Request, token: str) -> Principal:
    """Whose token a request carries that proves to hold its key (RFC 9449, section 7.1)."""
    given = request.headers.getlist("DPoP")
    if not token or len(given) != 1:
        raise AppError(Code.DPOP_PROOF_INVALID, why="DPoP")
    principal = service.principal_cache.get(token) or _verified(service, token)
    if principal.key_thumbprint is None:
        raise AppError(Code.DPOP_PROOF_INVALID, why="cnf")
    path = request.scope["raw_path"].decode("ascii", "replace")
    proof = service.proving.check(given[0], method=request.method, path=path, token=token)
    if not hmac.compare_digest(proof.thumbprint, principal.key_thumbprint):
        raise AppError(Code.DPOP_PROOF_INVALID, why="jkt")
    service.proving.take(proof, subject_id=principal.id)
    return principal
