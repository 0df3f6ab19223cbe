"""The demonstration and the replay as processes: killed, continued, repeated, with the same totals and nothing left."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest

from app.cli.local import DATABASE, EXAMPLES
from app.embedded.postmaster import SUPERUSER
from app.embedded.server import running
from tests.cli.processes import START_S, Started, assert_gone, postgres_in, voucher

UNDISTURBED = ["358", "1,029,896.74", "236,008.43", "793,888.31"]
"""What the example's jobs come to in one run: bills, their total, the subsidy, what the firms pay (元)."""
HOLDS = re.compile(r"all [0-9]+ invariants hold")
SIGN_INS = "登录账号（仅显示这一次）"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that root's PostgreSQL can pass through to its data; pytest's own are closed to its account."""
    with TemporaryDirectory(prefix="voucher-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


def figure(output: str, name: str) -> str:
    """The number in the row of the summary that begins with this name."""
    found = re.search(rf"^  {re.escape(name)} .*?([\d,.]+) *$", output, re.MULTILINE)
    assert found, f"no row {name} in:\n{output}"
    return found[1]


def figures(output: str) -> list[str]:
    return [figure(output, name) for name in ("已核销账单", "账单总额（元）", "补贴（元）", "企业自付（元）")]


def wait_for_redemptions(folder: Path, *, more_than: int) -> None:
    """Until that many stand in the books of the state folder."""
    deadline = time.monotonic() + START_S
    with running(folder / "state" / "postgres") as server:
        url = server.url(SUPERUSER, server.password, DATABASE).replace("+psycopg", "")
        with psycopg.connect(url, autocommit=True) as connection:
            while connection.execute("SELECT count(*) FROM redemptions").fetchall()[0][0] <= more_than:
                assert time.monotonic() < deadline
                time.sleep(0.01)


def test_a_demonstration_killed_in_the_middle_is_continued_and_repeated(folder: Path) -> None:
    first = Started(folder, "demo", "--exit", "--port", "0")
    first.wait_for("issuance-ningbo-compute.xlsx")
    started = {"worker": first.workers(), "postgres": postgres_in(folder)}
    assert all(started.values())
    first.process.kill()
    first.process.wait()
    assert_gone(started)

    continued = voucher(folder, "demo", "--exit", "--port", "0")
    assert continued.returncode == 0, continued.stdout + continued.stderr
    assert figure(continued.stdout, "已核销账单") == "364"
    assert HOLDS.search(continued.stdout)
    assert SIGN_INS in continued.stdout
    state = folder / "state" / "demo.json"
    assert state.stat().st_mode & 0o777 == 0o600
    secrets = json.loads(state.read_text(encoding="utf-8"))["machines"]
    assert all(machine["client_secret"] in continued.stdout for machine in secrets.values())

    repeated = Started(folder, "demo", "--port", "0")
    repeated.wait_for("Ctrl-C")
    started = {"worker": repeated.workers(), "postgres": postgres_in(folder)}
    repeated.process.terminate()
    assert repeated.process.wait(30) == 0
    assert_gone(started)
    assert figures(repeated.output) == figures(continued.stdout)
    assert figure(repeated.output, "其中此前已答复") == "364"
    assert SIGN_INS not in repeated.output
    assert "voucher demo --new-passwords" in repeated.output


def test_a_replay_killed_in_the_middle_ends_with_the_totals_of_an_undisturbed_one(folder: Path) -> None:
    usage = EXAMPLES / "usage.csv"
    first = Started(folder, "replay", usage, "--side-by-side", "1")
    first.wait_for("redeeming over HTTP")
    wait_for_redemptions(folder, more_than=0)
    first.process.kill()
    first.process.wait()

    second = Started(folder, "replay", usage, "--side-by-side", "1")
    second.wait_for("redeeming over HTTP")
    for worker in second.workers():
        worker.kill()
    assert second.process.wait(30) == 1
    assert "run the command again" in second.output

    resumed = voucher(folder, "replay", usage)
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert 0 < int(figure(resumed.stdout, "其中此前已答复")) < 358
    assert figures(resumed.stdout) == UNDISTURBED
    assert figure(resumed.stdout, "跳过：no_gpu") == "26"
    assert figure(resumed.stdout, "跳过：never_scheduled") == "16"
    assert HOLDS.search(resumed.stdout)
