"""Who is asking: a person with the token of `voucher login`, or a machine with its client id and secret."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

import httpx

from app.client.problems import NotSignedIn
from app.client.proving import ProofKey
from app.client.retries import is_transient
from app.kernel.clock import utc_now

TOKEN_MARGIN_S = 60
"""A token is renewed so long before it runs out."""


Prove = Callable[[httpx.Client, str], str | None]
"""Gets a person's code, and with it a new token in place of this one; None where nobody can be asked."""


class Signing(Protocol):
    """What gives a request its token."""

    def step_up(self, http: httpx.Client) -> bool:
        """Prove anew who is asking, where the service wants that; whether it could be done."""

    def headers(self, http: httpx.Client, method: str, path: str, *, renew: bool) -> dict[str, str]:
        """The headers with which a request says who sends it; with `renew` by another token, if there can be one.

        Raises NotSignedIn, and httpx.TransportError where the service is just away.
        """

    def heard(self, response: httpx.Response) -> bool:
        """Whether a refusal says what to sign differently, so that the request is worth repeating as it is."""


def home() -> Path:
    """The private folder of a person's sign-in on this machine."""
    configured = os.environ.get("XDG_CONFIG_HOME")
    return (Path(configured) if configured else Path.home() / ".config") / "compute-vouchers"


@dataclass(frozen=True, slots=True)
class Session:
    """Who is signed in where. Instants are RFC 3339."""

    url: str
    login: str
    user_id: str
    token: str
    expires_at: str
    device: str | None = None
    scope: str = "read write"
    """What the token may be used for; `read` changes nothing."""

    @property
    def is_over(self) -> bool:
        """Whether the token has run out."""
        return datetime.fromisoformat(self.expires_at) <= utc_now()


def kept_at() -> Path:
    """The file of `voucher login`."""
    return home() / "login.json"


def kept_session() -> Session | None:
    """What `voucher login` has kept, run out or not; None without it."""
    try:
        return Session(**json.loads(kept_at().read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def current_session() -> Session | None:
    """The session of `voucher login`, or None where there is none or its token has run out."""
    session = kept_session()
    return None if session is None or session.is_over else session


class Given:
    """A token that somebody else looks after: the text of one, or what is called for one before each request.

    With `prove` a person is asked for a code when an act needs a fresh one (`step_up_needed`): once for each request.
    """

    def __init__(self, token: str | Callable[[], str], prove: Prove | None = None) -> None:
        self._token, self._prove = token, prove

    def headers(self, http: httpx.Client, method: str, path: str, *, renew: bool) -> dict[str, str]:  # noqa: ARG002 - one
        """The token as it was given."""
        return {"Authorization": f"Bearer {self._own()}"}

    def heard(self, response: httpx.Response) -> bool:  # noqa: ARG002 - there is nothing to sign differently
        """Never."""
        return False

    def step_up(self, http: httpx.Client) -> bool:
        """Exchange the token for one with a fresh proof; whether somebody could be asked for it."""
        proven = None if self._prove is None else self._prove(http, self._own())
        if proven is None:
            return False
        self._token = proven
        return True

    def _own(self) -> str:
        return self._token if isinstance(self._token, str) else self._token()


class ClientCredentials:
    """A machine's access token (OAuth 2.0), fetched when it is first needed and again before it runs out.

    With a `proof_key` it is bound to that key (DPoP, RFC 9449), and each request carries a proof of its own.
    """

    def __init__(self, client_id: str, secret: str, *, proof_key: ProofKey | None = None) -> None:
        self.client_id, self._secret, self._proof_key = client_id, secret, proof_key
        self._token, self._good_until = "", 0.0
        self._nonce: str | None = None
        self._renewing = threading.Lock()

    def headers(self, http: httpx.Client, method: str, path: str, *, renew: bool) -> dict[str, str]:
        """A token that is good for a while, and a proof of its key where it has one.

        Raises NotSignedIn, httpx.TransportError where the service is just away.
        """
        token = self._good_token(http, renew=renew)
        if self._proof_key is None:
            return {"Authorization": f"Bearer {token}"}
        proof = self._proof_key.proof(method, _address(http, path), token=token, nonce=self._nonce)
        return {"Authorization": f"DPoP {token}", "DPoP": proof}

    def heard(self, response: httpx.Response) -> bool:
        """Whether the service wants its nonce in the proof, which the next one then has."""
        nonce = response.headers.get("DPoP-Nonce")
        if self._proof_key is None or nonce is None or nonce == self._nonce:
            return False
        self._nonce = nonce
        return True

    def step_up(self, http: httpx.Client) -> bool:  # noqa: ARG002 - a machine has no second factor
        """Never: a machine proves itself with every token."""
        return False

    def _good_token(self, http: httpx.Client, *, renew: bool) -> str:
        with self._renewing:
            if renew or time.monotonic() >= self._good_until:
                response = self._asked(http)
                if self.heard(response):
                    response = self._asked(http)
                if is_transient(response.status_code, None):
                    raise httpx.RemoteProtocolError(f"no token: {response.status_code}")
                if not response.is_success:
                    raise NotSignedIn(f"the client {self.client_id} could not sign in: {response.text[:300]}")
                granted = response.json()
                self._token = granted["access_token"]
                self._good_until = time.monotonic() + max(granted["expires_in"] - TOKEN_MARGIN_S, 1)
            return self._token

    def _asked(self, http: httpx.Client) -> httpx.Response:
        path, headers = "/oauth/token", {}
        if self._proof_key is not None:
            headers["DPoP"] = self._proof_key.proof("POST", _address(http, path), nonce=self._nonce)
        form = {"grant_type": "client_credentials"}
        return http.post(path, data=form, headers=headers, auth=(self.client_id, self._secret))


def _address(http: httpx.Client, path: str) -> str:
    return str(http.base_url).rstrip("/") + path
