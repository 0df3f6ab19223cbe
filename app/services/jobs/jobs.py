"""Jobs: begun with a request, heard of while it runs, finished with its answer.

A job decides nothing. The work stands under the request's Idempotency-Key and in a transaction of its own; should the
process that does it end, the job is lost and the same request, sent again, does it or finds it done.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, Row, delete, insert, select, update

from app.database import Database
from app.kernel.ids import new_id, region_of
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import JobKind, JobStatus
from app.models import Job
from app.reach import within
from app.services.identity.principals import Caller
from app.services.jobs.progress import Progress
from app.sql import now

HEARD_EVERY_S = 1.0
"""How often progress is written down while it changes."""
SILENT_AT_MOST_S = 10.0
"""And while it does not."""
LOST_AFTER = timedelta(seconds=60)
KEPT = timedelta(days=30)
"""How long a finished job can be read; what it did stays, as do its key and answer."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A job as it is read."""

    region_code: str
    id: str
    kind: str
    subject: str
    stage: str | None
    done: int
    total: int | None
    started_at: datetime
    heard_at: datetime
    finished_at: datetime | None
    answer_status: int | None
    answer: bytes | None
    status: JobStatus


def status_of(finished: int | None, heard_at: datetime, *, at: datetime) -> JobStatus:
    """What became of a job, by the status of its answer and by when it was last heard of. Pure."""
    if finished is None:
        return JobStatus.RUNNING if at - heard_at < LOST_AFTER else JobStatus.LOST
    return JobStatus.SUCCEEDED if finished < 400 else JobStatus.REFUSED if finished < 500 else JobStatus.FAILED


def begin_job(tx: Connection, *, caller: Caller, region_code: str, kind: JobKind, subject: str) -> JobRecord:
    """Write down that a job begins; the caller's own old ones are cleared away."""
    at = now(tx)
    old = delete(Job).where(
        Job.region_code == region_code, Job.principal_id == caller.principal_id, Job.started_at < at - KEPT
    )
    tx.execute(old)
    row = tx.execute(
        insert(Job)
        .values(
            region_code=region_code,
            id=new_id("job", region_code),
            kind=kind,
            subject=subject,
            principal_id=caller.principal_id,
            done=0,
            started_at=at,
            heard_at=at,
        )
        .returning(Job)
    ).one()
    return _record(row, at)


def finish_job(tx: Connection, *, job: JobRecord, progress: Progress, status: int, answer: bytes) -> None:
    """Write down the answer, once and for good."""
    at = now(tx)
    stage, done, total = progress.now()
    _update(
        tx, job, stage=stage, done=done, total=total, heard_at=at, finished_at=at, answer_status=status, answer=answer
    )


def read_job(tx: Connection, *, caller: Caller, job_id: str) -> JobRecord:
    """One's own job. Raises `not_found`."""
    row = tx.execute(
        select(Job).where(
            Job.region_code == region_of(job_id), Job.id == job_id, Job.principal_id == caller.principal_id
        )
    ).one_or_none()
    if row is None:
        raise AppError(Code.NOT_FOUND, what="job")
    return _record(row, now(tx))


@contextmanager
def heard_of(database: Database, job: JobRecord, progress: Progress) -> Iterator[None]:
    """Within it the job's row tells how far `progress` has come, in transactions of its own."""
    done = threading.Event()
    there = database.reaching(within(job.region_code))
    thread = threading.Thread(target=_keep_telling, args=(there, job, progress, done), name=job.id, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _keep_telling(database: Database, job: JobRecord, progress: Progress, done: threading.Event) -> None:
    told, silent_s = progress.now(), 0.0
    while not done.wait(HEARD_EVERY_S):
        silent_s += HEARD_EVERY_S
        if progress.now() == told and silent_s < SILENT_AT_MOST_S:
            continue
        told, silent_s = progress.now(), 0.0
        stage, pieces, total = told

        def hear(tx: Connection, stage: Any = stage, pieces: int = pieces, total: int | None = total) -> None:
            _update(tx, job, stage=stage, done=pieces, total=total, heard_at=now(tx))

        try:
            database.transact(hear)
        except Exception:  # the work goes on; the next round tells
            log.warning("job.untold", job=job.id, exc_info=True)


def _update(tx: Connection, job: JobRecord, **values: Any) -> None:
    tx.execute(update(Job).where(Job.region_code == job.region_code, Job.id == job.id).values(**values))


def _record(row: Row[Any], at: datetime) -> JobRecord:
    values = {name: getattr(row, name) for name in JobRecord.__slots__ if name != "status"}
    return JobRecord(**values, status=status_of(row.answer_status, row.heard_at, at=at))
