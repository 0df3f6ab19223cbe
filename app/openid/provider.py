"""One provider: where it lies and with which keys it signs, remembered for a while, and the two steps of signing in.

Signing in is the authorization code flow (OpenID Connect Core, section 3.1) with PKCE (RFC 7636, S256), `state`,
`nonce` and the `iss` of the answer (RFC 9207). An `Attempt` is what ties the answer to the browser that was sent off:
the browser keeps it in a cookie, and `state`, `nonce` and the code verifier follow from it.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote_plus, urlencode

import jwt
from authlib.oauth2 import ClientAuth, OAuth2Client
from authlib.oauth2.rfc6749.parameters import prepare_token_request
from authlib.oidc.discovery import OpenIDProviderMetadata
from authlib.oidc.discovery.well_known import get_well_known_url

from app.kernel.clock import utc_now
from app.openid.calls import DEADLINE_S, MAX_BYTES, allows, ask
from app.openid.configuration import ProviderSettings
from app.openid.faults import NotProven, NotReached, ProviderAway, RefusedByProvider
from app.openid.id_tokens import Key, Subject, check_id_token, chosen_key, named_key, usable_keys
from app.openid.pause import Pause
from app.outbound import Network, Outbound, Resolve, resolve

METADATA_KEPT_S = 3600.0
KEYS_KEPT_S = 3600.0
KEYS_ANEW_S = 10.0
"""Keys are read anew for a name that is not among them, but not more often than this."""
TOGETHER_S = 8.0
"""For all calls of one sign-in: so long a browser waits at most."""
ASSERTION_S = 60
MAX_CODE = 2048

_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to sign in, known to the browser that makes it and to nobody else."""

    secret: str

    @classmethod
    def new(cls) -> Attempt:
        """A new one, of 256 bits of chance."""
        return cls(secrets.token_urlsafe(32))

    @property
    def state(self) -> str:
        """Comes back with the answer: whoever has not this browser's secret cannot make it up."""
        return self._follows("state")

    @property
    def nonce(self) -> str:
        """Stands in the ID token that is made for this try."""
        return self._follows("nonce")

    @property
    def code_verifier(self) -> str:
        """Shown to the provider with the code (RFC 7636)."""
        return self._follows("code verifier")

    def is_answered_by(self, state: str) -> bool:
        """Whether an answer is to this try."""
        return hmac.compare_digest(self.state.encode(), state.encode(errors="replace"))

    def _follows(self, purpose: str) -> str:
        made = hmac.new(self.secret.encode(), purpose.encode(), hashlib.sha256).digest()
        return urlsafe_b64encode(made).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True)
class _Metadata:
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    end_session_endpoint: str | None
    names_itself: bool
    """Whether every answer of its authorization endpoint has `iss`."""


