"""Logs: one JSON object a line on standard error. A failure is told by its place, never by the values it held."""

from __future__ import annotations

import sys
import traceback
from collections.abc import MutableMapping
from typing import Any

import structlog

FRAMES = 40
"""Of each exception in a chain, the innermost ones."""


def configure() -> None:
    """Set up structlog for the process. To be called where a process of the service starts."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            name_the_failure,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )


def name_the_failure(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Put the chain of exceptions in as types and places. Their messages may hold a row, a body or a secret."""
    error = event.pop("exc_info", None)
    if error is True:  # the one that is being handled
        error = sys.exc_info()[1]
    if not isinstance(error, BaseException):
        return event
    chain: list[str] = []
    seen: BaseException | None = error
    while seen is not None and len(chain) < 5:
        frames = traceback.extract_tb(seen.__traceback__)[-FRAMES:]
        places = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        chain.append(f"{type(seen).__module__}.{type(seen).__qualname__} at " + " < ".join(reversed(places)))
        seen = seen.__cause__ or seen.__context__
    event["failure"] = chain
    return event
