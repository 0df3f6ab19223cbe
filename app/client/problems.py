"""What can go wrong when the service is asked, as exceptions.

ClientError
├── NotAPath            an id that cannot be one; nothing was sent
├── NotSignedIn         no token, or none to be had; nothing was sent
├── Unreachable         no connection, or no answer to a question: nothing was done
├── Undecided           sent, and no answer came: the same key may be sent again, `key` says which
├── Unreadable          an answer that does not follow the contract
├── JobLost             a job came to no end; the same key may be sent again
└── Problem             the service said no, and why (RFC 9457)
    ├── Malformed 400 · Unauthenticated 401 · Forbidden 403 · NotFound 404 · Conflict 409
    ├── Stale 412, 428 · TooLarge 413 · Invalid 422 · TooMany 429
    └── Failed 5xx, of which 503 is Unavailable
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.client.retries import is_transient

MOST_PLACES = 50
"""Of what is wrong in a request told in an exception's text; `errors` has all that were told."""


class ClientError(Exception):
    """Whatever the client raises of its own."""


class NotAPath(ClientError):
    """An id, or another part of a path, that the service cannot have given out; nothing was sent."""


class NotSignedIn(ClientError):
    """There is no token, it has run out, or the machine's secret was not taken."""


class Unreachable(ClientError):
    """No connection to the service could be made, or a question found no answer: nothing was done."""


class Undecided(ClientError):
    """A request was sent and no final answer came in time: it may have been done, or not.

    With `key` it is safe to send the same request again under that Idempotency-Key. Without, look first.
    """

    def __init__(self, told: str, *, key: str | None) -> None:
        super().__init__(told)
        self.key = key


class JobLost(Undecided):
    """A job came to no end, however often it was begun again."""


class Unreadable(ClientError):
    """The answer does not follow the contract: another service, another version, or something in between."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request is wrong. In a sheet `row` counts as its program shows it, `column` is `D 面值（元）`."""

    pointer: str
    code: str
    detail: str | None = None
    limit: str | int | None = None
    actual: str | int | None = None
    row: int | None = None
    column: str | None = None

    @property
    def where(self) -> str:
        """The row and column, or the pointer into the body."""
        return f"row {self.row} {self.column or ''}".strip() if self.row else self.pointer

    def __str__(self) -> str:
        return f"{self.where}: {self.detail or self.code}"


class Problem(ClientError):
    """The service said no. `code` is the contract's; `detail` a sentence in the language that was asked for.

    `context` has what the problem says besides, such as `redemption_id`; `problem` is the document as it came.
    """

    def __init__(self, status: int, problem: Mapping[str, Any], *, retry_after_s: float | None = None) -> None:
        self.status, self.problem, self.retry_after_s = status, problem, retry_after_s
        self.code = str(problem.get("code") or problem.get("error") or status)
        self.title = str(problem.get("title") or "")
        self.detail = str(problem.get("detail") or problem.get("error_description") or self.title)
        self.request_id: str | None = problem.get("request_id")
        self.errors = tuple(_place(error) for error in problem.get("errors") or () if isinstance(error, Mapping))
        self.context = {name: value for name, value in problem.items() if name not in _KNOWN}
        super().__init__(self._text())

    @property
    def is_transient(self) -> bool:
        """Whether nothing was decided: the same request, with the same key, may get another answer."""
        return is_transient(self.status, self.code)

    def _text(self) -> str:
        # Those that say more than the sentence does: where, or what is wrong there.
        places = [place for place in self.errors if place.where or place.detail]
        more = [f"  … +{len(places) - MOST_PLACES}"] if len(places) > MOST_PLACES else []
        return "\n".join(
            [f"{self.status} {self.code}: {self.detail}", *(f"  {one}" for one in places[:MOST_PLACES]), *more]
        )


class Malformed(Problem):
    """400: the request cannot be read, or lacks its Idempotency-Key."""


class Unauthenticated(Problem):
    """401: no token, or none that counts."""


class Forbidden(Problem):
    """403: not with this role."""


class NotFound(Problem):
    """404: there is no such thing, or it belongs to others."""


class Conflict(Problem):
    """409: not in the present state."""


class Stale(Problem):
    """412, 428: changed by somebody else since it was read, or the version that was read was not given."""


class TooLarge(Problem):
    """413: more than the service takes at once."""


class Invalid(Problem):
    """422: understood, and refused by a rule or by validation; `errors` names each place."""


class TooMany(Problem):
    """429: too often; `retry_after_s` says when again."""


class Failed(Problem):
    """5xx: the service's own fault."""


class Unavailable(Failed):
    """503: not now."""


_KNOWN = frozenset({"type", "title", "status", "detail", "instance", "code", "request_id", "errors"})
_CLASSES: Mapping[int, type[Problem]] = {
    400: Malformed,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    412: Stale,
    413: TooLarge,
    422: Invalid,
    428: Stale,
    429: TooMany,
    503: Unavailable,
}


def problem_of(status: int, problem: Mapping[str, Any], *, retry_after_s: float | None = None) -> Problem:
    """The exception for an answer that is no success."""
    kind = _CLASSES.get(status, Failed if status >= 500 else Problem)
    return kind(status, problem, retry_after_s=retry_after_s)


def _place(error: Mapping[str, Any]) -> Place:
    known = {name: error.get(name) for name in ("detail", "limit", "actual", "row", "column")}
    return Place(str(error.get("pointer") or ""), str(error.get("code") or ""), **known)
