from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.settings import Settings
from tests.survival.processes import Workers, workers_of

pytest.register_assert_rewrite("tests.survival.checks")


@pytest.fixture
def workers(settings: Settings, tmp_path: Path) -> Iterator[Workers]:
    """Workers on the test's own database, beside the service of its `world`."""
    with workers_of(settings, tmp_path) as started:
        yield started


@pytest.fixture
def seed() -> int:
    """Of all that a test draws; printed where it fails, and given again by SURVIVAL_SEED."""
    drawn = int(os.environ.get("SURVIVAL_SEED") or secrets.randbelow(2**32))
    print(f"SURVIVAL_SEED={drawn}")
    return drawn
