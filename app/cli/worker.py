"""`python -m app.cli.worker SOCKET LIFELINE DRAIN_S LOG_LEVEL`: one process of the service, started by `serving`.

SOCKET is the descriptor of the listening socket, LIFELINE that of a pipe whose other end only the parent holds: when
the parent ends, however it ends, the pipe closes and this process stops as on SIGTERM. Requests under way get DRAIN_S
seconds.
"""

from __future__ import annotations

import gc
import os
import socket
import sys
import threading

import uvicorn

from app.cli.protocol import GuardedProtocol


def main() -> None:
    """Serve until told to stop, or until the parent is gone."""
    listening, lifeline, drain_s, log_level = sys.argv[1:]
    collect_seldom()
    config = uvicorn.Config(
        "app.main:create_app_from_environment",
        factory=True,
        loop="uvloop",
        http=GuardedProtocol,
        proxy_headers=False,  # the named proxies are believed in app/api/edges, nobody else
        server_header=False,
        lifespan="on",
        log_level=log_level,
        access_log=False,
        timeout_graceful_shutdown=int(drain_s),
    )
    server = uvicorn.Server(config)
    threading.Thread(target=_watch, args=(int(lifeline), server), name="lifeline", daemon=True).start()
    server.run(sockets=[socket.socket(fileno=int(listening))])


def collect_seldom() -> None:
    """Let Python look for cycles less often than after every 700 new objects.

    A sheet of 100,000 rows makes a million objects that live until it is issued: going through them again and again
    took a fifth of the time to read it, and found nothing.
    """
    gc.set_threshold(50_000)


def _watch(lifeline: int, server: uvicorn.Server) -> None:
    os.read(lifeline, 1)  # nobody writes: this returns at the end of the pipe
    server.should_exit = True


if __name__ == "__main__":
    main()
