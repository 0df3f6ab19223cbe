"""Every route of the service, so that a test of all of them cannot forget a new one."""

from __future__ import annotations

from fastapi.routing import iter_route_contexts
from starlette.routing import Mount

from app.main import create_app
from app.settings import Settings


def all_routes() -> list[tuple[str, str]]:
    """Methods and path templates; of folders of files, the address of one that is not there."""
    app = create_app(Settings(database_url="postgresql+psycopg://nobody@localhost/none"))
    found: list[tuple[str, str]] = []
    for route in iter_route_contexts(app.routes):
        assert route.path is not None, route
        if isinstance(route.original_route, Mount):
            found.append(("GET", f"{route.path}/nothing.js"))
        else:
            found += [(method, route.path) for method in sorted(route.methods or ())]
    return found
