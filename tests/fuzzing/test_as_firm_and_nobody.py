"""Made-up requests as a manager of a firm and as nobody: no 5xx, nothing that the contract does not know."""

from __future__ import annotations

import pytest

from tests.fuzzing.bounded import all_phases, few_of_everything, nothing_found
from tests.matrix.tenants import Tenant

LEAST = {"firm": 50, "nobody": 15}


@pytest.mark.parametrize("asker", ["firm", "nobody"])
def test_right_requests_to_every_operation(city: Tenant, asker: str) -> None:
    outcome = few_of_everything(city, asker)
    assert len(outcome.succeeded) > LEAST[asker], "they get past the door"
    nothing_found(outcome, city)


@pytest.mark.parametrize("asker", ["firm", "nobody"])
def test_all_phases_over_some_operations(city: Tenant, asker: str) -> None:
    outcome = all_phases(city, asker, 4)
    assert set(outcome.cases) == {"examples", "coverage", "fuzzing", "stateful"}, outcome.cases
    nothing_found(outcome, city)
