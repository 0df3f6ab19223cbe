"""Running the `voucher` command as its users do: a process of its own, in a folder of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

START_S = 60
GONE_S = 20

COMMAND = [sys.executable, "-c", "from app.cli import main; main()"]
ROOT = Path(__file__).resolve().parents[2]


def environment(folder: Path, **changes: str) -> dict[str, str]:
    """Ours, without what would lead to another service, and with a state folder and a home of the test's own."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("VOUCHER_")}
    return {
        **inherited,
        "PYTHONPATH": str(ROOT),
        "VOUCHER_STATE_DIR": str(folder / "state"),
        "XDG_CONFIG_HOME": str(folder / "config"),
        **changes,
    }


def voucher(folder: Path, *arguments: str | Path, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        env=environment(folder, **changes),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


class Started:
    """The command while it runs; its output goes to a file."""

    def __init__(self, folder: Path, *arguments: str | Path, **changes: str) -> None:
        self._output = folder / "output.txt"
        with self._output.open("wb") as output:
            self.process = psutil.Popen(
                [*COMMAND, *map(str, arguments)],
                env=environment(folder, PYTHONUNBUFFERED="1", **changes),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def output(self) -> str:
        return self._output.read_text(encoding="utf-8")

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + START_S
        while text not in self.output:
            assert self.process.poll() is None and time.monotonic() < deadline, self.output
            time.sleep(0.02)

    def address(self) -> str:
        found = re.search(r"http://127\.0\.0\.1:[0-9]+", self.output)
        assert found, self.output
        return found[0]

    def workers(self) -> list[psutil.Process]:
        return [child for child in self.process.children() if "app.cli.worker" in " ".join(child.cmdline())]


def postgres_in(folder: Path) -> list[psutil.Process]:
    """The server processes whose data lie somewhere below the folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.name() == "postgres" and Path(process.cwd()).is_relative_to(folder):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def assert_gone(processes: Mapping[str, list[psutil.Process]]) -> None:
    """Fail where one of these processes is still there after a while."""
    for what, listed in processes.items():
        _, alive = psutil.wait_procs(listed, timeout=GONE_S)
        assert not alive, f"{what} outlived the command: {alive}"
