"""Requests that take long: sent to be answered at once, followed as a job, their progress shown."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from app.cli.client import Api, Refused
from app.cli.output import Failure, console

LOOK_EVERY_S = 0.5
SENT_AT_MOST = 3
"""How often a request is sent whose job was lost: it is done once, whatever comes of it."""

_STAGES = {
    None: "准备 / starting",
    "reading": "读取 / reading",
    "checking": "校验 / checking",
    "writing": "写入 / writing",
    "issuing": "发放 / issuing",
}


def follow(api: Api, path: str, *, json: Any = None, key: str | None = None, **parts: Any) -> Any:
    """POST something long and return its answer, showing how far it has come. Raises Refused, Failure."""
    key = key or uuid4().hex
    job: dict[str, Any] = {}
    for _ in range(SENT_AT_MOST):
        job = api.post(path, json, key=key, prefer="respond-async", **parts)
        with _shown() as show:
            while job["status"] == "running":
                show(job)
                time.sleep(LOOK_EVERY_S)
                job = api.get(f"/v1/jobs/{job['id']}")
        if job["status"] == "succeeded":
            return job["answer"]
        if job["status"] == "refused":
            raise Refused(job["answer_status"], job["answer"])
    raise Failure(
        f"任务 {job['id']} 未完成（{job['status']}），请稍后以同一文件重试，不会重复发放。",
        f"job {job['id']} came to no end ({job['status']}); try again later, nothing is issued twice",
    )


@contextmanager
def _shown() -> Iterator[Any]:
    """A bar on a terminal; elsewhere a line for each stage."""
    if not console.is_terminal:
        told: list[str | None] = []

        def line(job: dict[str, Any]) -> None:
            if job["stage"] not in told:
                told.append(job["stage"])
                console.print(escape(f"· {_STAGES[job['stage']]} {_pieces(job)}".rstrip()))

        yield line
        return
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )
    with bar:
        task = bar.add_task(_STAGES[None], total=None)
        yield lambda job: bar.update(
            task, description=_STAGES[job["stage"]], completed=job["done"], total=job["total"] or None
        )


def _pieces(job: dict[str, Any]) -> str:
    return f"{job['done']:,}/{job['total']:,}" if job["total"] else ""
