"""OAuth 2.0 for machines: client credentials (RFC 6749), the keys (RFC 7517) and the metadata (RFC 8414)."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote_plus

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from app.api.authentication import source_of
from app.api.context import Service, ServiceDep
from app.services.identity.clients import authenticate_client

router = APIRouter(tags=["oauth"])

log = structlog.get_logger(__name__)

FORM = "application/x-www-form-urlencoded"
NO_STORE = {"Cache-Control": "no-store"}

_REQUEST_BODY = {
    "required": True,
    "content": {
        FORM: {
            "schema": {
                "type": "object",
                "required": ["grant_type"],
                "properties": {
                    "grant_type": {"const": "client_credentials"},
                    "client_id": {"type": "string", "description": "Here, or as the user of HTTP Basic"},
                    "client_secret": {"type": "string", "description": "Here, or as the password of HTTP Basic"},
                },
            }
        }
    },
}


class AccessToken(BaseModel):
    """The successful answer of RFC 6749, section 5.1."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int


class OAuthError(Exception):
    """A refusal in the shape of RFC 6749, section 5.2, which OAuth libraries understand."""

    def __init__(self, error: str, description: str, *, status: int = 400) -> None:
        super().__init__(error)
        self.error, self.description, self.status = error, description, status

    def response(self) -> Response:
        """The refusal on the wire."""
        headers = dict(NO_STORE)
        if self.status == 401:
            headers["WWW-Authenticate"] = 'Basic realm="compute-vouchers", charset="UTF-8"'
        body = {"error": self.error, "error_description": self.description}
        return JSONResponse(body, status_code=self.status, headers=headers)


@router.post("/oauth/token", response_model=AccessToken, openapi_extra={"requestBody": _REQUEST_BODY})
async def issue_access_token(request: Request, service: ServiceDep) -> Response:
    """Exchange a machine client's id and secret for an access token (client_credentials)."""
    try:
        form = _form(request.headers.get("content-type", ""), await request.body())
        client_id, secret = _credentials(request.headers.get("authorization"), form)
        _check_grant(form)
        token = await run_in_threadpool(_issue, service, client_id, secret)
    except OAuthError as refusal:
        if refusal.error == "invalid_client":
            log.warning("oauth.refused", source=source_of(request), request_id=request.state.request_id)
        return refusal.response()
    return JSONResponse(token.model_dump(), headers=NO_STORE)


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
        "response_types_supported": [],  # required by RFC 8414; there is no authorization endpoint
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
    }


def _issue(service: Service, client_id: str, secret: str) -> AccessToken:
    organisation_id = service.database.transact(lambda tx: authenticate_client(tx, client_id=client_id, secret=secret))
    if organisation_id is None:
        raise _invalid_client()
    ttl_s = service.settings.access_token_ttl_s
    issued = service.tokens.issue(client_id, organisation_id, ttl_s=ttl_s)
    return AccessToken(access_token=issued.token, token_type="Bearer", expires_in=ttl_s)  # noqa: S106 - the scheme


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
    if form.get("scope"):
        raise OAuthError("invalid_scope", "There are no scopes: a token carries the roles of its client.")


def _invalid_client() -> OAuthError:
    return OAuthError("invalid_client", "The client or its secret is not right.", status=401)
