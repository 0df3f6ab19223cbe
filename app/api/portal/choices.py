"""The outside providers as pages offer them."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import Request

from app.api.context import get_service
from app.api.portal.pages import words_of

USED_COOKIE = "voucher_openid_used"
"""Where this browser has signed in, so that it can be offered to sign out there too."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A provider as a page offers it."""

    id: str
    name: str


def choices(request: Request) -> list[Choice]:
    """The providers at which one may sign in, in the operator's order and the reader's language."""
    language = words_of(request).language
    return [Choice(one.settings.id, one.settings.name(language)) for one in get_service(request).openid.values()]
