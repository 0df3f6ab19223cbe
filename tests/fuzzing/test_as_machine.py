"""Made-up requests as the machine: no 5xx, nothing that the contract does not know, authentication ignored nowhere."""

from __future__ import annotations

from tests.fuzzing.bounded import all_phases, few_of_everything, nothing_found
from tests.matrix.tenants import Tenant


def test_right_requests_to_every_operation(city: Tenant) -> None:
    outcome = few_of_everything(city, "machine")
    assert len(outcome.succeeded) > 50, "they get past the door"
    nothing_found(outcome, city)


def test_all_phases_over_some_operations(city: Tenant) -> None:
    outcome = all_phases(city, "machine", 6)
    assert set(outcome.cases) == {"examples", "coverage", "fuzzing", "stateful"}, outcome.cases
    nothing_found(outcome, city)
