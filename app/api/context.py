"""What the routes work with: made once in `create_app`, passed down through the application's state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from app.api.principal_cache import PrincipalCache
from app.api.single_flight import SingleFlight
from app.database import Database
from app.openid import Provider
from app.services.desk.gatherer import Desk
from app.services.disclosure import Disclosure
from app.services.encrypted_fields.keys import FieldKeys
from app.services.identity.passwords import Passwords
from app.services.identity.principals import Principal
from app.services.identity.proving import Proving
from app.services.identity.signing_in import Door
from app.services.identity.tokens import Tokens
from app.services.notices.pace import Pace
from app.services.sealing.keys import LogKeys
from app.services.sealing.receipts import Receipts
from app.services.vouchers.payment_secrets import PaymentSecrets
from app.settings import Settings


@dataclass(frozen=True, slots=True)
class Service:
    """The running service."""

    settings: Settings
    database: Database
    desk: Desk
    tokens: Tokens
    payment_secrets: PaymentSecrets
    log_keys: LogKeys
    receipts: Receipts
    field_keys: FieldKeys
    passwords: Passwords
    proving: Proving
    principal_cache: PrincipalCache
    verifying: SingleFlight[str, Principal]
    objections: Pace
    disclosure: Disclosure
    openid: Mapping[str, Provider]
    """Outside providers at which people may sign in, by our name of each."""

    @property
    def door(self) -> Door:
        """What signing in works with."""
        return Door(self.database, self.passwords, self.field_keys, self.settings.staff_second_factor)


def get_service(request: Request) -> Service:
    """The service that this request reached."""
    return cast(Service, request.app.state.service)


async def _service(request: Request) -> Service:
    return get_service(request)  # a dependency that is no coroutine would cost every request a thread


ServiceDep = Annotated[Service, Depends(_service)]
