"""The Idempotency-Key header, and doing a route's work once under it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Header, Request, Response
from pydantic import BaseModel
from sqlalchemy import Connection

from app.api.context import Service
from app.api.problems import refusal_renderer, response
from app.kernel.problems import AppError, Code
from app.services.idempotency import Answer, run_once
from app.services.identity.principals import Caller

R = TypeVar("R")


MAX_KEY_LENGTH = 255
KEY_PATTERN = f"^[!-~]{{1,{MAX_KEY_LENGTH}}}$"


async def idempotency_key(
    idempotency_key: Annotated[list[str] | None, Header(alias="Idempotency-Key")] = None,
) -> str:
    """The key: 1 to 255 visible ASCII characters. Raises where it is missing or not valid.

    A header that is sent twice is one with a comma and a space (RFC 9110, 5.3), and so is no key.
    """
    if not idempotency_key:
        raise AppError(Code.IDEMPOTENCY_KEY_MISSING)
    key = ", ".join(idempotency_key)
    if not 1 <= len(key) <= MAX_KEY_LENGTH:
        raise AppError(Code.IDEMPOTENCY_KEY_INVALID, limit=MAX_KEY_LENGTH, actual=len(key))
    if not (key.isascii() and key.isprintable() and " " not in key):
        wrong = next(character for character in key if not "!" <= character <= "~")
        raise AppError(Code.IDEMPOTENCY_KEY_INVALID, limit="! – ~", actual=f"U+{ord(wrong):04X}")
    return key


IdempotencyKey = Annotated[str, Depends(idempotency_key)]


def do_once(
    service: Service,
    request: Request,
    *,
    caller: Caller,
    region_code: str,
    route: str,
    key: str,
    command: Mapping[str, Any],
    work: Callable[[Connection], R],
    render: Callable[[R], Answer],
) -> Response:
    """Run `work` once under the key and send its answer; a repetition sends the stored bytes."""
    answer = run_once(
        service.database,
        caller=caller,
        region_code=region_code,
        route=route,
        key=key,
        command=command,
        work=work,
        render=render,
        render_refusal=refusal_renderer(request),
    )
    return response(answer)


def created(body: BaseModel, resource_id: str, *, status: int = 201) -> Answer:
    """The answer for something that now exists."""
    return Answer(status, body.model_dump_json().encode(), resource_id)
