"""Lets time have passed: a voucher whose end has come, as if it had been issued so.

The service cannot do this, and no trigger lets anybody: validity is sealed with the issue and only ever extended. So a
superuser rewrites the voucher and the entry that issued it, as long as nothing of it is in the log.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, create_engine, text

from app.database import Database
from app.embedded.server import Server

OVER = "valid_until = clock_timestamp(), redeemable_until = clock_timestamp()"


_servers: list[Server] = []


def remember(server: Server) -> None:
    """The run's PostgreSQL, whose superuser can do this."""
    _servers.append(server)


def superuser_url(database: str) -> str:
    """A database of the run as its superuser."""
    server = _servers[-1]
    return server.url("postgres", server.password, database)


def end_validity(database: Database, changes: str = OVER, voucher_id: str | None = None) -> None:
    """Change the validity of a voucher, or of all, by assignments in SQL."""
    name = database.engine.url.database
    assert name is not None
    engine = create_engine(superuser_url(name))
    with engine.begin() as connection:
        end_validity_on(connection, changes, voucher_id)
    engine.dispose()


def end_validity_on(superuser: Connection, changes: str, voucher_id: str | None = None) -> None:
    """The same in the superuser's own transaction."""
    superuser.execute(text("SET LOCAL session_replication_role = replica"))
    changed = superuser.execute(
        text(
            f"UPDATE vouchers SET {changes} WHERE :id IN ('', id)"
            " RETURNING region_code, id, valid_from, valid_until, redeemable_until"
        ),
        {"id": voucher_id or ""},
    ).all()
    for voucher in changed:
        here = {"region": voucher.region_code, "id": voucher.id}
        entry = superuser.execute(_ISSUED, here).one()
        told = {one: _written(getattr(voucher, one)) for one in ("valid_from", "valid_until", "redeemable_until")}
        details = _compact(json.loads(entry.details) | told)
        hashed = {"details": hashlib.sha256(details.encode()).hexdigest()}
        leaf = _compact(json.loads(bytes(entry.leaf)) | hashed).encode()
        superuser.execute(_REWRITE, {"region": voucher.region_code, "id": entry.id, "details": details, "leaf": leaf})


_ISSUED = text(
    "SELECT id, details, leaf FROM entries WHERE region_code = :region AND voucher_id = :id AND kind = 'issue'"
)
_REWRITE = text("UPDATE entries SET details = :details, leaf = :leaf WHERE region_code = :region AND id = :id")


def _written(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _compact(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
