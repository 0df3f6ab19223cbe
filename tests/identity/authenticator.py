"""An authenticator for tests: its codes in the order in which they count, three of them without waiting."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import httpx
from sqlalchemy import select, update

from app.models import User
from app.services.identity.passwords import Passwords
from app.services.identity.totp import code_of
from tests.world import Actor, World, ok

PASSWORD = "seven quiet herons"
ON_ITS_WAY_S = 8
"""So long a code still counts after it was given, at least."""
_HASH = Passwords().hash(PASSWORD, login="")


@dataclass
class Authenticator:
    """Knows which of its codes have counted: those before, of and after the present 30 seconds count."""

    secret: str
    used: int = field(default_factory=lambda: int(time.time()) // 30 - 2)

    def code(self) -> str:
        """The next one that counts."""
        self.used = max(self.used + 1, int(time.time() + ON_ITS_WAY_S) // 30 - 1)
        while self.used > int(time.time()) // 30 + 1:
            time.sleep(0.2)
        return code_of(self.secret, self.used)

    def again(self) -> str:
        """The one that was given last."""
        return code_of(self.secret, self.used)


def with_password(world: World, actor: Actor) -> str:
    """Give a person the password, and the login."""
    row = update(User).where(User.id == actor.id).values(password_hash=_HASH)
    world.database.transact(lambda tx: tx.execute(row))
    login = select(User.login).where(User.id == actor.id)
    return world.database.transact(lambda tx: tx.execute(login).scalar_one())


def enrol(http: httpx.Client, login: str) -> tuple[Authenticator, dict[str, Any]]:
    """Set up a second factor over HTTP: the authenticator, and the answer."""
    mine = {"login": login, "password": PASSWORD}
    authenticator = Authenticator(ok(http.post("/v1/second-factors", json=mine))["secret"])
    confirmed = http.post("/v1/second-factors/confirm", json=mine | {"first_code": authenticator.code()})
    made: dict[str, Any] = ok(confirmed)
    return authenticator, made
