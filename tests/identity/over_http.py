"""A registry with its registrar and its security administrator, over real HTTP."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from app.kernel.vocabulary import OrganisationKind, Role
from tests.world import Actor, World, uscc_of

PROVINCE, HANGZHOU, NINGBO = "330000", "330100", "330200"


@dataclass(frozen=True)
class Registry:
    world: World
    organisation_id: str
    registrar: Actor
    security: Actor

    def register(self, number: int, **changes: Any) -> httpx.Response:
        body = {
            "kind": "provider",
            "identifier": {"type": "uscc", "value": uscc_of(90_000 + number)},
            "name": "良渚湾智算中心",
            "region_code": HANGZHOU,
            "profile": {"provider_kind": "compute"},
        }
        return self.registrar.post("/v1/organisations", body | changes)

    def approve(self, approval_id: str) -> None:
        response = self.security.post(f"/v1/approvals/{approval_id}/approve")
        assert response.status_code == 200, response.text

    def client(self, region_code: str = HANGZHOU) -> dict[str, Any]:
        """A provider's machine with its role granted; the answer to its creation, secret included."""
        provider_id = self.world.provider()
        roles = [{"role": "provider", "region_code": region_code}]
        created = self.registrar.post(
            "/v1/clients", {"name": "计费系统", "organisation_id": provider_id, "roles": roles}
        )
        assert created.status_code == 201, created.text
        self.approve(created.json()["approval_id"])
        made: dict[str, Any] = created.json()
        return made


@pytest.fixture
def registry(world: World) -> Registry:
    organisation_id = world.organisation(OrganisationKind.REGISTRY, PROVINCE)
    return Registry(
        world,
        organisation_id,
        world.person(Role.REGISTRAR, organisation_id, PROVINCE),
        world.person(Role.SECURITY_ADMIN, organisation_id, PROVINCE),
    )


def places(response: httpx.Response) -> list[tuple[str, str]]:
    assert response.status_code == 422, response.text
    return [(error["pointer"], error["code"]) for error in response.json()["errors"]]


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}
