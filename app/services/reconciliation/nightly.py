"""Reconciles every region once a night, beside the requests: invariants, and the statements of the last two months."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from threading import Event
from uuid import uuid4

import structlog
from sqlalchemy import Connection, text

from app.database import Database
from app.kernel.clock import SHANGHAI, civil_date
from app.services.identity.principals import Caller, Principal
from app.services.periodic import Periodic
from app.services.reconciliation.comparing import Period
from app.services.reconciliation.reconcile import reconcile_regions
from app.sql import now

CLOCK = "clock"
"""Who ran what no request caused."""
LOOKED_EVERY_S = 60
AFTER_FAILURE_S = 1_800
"""A full check is no small thing to repeat."""

log = structlog.get_logger(__name__)

_DUE = text(
    "SELECT DISTINCT p.region_code FROM programmes p WHERE NOT EXISTS ("
    "SELECT 1 FROM reconciliations r WHERE r.region_code = p.region_code AND r.run_by = :clock"
    " AND r.started_at >= :since) ORDER BY 1"
)


def last_due(at: datetime, nightly: time) -> datetime:
    """The latest instant, at or before `at`, at which the night's run was due; `nightly` is Asia/Shanghai's. Pure."""
    today = datetime.combine(civil_date(at), nightly, SHANGHAI)
    return today if today <= at else datetime.combine(civil_date(at) - timedelta(days=1), nightly, SHANGHAI)


def nightly_period(on: date) -> Period:
    """From the first day of the month before until yesterday: statements of a month come in the next one. Pure."""
    yesterday = on - timedelta(days=1)
    return Period((on.replace(day=1) - timedelta(days=1)).replace(day=1), yesterday)


def run_due(database: Database, nightly: time) -> int:
    """Reconcile the regions that have not been since the last due instant; how many there were.

    Any number of processes may call it at any time: one does the work, the others find it being done, or done.
    """
    with database.alone("nightly reconciliation") as mine:
        if not mine:
            return 0

        def due(tx: Connection) -> tuple[list[str], datetime]:
            at = now(tx)
            asked = {"clock": CLOCK, "since": last_due(at, nightly)}
            return list(tx.execute(_DUE, asked).scalars()), at

        regions, at = database.transact(due)
        if not regions:
            return 0
        caller = Caller(Principal(CLOCK, CLOCK, regions[0], ()), uuid4().hex, source=CLOCK)
        return reconcile_regions(database, regions, caller=caller, period=nightly_period(civil_date(at)))


def nightly_check(database: Database, nightly: time) -> Periodic:
    """The thread that looks now and then whether the night's reconciliation is due, and runs it."""

    def look(_: Event) -> None:
        count = run_due(database, nightly)
        if count:
            log.info("reconciliation.nightly", regions=count)

    return Periodic(
        "nightly", look, every_s=LOOKED_EVERY_S, failed="reconciliation.failed", after_failure_s=AFTER_FAILURE_S
    )
