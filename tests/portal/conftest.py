"""A browser for the portal's tests, pages that complain when the browser does, and one city for a module's firms."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page

from app.embedded import databases
from app.embedded.server import Server
from tests.browser import headless_browser
from tests.conftest import standing
from tests.portal.manager import Manager, manager_of
from tests.world import City, World, counter

EXPECTED = re.compile(r"Failed to load resource: the server responded with a status of 4\d\d")
"""A refusal's status, which Chromium writes into its console too."""


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with headless_browser() as started:
        yield started


@pytest.fixture(scope="module")
def world(server: Server, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A running service for a module: every test has a firm, a voucher and a provider of its own in it."""
    folder = tmp_path_factory.mktemp("portal")
    with standing(server, template, folder, database=folder.name) as shared:
        yield shared
    databases.drop(server, database=folder.name)


@pytest.fixture(scope="module")
def city(world: World) -> City:
    return world.city()


@pytest.fixture
def page(browser: Browser, world: World) -> Iterator[Page]:
    """A fresh Chinese browser window. Errors of scripts and breaches of the content policy fail the test."""
    complaints: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not EXPECTED.match(message.text):
            complaints.append(f"{message.type}: {message.text}")

    context = browser.new_context(base_url=world.base_url, locale="zh-CN", viewport={"width": 1280, "height": 900})
    context.set_default_timeout(10_000)
    opened = context.new_page()
    opened.on("console", hear)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    yield opened
    context.close()
    assert complaints == []


@pytest.fixture
def manager(city: City) -> Manager:
    """A firm's manager with a voucher of 10,000.00 元 at 30 %, at most 300.00 元 a bill, and a provider at work."""
    cap = {"kind": "bill", "limit_fen": 30_000}
    return manager_of(counter(city, face_value_fen=1_000_000, limit_fen=500_000, cap=cap))
