"""The run that every test run has: all phases, few requests, always the same ones. The long one: `make fuzz`."""

from __future__ import annotations

from random import Random

from app.main import openapi_document
from tests.fuzzing.run import summary
from tests.fuzzing.running import Outcome, fuzz
from tests.fuzzing.seeding import operations_of
from tests.matrix.tenants import Tenant

SEED = 20261126
CHAINS = {
    "official": ["POST /v1/programmes", "GET /v1/programmes/{programme_id}"],
    "machine": ["POST /v1/holds", "GET /v1/holds/{hold_id}"],
    "firm": ["POST /v1/applications", "GET /v1/applications/{application_id}"],
    "nobody": ["POST /v1/holds", "GET /v1/holds/{hold_id}"],
}
"""What one answers the other asks for: without such a pair there is no state to walk through."""


def some_operations(asker: str, number: int) -> list[str]:
    """So many operations beside a chain, others for each asker, the same ones every time."""
    every = sorted(label for label, _ in operations_of(openapi_document()))
    return CHAINS[asker] + [one for one in Random(f"{SEED}{asker}").sample(every, number) if one not in CHAINS[asker]]


def few_of_everything(tenant: Tenant, asker: str) -> Outcome:
    """Right requests to every operation, by this asker; what he may not do he is refused."""
    return fuzz(tenant, asker, examples=1, seed=SEED, phases=["examples"])


def all_phases(tenant: Tenant, asker: str, number: int) -> Outcome:
    """Every phase over a chain and so many further operations."""
    return fuzz(tenant, asker, examples=2, seed=SEED, operations=some_operations(asker, number), steps=3)


def nothing_found(outcome: Outcome, tenant: Tenant) -> None:
    """Fail with what was found, and with the books where they are no longer right."""
    differences = tenant.world.differences()
    assert not outcome.findings and not differences, summary(outcome, differences)
