"""What a right request is made of, and as what it goes over the wire."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.matrix.browsers import SESSIONS_TOKEN, STRANGERS_TOKEN
from tests.matrix.tenants import Tenant

CHANGES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
PAGES_BEGIN = "/portal", "/notices"


@dataclass(frozen=True)
class Sent:
    """A request as it goes over the wire, without a token."""

    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes = b""

    @property
    def text(self) -> str:
        """Everything in it that an answer may repeat."""
        return f"{self.path} {self.content.decode(errors='replace')} {json.dumps(self.headers)}"

    @property
    def is_page(self) -> bool:
        """Whether a browser asks: with a session's cookie, and not with a token."""
        return self.path.startswith(PAGES_BEGIN)


@dataclass(frozen=True)
class Form:
    """What a route is sent; `ids` names the tenant's object for a path parameter where it is not its own name,
    `match` the ETag of what it changes. A page's form is `form`; `stranger` is one that is sent without signing in."""

    body: Callable[[Tenant], Any] | None = None
    ids: dict[str, str] = field(default_factory=dict)
    query: Callable[[Tenant], dict[str, Any]] | None = None
    match: str | None = None
    file: Callable[[Tenant], tuple[str, bytes]] | None = None
    form: bool = False
    stranger: bool = False

    def fields(self, tenant: Tenant, *, of_page: bool) -> Any:
        """The body; the form of a page has its token with it."""
        body = self.body(tenant) if self.body else None
        if not of_page:
            return body
        return (body or {}) | {"form_token": STRANGERS_TOKEN if self.stranger else SESSIONS_TOKEN}
