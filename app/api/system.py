"""The running system, for system administrators: its settings and limits, its keys by name, its health. No money."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from app.api.authentication import CallerDep, FreshCallerDep
from app.api.context import ServiceDep
from app.api.fields import Read, ShownInstant
from app.services.encrypted_fields.keys import FOLDER, names_in
from app.services.identity.administering import rotate_token_keys
from app.services.identity.signing_keys import SigningKeys, made_at
from app.services.sealing.lag import lags_for

router = APIRouter(prefix="/v1/system", tags=["system"])

SHOWN = (
    "public_url",
    "access_token_ttl_s",
    "personal_token_ttl_s",
    "principal_cache_s",
    "session_idle_s",
    "session_max_s",
    "invitation_ttl_s",
    "pool_size",
    "desk_batch_limit",
    "desk_queue_limit",
    "keep_answers_days",
    "keep_sessions_days",
    "seal_promise_s",
)
"""Settings that hold no secret and no address of a machine."""


class KeyRead(Read):
    """A key by its name; nothing of it is shown."""

    purpose: Annotated[str, Field(description="`tokens`, or `fields`")]
    name: str
    made_at: ShownInstant
    newest: bool


class SealingRead(Read):
    """How far the sealing of a region's log has come."""

    region_code: str
    waiting: int
    lag_s: float
    size: int


class SystemRead(Read):
    """Settings and limits in force, keys by name, and how the desk and sealing are doing."""

    settings: dict[str, str | int]
    keys: tuple[KeyRead, ...]
    desk_alive: bool
    desk_waiting: int
    sealing: tuple[SealingRead, ...]


class KeyRotated(Read):
    """The key that signs from now on, within seconds in every process."""

    kid: str


@router.get("")
def read_system(caller: CallerDep, service: ServiceDep) -> SystemRead:
    """Settings, limits, keys by name and age, health of the process that answers, and sealing in one's own regions."""
    lags = service.database.transact(lambda tx: lags_for(tx, caller=caller))
    tokens = SigningKeys(service.settings.state_dir / "keys").kids()
    fields = names_in(service.settings.state_dir / FOLDER)[::-1]
    return SystemRead(
        settings={name: getattr(service.settings, name) for name in SHOWN},
        keys=(*_shown("tokens", tokens), *_shown("fields", fields)),
        desk_alive=service.desk.alive,
        desk_waiting=service.desk.waiting,
        sealing=tuple(
            SealingRead(region_code=lag.region_code, waiting=lag.waiting, lag_s=float(lag.lag_s), size=lag.size)
            for lag in lags
        ),
    )


@router.post("/token-keys", status_code=201)
def rotate_keys(caller: FreshCallerDep, service: ServiceDep) -> KeyRotated:
    """Add a key for tokens and payment codes, which signs from now on; old ones verify until `voucher keys retire`."""
    folder = service.settings.state_dir / "keys"
    return KeyRotated(kid=service.database.transact(lambda tx: rotate_token_keys(tx, caller=caller, folder=folder)))


def _shown(purpose: str, names: list[str]) -> list[KeyRead]:
    return [
        KeyRead(purpose=purpose, name=name, made_at=made_at(name), newest=place == 0)
        for place, name in enumerate(names)
    ]
