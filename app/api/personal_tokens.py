"""Personal tokens: a person signs in for the API and the command line (`voucher login`)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Annotated, Literal

from fastapi import APIRouter, Request, Response
from fastapi.security.utils import get_authorization_scheme_param
from pydantic import Field
from sqlalchemy import Connection

from app.api.authentication import AnyScopeDep, CallerDep, source_of
from app.api.context import Service, ServiceDep
from app.api.fields import AnyId, Read, ShownInstant, Wire
from app.api.oauth import NO_STORE
from app.kernel.clock import utc_now
from app.kernel.ids import is_id
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import SessionStage, TokenScope
from app.services.identity import personal_tokens, sessions, totp
from app.services.identity.attempts import Place
from app.services.identity.opaque import new_secret
from app.services.identity.passwords import TYPED_LENGTH
from app.services.identity.personal_tokens import GivenToken
from app.services.identity.principals import Caller
from app.services.identity.signing_in import Entered, Knock, sign_in
from app.services.identity.spending import revoke_token
from app.services.identity.step_up import SIGN_IN, step_up, with_code
from app.services.identity.tokens import ALL_SCOPES
from app.services.identity.users import LOGIN_LENGTH

router = APIRouter(prefix="/v1/personal-tokens", tags=["personal tokens"])

ScopeWord = Literal["read", "write", "read write"]
DEVICE_LENGTH = 64
TypedCode = Annotated[
    str | None,
    Field(
        min_length=1,
        max_length=totp.TYPED_LENGTH,
        description="The six digits that the authenticator shows, or a recovery code; each counts once",
    ),
]
TypedPassword = Annotated[str, Field(max_length=TYPED_LENGTH)]
Device = Annotated[
    str | None,
    Field(
        min_length=1,
        max_length=DEVICE_LENGTH,
        description="What an earlier sign-in from this program returned: others' failures do not keep it out",
    ),
]


class Credentials(Wire):
    """Login and password of a person, and the code of the second factor where there is one."""

    login: Annotated[str, Field(max_length=LOGIN_LENGTH)]
    password: TypedPassword
    code: TypedCode = None
    device: Device = None


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


class PersonalTokenCreate(Credentials, TokenAsked):
    """How a person signs in, for how long and for what."""


class PersonalTokenByCode(TokenAsked):
    """The code that the page showed after signing in at an outside provider, and the secret behind the challenge."""

    code: Annotated[str, Field(max_length=200)]
    verifier: Annotated[str, Field(max_length=200)]
    second_factor_code: TypedCode = None


class StepUp(Wire):
    """The code of the second factor; the password where the person has none."""

    code: TypedCode = None
    password: TypedPassword | None = None
    device: Device = None


class PersonalToken(Read):
    """A token that acts as this person, shown this once. `device` goes into the next sign-in from this program."""

    id: str
    token: str
    token_type: Literal["Bearer"]
    scope: ScopeWord
    user_id: str
    organisation_id: str
    expires_at: ShownInstant
    device: str | None


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
    """Sign in with login, password and, where there is one, the code of the second factor.

    Every failure before the code has the same answer. Officials without a second factor have to set one up first.
    """
    device = body.device or new_secret()

    def give(tx: Connection, entered: Entered) -> tuple[Entered, GivenToken | None]:
        return entered, _given(tx, service, entered.caller, body) if entered.stage is SessionStage.FULL else None

    entered, given = sign_in(service.door, knock_of(request, body, "personal_token", device=device), then=give)
    require_entered(service, entered)
    assert given is not None, "whoever came all the way has a token"
    response.headers.update(NO_STORE)
    return shown_token(entered.caller, given, device)


@router.post("/by-code", status_code=201)
def create_personal_token_by_code(
    body: PersonalTokenByCode, service: ServiceDep, request: Request, response: Response
) -> PersonalToken:
    """Sign in with the code that the portal showed after signing in at an outside provider.

    Whoever asks made up `verifier` before, and sent the browser off with its challenge (SHA-256, base64url) to
    `/portal/openid/{provider}/token/{challenge}`. Where a second factor is needed and the provider does not say that it
    asked for one, that of here is: `second_factor_code`; until it comes the code stays good.
    """
    claim = personal_tokens.CodeClaim(body.code, body.verifier, request.state.request_id, source_of(request))
    staff = service.settings.staff_second_factor

    def enter(tx: Connection) -> tuple[Caller, GivenToken]:
        entered = personal_tokens.take_code(tx, claim, staff=staff)
        require_entered(service, entered)
        return entered.caller, _given(tx, service, entered.caller, body)

    def enter_with_code(tx: Connection, caller: Caller) -> tuple[Caller, GivenToken]:
        personal_tokens.take_code(tx, claim, staff=staff)
        return caller, _given(tx, service, caller, body)

    if body.second_factor_code is None:
        caller, given = service.database.transact(enter)
    else:
        known = service.database.transact(lambda tx: personal_tokens.who_signed_in(tx, claim, staff=staff))
        caller, given = with_code(
            service.door,
            caller=known.caller,
            code=body.second_factor_code,
            place=Place(source_of(request), None),
            purpose=SIGN_IN,
            then=enter_with_code,
        )
    response.headers.update(NO_STORE)
    return shown_token(caller, given, None)


@router.post("/step-up", status_code=201)
def step_up_personal_token(
    body: StepUp, caller: AnyScopeDep, service: ServiceDep, request: Request, response: Response
) -> PersonalToken:
    """Prove again who you are, for an act of weight: a new token, good as long as the one that this request carries.

    With the code of the second factor, or the password where you have none.
    """
    if not is_id(caller.principal_id, "usr"):
        raise AppError(Code.FORBIDDEN, role="user")
    place = Place(source_of(request), body.device)
    proof = step_up(service.door, caller=caller, code=body.code, password=body.password, place=place)
    claims = service.tokens.verify(_token(request))
    proven = replace(caller, principal=replace(caller.principal, proof=proof))
    left_s = max(int((claims.expires_at - utc_now()).total_seconds()), 1)
    response.headers.update(NO_STORE)
    return give_token(service, proven, ttl_s=left_s, scopes=claims.scopes, device=body.device)


@router.get("")
def read_personal_tokens(caller: CallerDep, service: ServiceDep) -> PersonalTokens:
    """Your own tokens, with what they are for; those that have run out for a day, too."""
    records = service.database.transact(lambda tx: personal_tokens.list_tokens(tx, caller=caller))
    return PersonalTokens(data=[PersonalTokenRead.model_validate(record) for record in records])


@router.delete("/current", status_code=204)
def revoke_personal_token(caller: AnyScopeDep, service: ServiceDep, request: Request) -> None:
    """Revoke the token that this request carries: within a minute it is good nowhere."""
    token = _token(request)
    claims = service.tokens.verify(token)

    def work(tx: Connection) -> None:
        revoke_token(tx, caller=caller, jti=claims.jti, expires_at=claims.expires_at)
        personal_tokens.note_revoked(tx, caller=caller, jti=claims.jti)

    service.database.transact(work)
    service.principal_cache.forget(token)


@router.delete("/all", status_code=204)
def sign_out_everywhere(caller: AnyScopeDep, service: ServiceDep, request: Request) -> None:
    """Sign out everywhere: all your tokens and all your sessions on the portal are good nowhere within a minute."""
    if not is_id(caller.principal_id, "usr"):
        raise AppError(Code.FORBIDDEN, role="user")
    service.database.transact(lambda tx: sessions.sign_out_everywhere(tx, caller=caller))
    service.principal_cache.forget(_token(request))


@router.delete("/{token_id}", status_code=204)
def revoke_one_personal_token(token_id: AnyId, caller: CallerDep, service: ServiceDep) -> None:
    """Revoke one of your own tokens: within a minute it is good nowhere."""
    service.database.transact(lambda tx: personal_tokens.end_token(tx, caller=caller, token_id=token_id))


def knock_of(request: Request, body: Credentials, purpose: str, *, device: str | None) -> Knock:
    """Who knocks with these credentials."""
    place = Place(source_of(request), device)
    return Knock(body.login, body.password, purpose, request.state.request_id, place, body.code)


def require_entered(service: Service, entered: Entered) -> None:
    """Raise `second_factor_needed` or `second_factor_enrolment_needed` where signing in has not come all the way."""
    if entered.stage is SessionStage.CODE:
        raise AppError(Code.SECOND_FACTOR_NEEDED)
    if entered.stage is SessionStage.ENROL:
        address = f"{service.settings.public_url.rstrip('/')}/portal/account"
        raise AppError(Code.SECOND_FACTOR_ENROLMENT_NEEDED, address=address)


def _token(request: Request) -> str:
    _, token = get_authorization_scheme_param(request.headers.get("Authorization"))
    return token


def give_token(
    service: Service,
    caller: Caller,
    *,
    ttl_s: int,
    scopes: Collection[TokenScope] = ALL_SCOPES,
    device: str | None,
) -> PersonalToken:
    """A token for somebody who has just proved who he is, on the wire."""
    given = service.database.transact(
        lambda tx: personal_tokens.give_token(tx, caller=caller, tokens=service.tokens, ttl_s=ttl_s, scopes=scopes)
    )
    return shown_token(caller, given, device)


def shown_token(caller: Caller, given: GivenToken, device: str | None) -> PersonalToken:
    """A token that was just issued, on the wire."""
    return PersonalToken.model_validate(
        {
            "id": given.record.id,
            "token": given.issued.token,
            "token_type": "Bearer",
            "scope": given.record.scope,
            "user_id": caller.principal_id,
            "organisation_id": caller.organisation_id,
            "expires_at": given.issued.expires_at,
            "device": device,
        }
    )


def _given(tx: Connection, service: Service, caller: Caller, asked: TokenAsked) -> GivenToken:
    longest_s = service.settings.personal_token_ttl_s
    return personal_tokens.give_token(
        tx,
        caller=caller,
        tokens=service.tokens,
        ttl_s=min(asked.expires_in_s or longest_s, longest_s),
        scopes=asked.scopes(),
    )
