"""Is the process alive, and can it serve?"""

from __future__ import annotations

from fastapi import APIRouter, Response
from sqlalchemy import Connection, text

from app.api.context import ServiceDep

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz")
def readyz(service: ServiceDep, response: Response) -> dict[str, str]:
    """The database answers and has been migrated, and the desk has its writer; 503 otherwise."""
    revision = service.database.transact(_schema)
    status = "not migrated" if revision is None else "ok" if service.desk.alive else "no writer"
    response.status_code = 200 if status == "ok" else 503
    return {"status": status, "schema": revision or "-"}


def _schema(tx: Connection) -> str | None:
    there = tx.execute(text("SELECT to_regclass('public.alembic_version') IS NOT NULL")).scalar_one()
    return tx.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none() if there else None
