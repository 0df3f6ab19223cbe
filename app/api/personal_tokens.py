"""Personal tokens: a person signs in for the API and the command line (`voucher login`)."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Request, Response
from fastapi.security.utils import get_authorization_scheme_param
from pydantic import Field
from sqlalchemy import Connection

from app.api.authentication import AnyScopeDep, CallerDep, source_of
from app.api.context import Service, ServiceDep
from app.api.fields import AnyId, Read, ShownInstant, Wire
from app.api.oauth import NO_STORE
from app.kernel.vocabulary import TokenScope
from app.services.identity import personal_tokens
from app.services.identity.passwords import TYPED_LENGTH
from app.services.identity.personal_tokens import GivenToken
from app.services.identity.principals import Caller
from app.services.identity.signing_in import sign_in
from app.services.identity.spending import revoke_token
from app.services.identity.users import LOGIN_LENGTH

router = APIRouter(prefix="/v1/personal-tokens", tags=["personal tokens"])

ScopeWord = Literal["read", "write", "read write"]


class TokenAsked(Wire):
    """For how long and for what a token is wanted."""

    expires_in_s: Annotated[
        int | None, Field(strict=True, ge=60, le=12 * 3600, description="Seconds; left out, as long as is allowed")
    ] = None
    scope: Annotated[
        ScopeWord | None,
        Field(description="`read` is good for GET alone and changes nothing; left out, `read write`"),
    ] = None

    def scopes(self) -> frozenset[TokenScope]:
        """The scopes asked for."""
        return frozenset(map(TokenScope, (self.scope or "read write").split()))


class PersonalTokenCreate(TokenAsked):
    """Login and password of a person."""

    login: Annotated[str, Field(max_length=LOGIN_LENGTH)]
    password: Annotated[str, Field(max_length=TYPED_LENGTH)]


class PersonalTokenByCode(TokenAsked):
    """The code that the page showed after signing in at an outside provider, and the secret behind the challenge."""

    code: Annotated[str, Field(max_length=200)]
    verifier: Annotated[str, Field(max_length=200)]


class PersonalToken(Read):
    """A token that acts as this person, shown this once."""

    id: str
    token: str
    token_type: Literal["Bearer"]
    scope: ScopeWord
    user_id: str
    organisation_id: str
    expires_at: ShownInstant


class PersonalTokenRead(Read):
    """A token that was given out, without itself."""

    id: str
    scope: ScopeWord
    created_at: ShownInstant
    expires_at: ShownInstant
    revoked_at: ShownInstant | None


class PersonalTokens(Read):
    """The caller's tokens, newest first."""

    data: list[PersonalTokenRead]


@router.post("", status_code=201)
def create_personal_token(
    body: PersonalTokenCreate, service: ServiceDep, request: Request, response: Response
) -> PersonalToken:
    """Sign in with login and password. Every failure has the same answer."""
    caller, given = sign_in(
        service.database,
        service.passwords,
        login=body.login,
        password=body.password,
        purpose="personal_token",
        request_id=request.state.request_id,
        source=source_of(request),
        then=lambda tx, caller: (caller, _given(tx, caller, service, body)),
    )
    return _shown(caller, given, response)


@router.post("/by-code", status_code=201)
def create_personal_token_by_code(
    body: PersonalTokenByCode, service: ServiceDep, request: Request, response: Response
) -> PersonalToken:
    """Sign in with the code that the portal showed after signing in at an outside provider.

    Whoever asks made up `verifier` before, and sent the browser off with its challenge (SHA-256, base64url) to
    `/portal/openid/{provider}/token/{challenge}`.
    """

    def work(tx: Connection) -> tuple[Caller, GivenToken]:
        signed_in = personal_tokens.take_code(
            tx,
            code=body.code,
            verifier=body.verifier,
            request_id=request.state.request_id,
            source=source_of(request),
        )
        return signed_in.caller, _given(tx, signed_in.caller, service, body)

    caller, given = service.database.transact(work)
    return _shown(caller, given, response)


@router.get("")
def read_personal_tokens(caller: CallerDep, service: ServiceDep) -> PersonalTokens:
    """Your own tokens, with what they are for; those that have run out for a day, too."""
    records = service.database.transact(lambda tx: personal_tokens.list_tokens(tx, caller=caller))
    return PersonalTokens(data=[PersonalTokenRead.model_validate(record) for record in records])


@router.delete("/current", status_code=204)
def revoke_personal_token(caller: AnyScopeDep, service: ServiceDep, request: Request) -> None:
    """Revoke the token that this request carries: within a minute it is good nowhere."""
    _, token = get_authorization_scheme_param(request.headers.get("Authorization"))
    claims = service.tokens.verify(token)

    def work(tx: Connection) -> None:
        revoke_token(tx, caller=caller, jti=claims.jti, expires_at=claims.expires_at)
        personal_tokens.note_revoked(tx, caller=caller, jti=claims.jti)

    service.database.transact(work)
    service.principal_cache.forget(token)


@router.delete("/{token_id}", status_code=204)
def revoke_one_personal_token(token_id: AnyId, caller: CallerDep, service: ServiceDep) -> None:
    """Revoke one of your own tokens: within a minute it is good nowhere."""
    service.database.transact(lambda tx: personal_tokens.end_token(tx, caller=caller, token_id=token_id))


def _given(tx: Connection, caller: Caller, service: Service, asked: TokenAsked) -> GivenToken:
    longest_s = service.settings.personal_token_ttl_s
    return personal_tokens.give_token(
        tx,
        caller=caller,
        tokens=service.tokens,
        ttl_s=min(asked.expires_in_s or longest_s, longest_s),
        scopes=asked.scopes(),
    )


def _shown(caller: Caller, given: GivenToken, response: Response) -> PersonalToken:
    response.headers.update(NO_STORE)
    return PersonalToken.model_validate(
        {
            "id": given.record.id,
            "token": given.issued.token,
            "token_type": "Bearer",
            "scope": given.record.scope,
            "user_id": caller.principal_id,
            "organisation_id": caller.organisation_id,
            "expires_at": given.issued.expires_at,
        }
    )
