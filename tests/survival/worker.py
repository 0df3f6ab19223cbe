"""One process of the service, as `app.cli.worker` runs it, with a fault that it brings upon itself.

Forked from a server that has imported the service already: a worker is there in a tenth of a second.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path

import app.main  # noqa: F401 - imported once, before the fork
from app.cli import worker
from app.services.identity.passwords import Passwords
from tests.survival.faults import Fault

DRAIN_S = 5

Passwords()  # what costs a fifth of a second once a process is done before the fork


def serve(
    listening: socket.socket, lifeline: Connection, environment: Mapping[str, str], log: Path, fault: Fault | None
) -> None:
    """Serve on the socket until told to stop, until the other end of the lifeline is gone, or until the fault."""
    os.environ.update(environment)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, sys.stdout.fileno())
    os.dup2(output, sys.stderr.fileno())
    if fault is not None:
        fault.arm()
    sys.argv = ["worker", str(listening.fileno()), str(lifeline.fileno()), str(DRAIN_S), "warning"]
    worker.main()
