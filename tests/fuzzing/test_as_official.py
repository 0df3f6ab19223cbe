"""Made-up requests as the official: no 5xx, nothing that the contract does not know, authentication ignored nowhere."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.embedded.server import Server
from tests.fuzzing.bounded import all_phases, few_of_everything, nothing_found
from tests.fuzzing.city import standing_city
from tests.matrix.tenants import Tenant


@pytest.fixture(scope="module")
def city(server: Server, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenant]:
    with standing_city(server, template, tmp_path_factory.mktemp("fuzz"), database="fuzz_official") as tenant:
        yield tenant


def test_right_requests_to_every_operation(city: Tenant) -> None:
    outcome = few_of_everything(city, "official")
    assert len(outcome.succeeded) > 100, "they get past the door"
    nothing_found(outcome, city)


def test_all_phases_over_some_operations(city: Tenant) -> None:
    outcome = all_phases(city, "official", 6)
    assert set(outcome.cases) == {"examples", "coverage", "fuzzing", "stateful"}, outcome.cases
    nothing_found(outcome, city)
