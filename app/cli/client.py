"""A person's way to the API: JSON in, JSON out, problems told as the service words them."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from ipaddress import ip_address
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit
from uuid import uuid4

import httpx

from app.cli.output import Failure
from app.cli.retries import PATIENCE_S, is_transient, pause_s

TIMEOUT = httpx.Timeout(60, connect=5)
MOST_PLACES = 50
"""Of what is wrong in a request shown on the terminal; `problem` has all that were told."""


class Refused(Failure):
    """The service said no. `code` is the contract's, `problem` the whole document."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.status, self.problem = status, problem
        self.code = str(problem.get("code") or problem.get("error") or status)
        places = _places(problem)
        more = [f"  … +{len(places) - MOST_PLACES}"] if len(places) > MOST_PLACES else []
        told = [f"{status} {self.code}: {_sentence(problem)}", *map(_place, places[:MOST_PLACES]), *more]
        Exception.__init__(self, "\n".join(told))


class Api:
    """A client of one service, with a person's token or none."""

    def __init__(self, url: str, token: str | None = None) -> None:
        headers = {"Accept-Language": _language()}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self._http = httpx.Client(base_url=url, headers=headers, timeout=TIMEOUT, trust_env=not is_local(url))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def get(self, path: str, **parameters: Any) -> Any:
        """The body of a GET. Raises Refused, Failure."""
        return self.send("GET", path, params=parameters or None)

    def post(self, path: str, json: Any = None, *, key: str | None = None, **parts: Any) -> Any:
        """The body of a POST, sent under `key` or under a new one. Raises Refused, Failure."""
        return self.send("POST", path, json=json, key=key, **parts)

    def send(
        self,
        method: str,
        path: str,
        *,
        key: str | None = None,
        prefer: str | None = None,
        if_match: str | None = None,
        **parts: Any,
    ) -> Any:
        """The body of any request: JSON, text or bytes, by what came.

        What is not decided yet is sent again, with the same key, for up to a minute.
        """
        headers = {"Idempotency-Key": key or uuid4().hex} | ({"Prefer": prefer} if prefer else {})
        headers |= {"If-Match": if_match} if if_match else {}
        response = self._answer(method, path, headers, parts)
        body = _body(response)
        if not response.is_success:
            raise Refused(response.status_code, body if isinstance(body, dict) else {"title": str(body)[:200]})
        return body

    def _answer(self, method: str, path: str, headers: dict[str, str], parts: dict[str, Any]) -> httpx.Response:
        deadline = time.monotonic() + PATIENCE_S
        attempt = 0
        while True:
            attempt += 1
            asked: httpx.Headers | None = None
            try:
                response = self._http.request(method, path, headers=headers, **parts)
                if not is_transient(response.status_code, code_of(response)) or time.monotonic() > deadline:
                    return response
                asked = response.headers
            except httpx.TransportError as error:
                if isinstance(error, httpx.ConnectError) or time.monotonic() > deadline:
                    url = self._http.base_url
                    raise Failure(f"无法连接 {url}。", f"cannot reach {url} ({type(error).__name__})") from error
            time.sleep(pause_s(attempt, asked))


def code_of(response: httpx.Response) -> str | None:
    """The problem's code, or None where the answer is no problem."""
    if response.is_success or not response.headers.get("content-type", "").startswith("application/problem+json"):
        return None
    return str(response.json().get("code"))


def is_local(url: str) -> bool:
    """Whether the address is this machine's own: then no proxy of the environment applies."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _body(response: httpx.Response) -> Any:
    if not response.content:
        return None
    media_type = response.headers.get("content-type", "")
    if "json" in media_type:
        return response.json()
    return response.text if media_type.startswith("text/") else response.content


def _language() -> str:
    locale = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    return "en" if locale.startswith("en") else "zh-CN"


def _sentence(problem: Mapping[str, Any]) -> str:
    return str(problem.get("detail") or problem.get("error_description") or problem.get("title") or "")


def _places(problem: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Those that say more than the sentence does: where, or what is wrong there."""
    return [one for one in problem.get("errors") or [] if one.get("pointer") or one.get("row") or one.get("detail")]


def _place(error: Mapping[str, Any]) -> str:
    where = f"row {error['row']} {error.get('column', '')}".strip() if error.get("row") else error.get("pointer", "")
    return f"  {where}: {error.get('detail') or error.get('code')}"
