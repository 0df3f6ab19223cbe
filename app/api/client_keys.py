"""How a machine signs in: its public keys, and its secret. Its own act, or a registrar's."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from pydantic import Field

from app.api.authentication import CallerDep, FreshCallerDep
from app.api.context import ServiceDep
from app.api.fields import AnyId, Read, ShownInstant, Wire
from app.api.oauth import NO_STORE
from app.services.identity import client_keys as keys

router = APIRouter(prefix="/v1/clients/{client_id}", tags=["clients"])

Jwk = Annotated[
    dict[str, Any],
    Field(
        max_length=20,
        description="A public key (RFC 7517): Ed25519, P-256, or RSA of 2048 to 4096 bits; signs EdDSA, ES256 or PS256",
        examples=[{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}],
    ),
]
Kid = Annotated[str, Path(pattern=r"^[A-Za-z0-9._~-]{1,128}$")]


class ClientKeyCreate(Wire):
    """A public key with which the machine will sign its assertions."""

    jwk: Jwk


class ClientKeyRead(Read):
    """A key of a machine; its name (`kid`) goes into the header of the assertions that it signs."""

    kid: str
    algorithm: str
    jwk: dict[str, str]
    created_at: ShownInstant
    created_by: str
    retired_at: ShownInstant | None


class ClientKeys(Read):
    """All keys of a machine, newest first."""

    data: list[ClientKeyRead]


class SecretRenewal(Wire):
    """For how long the present secret stays good besides the new one."""

    overlap_s: Annotated[
        int, Field(strict=True, ge=0, le=int(keys.LONGEST_OVERLAP.total_seconds()), description="Seconds")
    ] = 86_400


class SecretRenewed(Read):
    """The new secret, shown this once, and until when the one before it is good (null: no more)."""

    secret: str
    previous_until: ShownInstant | None


@router.post("/keys", status_code=201)
def add_client_key(
    client_id: AnyId, body: ClientKeyCreate, caller: FreshCallerDep, service: ServiceDep
) -> ClientKeyRead:
    """Let the machine sign in with the private half of this key too. Its name is the `kid` given, or its thumbprint."""
    return ClientKeyRead.model_validate(
        service.database.transact(lambda tx: keys.add_client_key(tx, caller=caller, client_id=client_id, jwk=body.jwk))
    )


@router.get("/keys")
def read_client_keys(client_id: AnyId, caller: CallerDep, service: ServiceDep) -> ClientKeys:
    """The keys of a machine, the retired ones too."""
    found = service.database.transact(lambda tx: keys.list_client_keys(tx, caller=caller, client_id=client_id))
    return ClientKeys(data=[ClientKeyRead.model_validate(record) for record in found])


@router.post("/keys/{kid}/retire")
def retire_client_key(client_id: AnyId, kid: Kid, caller: CallerDep, service: ServiceDep) -> ClientKeyRead:
    """Let the key be good no more, for good. Tokens fetched with it run out by themselves, or are revoked."""
    return ClientKeyRead.model_validate(
        service.database.transact(lambda tx: keys.retire_client_key(tx, caller=caller, client_id=client_id, kid=kid))
    )


@router.post("/secret", status_code=201)
def renew_client_secret(
    client_id: AnyId, body: SecretRenewal, caller: FreshCallerDep, service: ServiceDep, response: Response
) -> SecretRenewed:
    """A new secret for the machine; the present one stays good for a while, so that nothing stands still."""
    renewed = service.database.transact(
        lambda tx: keys.renew_secret(tx, caller=caller, client_id=client_id, overlap=timedelta(seconds=body.overlap_s))
    )
    response.headers.update(NO_STORE)
    return SecretRenewed.model_validate(renewed)


@router.delete("/secret", status_code=204)
def withdraw_client_secret(client_id: AnyId, caller: CallerDep, service: ServiceDep) -> None:
    """From now on the machine signs in with its keys alone."""
    service.database.transact(lambda tx: keys.withdraw_secret(tx, caller=caller, client_id=client_id))
