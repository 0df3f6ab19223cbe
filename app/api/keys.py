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


async def idempotency_key(idempotency_key: Annotated[str | None, Header(alias="Idempotency-Key")] = None) -> str:
    """The key: 1 to 255 visible ASCII characters. Raises where it is missing or not valid."""
    if idempotency_key is None:
        raise AppError(Code.IDEMPOTENCY_KEY_MISSING)
    visible = idempotency_key.isascii() and idempotency_key.isprintable() and " " not in idempotency_key
    if not visible or not 1 <= len(idempotency_key) <= 255:
        raise AppError(Code.IDEMPOTENCY_KEY_INVALID)
    return idempotency_key


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
