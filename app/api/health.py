"""Is the process alive, and can it serve?"""

from __future__ import annotations

from fastapi import APIRouter, Response
from sqlalchemy import text

from app.api.context import ServiceDep

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz")
def readyz(service: ServiceDep, response: Response) -> dict[str, str]:
    """The database answers and has been migrated; 503 otherwise."""
    revision = service.database.transact(
        lambda tx: tx.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    )
    if revision is None:
        response.status_code = 503
        return {"status": "not migrated"}
    return {"status": "ok", "schema": revision}
