"""Second factors: a person sets up an authenticator with login and password, before the first token or later."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import Field

from app.api.context import ServiceDep
from app.api.fields import Read, Wire
from app.api.oauth import NO_STORE
from app.api.personal_tokens import Credentials, Device, PersonalToken, TypedPassword, give_token, knock_of
from app.services.identity import totp
from app.services.identity.enrolling import begin_enrolment, confirm_enrolment
from app.services.identity.opaque import new_secret
from app.services.identity.users import LOGIN_LENGTH

router = APIRouter(prefix="/v1/second-factors", tags=["second factors"])


class SecondFactorBegun(Read):
    """What goes into the authenticator, shown this once: as text, and as the address that a QR code holds."""

    secret: str
    otpauth_uri: str


class FactorConfirm(Wire):
    """Login and password again, and the first code that the authenticator shows."""

    login: Annotated[str, Field(max_length=LOGIN_LENGTH)]
    password: TypedPassword
    first_code: Annotated[str, Field(min_length=1, max_length=totp.TYPED_LENGTH)]
    device: Device = None


class SecondFactorConfirmed(Read):
    """Codes for when the authenticator is lost, shown this once, each good once; and a token: you are signed in."""

    recovery_codes: tuple[str, ...]
    personal_token: PersonalToken


@router.post("", status_code=201)
def begin_second_factor(
    body: Credentials, service: ServiceDep, request: Request, response: Response
) -> SecondFactorBegun:
    """Begin to set up a second factor; it counts once it is confirmed. With `code` where one counts already."""
    begun = begin_enrolment(service.door, knock_of(request, body, "second_factor", device=body.device))
    response.headers.update(NO_STORE)
    return SecondFactorBegun(secret=begun.secret, otpauth_uri=begun.uri)


@router.post("/confirm", status_code=201)
def confirm_second_factor(
    body: FactorConfirm, service: ServiceDep, request: Request, response: Response
) -> SecondFactorConfirmed:
    """Let the second factor that was begun count from now on. All sessions end, and all tokens before it are void."""
    device = body.device or new_secret()
    credentials = Credentials(login=body.login, password=body.password)
    knock = knock_of(request, credentials, "second_factor", device=device)
    enrolled = confirm_enrolment(service.door, knock, first_code=body.first_code)
    response.headers.update(NO_STORE)
    return SecondFactorConfirmed(
        recovery_codes=enrolled.recovery_codes,
        personal_token=give_token(service, enrolled.caller, ttl_s=service.settings.personal_token_ttl_s, device=device),
    )
