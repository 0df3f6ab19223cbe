"""`voucher seal`: the sealer as a process of its own. `python -m app.cli.seal LIFELINE`: the same as a child of `run`.

LIFELINE is the descriptor of a pipe whose other end only the parent holds: when the parent ends, however it ends, the
pipe closes and this process stops as on SIGTERM, with the transaction under way finished.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated

import typer

from app import logs
from app.cli.after_restore import say_held
from app.cli.cosigning import cosign_once, cosigning
from app.cli.local import sealer_database, service_database, state_dir
from app.cli.output import Failure, console, say, table
from app.database import Database
from app.reach import EVERYWHERE
from app.services.restoration.marks import open_marks
from app.services.sealing.cosigning import read_cosigned
from app.services.sealing.keys import LogKeys
from app.services.sealing.lag import read_lags
from app.services.sealing.sealer import SEALING, Pass, Sealer
from app.settings import Settings

TOLD_EVERY_S = 5.0
"""Between two lines of progress while it runs on."""


def seal(
    *,
    once: Annotated[
        bool, typer.Option("--once", help="封存现有待封记录后结束 / Seal what waits now, then end")
    ] = False,
    status: Annotated[
        bool, typer.Option("--status", help="只显示封存进度与延迟 / Show how far sealing is, change nothing")
    ] = False,
    witness: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL",
            help="请该见证方会签新检查点，可重复；URL#公钥 则只认该公钥；缺省取 VOUCHER_WITNESSES"
            " / Have this witness cosign new checkpoints, repeatable; URL#VKEY pins its key; else VOUCHER_WITNESSES",
        ),
    ] = None,
) -> None:
    """将流水封存入各地区日志，Ctrl-C 结束 / Seal entries into each region's log until Ctrl-C.

    voucher run 与 voucher demo 会自带封存进程；单独部署时运行本命令。可同时运行多个，互不影响。
    voucher run and voucher demo bring a sealer along; deployed apart, run this. Several at once do no harm.
    """
    if status and not os.environ.get("VOUCHER_SEALER_URL"):
        with service_database() as url:  # both roles may read how far sealing is
            _show_status(url)
        return
    with sealer_database() as url:
        settings = Settings(database_url=url, state_dir=state_dir())
        if status:
            _show_status(url)
        elif once:
            _seal_once(settings)
            cosign_once(settings, witness or settings.witnesses.split())
        else:
            _seal_until_told(settings, witness or settings.witnesses.split())


def main() -> None:
    """The service's child: seal until SIGTERM or until the parent is gone."""
    (lifeline,) = sys.argv[1:]
    logs.configure()
    stopped = _stopped_by_signals()
    threading.Thread(target=_watch, args=(int(lifeline), stopped), name="lifeline", daemon=True).start()
    settings = Settings()
    with cosigning(settings, settings.witnesses.split(), stopped), _sealer(settings) as sealer:
        sealer.run(stopped)


def _seal_until_told(settings: Settings, witnesses: Sequence[str]) -> None:
    stopped = _stopped_by_signals()
    say("开始封存，按 Ctrl-C 结束。", "sealing until Ctrl-C")
    telling = _Telling()
    with cosigning(settings, witnesses, stopped), _sealer(settings) as sealer:
        sealer.run(stopped, telling.told)
    telling.show()
    say("封存进程已结束。", "the sealer has ended")


def _seal_once(settings: Settings) -> None:
    telling = _Telling()
    with _sealer(settings) as sealer:
        while (done := sealer.look()).sealed:
            telling.told(done)
    telling.show()
    if done.failed:
        raise Failure(
            f"以下地区未能封存：{'、'.join(done.failed)}，原因见日志。",
            "some regions could not be sealed; the log above says why",
        )


def _show_status(url: str) -> None:
    database = Database(url, pool_size=1, reach=EVERYWHERE)
    try:
        lags = database.transact(read_lags)
        cosigned = database.transact(read_cosigned)
        marks = database.transact(open_marks)
    finally:
        database.dispose()
    headings = ("地区 / region", "已封 / sealed", "待封 / waiting", "延迟 / lag", "上次封存 / last sealed")
    rows = [
        (
            lag.region_code,
            f"{lag.size:,}",
            f"{lag.waiting:,}",
            f"{lag.lag_s:.1f} s",
            f"{lag.sealed_at:%Y-%m-%d %H:%M:%S}Z" if lag.sealed_at else "-",
        )
        for lag in lags
    ]
    table("封存进度 / sealing", headings, rows, numbers_from=1)
    say_held(marks)
    if cosigned:
        headings = (
            "地区 / region",
            "见证方 / witness",
            "已会签 / cosigned",
            "尚未 / not yet",
            "上次会签 / last cosigned",
        )
        rows = [
            (
                one.region_code,
                one.witness,
                f"{one.size:,}",
                f"{one.log_size - one.size:,}",
                f"{one.received_at:%Y-%m-%d %H:%M:%S}Z",
            )
            for one in cosigned
        ]
        table("独立见证 / witnesses", headings, rows, numbers_from=2)


class _Telling:
    """Progress of a sealer, a line now and then."""

    def __init__(self) -> None:
        self._leaves = 0
        self._shown_leaves = -1
        self._shown_at = time.monotonic()

    def told(self, done: Pass) -> None:
        self._leaves += done.leaves
        if time.monotonic() - self._shown_at >= TOLD_EVERY_S and self._leaves != self._shown_leaves:
            self.show()

    def show(self) -> None:
        self._shown_at, self._shown_leaves = time.monotonic(), self._leaves
        console.print(f"· 已封存 {self._leaves:,} 条 / {self._leaves:,} sealed")


@contextmanager
def _sealer(settings: Settings) -> Iterator[Sealer]:
    database = Database(settings.database_url, pool_size=1, settings=SEALING)
    try:
        yield Sealer(database, LogKeys.from_settings(settings))
    finally:
        database.dispose()


def _stopped_by_signals() -> threading.Event:
    """An event that SIGTERM and Ctrl-C set: the transaction under way is finished, nothing is torn down in it."""
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    return stopped


def _watch(lifeline: int, stopped: threading.Event) -> None:
    os.read(lifeline, 1)  # nobody writes: this returns at the end of the pipe
    stopped.set()


if __name__ == "__main__":
    main()
