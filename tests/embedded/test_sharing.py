from __future__ import annotations

import multiprocessing
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.embedded.server import running
from tests.embedded.processes import Enter, is_alive, processes_of, within


def test_processes_share_one_server_until_the_last_has_left(enter: Enter, folder: Path) -> None:
    first, second = enter(folder), enter(folder)
    server, same = first.server(), second.server()
    assert server.url == same.url
    postmaster = server.postmaster

    first.leave()
    assert same.answers()
    assert same.postmaster == postmaster

    second.leave()
    assert processes_of(folder) == [], "who leaves last sees the server stopped"


def test_racing_starts_of_a_new_folder_make_one_server(enter: Enter, blank: Path) -> None:
    users = [enter(blank) for _ in range(4)]
    servers = [user.server() for user in users]
    assert len({server.url for server in servers}) == 1
    assert [process.pid for process in processes_of(blank) if "guardian" in " ".join(process.cmdline())] == [
        servers[0].guardian.pid
    ]


def test_who_comes_while_the_server_stops_waits_and_starts_afresh(enter: Enter, folder: Path) -> None:
    first = enter(folder)
    server = first.server()
    old = server.postmaster
    old.suspend()
    first.kill()
    guardian = old.parent()
    assert guardian
    assert within(5, lambda: _is_locked(server.folder / "users.lock")), "the guardian has closed the door"

    second = enter(folder)
    time.sleep(0.5)
    assert is_alive(old)
    old.resume()
    fresh = second.server()
    assert fresh.postmaster != old
    assert fresh.url == server.url, "on the same port, since it is free"


def test_coming_and_going_at_random_always_finds_a_server(folder: Path) -> None:
    visitor = Path(__file__).with_name("visitor.py")
    stays = ["0.0", "0.03", "0.07"]
    visitors = [subprocess.Popen([sys.executable, visitor, folder, stay]) for stay in stays]
    assert [process.wait(60) for process in visitors] == [0] * len(stays)
    assert within(5, lambda: not processes_of(folder))


def test_one_process_may_enter_twice(folder: Path) -> None:
    with running(folder) as outer:
        with running(folder) as inner:
            assert inner == outer
        assert len(processes_of(folder)) > 1
    assert processes_of(folder) == []


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_children_that_outlive_a_user_do_not_keep_the_server(folder: Path) -> None:
    with running(folder):
        started = subprocess.Popen(["sleep", "60"])
        forked = multiprocessing.get_context("fork").Process(target=time.sleep, args=[60])
        forked.start()
    try:
        assert processes_of(folder) == []
    finally:
        started.kill()
        started.wait()
        forked.kill()
        forked.join()


def _is_locked(path: Path) -> bool:
    """Whether even a shared lock is refused."""
    return subprocess.run(["flock", "--shared", "--nonblock", path, "true"], check=False).returncode != 0


def test_the_same_port_and_data_are_found_again(enter: Enter, folder: Path) -> None:
    first = enter(folder)
    server = first.server()
    kept = server.keep()
    first.leave()
    again = enter(folder).server()
    assert again.url == server.url
    assert again.kept() == kept


def test_a_port_that_was_taken_meanwhile_is_given_up(enter: Enter, folder: Path) -> None:
    first = enter(folder)
    port = first.server().port
    first.leave()
    thief = (
        "import socket, sys; taken = socket.create_server(('127.0.0.1', int(sys.argv[1])));"
        "print(flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", thief, str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as taken:
        assert taken.stdout
        taken.stdout.readline()
        server = enter(folder).server()
        assert server.port != port
        assert server.answers()
        taken.send_signal(signal.SIGKILL)
