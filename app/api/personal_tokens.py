"""Personal tokens: a person signs in for the API and the command line (`voucher login`)."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Request, Response
from fastapi.security.utils import get_authorization_scheme_param
from pydantic import Field

from app.api.authentication import AnyScopeDep, source_of
from app.api.context import ServiceDep
from app.api.fields import Read, ShownInstant, Wire
from app.api.oauth import NO_STORE
from app.services.identity.loading import password_at
from app.services.identity.passwords import TYPED_LENGTH
from app.services.identity.signing_in import sign_in
from app.services.identity.spending import revoke_token
from app.services.identity.users import LOGIN_LENGTH

router = APIRouter(prefix="/v1/personal-tokens", tags=["personal tokens"])


class PersonalTokenCreate(Wire):
    """Login and password of a person."""

    login: Annotated[str, Field(max_length=LOGIN_LENGTH)]
    password: Annotated[str, Field(max_length=TYPED_LENGTH)]
    expires_in_s: Annotated[
        int | None, Field(strict=True, ge=60, le=12 * 3600, description="Seconds; left out, as long as is allowed")
    ] = None


class PersonalToken(Read):
    """A token that acts as this person, shown this once."""

    token: str
    token_type: Literal["Bearer"]
    user_id: str
    organisation_id: str
    expires_at: ShownInstant


@router.post("", status_code=201)
def create_personal_token(
    body: PersonalTokenCreate, service: ServiceDep, request: Request, response: Response
) -> PersonalToken:
    """Sign in with login and password. Every failure has the same answer."""
    caller, set_at = sign_in(
        service.database,
        service.passwords,
        login=body.login,
        password=body.password,
        purpose="personal_token",
        request_id=request.state.request_id,
        source=source_of(request),
        then=lambda tx, caller: (caller, password_at(tx, caller.principal_id)),
    )
    longest_s = service.settings.personal_token_ttl_s
    issued = service.tokens.issue(
        caller.principal_id,
        caller.organisation_id,
        ttl_s=min(body.expires_in_s or longest_s, longest_s),
        password_at=set_at,
    )
    response.headers.update(NO_STORE)
    return PersonalToken(
        token=issued.token,
        token_type="Bearer",  # noqa: S106 - the scheme
        user_id=caller.principal_id,
        organisation_id=caller.organisation_id,
        expires_at=issued.expires_at,
    )


@router.delete("/current", status_code=204)
def revoke_personal_token(caller: AnyScopeDep, service: ServiceDep, request: Request) -> None:
    """Revoke the token that this request carries: within a minute it is good nowhere."""
    _, token = get_authorization_scheme_param(request.headers.get("Authorization"))
    claims = service.tokens.verify(token)
    service.database.transact(lambda tx: revoke_token(tx, caller=caller, jti=claims.jti, expires_at=claims.expires_at))
    service.principal_cache.forget(token)
