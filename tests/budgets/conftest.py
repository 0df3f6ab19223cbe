from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.database import Database
from app.embedded.databases import Urls


@pytest.fixture
def owner(urls: Urls) -> Iterator[Database]:
    """The same database as its owner, who may do what the service must not."""
    database = Database(urls.owner_url, pool_size=2)
    yield database
    database.dispose()
