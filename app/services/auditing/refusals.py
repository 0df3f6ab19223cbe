"""Refused attempts as audit events, gathered so that nobody can flood the ledger with them.

Of what one principal is refused on one route, the first time is written at once, and what follows within a minute as
one event with a count. A principal who tries more than `ROUTES` of them in a minute has the rest in one event of its
own. So an attacker writes some dozen events a minute, whatever he sends. Each process gathers by itself.

Who is unknown has no region whose log would tell of it: such refusals are a line in the service's log.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog
from sqlalchemy import Connection

from app.database import Database
from app.services import audit
from app.services.identity.principals import Caller
from app.services.periodic import Periodic
from app.sql import now

ROUTES = 30
"""Kinds of refusal of one principal that are told apart within a minute."""
REST = "*"
"""All further routes of a principal."""
PRINCIPALS = 2_000
"""Of whom refusals are gathered at once in one process; those of more are lines in the log alone."""
OBJECTS = 10
"""Objects that an event names."""
WINDOW_S = 60.0
LOOK_EVERY_S = 0.5

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One refusal: by whom, on which route (ids left out), at which objects, and the status of the answer."""

    caller: Caller
    route: str
    status: int
    objects: tuple[str, ...]


@dataclass(slots=True)
class _Gathered:
    """What of one kind has been refused and is not written yet."""

    first: Attempt
    since: float
    count: int = 0
    objects: list[str] = field(default_factory=list)


class Gatherer:
    """What is refused to whom, in one process. Knows no database: `due` gives what is to be written."""

    def __init__(self, *, timer: Callable[[], float] = time.monotonic, window_s: float = WINDOW_S) -> None:
        self._timer = timer
        self._window_s = window_s
        self._kinds: dict[str, dict[tuple[str, int], _Gathered]] = {}
        self._fresh: list[_Gathered] = []
        self._lock = threading.Lock()

    def note(self, attempt: Attempt) -> bool:
        """Take a refusal in; False where so many are gathered already that this one is not."""
        with self._lock:
            if attempt.caller.principal_id not in self._kinds and len(self._kinds) >= PRINCIPALS:
                return False
            kinds = self._kinds.setdefault(attempt.caller.principal_id, {})
            key = (attempt.route, attempt.status)
            if key not in kinds and len(kinds) >= ROUTES:
                key = (REST, attempt.status)
            known = kinds.get(key)
            if known is None:
                kinds[key] = _Gathered(attempt, self._timer())
                self._fresh.append(_Gathered(attempt, 0, 1, list(attempt.objects[:OBJECTS])))
            else:
                known.count += 1
                known.objects.extend(
                    one for one in attempt.objects if one not in known.objects and len(known.objects) < OBJECTS
                )
            return True

    def due(self, *, all_of_them: bool = False) -> list[_Gathered]:
        """What is to be written now, each once: first refusals, and the rest of a minute that is over."""
        with self._lock:
            found, self._fresh = self._fresh, []
            over = self._timer() - self._window_s
            for principal, kinds in list(self._kinds.items()):
                ended = [key for key, gathered in kinds.items() if all_of_them or gathered.since <= over]
                found += [gathered for key in ended if (gathered := kinds.pop(key)).count]
                if not kinds:
                    del self._kinds[principal]
            return found


class Refusals:
    """A thread that writes down what a gatherer has."""

    def __init__(self, database: Database, *, gatherer: Gatherer | None = None) -> None:
        self._database = database
        self._gatherer = gatherer or Gatherer()
        self._writing = Periodic(
            "refusals", lambda _: self._write(self._gatherer.due()), every_s=LOOK_EVERY_S, failed="refusals.failed"
        )

    def start(self) -> None:
        """Start writing."""
        self._writing.start()

    def stop(self) -> None:
        """Write what is there and return."""
        self._writing.stop()
        self._write(self._gatherer.due(all_of_them=True))

    def note(self, attempt: Attempt) -> None:
        """Take a refusal in. Never waits for the database."""
        if not self._gatherer.note(attempt):
            log.warning("access.refused", principal=attempt.caller.principal_id, route=attempt.route)

    def _write(self, due: Sequence[_Gathered]) -> None:
        if not due:
            return
        try:
            self._database.transact(lambda tx: record_refusals(tx, due))
        except Exception:  # the database is away: so that it is told at least once
            log.warning(
                "refusals.not_written",
                principals=sorted({one.first.caller.principal_id for one in due}),
                count=sum(one.count for one in due),
                exc_info=True,
            )


def record_refusals(tx: Connection, due: Sequence[_Gathered]) -> None:
    """Append an audit event for each, in the log of the principal's own region."""
    at = now(tx)
    for one in due:
        caller = one.first.caller
        audit.record(
            tx,
            caller=caller,
            region_code=caller.home_region,
            action="access.refused",
            object_id=one.objects[0] if one.objects else one.first.route,
            at=at,
            result="refused",
            details={
                "route": one.first.route,
                "status": one.first.status,
                "count": one.count,
                "objects": one.objects,
                "roles": sorted(caller.principal.roles),
            },
        )
