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

    def token(self, http: httpx.Client, *, renew: bool) -> str:
        """A token that is good for a while; with `renew` another one than before, if there can be one.

        Raises NotSignedIn, and httpx.TransportError where the service is just away.
        """


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

    def token(self, http: httpx.Client, *, renew: bool) -> str:  # noqa: ARG002 - there is only this one
        """As it was given."""
        return self._token if isinstance(self._token, str) else self._token()

    def step_up(self, http: httpx.Client) -> bool:
        """Exchange the token for one with a fresh proof; whether somebody could be asked for it."""
        proven = None if self._prove is None else self._prove(http, self.token(http, renew=False))
        if proven is None:
            return False
        self._token = proven
        return True


class ClientCredentials:
    """A machine's access token (OAuth 2.0), fetched when it is first needed and again before it runs out."""

    def step_up(self, http: httpx.Client) -> bool:  # noqa: ARG002 - a machine has no second factor
        """Never: a machine proves itself with every token."""
        return False

    def __init__(self, client_id: str, secret: str) -> None:
        self.client_id, self._secret = client_id, secret
        self._token, self._good_until = "", 0.0
        self._renewing = threading.Lock()

    def token(self, http: httpx.Client, *, renew: bool) -> str:
        """A token that is good for a while. Raises NotSignedIn, httpx.TransportError where the service is just away."""
        with self._renewing:
            if renew or time.monotonic() >= self._good_until:
                form = {"grant_type": "client_credentials"}
                response = http.post("/oauth/token", data=form, auth=(self.client_id, self._secret))
                if is_transient(response.status_code, None):
                    raise httpx.RemoteProtocolError(f"no token: {response.status_code}")
                if not response.is_success:
                    raise NotSignedIn(f"the client {self.client_id} could not sign in: {response.text[:300]}")
                granted = response.json()
                self._token = granted["access_token"]
                self._good_until = time.monotonic() + max(granted["expires_in"] - TOKEN_MARGIN_S, 1)
            return self._token
