"""OAuth 2.0 for machines: client credentials (RFC 6749) by secret or signed assertion (RFC 7523), revocation (RFC
7009), the keys (RFC 7517) and the metadata (RFC 8414).
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple
from urllib.parse import parse_qsl, unquote_plus

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from app.api.authentication import source_of
from app.api.context import Service, ServiceDep
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import TokenKind, TokenScope
from app.services.identity.assertions import TYPE as ASSERTION_TYPE
from app.services.identity.assertions import NotTaken
from app.services.identity.client_keys import authenticate_assertion, needs_proof
from app.services.identity.clients import authenticate_client, find_machine, note_signed_in
from app.services.identity.principals import Caller, Principal
from app.services.identity.proofs import Proof
from app.services.identity.public_keys import ALGORITHMS
from app.services.identity.spending import spend
from app.services.identity.tokens import ALL_SCOPES

router = APIRouter(tags=["oauth"])

log = structlog.get_logger(__name__)

FORM = "application/x-www-form-urlencoded"
NO_STORE = {"Cache-Control": "no-store"}

_CLIENT = {
    "client_id": {"type": "string", "description": "Here, or as the user of HTTP Basic; with an assertion not needed"},
    "client_secret": {"type": "string", "description": "Here, or as the password of HTTP Basic"},
    "client_assertion_type": {"const": ASSERTION_TYPE},
    "client_assertion": {
        "type": "string",
        "description": "A JWT signed with a key of the client (RFC 7523): iss and sub its id, aud the issuer, exp in"
        " 60 seconds, a jti of its own; the header names the key (kid)",
    },
}


def _body(required: str, properties: Mapping[str, object]) -> dict[str, Any]:
    schema = {"type": "object", "required": [required], "properties": {**properties, **_CLIENT}}
    return {"required": True, "content": {FORM: {"schema": schema}}}


_REQUEST_BODY = _body(
    "grant_type",
    {
        "grant_type": {"const": "client_credentials"},
        "scope": {"type": "string", "description": "`read`, `write` or both, apart by a space; left out, both"},
    },
)
_REVOCATION_BODY = _body("token", {"token": {"type": "string"}, "token_type_hint": {"type": "string"}})


class _SignedIn(NamedTuple):
    client_id: str
    organisation_id: str


class Refusal(BaseModel):
    """A refusal of RFC 6749, section 5.2."""

    error: str
    error_description: str


REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": Refusal, "description": "Refused in the words of RFC 6749, section 5.2"},
    401: {"model": Refusal, "description": "The client did not prove who it is (invalid_client)"},
}


class AccessToken(BaseModel):
    """The successful answer of RFC 6749, section 5.1."""

    access_token: str
    token_type: Literal["Bearer", "DPoP"]
    expires_in: int
    scope: str


class OAuthError(Exception):
    """A refusal in the shape of RFC 6749, section 5.2, which OAuth libraries understand."""

    def __init__(
        self,
        error: str,
        description: str,
        *,
        status: int = 400,
        nonce: str | None = None,
        tried_on: Principal | None = None,
    ) -> None:
        super().__init__(error)
        self.error, self.description, self.status, self.nonce = error, description, status, nonce
        self.tried_on = tried_on
        """The client whose secret or key it should have been."""

    def response(self) -> Response:
        """The refusal on the wire."""
        headers = dict(NO_STORE)
        if self.status == 401:
            headers["WWW-Authenticate"] = 'Basic realm="compute-vouchers", charset="UTF-8"'
        if self.nonce is not None:
            headers["DPoP-Nonce"] = self.nonce
        body = {"error": self.error, "error_description": self.description}
        return JSONResponse(body, status_code=self.status, headers=headers)


@router.post(
    "/oauth/token", response_model=AccessToken, responses=REFUSALS, openapi_extra={"requestBody": _REQUEST_BODY}
)
async def issue_access_token(request: Request, service: ServiceDep) -> Response:
    """Exchange a machine client's id and secret, or its signed assertion, for an access token (client_credentials).

    With a proof in the header `DPoP` (RFC 9449) the token is bound to its key and of the type `DPoP`.
    """
    try:
        form = _form(request.headers.get("content-type", ""), await request.body())
        _check_grant(form)
        asked = _Asked(request.headers.get("authorization"), form, _scopes(form.get("scope", "")), _proof(request))
        token = await run_in_threadpool(_issue, service, request, asked)
    except OAuthError as refusal:
        return _refused(request, refusal)
    return JSONResponse(token.model_dump(), headers=NO_STORE)


@router.post("/oauth/revoke", response_model=None, responses=REFUSALS, openapi_extra={"requestBody": _REVOCATION_BODY})
async def revoke_access_token(request: Request, service: ServiceDep) -> Response:
    """Revoke an access token of the client that asks (RFC 7009): within a minute it is good nowhere.

    200 also for what is no token of ours, or runs out anyway.
    """
    try:
        form = _form(request.headers.get("content-type", ""), await request.body())
        await run_in_threadpool(_revoke, service, request.headers.get("authorization"), form)
    except OAuthError as refusal:
        return _refused(request, refusal)
    return Response(status_code=200, headers=NO_STORE)


@router.get("/.well-known/jwks.json")
async def read_signing_keys(service: ServiceDep) -> dict[str, Any]:
    """The public keys that verify our access tokens."""
    return service.tokens.jwks()


@router.get("/.well-known/oauth-authorization-server")
async def read_authorization_server(service: ServiceDep) -> dict[str, Any]:
    """What a client library needs to know to fetch tokens by itself."""
    issuer = service.tokens.issuer
    return {
        "issuer": issuer,
        "token_endpoint": f"{issuer}/oauth/token",
        "jwks_uri": f"{issuer}/.well-known/jwks.json",
        "grant_types_supported": ["client_credentials"],
        "scopes_supported": sorted(ALL_SCOPES),
        "response_types_supported": [],  # required by RFC 8414; there is no authorization endpoint
        "token_endpoint_auth_methods_supported": _METHODS,
        "token_endpoint_auth_signing_alg_values_supported": sorted(ALGORITHMS.values()),
        "dpop_signing_alg_values_supported": sorted(ALGORITHMS.values()),
        "revocation_endpoint": f"{issuer}/oauth/revoke",
        "revocation_endpoint_auth_methods_supported": _METHODS,
        "revocation_endpoint_auth_signing_alg_values_supported": sorted(ALGORITHMS.values()),
    }


_METHODS = ["private_key_jwt", "client_secret_basic", "client_secret_post"]


class _Asked(NamedTuple):
    """A request for a token."""

    authorization: str | None
    form: Mapping[str, str]
    scopes: frozenset[TokenScope]
    proof: str | None


def _issue(service: Service, request: Request, asked: _Asked) -> AccessToken:
    # Before the client signs in: its assertion is good once, and a proof may have to be signed again with a nonce.
    proof = None if asked.proof is None else _checked(service, asked.proof)
    client = _signed_in(service, asked.authorization, asked.form)
    if proof is not None:
        _take(service, proof, client.client_id)
    elif service.database.transact(lambda tx: needs_proof(tx, client_id=client.client_id)):
        raise OAuthError("invalid_dpop_proof", "This client's tokens are bound to a key: send a proof in DPoP.")
    request_id, source = request.state.request_id, source_of(request)
    service.database.transact(
        lambda tx: note_signed_in(tx, client_id=client.client_id, request_id=request_id, source=source)
    )
    ttl_s = service.settings.access_token_ttl_s
    issued = service.tokens.issue(
        client.client_id,
        client.organisation_id,
        ttl_s=ttl_s,
        scopes=asked.scopes,
        key_thumbprint=None if proof is None else proof.thumbprint,
    )
    return AccessToken(
        access_token=issued.token,
        token_type="Bearer" if proof is None else "DPoP",
        expires_in=ttl_s,
        scope=" ".join(sorted(asked.scopes)),
    )


def _proof(request: Request) -> str | None:
    given = request.headers.getlist("dpop")
    if len(given) > 1:
        raise OAuthError("invalid_dpop_proof", "More than one proof.")
    return given[0] if given else None


def _checked(service: Service, proof: str) -> Proof:
    try:
        return service.proving.check(proof, method="POST", path="/oauth/token", token=None)
    except AppError as error:
        raise _proof_refused(error) from error


def _take(service: Service, proof: Proof, client_id: str) -> None:
    try:
        service.proving.take(proof, subject_id=client_id)
    except AppError as error:
        if error.code is not Code.DPOP_PROOF_INVALID:
            raise
        raise _proof_refused(error) from error


def _proof_refused(error: AppError) -> OAuthError:
    if error.code is Code.DPOP_NONCE_NEEDED:
        return OAuthError("use_dpop_nonce", "Sign again with the nonce of DPoP-Nonce.", nonce=error.context["nonce"])
    return OAuthError("invalid_dpop_proof", f"The proof is not taken; wrong is: {error.context['why']}.")


def _revoke(service: Service, authorization: str | None, form: Mapping[str, str]) -> None:
    if not form.get("token"):
        raise OAuthError("invalid_request", "token is missing.")
    client = _signed_in(service, authorization, form)
    try:
        claims = service.tokens.verify(form["token"])
    except AppError:  # not ours, or run out: there is nothing to revoke
        return
    if claims.subject != client.client_id:
        return
    service.database.transact(
        lambda tx: spend(
            tx, subject_id=claims.subject, kind=TokenKind.ACCESS, jti=claims.jti, expires_at=claims.expires_at
        )
    )
    service.principal_cache.forget(form["token"])


def _signed_in(service: Service, authorization: str | None, form: Mapping[str, str]) -> _SignedIn:
    """The client that asks, by its assertion or its secret, never by both."""
    if "client_assertion" in form or "client_assertion_type" in form:
        return _by_assertion(service, authorization, form)
    client_id, secret = _credentials(authorization, form)
    organisation_id = service.database.transact(lambda tx: authenticate_client(tx, client_id=client_id, secret=secret))
    if organisation_id is None:
        raise _invalid_client(tried_on=service.database.transact(lambda tx: find_machine(tx, client_id)))
    return _SignedIn(client_id, organisation_id)


def _by_assertion(service: Service, authorization: str | None, form: Mapping[str, str]) -> _SignedIn:
    if authorization is not None or "client_secret" in form:
        raise OAuthError("invalid_request", "Use one way of authenticating, not two.")
    if form.get("client_assertion_type") != ASSERTION_TYPE:
        raise OAuthError("invalid_request", f"client_assertion_type must be {ASSERTION_TYPE}.")
    assertion = form.get("client_assertion", "")
    try:
        client = _SignedIn(
            *service.database.transact(
                lambda tx: authenticate_assertion(tx, assertion=assertion, issuer=service.tokens.issuer)
            )
        )
    except NotTaken as refusal:
        raise _invalid_client(str(refusal)) from refusal
    if form.get("client_id", client.client_id) != client.client_id:
        raise _invalid_client("client_id is not that of the assertion.")
    return client


def _refused(request: Request, refusal: OAuthError) -> Response:
    if refusal.tried_on is not None:
        request.state.caller = Caller(refusal.tried_on, request.state.request_id, source_of(request))
    if refusal.error == "invalid_client":
        log.warning("oauth.refused", source=source_of(request), request_id=request.state.request_id)
    return refusal.response()


def _form(content_type: str, body: bytes) -> Mapping[str, str]:
    if content_type.partition(";")[0].strip().lower() != FORM:
        raise OAuthError("invalid_request", f"Send the parameters as {FORM}.")
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=20)
    except ValueError as error:
        raise OAuthError("invalid_request", "The form could not be read.") from error
    form = dict(pairs)
    if len(form) < len(pairs):
        raise OAuthError("invalid_request", "A parameter is given more than once.")
    return form


def _credentials(authorization: str | None, form: Mapping[str, str]) -> tuple[str, str]:
    """Client id and secret, from HTTP Basic or from the form, never from both."""
    if authorization is None:
        if not form.get("client_id") or not form.get("client_secret"):
            raise _invalid_client()
        return form["client_id"], form["client_secret"]
    if "client_secret" in form:
        raise OAuthError("invalid_request", "Use one way of authenticating, not two.")
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        raise _invalid_client()
    try:
        user, colon, password = b64decode(encoded.strip(), validate=True).decode().partition(":")
    except ValueError as error:  # not ASCII, not Base64 or not UTF-8
        raise _invalid_client() from error
    client_id = unquote_plus(user)
    if not colon or form.get("client_id", client_id) != client_id:
        raise _invalid_client()
    return client_id, unquote_plus(password)


def _check_grant(form: Mapping[str, str]) -> None:
    if "grant_type" not in form:
        raise OAuthError("invalid_request", "grant_type is missing.")
    if form["grant_type"] != "client_credentials":
        raise OAuthError("unsupported_grant_type", "Only client_credentials is supported.")


def _scopes(given: str) -> frozenset[TokenScope]:
    """What is asked for; nothing said is everything, within the roles of the client."""
    try:
        return frozenset(map(TokenScope, given.split())) or ALL_SCOPES
    except ValueError as error:
        known = ", ".join(sorted(ALL_SCOPES))
        raise OAuthError("invalid_scope", f"The scopes are {known}; roles are not asked for here.") from error


def _invalid_client(
    description: str = "The client or its secret is not right.", *, tried_on: Principal | None = None
) -> OAuthError:
    return OAuthError("invalid_client", description, status=401, tried_on=tried_on)
