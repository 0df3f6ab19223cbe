"""Text that no database keeps is refused with a sentence, wherever a route looks something up by it."""

from __future__ import annotations

import pytest

from tests.world import World, problem


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v1/applications", "firm_name"),
        ("/v1/applications/counts", "firm_name"),
        ("/v1/applications/export", "firm_name"),
        ("/v1/approvals", "subject_id"),
        ("/v1/ledger/entries", "fund_source"),
    ],
)
def test_a_nul_is_refused(world: World, path: str, name: str) -> None:
    problem(world.city().auditor.get(path, **{name: "\0"}), 422, "validation_failed")
