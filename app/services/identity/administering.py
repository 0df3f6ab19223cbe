"""What the system administrator does: exchange the keys that sign tokens. Recorded like every change."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection

from app.kernel.vocabulary import Role
from app.services import audit
from app.services.identity.principals import Caller
from app.services.identity.signing_keys import add_key
from app.services.organisations import require_reach_over_all
from app.sql import now


def rotate_token_keys(tx: Connection, *, caller: Caller, folder: Path) -> str:
    """Add a key that signs from now on and return its name; the old ones go on verifying.

    The keys are those of all regions. Raises `forbidden` unless the caller reaches every one that takes part.

    The event is written first: a key whose event could not be written is never made.
    """
    caller.require(Role.SYSTEM_ADMIN)
    require_reach_over_all(tx, caller, Role.SYSTEM_ADMIN)
    audit.record(
        tx,
        caller=caller,
        region_code=caller.home_region,
        action="keys.rotated",
        object_id="keys",
        at=now(tx),
    )
    return add_key(folder)
