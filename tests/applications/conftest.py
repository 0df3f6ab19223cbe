"""A city with a programme that firms apply to."""

from __future__ import annotations

import pytest

from tests.applications.desk import Desk
from tests.world import World


@pytest.fixture
def desk(shared_world: World) -> Desk:
    """A city of its own for each test, in one running service."""
    return Desk(shared_world.city())
