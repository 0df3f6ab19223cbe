"""The firm's pages: server-rendered, on the same services as the API."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI, Response
from starlette.responses import RedirectResponse
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from app.api.portal import (
    account,
    applications,
    calculator,
    mandates,
    notices,
    openid,
    pages,
    payment_codes,
    signing_in,
    surrender,
    vouchers,
)
from app.api.portal.guard import PortalRoute
from app.kernel.problems import AppError, Code

STATIC_AGE_S = 365 * 24 * 3600


class _Assets(StaticFiles):
    """Files whose address changes with their content, so that a browser keeps them."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = f"public, max-age={STATIC_AGE_S}, immutable"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


_missing = APIRouter(route_class=PortalRoute, include_in_schema=False)


@_missing.get("/portal/{path:path}")
def no_such_page(path: str) -> Response:
    """Everything else under /portal is a friendly 404."""
    raise AppError(Code.NOT_FOUND, what=path)


ROUTERS = (
    signing_in.router,
    openid.router,
    account.router,
    mandates.router,
    payment_codes.router,
    surrender.router,
    vouchers.router,
    calculator.router,
    notices.router,
    applications.router,
    _missing,
)


def mount(app: FastAPI) -> None:
    """Add the portal to the application: its files, its pages, a page for what is not there, and the way to it."""
    app.mount("/portal/static", _Assets(directory=pages.STATIC), name="portal-static")
    for router in ROUTERS:
        app.include_router(router)
    app.add_api_route("/", _to_the_portal, include_in_schema=False)


def _to_the_portal() -> RedirectResponse:
    return RedirectResponse("/portal")
