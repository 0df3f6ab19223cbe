"""Requests that take long: begun as a job, followed until it ends, begun again under the same key where it was lost."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from app.client.models import JobRead
from app.client.problems import JobLost, problem_of
from app.client.wire import Again, Wire, decoded, new_key

T = TypeVar("T")

FIRST_LOOK_S, LOOK_EVERY_S = 0.05, 0.5
BEGUN_AT_MOST = 3
"""How often a request is sent whose job was lost: it is done once, whatever comes of it."""
LONGEST_S = 3600.0

Progress = Callable[[JobRead], None]
"""Is told how far a job is, each time that was looked at."""


class Jobs:
    """`/v1/jobs`: how far something long has come."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def get(self, job_id: str) -> JobRead:
        """A job of mine, with its answer once it has ended."""
        return self._wire.fetch(f"/v1/jobs/{job_id}", JobRead)


def follow(
    wire: Wire, path: str, kind: type[T], body: Any = None, *, key: str | None, progress: Progress | None, **parts: Any
) -> T:
    """POST something long and return its answer. Raises Problem as if it had been answered at once, and JobLost."""
    key = key or new_key()
    deadline = time.monotonic() + LONGEST_S
    came_to = ""
    for _ in range(BEGUN_AT_MOST):
        wanted = {"Prefer": "respond-async"}
        response = wire.send("POST", path, body=body, again=Again.BY_KEY, key=key, headers=wanted, **parts)
        if response.status_code != 202:
            return decoded(response, kind)
        job = decoded(response, JobRead)
        pause_s = FIRST_LOOK_S
        while job.status == "running":
            if progress is not None:
                progress(job)
            if time.monotonic() > deadline:
                raise JobLost(f"job {job.id} is still running", key=key)
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, LOOK_EVERY_S)
            job = wire.fetch(f"/v1/jobs/{job.id}", JobRead)
        if job.status == "succeeded":
            return msgspec.convert(job.answer, kind)
        if job.status == "refused":
            raise problem_of(job.answer_status or 422, job.answer or {})
        came_to = f"job {job.id} came to no end ({job.status})"
    raise JobLost(came_to, key=key)