class Provider:
    """One configured provider, used from one event loop; in a private network only if that is one of `networks`."""

    def __init__(
        self,
        settings: ProviderSettings,
        *,
        redirect_uri: str,
        networks: Collection[Network] = (),
        resolve: Resolve = resolve,
        clock: Callable[[], datetime] = utc_now,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self._redirect_uri = redirect_uri
        self._outbound = Outbound(
            settings.allowed_hosts,
            allowed=networks,
            resolve=resolve,
            max_bytes=MAX_BYTES,
            whole_s=DEADLINE_S,
            ca_file=settings.ca_file,
        )
        self._clock, self._timer = clock, timer
        self._client = OAuth2Client(
            None,
            client_id=settings.client_id,
            redirect_uri=redirect_uri,
            scope=" ".join(settings.scopes),
            code_challenge_method="S256",
        )
        self._asking = asyncio.Lock()
        self._metadata: tuple[float, _Metadata] | None = None
        self._keys: tuple[float, tuple[Key, ...]] | None = None
        self._pause = Pause(timer)

    async def close(self) -> None:
        """Give the connections back."""
        await self._outbound.close()

    async def authorization_url(self, attempt: Attempt, *, language: str) -> str:
        """Where the browser is sent to sign in. Raises ProviderAway."""
        metadata = await self._known_metadata()
        settings = self.settings
        extra: dict[str, str] = {"nonce": attempt.nonce, "ui_locales": "zh-CN" if language == "zh" else "en"}
        if settings.acr_values:
            extra["acr_values"] = " ".join(settings.acr_values)
        if settings.max_age_s is not None:
            extra["max_age"] = str(settings.max_age_s)
        url, _ = self._client.create_authorization_url(
            metadata.authorization_endpoint, state=attempt.state, code_verifier=attempt.code_verifier, **extra
        )
        return str(url)

    async def signed_in(self, attempt: Attempt, answer: Mapping[str, str]) -> Subject:
        """Whom the provider has let in: `answer` are the fields with which the browser came back.

        Raises NotProven, RefusedByProvider, ProviderAway.
        """
        try:
            async with asyncio.timeout(TOGETHER_S):
                return await self._signed_in(attempt, answer)
        except TimeoutError as error:
            raise ProviderAway(f"signing in took more than {TOGETHER_S} s") from error

    async def _signed_in(self, attempt: Attempt, answer: Mapping[str, str]) -> Subject:
        if not attempt.is_answered_by(answer.get("state", "")):
            raise NotProven("state is not that of this browser")
        metadata = await self._known_metadata()
        issuer = answer.get("iss")
        if issuer != self.settings.issuer and (issuer is not None or metadata.names_itself):
            raise NotProven("the answer comes from another issuer")
        if "error" in answer:
            raise RefusedByProvider(answer["error"][:64])
        code = answer.get("code", "")
        if not 0 < len(code) <= MAX_CODE:
            raise NotProven("the answer has no code")
        id_token, access_token = await self._exchanged(metadata, attempt, code)
        key = await self._key_of(metadata, named_key(id_token))
        return check_id_token(
            id_token,
            key,
            provider=self.settings,
            nonce=attempt.nonce,
            access_token=access_token,
            at=self._clock(),
        )

    async def sign_out_url(self, back_to: str) -> str | None:
        """Where a browser ends its session at the provider too (RP-initiated logout); None where it offers none.

        Raises ProviderAway.
        """
        endpoint = (await self._known_metadata()).end_session_endpoint
        if endpoint is None:
            return None
        fields = {"client_id": self.settings.client_id, "post_logout_redirect_uri": back_to}
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(fields)}"

    # -- the token endpoint --------------------------------------------------------------------------------------------

    async def _exchanged(self, metadata: _Metadata, attempt: Attempt, code: str) -> tuple[str, str | None]:
        body = prepare_token_request(
            "authorization_code", "", self._redirect_uri, code=code, code_verifier=attempt.code_verifier
        )
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        uri, headers, body = self._authentication().prepare("POST", metadata.token_endpoint, headers, body)
        try:
            answer = await ask(self._outbound, "POST", uri, headers=headers, body=body)
        except NotReached:
            self._pause.not_reached()
            raise
        if answer.status >= 500 or answer.status == 429:
            raise ProviderAway(f"the token endpoint answered {answer.status}")
        if answer.status != 200:
            raise NotProven(f"the token endpoint said {answer.status} {str(answer.body.get('error'))[:64]!r}")
        id_token, access_token = answer.body.get("id_token"), answer.body.get("access_token")
        if not isinstance(id_token, str):
            raise NotProven("the token endpoint gave no ID token")
        return id_token, access_token if isinstance(access_token, str) else None

    def _authentication(self) -> ClientAuth:
        settings = self.settings
        if settings.private_key is not None:
            return ClientAuth(settings.client_id, None, auth_method=self._with_assertion)
        secret = settings.secret
        if settings.client_secret_method == "client_secret_basic":  # noqa: S105 - its name
            # RFC 6749, section 2.3.1: both are form-encoded first, which Authlib leaves to the caller.
            return ClientAuth(quote_plus(settings.client_id), quote_plus(secret or ""), "client_secret_basic")
        return ClientAuth(settings.client_id, secret, "client_secret_post")

    def _with_assertion(
        self, _: ClientAuth, __: str, uri: str, headers: dict[str, str], body: str
    ) -> tuple[str, dict[str, str], str]:
        """Add a signed assertion (RFC 7523); its audience is the issuer, as the successor of the RFC wants it."""
        assert self.settings.private_key is not None, "asked for by whoever has a key"
        key, algorithm = self.settings.private_key
        at = self._clock()
        claims = {
            "iss": self.settings.client_id,
            "sub": self.settings.client_id,
            "aud": self.settings.issuer,
            "iat": int(at.timestamp()),
            "exp": int((at + timedelta(seconds=ASSERTION_S)).timestamp()),
            "jti": secrets.token_urlsafe(16),
        }
        kid = self.settings.private_key_id
        signed = jwt.encode(claims, key, algorithm, {"kid": kid} if kid else None)
        fields = {
            "client_id": self.settings.client_id,
            "client_assertion_type": _ASSERTION_TYPE,
            "client_assertion": signed,
        }
        return uri, headers, f"{body}&{urlencode(fields)}"

    # -- what is remembered --------------------------------------------------------------------------------------------

    async def _known_metadata(self) -> _Metadata:
        kept = self._metadata
        if kept is not None and self._timer() < kept[0]:
            return kept[1]
        async with self._asking:
            kept = self._metadata
            if kept is not None and self._timer() < kept[0]:
                return kept[1]
            url = get_well_known_url(self.settings.issuer, external=True)
            metadata = self._read_metadata(await self._asked(url))
            self._metadata = (self._timer() + METADATA_KEPT_S, metadata)
            return metadata

    async def _key_of(self, metadata: _Metadata, kid: str | None) -> Key:
        """The key that a token names; one that is not known yet may be new. Raises NotProven, ProviderAway."""
        async with self._asking:
            read_at, keys = self._keys or (None, ())
            found = chosen_key(keys, kid)
            at = self._timer()
            stale = read_at is None or at >= read_at + KEYS_KEPT_S
            if stale or (found is None and read_at is not None and at >= read_at + KEYS_ANEW_S):
                keys = usable_keys(await self._asked(metadata.jwks_uri))
                self._keys = (at, keys)
                found = chosen_key(keys, kid)
        if found is None:
            raise NotProven("the ID token names no key of the provider")
        return found

    async def _asked(self, url: str) -> dict[str, Any]:
        if self._pause.is_on:
            raise ProviderAway("it did not answer a moment ago")
        try:
            document = await self._document(url)
        except NotReached:
            self._pause.not_reached()
            raise
        except ProviderAway:
            self._pause.answered_with_an_error()
            raise
        self._pause.answered()
        return document

    async def _document(self, url: str) -> dict[str, Any]:
        answer = await ask(self._outbound, "GET", url)
        if answer.status != 200:
            raise ProviderAway(f"{url}: {answer.status}")
        return answer.body

    def _read_metadata(self, document: dict[str, Any]) -> _Metadata:
        """Only what is used; every address must be among the hosts that the operator named. Raises ProviderAway."""
        read = OpenIDProviderMetadata(document)
        try:
            for check in (
                read.validate_issuer,
                read.validate_authorization_endpoint,
                read.validate_token_endpoint,
                read.validate_jwks_uri,
            ):
                check()
        except (ValueError, TypeError, AttributeError) as error:
            raise ProviderAway(f"its metadata: {error}") from error
        if document["issuer"] != self.settings.issuer:
            raise ProviderAway("its metadata is of another issuer")
        methods = document.get("code_challenge_methods_supported")
        if isinstance(methods, list) and "S256" not in methods:
            raise ProviderAway("it does not know PKCE with S256")
        ends = document.get("end_session_endpoint")
        asked, token, keys = (document[name] for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"))
        for address in (asked, token, keys, *([ends] if ends is not None else [])):
            if not isinstance(address, str) or not allows(self._outbound, address):
                raise ProviderAway(f"{str(address)[:200]!r} is not among the hosts that were named for it")
        names_itself = document.get("authorization_response_iss_parameter_supported") is True
        return _Metadata(asked, token, keys, ends, names_itself)
