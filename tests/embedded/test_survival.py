from __future__ import annotations

import shutil
import signal
import subprocess
import threading
from pathlib import Path

import psutil
import psycopg
import pytest

from tests.embedded.processes import Enter, Seen, is_alive, processes_of, within

STOPPED_CLEANLY = "database system is shut down"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_server_stops_cleanly_when_its_user_is_killed(enter: Enter, folder: Path, number: int) -> None:
    user = enter(folder)
    server = user.server()
    user.kill(number)
    assert within(5, lambda: not processes_of(folder))
    assert STOPPED_CLEANLY in server.log.rsplit("ready to accept connections", 1)[1]


def test_ctrl_c_leaves_the_server_up_while_its_user_drains(enter: Enter, folder: Path) -> None:
    user = enter(folder)
    version = user.server().version
    user.kill(signal.SIGINT)
    assert user.hear() == {"drained": version}
    user.leave()
    assert processes_of(folder) == []


def test_a_killed_postgres_is_back_on_its_port_with_all_it_acknowledged(enter: Enter, folder: Path) -> None:
    server = enter(folder).server()
    kept = server.keep()
    killed = server.postmaster
    killed.kill()
    assert within(10, lambda: _restarted(server, killed.pid))
    assert server.kept() == kept


def test_a_killed_postgres_is_back_although_a_session_is_busy(enter: Enter, folder: Path) -> None:
    server = enter(folder).server()
    killed = server.postmaster

    def toil() -> None:
        with psycopg.connect(server.url) as connection, pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT count(*) FROM generate_series(1, 10000000000)")

    busy = threading.Thread(target=toil)
    busy.start()
    assert within(5, lambda: server.ask("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%10000000000)'") > 0)
    killed.kill()
    assert within(12, lambda: _restarted(server, killed.pid))
    busy.join(5)
    assert not busy.is_alive()


def test_a_killed_guardian_takes_its_postgres_along_and_is_replaced(enter: Enter, folder: Path) -> None:
    server = enter(folder).server()
    kept = server.keep()
    killed, postmaster = server.guardian, server.postmaster
    killed.kill()
    assert within(10, lambda: _restarted(server, postmaster.pid))
    assert not is_alive(postmaster)
    assert server.guardian != killed
    assert server.kept() == kept


def test_nothing_is_left_when_everybody_is_killed_at_once(enter: Enter, folder: Path) -> None:
    user = enter(folder)
    server = user.server()
    kept = server.keep()
    guardian = server.guardian
    guardian.suspend()
    user.kill()
    guardian.kill()
    assert within(5, lambda: not processes_of(folder))
    assert server.log.rstrip().endswith(STOPPED_CLEANLY)
    assert enter(folder).server().kept() == kept


def test_a_pid_file_whose_pid_is_somebody_elses_by_now_does_no_harm(enter: Enter, folder: Path) -> None:
    user = enter(folder)
    server = user.server()
    pid_file = server.folder / "data" / "postmaster.pid"
    uid = server.postmaster.uids().real
    stale = pid_file.read_text().split("\n", 1)[1]
    user.leave()

    with subprocess.Popen(["sleep", "60"], user=uid) as stranger:
        pid_file.write_text(f"{stranger.pid}\n{stale}")
        shutil.chown(pid_file, uid)
        assert enter(folder).server().answers()
        assert stranger.poll() is None
        stranger.kill()


def test_a_server_that_cannot_start_says_why(enter: Enter, folder: Path) -> None:
    failure = enter(folder, settings={"shared_buffers": "plenty"}).hear()["failure"]
    assert 'invalid value for parameter "shared_buffers": "plenty"' in failure
    assert within(5, lambda: not processes_of(folder))


def _restarted(server: Seen, old_pid: int) -> bool:
    try:
        return server.postmaster.pid != old_pid and server.answers()
    except (OSError, IndexError, psutil.Error):
        return False
