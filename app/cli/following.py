"""Requests that take long are followed as a job; how far it has come shows here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from app.cli.output import console
from app.client.jobs import Progress as Told
from app.client.models import JobRead

_STAGES = {
    None: "准备 / starting",
    "reading": "读取 / reading",
    "checking": "校验 / checking",
    "writing": "写入 / writing",
    "issuing": "发放 / issuing",
}


@contextmanager
def progress_of_job(shown_on: Console = console) -> Iterator[Told]:
    """A bar on a terminal; elsewhere a line for each stage."""
    if not shown_on.is_terminal:
        told: list[str | None] = []

        def line(job: JobRead) -> None:
            if job.stage not in told:
                told.append(job.stage)
                shown_on.print(escape(f"· {_stage(job)} {_pieces(job)}".rstrip()))

        yield line
        return
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=shown_on,
        transient=True,
    )
    with bar:
        task = bar.add_task(_STAGES[None], total=None)
        yield lambda job: bar.update(task, description=_stage(job), completed=job.done, total=job.total or None)


def _stage(job: JobRead) -> str:
    return _STAGES.get(job.stage, str(job.stage))


def _pieces(job: JobRead) -> str:
    return f"{job.done:,}/{job.total:,}" if job.total else ""
