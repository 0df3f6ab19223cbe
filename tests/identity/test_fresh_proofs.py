"""Which acts ask for a proof of a short while ago: all that give powers, weaken a guard or change who is paid."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from app.api.authentication import authenticate_freshly
from app.main import ROUTERS

FRESH = {
    "POST /v1/approvals/{approval_id}/approve",
    "POST /v1/approvals/{approval_id}/reject",
    "POST /v1/approval-bands",
    "POST /v1/delegations",
    "POST /v1/payee-accounts",
    "POST /v1/users",
    "POST /v1/users/{user_id}/roles",
    "POST /v1/users/{user_id}/disable",
    "POST /v1/users/{user_id}/same-person",
    "POST /v1/users/{user_id}/password-resets",
    "POST /v1/users/{user_id}/second-factor-resets",
    "POST /v1/users/{user_id}/invitations",
    "POST /v1/clients",
    "POST /v1/clients/{client_id}/roles",
    "POST /v1/clients/{client_id}/disable",
    "POST /v1/clients/{client_id}/dpop",
    "POST /v1/clients/{client_id}/keys",
    "POST /v1/clients/{client_id}/secret",
    "POST /v1/system/token-keys",
}


def calls(dependant: Dependant) -> Iterator[object]:
    for one in dependant.dependencies:
        yield one.call
        yield from calls(one)


def test_these_acts_and_no_others_ask_for_a_fresh_proof() -> None:
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    asking = {
        f"{method} {route.path}"
        for route in routes
        for method in route.methods or ()
        if authenticate_freshly in calls(route.dependant)
    }
    assert asking == FRESH
