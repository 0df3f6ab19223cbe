"""A process that uses an embedded server: `user.py FOLDER SETTINGS`. It says where that is and stays till input ends.

On Ctrl-C it still finishes some work with the server, as a service that drains does.
"""

import json
import signal
import sys
import time
from pathlib import Path

import psycopg

from app.embedded.home import StartFailed
from app.embedded.server import Server, running


def work(server: Server) -> str:
    with psycopg.connect(server.superuser_url.replace("+psycopg", ""), connect_timeout=5) as connection:
        row = connection.execute("SHOW server_version").fetchone()
    assert row
    return str(row[0])


def say(**what: object) -> None:
    print(json.dumps(what), flush=True)


def main() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    folder, settings = sys.argv[1:]
    try:
        with running(Path(folder), settings=json.loads(settings)) as server:
            try:
                say(url=server.superuser_url, folder=str(server.folder), version=work(server))
                sys.stdin.read()
            except KeyboardInterrupt:
                time.sleep(0.5)
                say(drained=work(server))
    except StartFailed as failure:
        say(failure=str(failure))


if __name__ == "__main__":
    main()
