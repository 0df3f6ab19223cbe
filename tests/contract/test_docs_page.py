"""The API's documentation works on a network that reaches nothing else."""

from __future__ import annotations

import re

from tests.world import World


def test_the_docs_page_loads_nothing_from_outside(world: World) -> None:
    http = world.anonymous()
    page = http.get("/docs")
    assert page.status_code == 200
    addresses = re.findall(r"""(?:src|href)=["']([^"']+)""", page.text)
    assert len(addresses) >= 3
    for address in addresses:
        assert address.startswith("/"), address
        assert http.get(address).status_code == 200, address
    assert "//cdn." not in page.text
