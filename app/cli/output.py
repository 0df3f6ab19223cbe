"""What the command line says: Chinese first, English after it; moving bars only where somebody watches a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from app.kernel.money import format_yuan

LINE_EVERY_S = 2.0
"""Between two lines of progress where there is no terminal."""
PLAIN_WIDTH = 160

console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else PLAIN_WIDTH)


class Failure(Exception):
    """The command cannot do what was asked; the message says why and what to do. It ends with `status`."""

    def __init__(self, zh: str, en: str, *, status: int = 1) -> None:
        super().__init__(f"{zh} / {en}")
        self.status = status


def say(zh: str, en: str) -> None:
    """One line in both languages."""
    console.print(escape(f"{zh} / {en}"))


@contextmanager
def step(zh: str, en: str) -> Iterator[None]:
    """Announce something that may take a while, and tick it off."""
    text = escape(f"{zh} / {en}")
    began = time.monotonic()
    if console.is_terminal:
        with console.status(text):
            yield
        console.print(f"[green]✓[/green] {text} [dim]{time.monotonic() - began:.1f} s[/dim]")
    else:
        console.print(f"· {text}")
        yield


@contextmanager
def progress(zh: str, en: str, total: int) -> Iterator[Callable[[], None]]:
    """Show how far something is. What is given is called once for each part that is done."""
    text = escape(f"{zh} / {en}")
    if console.is_terminal:
        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
        )
        with bar:
            task = bar.add_task(text, total=total)
            yield lambda: bar.advance(task)
    else:
        lines = _Lines(text, total)
        lines.show()
        yield lines.advance
        lines.show()


class _Lines:
    """Progress as lines, seldom enough for a log."""

    def __init__(self, text: str, total: int) -> None:
        self._text, self._total, self._done = text, total, 0
        self._shown_at = time.monotonic()

    def advance(self) -> None:
        self._done += 1
        if time.monotonic() - self._shown_at >= LINE_EVERY_S:
            self.show()

    def show(self) -> None:
        self._shown_at = time.monotonic()
        console.print(f"· {self._text} {self._done}/{self._total}")


def table(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]], *, numbers_from: int = 99) -> None:
    """Print rows under headings; the columns from `numbers_from` on (counted from 0) are right-aligned."""
    shown = Table(title=escape(title), title_justify="left", box=box.SIMPLE_HEAD, show_header=any(headings))
    for place, heading in enumerate(headings):
        shown.add_column(escape(heading), justify="right" if place >= numbers_from else "left", overflow="fold")
    for row in rows:
        shown.add_row(*(escape(cell) for cell in row))
    console.print(shown)


def yuan(fen: int) -> str:
    """An amount as people read it."""
    return format_yuan(fen)
