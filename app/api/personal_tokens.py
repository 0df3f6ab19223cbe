"""Personal tokens: a person signs in for the API and the command line (`voucher login`)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Request, Response
from fastapi.security.utils import get_authorization_scheme_param
from pydantic import Field

from app.api.authentication import AnyScopeDep, source_of
from app.api.context import Service, ServiceDep
from app.api.fields import Read, ShownInstant, Wire
from app.api.oauth import NO_STORE
from app.kernel.clock import utc_now
from app.kernel.ids import is_id
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import SessionStage
from app.services.identity import sessions, totp
from app.services.identity.attempts import Place
from app.services.identity.loading import password_at
from app.services.identity.opaque import new_secret
from app.services.identity.passwords import TYPED_LENGTH
from app.services.identity.principals import Caller
from app.services.identity.signing_in import Entered, Knock, sign_in
from app.services.identity.spending import revoke_token
from app.services.identity.step_up import step_up
from app.services.identity.users import LOGIN_LENGTH

router = APIRouter(prefix="/v1/personal-tokens", tags=["personal tokens"])

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


class PersonalTokenCreate(Credentials):
    """How a person signs in, and for how long."""

    expires_in_s: Annotated[
        int | None, Field(strict=True, ge=60, le=12 * 3600, description="Seconds; left out, as long as is allowed")
    ] = None


class StepUp(Wire):
    """The code of the second factor; the password where the person has none."""

    code: TypedCode = None
    password: TypedPassword | None = None
    device: Device = None


class PersonalToken(Read):
    """A token that acts as this person, shown this once. `device` goes into the next sign-in from this program."""

    token: str
    token_type: Literal["Bearer"]
    user_id: str
    organisation_id: str
    expires_at: ShownInstant
    device: str | None


@router.post("", status_code=201)
def create_personal_token(
    body: PersonalTokenCreate, service: ServiceDep, request: Request, response: Response
) -> PersonalToken:
    """Sign in with login, password and, where there is one, the code of the second factor.

    Every failure before the code has the same answer. Officials without a second factor have to set one up first.
    """
    device = body.device or new_secret()
    entered, set_at = sign_in(
        service.door,
        knock_of(request, body, "personal_token", device=device),
        then=lambda tx, entered: (entered, password_at(tx, entered.caller.principal_id)),
    )
    require_entered(service, entered)
    longest_s = service.settings.personal_token_ttl_s
    issued = service.tokens.issue(
        entered.caller.principal_id,
        entered.caller.organisation_id,
        ttl_s=min(body.expires_in_s or longest_s, longest_s),
        password_at=set_at,
        proof=entered.caller.principal.proof,
    )
    response.headers.update(NO_STORE)
    return shown_token(entered.caller, issued.token, issued.expires_at, device)


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
    set_at = service.database.transact(lambda tx: password_at(tx, caller.principal_id))
    issued = service.tokens.issue(
        caller.principal_id,
        caller.organisation_id,
        ttl_s=max(int((claims.expires_at - utc_now()).total_seconds()), 1),
        password_at=set_at,
        scopes=claims.scopes,
        proof=proof,
    )
    response.headers.update(NO_STORE)
    return shown_token(caller, issued.token, issued.expires_at, body.device)


@router.delete("/current", status_code=204)
def revoke_personal_token(caller: AnyScopeDep, service: ServiceDep, request: Request) -> None:
    """Revoke the token that this request carries: within a minute it is good nowhere."""
    token = _token(request)
    claims = service.tokens.verify(token)
    service.database.transact(lambda tx: revoke_token(tx, caller=caller, jti=claims.jti, expires_at=claims.expires_at))
    service.principal_cache.forget(token)


@router.delete("/all", status_code=204)
def sign_out_everywhere(caller: AnyScopeDep, service: ServiceDep, request: Request) -> None:
    """Sign out everywhere: all your tokens and all your sessions on the portal are good nowhere within a minute."""
    if not is_id(caller.principal_id, "usr"):
        raise AppError(Code.FORBIDDEN, role="user")
    service.database.transact(lambda tx: sessions.sign_out_everywhere(tx, caller=caller))
    service.principal_cache.forget(_token(request))


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


def shown_token(caller: Caller, token: str, expires_at: datetime, device: str | None) -> PersonalToken:
    """A token that was just issued, on the wire."""
    return PersonalToken(
        token=token,
        token_type="Bearer",  # noqa: S106 - the scheme
        user_id=caller.principal_id,
        organisation_id=caller.organisation_id,
        expires_at=expires_at,
        device=device,
    )
