"""A person's way to any part of the API: JSON in, JSON out, problems told as the service words them."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs

import httpx

from app.cli.output import Failure
from app.client import Patience, Problem, Undecided, Unreachable, Upload
from app.client.signing_in import Given
from app.client.wire import Again, Wire, is_local, new_key

__all__ = ["PATIENCE", "Api", "Refused", "code_of", "is_local", "language"]

PATIENCE = Patience(unreachable_s=1)
"""Somebody is waiting to be told that the service is not there."""

Refused = Problem
"""The service said no."""


class Api:
    """A client of one service, with a person's token or none."""

    def __init__(self, url: str, token: str | None = None) -> None:
        signing = Given(token) if token else None
        self.wire = Wire(url, signing=signing, language=language(), patience=PATIENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wire.close()

    def get(self, path: str, **parameters: Any) -> Any:
        """The body of a GET. Raises Refused, Failure."""
        return self._sent("GET", path, query=parameters)

    def post(
        self, path: str, json: Any = None, *, key: str | None = None, data: Any = None, file: Upload | None = None
    ) -> Any:
        """The body of a POST. With `key` it may be sent again until it is decided; without it is sent once.

        Raises Refused, Failure.
        """
        again = Again.BY_KEY if key else Again.NEVER
        return self._sent("POST", path, again=again, key=key or new_key(), body=json, form=data, file=file)

    def send(
        self, method: str, path: str, *, json: Any = None, key: str | None = None, if_match: str | None = None
    ) -> Any:
        """The body of any request: JSON, text or bytes, by what came. Raises Refused, Failure.

        One that changes something is sent again only where its key was given: not every route knows keys.
        """
        path, _, fields = path.partition("?")
        query = parse_qs(fields, keep_blank_values=True)
        if method in {"GET", "HEAD"}:
            return self._sent(method, path, query=query)
        again = Again.BY_KEY if key else Again.NEVER
        headers = {"If-Match": if_match} if if_match else None
        key = key or new_key()
        return self._sent(method, path, again=again, key=key, query=query, body=json, headers=headers)

    def _sent(self, method: str, path: str, **parts: Any) -> Any:
        try:
            return _body(self.wire.send(method, path, **parts))
        except Unreachable as error:
            raise Failure(f"无法连接 {self.wire.url}。", str(error), status=3) from error
        except Undecided as error:
            raise Failure("未收到答复，可能已经执行。", str(error), status=3) from error


def code_of(response: httpx.Response) -> str | None:
    """The problem's code, or None where the answer is no problem."""
    if response.is_success or not response.headers.get("content-type", "").startswith("application/problem+json"):
        return None
    return str(response.json().get("code"))


def language() -> str:
    """The language of problems, by the locale: `zh-CN`, or `en` where that is English."""
    locale = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    return "en" if locale.startswith("en") else "zh-CN"


def _body(response: httpx.Response) -> Any:
    if not response.content:
        return None
    media_type = response.headers.get("content-type", "")
    if "json" in media_type:
        return response.json()
    return response.text if media_type.startswith("text/") else response.content
