"""`voucher export` and `voucher verify` as people call them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from typer.testing import CliRunner

from app.cli.commands import app
from tests.tampering.books import Books, Copy
from tests.verifier.packs import PackMaker
from tests.world import NINGBO


def voucher(copy: Copy, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    settings = {"VOUCHER_DATABASE_URL": copy.urls.app_url, "VOUCHER_STATE_DIR": str(copy.books.settings.state_dir)}
    program = "from app.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env=os.environ | settings | {"PYTHONPATH": str(Path.cwd())},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_pack_is_written_and_judged_by_commands(books: Books, tmp_path: Path) -> None:
    with books.copy() as copy:
        wrote = voucher(copy, tmp_path, "export", "pack.tar", "--region", NINGBO)
        assert wrote.returncode == 0, wrote.stderr
        assert sorted(path.name for path in tmp_path.iterdir()) == ["pack.tar"]
        keys = [argument for vkey in books.vkeys for argument in ("--vkey", vkey)]
        right = voucher(copy, tmp_path, "verify", "pack.tar", "--json", "--replay", "5", *keys)
    report = json.loads(right.stdout)
    assert (right.returncode, report["result"], report["regions"][0]["region"]) == (0, "right", NINGBO)
    assert report["replay"]["seed"] == 65
    assert report["replay"]["replayed"] == len(report["replay"]["subjects"]) == 1
    assert "核验 / verifying leaves" in right.stderr


def test_the_command_ends_with_1_or_2_and_says_why(tmp_path: Path) -> None:
    maker = PackMaker()
    maker.stored["mandates"][0]["used_fen"] += 1
    wrong = CliRunner().invoke(app, ["verify", str(maker.write(tmp_path / "wrong")), "--vkey", maker.key.vkey])
    assert wrong.exit_code == 1
    assert "[counter] 存量余额≠由叶子重算所得 / a stored counter is not what the leaves come to" in wrong.output
    nothing = CliRunner().invoke(app, ["verify", str(tmp_path / "nothing")])
    assert nothing.exit_code == 2
    assert "无法读取 / cannot read" in nothing.output
