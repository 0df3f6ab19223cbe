"""`voucher seal` and the sealer that `voucher run` brings along, as processes."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from app.database import Database
from app.embedded.databases import Urls
from tests.cli.processes import Started, assert_gone, voucher
from tests.sealing.trees import check_log, one
from tests.world import HANGZHOU, World, counter, ok


def test_it_seals_what_waits_and_says_how_far_it_is(
    world: World, database: Database, urls: Urls, tmp_path: Path
) -> None:
    ok(counter(world.city()).redeem(1_000))
    waiting = one(database, "SELECT count(*) FROM seal_queue")
    given = {"VOUCHER_DATABASE_URL": urls.app_url}
    before = voucher(tmp_path, "seal", "--status", **given)
    assert before.returncode == 0
    assert f"{HANGZHOU} " in before.stdout
    assert f" {waiting} " in before.stdout
    refused = voucher(tmp_path, "seal", "--once", **given)
    assert (refused.returncode, "VOUCHER_SEALER_URL" in refused.stderr) == (1, True)
    refused = voucher(tmp_path, "seal", "--once", VOUCHER_SEALER_URL=urls.app_url)
    assert (refused.returncode, "无权封存" in refused.stderr) == (1, True)
    done = voucher(tmp_path, "seal", "--once", VOUCHER_SEALER_URL=urls.sealer_url)
    assert (done.returncode, done.stdout) == (0, f"· 已封存 {waiting} 条 / {waiting} sealed\n")
    assert check_log(database, HANGZHOU) == waiting


def test_run_brings_a_sealer_along_that_goes_with_it(
    world: World, database: Database, urls: Urls, tmp_path: Path
) -> None:
    till = counter(world.city())
    given = {"VOUCHER_DATABASE_URL": urls.app_url, "VOUCHER_SEALER_URL": urls.sealer_url}
    started = Started(tmp_path, "run", "--port", "0", **given)
    try:
        started.wait_for("服务已就绪")
        (sealer,) = [child for child in started.process.children() if "app.cli.seal" in child.cmdline()]
        ok(till.redeem(1_000))
        deadline = time.monotonic() + 30
        while one(database, "SELECT count(*) FROM seal_queue"):
            assert time.monotonic() < deadline, started.output
            time.sleep(0.05)
        check_log(database, HANGZHOU)
        started.process.send_signal(signal.SIGKILL)  # the pipe closes, however the parent ended
        started.process.wait()
        assert_gone({"sealer": [sealer]})
    finally:
        if started.process.is_running():
            started.process.kill()
            started.process.wait()
