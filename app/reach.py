"""How far a transaction reaches: which regions and whose rows there are for it. The database holds it to that.

A second line behind the conditions of the queries. Row-level security lets the service's role see a row of a regional
table where its region is among `app.regions`, or the row belongs to `app.organisation`, and write one in those regions
only; both are settings of the transaction, gone with it. Without them there is nothing. Who sets them, and nobody else:

- `Database.transact`, with the reach that this `Database` was given (`reaching`), else with that of the request, which
  authentication has left here (`of_request`);
- `enter`, where a command names the region that it works in: the desk for its batch, `run_once` and a few more;
- `note`, for audit events alone, which are written into the log of the region that they are about, whoever acted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass

from sqlalchemy import Connection

from app.sql import Statement, pipelined


@dataclass(frozen=True, slots=True)
class Reach:
    """Regions, each a LIKE pattern (`330100`; `3301%` with all below it), and the organisation whose rows are seen."""

    regions: tuple[str, ...] = ()
    organisation_id: str = ""

    def __bool__(self) -> bool:
        return bool(self.regions or self.organisation_id)


NOWHERE = Reach()
EVERYWHERE = Reach(("%",))
"""Background work on all regions, and whoever has to find out first who somebody is."""

PUBLISHED = Reach(organisation_id="public")
"""What is published exists for everybody, whoever he is; no organisation has this id, so nothing else does."""

of_request: ContextVar[Reach] = ContextVar("reach of this request", default=NOWHERE)
"""Left by authentication, for all transactions of the request, in whichever of its threads."""


def within(*region_codes: str) -> Reach:
    """Those regions alone."""
    return Reach(tuple(sorted(region_codes)))


def declare(tx: Connection, reach: Reach) -> None:
    """Let the transaction that has just begun reach so far; one journey together with its BEGIN."""
    with pipelined(tx):
        _DECLARE.send(tx, {"regions": " ".join(reach.regions), "organisation": reach.organisation_id})


def enter(tx: Connection, region_codes: Iterable[str | None]) -> None:
    """Let the transaction reach these regions besides, to its end (or to that of its savepoint).

    What is no region's code is passed over: it comes out of ids and codes as people sent them, and is no pattern.
    """
    with pipelined(tx):
        _ENTER.send(tx, {"regions": _codes(region_codes)})


def note(tx: Connection, region_codes: Iterable[str]) -> None:
    """Let audit events be appended to the logs of these regions, and no others', without reaching them otherwise."""
    _NOTE.send(tx, {"regions": _codes(region_codes)})


def _codes(given: Iterable[str | None]) -> str:
    return " ".join(sorted({code for code in given if code and _REGION.fullmatch(code)}))


_REGION = re.compile("[0-9]{6}")
_DECLARE = Statement(
    "SELECT set_config('app.regions', :regions, true), set_config('app.organisation', :organisation, true)"
)
_ENTER = Statement(
    "SELECT set_config('app.regions', concat_ws(' ', NULLIF(current_setting('app.regions', true), ''),"
    " CAST(:regions AS text)), true)"
)
_NOTE = Statement("SELECT set_config('app.noted', :regions, true)")
