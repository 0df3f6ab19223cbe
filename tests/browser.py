"""A real browser for the tests: an installed Chromium or Chrome, else Playwright's own, else the system's package.

Without any the tests fail and say what to install; they are never skipped in silence.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Playwright, sync_playwright

INSTALLED = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
INSTALL_TIMEOUT_S = 600

FLAGS = (
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)

NOT_FOUND = (
    "No browser was found for the portal's tests. Install one of these and run again: Chromium or Google Chrome "
    "(on Debian and Ubuntu: apt-get install chromium), or Playwright's own (.venv/bin/playwright install chromium)."
)


@contextmanager
def headless_browser() -> Iterator[Browser]:
    """A browser without a window. Fails the test where none can be had."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_executable(playwright), args=_flags())
        try:
            yield browser
        finally:
            browser.close()


def find_executable(playwright: Playwright) -> Path:
    """The program to start; installs the system's package as a last resort, where that is allowed."""
    if (found := _installed()) is not None:
        return found
    own = Path(playwright.chromium.executable_path)
    if own.is_file():
        return own
    if os.geteuid() == 0 and shutil.which("apt-get"):
        _install()
        if (found := _installed()) is not None:
            return found
    raise AssertionError(NOT_FOUND)


def _installed() -> Path | None:
    paths = (shutil.which(name) for name in INSTALLED)
    return next((Path(path) for path in paths if path), None)


def _install() -> None:
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update"], ["apt-get", "install", "--yes", "--no-install-recommends", "chromium"]):
        done = subprocess.run(
            command, env=quiet, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S, check=False
        )
        assert done.returncode == 0, f"{NOT_FOUND}\n{' '.join(command)} failed:\n{done.stderr[-2000:]}"


def _flags() -> list[str]:
    # Chromium refuses its sandbox to root; the pages under test are our own.
    return [*FLAGS, "--no-sandbox"] if os.geteuid() == 0 else list(FLAGS)
