"""The client's one way to the service: sends, waits, sends again where that is safe, tells answers from problems."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import msgspec

from app.client.problems import ClientError, NotAPath, Undecided, Unreachable, Unreadable, problem_of
from app.client.retries import PATIENCE_S, jittered_s, retry_after_s
from app.client.signing_in import Signing
from app.kernel.clock import utc_now

T = TypeVar("T")

_PATH = re.compile(r"(?:/[A-Za-z0-9_.:~-]+)+")

PAGE = 200
"""Items of a list fetched at a time: as many as the service gives."""


STEP_UP_NEEDED = "step_up_needed"
"""The act needs a fresh proof of its person (RFC 9470); nothing was done."""


class Again(Enum):
    """What may be sent again when no answer came."""

    FREELY = auto()
    """It changes nothing."""
    BY_KEY = auto()
    """The service does it once for each Idempotency-Key."""
    NEVER = auto()
    """It may be done a second time: only what was certainly not taken in is sent again."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one call may take, in seconds."""

    total_s: float = PATIENCE_S
    """All repetitions and pauses included; a last try may outlive it by its own timeout."""
    unreachable_s: float = 10.0
    """Of that, while no connection can be made at all."""
    answer_s: float = 60.0
    """For one try: until its answer begins, and between two parts of it."""
    connect_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it is sent: its name and all its bytes, so that each try sends the same."""

    name: str
    content: bytes

    @classmethod
    def read(cls, path: Path) -> Upload:
        """A file of this machine. Raises OSError."""
        return cls(path.name, path.read_bytes())


class Page(msgspec.Struct, Generic[T]):
    """Part of a list. `next_cursor` leads to the next, and is None at the end."""

    data: list[T]
    next_cursor: str | None


class Wire:
    """A connection to one service in one language, with whatever signs the requests. Threads may share it."""

    def __init__(self, url: str, *, signing: Signing | None, language: str, patience: Patience) -> None:
        timeout = httpx.Timeout(patience.answer_s, connect=patience.connect_s)
        headers = {"Accept-Language": language, "User-Agent": "compute-vouchers-client"}
        # Plain HTTP never becomes TLS here (redirects are not followed), and loading its authorities takes 30 ms.
        verify = not url.startswith("http://")
        self._http = httpx.Client(
            base_url=url, headers=headers, timeout=timeout, verify=verify, trust_env=not is_local(url)
        )
        self._signing, self._patience = signing, patience
        self.url = url

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    # -- typed ---------------------------------------------------------------------------------------------------------

    def fetch(self, path: str, kind: type[T], /, **query: Any) -> T:
        """GET one thing."""
        return decoded(self.send("GET", path, query=query), kind)

    def each(self, path: str, kind: type[T], /, **query: Any) -> Iterator[T]:
        """GET a list, page by page as it is asked for."""
        cursor: str | None = None
        while True:
            response = self.send("GET", path, query=query | {"limit": PAGE, "cursor": cursor})
            page: Page[T] = decoded(response, Page[kind])  # type: ignore[valid-type]  # known at run time
            yield from page.data
            cursor = page.next_cursor
            if cursor is None:
                return

    def ask(self, path: str, kind: type[T], body: Any, /, **query: Any) -> T:
        """POST something that changes nothing."""
        return decoded(self.send("POST", path, body=body, query=query), kind)

    def act(self, path: str, kind: type[T], body: Any = None, *, key: str | None, **parts: Any) -> T:
        """POST something that is done once for each key: a new one where none is given."""
        response = self.send("POST", path, body=body, again=Again.BY_KEY, key=key or new_key(), **parts)
        return decoded(response, kind)

    def change(self, method: str, path: str, kind: type[T], body: Any = None, **parts: Any) -> T:
        """POST, PUT, PATCH or DELETE what the service knows no key for: it is sent once."""
        return decoded(self.send(method, path, body=body, again=Again.NEVER, **parts), kind)

    def download(self, path: str, /, **query: Any) -> bytes:
        """GET a file."""
        return self.send("GET", path, query=query).content

    # -- bare ----------------------------------------------------------------------------------------------------------

    def send(
        self,
        method: str,
        path: str,
        *,
        again: Again = Again.FREELY,
        key: str | None = None,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        form: Mapping[str, Any] | None = None,
        file: Upload | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """The successful answer of any request. Raises every ClientError.

        Of the query and the form what is None is left out.
        """
        assert again is not Again.BY_KEY or key, "what is done once by its key has one"
        if not _PATH.fullmatch(path) or ".." in path:
            raise NotAPath(f"{path!r} is no path of the API: one of the ids in it cannot be one")
        parts: dict[str, Any] = {
            # None, not an empty one: that would take away a query that is part of the path.
            "params": _worded(query or {}) or None,
            "headers": dict(headers or {}) | ({"Idempotency-Key": key} if key else {}),
        }
        if body is not None:
            parts["content"] = msgspec.json.encode(body)
            parts["headers"]["Content-Type"] = "application/json"
        if form is not None or file is not None:
            parts["data"] = _worded(form or {})
        if file is not None:
            parts["files"] = {"file": (file.name, file.content, "application/octet-stream")}
        return self._until_answered(_Call(method, path, parts, again, key))

    def _until_answered(self, call: _Call) -> httpx.Response:
        began, attempt = time.monotonic(), 0
        renew = was_sent = False
        tried: set[str] = set()
        while True:
            attempt += 1
            asked_s: float | None = None
            failure: Exception
            try:
                self._sign(call, renew=renew)
                renew = False
                response = self._http.request(call.method, call.path, **call.parts)
            except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError) as error:
                raise Unreachable(f"{self.url!r} cannot be asked: {error}") from error
            except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
                failure = error
                if not was_sent and time.monotonic() - began >= self._patience.unreachable_s:
                    raise Unreachable(f"cannot reach {self.url} ({_told(error)})") from error
            except httpx.TransportError as error:
                failure, was_sent = error, True
                if call.again is Again.NEVER:
                    raise _unanswered(call, error, attempt) from error
            else:
                was_sent = True
                if response.is_success:
                    return response
                if response.status_code == 401 and (otherwise := self._signed_otherwise(response, tried)):
                    renew = otherwise == "renewed"
                    continue
                asked_s = retry_after_s(response.headers, at=utc_now())
                problem = problem_of(response.status_code, _document(response), retry_after_s=asked_s)
                if not (problem.is_transient and _may_follow(call, response)):
                    raise problem
                failure = problem
            pause_s = jittered_s(attempt, secrets.randbelow(1000) / 999, asked_s)
            if time.monotonic() - began + pause_s > self._patience.total_s:
                if isinstance(failure, httpx.TransportError):
                    raise _unanswered(call, failure, attempt) from failure
                raise failure
            time.sleep(pause_s)

    def _signed_otherwise(self, response: httpx.Response, tried: set[str]) -> str | None:
        """What to sign differently after a 401, each once; None where nothing helps."""
        if self._signing is None:
            return None
        if "heard" not in tried and self._signing.heard(response):
            tried.add("heard")
            return "heard"
        if _document(response).get("code") == STEP_UP_NEEDED and "proven" not in tried:
            tried.add("proven")
            return "proven" if self._signing.step_up(self._http) else None
        if "renewed" in tried:
            return None
        tried.add("renewed")  # the service's keys were changed, or its address
        return "renewed"

    def _sign(self, call: _Call, *, renew: bool) -> None:
        if self._signing is not None:
            signed = self._signing.headers(self._http, call.method, call.path, renew=renew)
            call.parts["headers"].update(signed)


@dataclass(slots=True)
class _Call:
    method: str
    path: str
    parts: dict[str, Any]
    again: Again
    key: str | None


def new_key() -> str:
    """An Idempotency-Key that nobody else has."""
    return uuid4().hex


def is_local(url: str) -> bool:
    """Whether the address is this machine's own: then no proxy of the environment applies."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def decoded(response: httpx.Response, kind: type[T]) -> T:
    """The body as what the contract says it is. Raises Unreadable."""
    try:
        return msgspec.json.decode(response.content, type=kind)
    except msgspec.MsgspecError as error:
        request = response.request
        raise Unreadable(f"{request.method} {request.url.path}: {error}") from error


def _may_follow(call: _Call, response: httpx.Response) -> bool:
    """Whether another try is safe after such an answer: without a key only where it was turned away at the door."""
    return call.again is not Again.NEVER or response.status_code == 429


def _document(response: httpx.Response) -> Mapping[str, Any]:
    try:
        problem = response.json()
    except ValueError:
        problem = None
    return problem if isinstance(problem, dict) else {"title": response.text[:200]}


def _worded(values: Mapping[str, Any]) -> dict[str, Any]:
    """Query fields and form fields as text: the service reads `true`, not `True`."""
    return {name: _word(value) for name, value in values.items() if value is not None}


def _word(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return [_word(one) for one in value] if isinstance(value, (list, tuple)) else str(value)


def _unanswered(call: _Call, error: Exception, attempt: int) -> ClientError:
    told = f"no answer to {call.method} {call.path} ({_told(error)}, {attempt} ×)"
    return Unreachable(told) if call.again is Again.FREELY else Undecided(told, key=call.key)


def _told(error: Exception) -> str:
    return type(error).__name__
