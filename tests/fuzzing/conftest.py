"""A city for a module: what one asker sends is not in the way of another, and the modules run beside each other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.embedded.server import Server
from tests.fuzzing.city import standing_city
from tests.matrix.tenants import Tenant


@pytest.fixture(scope="module")
def city(server: Server, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenant]:
    folder = tmp_path_factory.mktemp("fuzz")
    with standing_city(server, template, folder, database=folder.name) as tenant:
        yield tenant
