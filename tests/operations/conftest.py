from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that root's PostgreSQL can pass through to its data; pytest's own are closed to its account."""
    with TemporaryDirectory(prefix="voucher-") as name:
        Path(name).chmod(0o711)
        yield Path(name)
