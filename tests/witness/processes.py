"""A witness as an audit bureau runs it: a process of its own, with a folder of its own."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from app.tlog.keys import CosignatureVerifier, verifier
from tests.cli.processes import environment

NAME = "audit.example.gov.cn/witness"
START_S = 60
ALONE = """
import importlib, sys, typer
from app.cli.output import Failure
command = getattr(importlib.import_module("{module}"), sys.argv.pop(1))
try:
    typer.run(command)
except Failure as failure:
    sys.exit(str(failure))
"""
"""One command without the others, which are slow to import."""
WITNESS = ALONE.format(module="app.cli.witness")
KILLS_ITSELF = f"""
import os, signal
import app.witness.routes
app.witness.routes.signature_by = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
{WITNESS}"""
"""The witness, killed at the moment at which it would sign."""


class Running:
    """A witness that serves, and a client of it."""

    def __init__(self, process: subprocess.Popen[bytes], output: Path, url: str) -> None:
        self.process = process
        self.output = output
        self.url = url
        self.client = httpx.Client(base_url=url, timeout=30, trust_env=False)

    @property
    def key(self) -> CosignatureVerifier:
        key = verifier(self.client.get("/vkey").text.removesuffix("\n"))
        assert isinstance(key, CosignatureVerifier)
        return key

    def add(self, body: bytes) -> httpx.Response:
        return self.client.post("/add-checkpoint", content=body)


def alone(module: str, folder: Path, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run the command of a module to its end."""
    return subprocess.run(
        [sys.executable, "-c", ALONE.format(module=module), *arguments],
        env=environment(folder, **changes),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@contextmanager
def witness(folder: Path, *vkeys: str, script: str = WITNESS, port: int = 0) -> Iterator[Running]:
    """Run the witness of the folder while inside; it ends by SIGKILL, as a machine that loses power."""
    (folder / "logs.txt").write_text("# 各区域日志\n\n" + "\n".join(vkeys) + "\n", encoding="utf-8")
    command = [sys.executable, "-c", script]
    arguments = ["witness", "--logs", "logs.txt", "--state", "kept", "--name", NAME, "--port", str(port)]
    path = folder / "output.txt"
    with path.open("wb") as output:
        process = subprocess.Popen(
            [*command, *arguments],
            env=environment(folder, PYTHONUNBUFFERED="1"),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        running = Running(process, path, _address(process, path))
        with running.client:
            yield running
    finally:
        process.kill()
        process.wait()


def _address(process: subprocess.Popen[bytes], output: Path) -> str:
    deadline = time.monotonic() + START_S
    while True:
        text = output.read_text(encoding="utf-8")
        found = re.search(r"http://127\.0\.0\.1:[0-9]+", text)
        if found:
            return found[0]
        assert process.poll() is None and time.monotonic() < deadline, text
        time.sleep(0.02)
