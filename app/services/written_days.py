"""A day is read as it is written, 2026-12-31, and from nothing else."""

from __future__ import annotations

import re
from datetime import date, datetime

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

_FULL_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


def _as_written(given: object) -> object:
    """Raise for what is no RFC 3339 full-date: Pydantic reads a number, and digits in quotes, as seconds since 1970."""
    if isinstance(given, date) and not isinstance(given, datetime):
        return given
    if isinstance(given, str) and _FULL_DATE.fullmatch(given):
        return given
    raise PydanticCustomError("date_parsing", "is no day such as 2026-12-31")


WrittenDay = BeforeValidator(_as_written)
