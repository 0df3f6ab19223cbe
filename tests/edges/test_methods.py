"""A method that an address does not know is told which it knows (RFC 9110, section 15.5.6)."""

from __future__ import annotations

import pytest

from tests.world import World, problem


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/organisations", "GET, POST"),  # two routes with one address
        ("/v1/vouchers/vch_330100_01m85r7edwejb9kg3szhzhwwdp", "GET"),
        ("/v1/calendars/2026", "GET, PUT"),
        ("/oauth/token", "POST"),
        ("/v1/personal-tokens/current", "DELETE"),
    ],
)
def test_the_refusal_names_every_method_of_the_address(shared_world: World, path: str, allowed: str) -> None:
    answer = shared_world.anonymous().request("PATCH", path)
    problem(answer, 405, "method_not_allowed")
    assert answer.headers["Allow"] == allowed
