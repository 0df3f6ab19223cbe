"""`python -m app.embedded.guardian HOME LOCK SETTINGS`: keeps the server of a home while anybody uses it.

Started by `server.running` with the descriptor of `guardian.lock`, already taken, and the settings as JSON. It answers
on its standard output, once: nothing when the server is ready, otherwise the reason why there is none. The package's
docstring tells the whole story.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from app.embedded.binaries import binaries_for
from app.embedded.home import Home, StartFailed, home_at
from app.embedded.locks import FileLock
from app.embedded.postmaster import Postmaster, log_tail
from app.embedded.private import open_private

START_S = 120
"""For a start, with the recovery after a crash."""

ATTEMPTS = 3
TICK_S = 0.1
LOG_LIMIT_BYTES = 10 * 1024 * 1024

log = logging.getLogger("guardian")


class Guardian:
    """Starts the server, starts it again when it dies, and stops it when its last user has gone."""

    def __init__(self, home: Home, settings: Mapping[str, str]) -> None:
        self._users = FileLock(home.users_lock)
        self._home = home
        self._postmaster = Postmaster(home, binaries_for(home), settings)
        self._dismissed = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._dismiss)

    def watch(self) -> None:
        """Return when the server has been stopped; raise StartFailed where it could not be kept up.

        `users.lock`, once taken, is held until this process ends: whoever comes meanwhile waits and starts afresh.
        """
        try:
            self._postmaster.create_data()
            while self._bring_up() and self._stay():
                log.warning("postgres died and is started again")
        finally:
            self._postmaster.stop()

    def _bring_up(self) -> bool:
        """Whether the server is ready; otherwise nobody waits for it any more. Raises StartFailed."""
        deadline = time.monotonic() + START_S
        for _ in range(ATTEMPTS):
            self._postmaster.start()
            while not self._postmaster.ended:
                if self._unneeded():
                    return False
                if self._postmaster.ready:
                    _answer("")
                    return True
                if time.monotonic() > deadline:
                    raise StartFailed(f"postgres was not ready within {START_S} s; its log is {self._home.log}")
                time.sleep(TICK_S / 5)
        raise StartFailed(f"postgres ended while starting; its log {self._home.log} says:\n{log_tail(self._home)}")

    def _stay(self) -> bool:
        """Wait while all is well: True when the server has died, False when it is not needed any more."""
        while not self._unneeded():
            if self._postmaster.ended:
                return True
            time.sleep(TICK_S)
        return False

    def _unneeded(self) -> bool:
        return self._dismissed or self._users.take()

    def _dismiss(self, number: int, _frame: object) -> None:
        log.info("asked to end by %s", signal.Signals(number).name)
        self._dismissed = True


def main() -> None:
    """Detach and guard."""
    path, descriptor, settings = sys.argv[1:]
    if os.fork():
        os._exit(0)  # so that the guardian is nobody's child: no one has to wait for it
    os.set_inheritable(int(descriptor), False)
    os.chdir("/")
    try:
        home = home_at(Path(path))
        _log_to(home.log)
        Guardian(home, json.loads(settings)).watch()
    except StartFailed as failure:
        log.error("%s", failure)
        _answer(str(failure))
    except Exception as error:
        log.exception("the guardian failed")
        _answer(f"{type(error).__name__}: {error}")


def _log_to(path: Path) -> None:
    if path.exists() and path.stat().st_size > LOG_LIMIT_BYTES:
        path.replace(path.with_suffix(".log.old"))
    logging.Formatter.converter = time.gmtime
    output = os.fdopen(open_private(path, os.O_WRONLY | os.O_APPEND), "a")
    logging.basicConfig(stream=output, level=logging.INFO, format="%(asctime)s UTC guardian[%(process)d] %(message)s")


def _answer(text: str) -> None:
    """Tell the waiting starter, and let go of its pipe; what is said later goes nowhere but the log."""
    with suppress(BrokenPipeError):  # the starter may be gone; others may be waiting
        os.write(sys.stdout.fileno(), text.encode())
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (sys.stdout.fileno(), sys.stderr.fileno()):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)


if __name__ == "__main__":
    main()
