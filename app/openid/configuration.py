"""Which providers there are: a TOML file with one `[[provider]]` for each, read once when the service starts.

[[provider]]
id = "zwfw"                                  # stands in addresses; lower-case letters, digits and -
name_zh = "政务服务统一身份认证"
name_en = "Government services identity"
issuer = "https://login.example.gov.cn"      # exactly as the provider writes it
client_id = "compute-vouchers"
client_secret_file = "zwfw.secret"           # beside this file; or private_key_file (PEM), for private_key_jwt
hosts = ["keys.example.gov.cn"]              # further hosts of its endpoints; the issuer's own is always one
second_factor_acr = ["urn:example:acr:2"]    # what it says in acr where it has asked for a second factor
second_factor_amr = ["mfa", "otp"]           # or in amr
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from app.openid.calls import is_safe

SigningKey = RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]
"""What an ID token may be signed with: nothing symmetric, and never `none`."""

_Word = Annotated[str, Field(min_length=1, max_length=200)]
_LONGEST_FILE = 16_384


class NotConfigured(Exception):
    """The file of providers cannot be used; the sentence says why."""


class ProviderSettings(BaseModel):
    """One provider, as the operator describes it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, ignored_types=(cached_property,))

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
    name_zh: Annotated[str, Field(min_length=1, max_length=40)]
    name_en: Annotated[str, Field(min_length=1, max_length=40)]
    issuer: _Word
    client_id: _Word
    client_secret_file: Path | None = None
    client_secret_method: Literal["client_secret_basic", "client_secret_post"] = "client_secret_basic"  # noqa: S105 - its name
    private_key_file: Path | None = None
    private_key_id: _Word | None = None
    """Its `kid`, where the provider keeps several keys of ours."""
    hosts: tuple[Annotated[str, Field(pattern=r"^[a-z0-9.:\[\]-]+$", max_length=255)], ...] = ()
    """Further hosts of the provider's endpoints, with the port where it is not the usual one."""
    ca_file: Path | None = None
    """Authorities that sign the provider's certificate, where the system does not know them."""
    scopes: tuple[Annotated[str, Field(pattern=r"^[\x21\x23-\x5b\x5d-\x7e]+$")], ...] = ("openid",)
    algorithms: tuple[Algorithm, ...] = ("RS256", "PS256", "ES256", "EdDSA")
    acr_values: tuple[_Word, ...] = ()
    """Asked for, in the order of preference."""
    max_age_s: Annotated[int, Field(ge=0, le=86_400)] | None = None
    """How long ago the person may have signed in there; longer ago, he has to do it again."""
    second_factor_acr: frozenset[_Word] = frozenset()
    second_factor_amr: frozenset[_Word] = frozenset()

    @field_validator("client_secret_file", "private_key_file", "ca_file", mode="before")
    @classmethod
    def _path(cls, given: object) -> object:
        return Path(given) if isinstance(given, str) else given

    @field_validator(
        "hosts", "scopes", "algorithms", "acr_values", "second_factor_acr", "second_factor_amr", mode="before"
    )
    @classmethod
    def _several(cls, given: object) -> object:
        return tuple(given) if isinstance(given, list) else given

    @field_validator("second_factor_acr", "second_factor_amr", mode="before")
    @classmethod
    def _set(cls, given: object) -> object:
        return frozenset(given) if isinstance(given, (list, tuple)) else given

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.client_secret_file is None) == (self.private_key_file is None):
            raise ValueError("needs client_secret_file or private_key_file, one of them")
        if not is_safe(self.issuer):
            raise ValueError("issuer must be an https address (plain http on this machine only)")
        if not all(is_safe(f"https://{host}") for host in self.hosts):
            raise ValueError("hosts must be names or addresses, with a port where it is not the usual one")
        if "openid" not in self.scopes:
            raise ValueError("scopes must have openid")
        if not self.algorithms:
            raise ValueError("algorithms must have one")
        return self

    def name(self, language: str) -> str:
        """What people call it, in `zh` or `en`."""
        return self.name_zh if language == "zh" else self.name_en

    @property
    def allowed_hosts(self) -> frozenset[str]:
        """Where its endpoints may lie, each with its port where it is not the usual one."""
        return frozenset({urlsplit(self.issuer).netloc.lower(), *self.hosts})

    @cached_property
    def secret(self) -> str | None:
        """The client's secret; None where it signs with a key."""
        return None if self.client_secret_file is None else _text(self.client_secret_file).strip()

    @cached_property
    def private_key(self) -> tuple[SigningKey, str] | None:
        """The client's key and its algorithm; None where it has a secret."""
        return None if self.private_key_file is None else _key(self.private_key_file)


def load_providers(file: Path) -> tuple[ProviderSettings, ...]:
    """The providers of a file, in its order, with their secrets. Raises NotConfigured."""
    try:
        read = tomllib.loads(_text(file))
    except ValueError as error:
        raise NotConfigured(f"{file}: not TOML: {error}") from error
    tables = read.pop("provider", [])
    if read or not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise NotConfigured(f"{file}: holds [[provider]] tables and nothing else")
    found = []
    for number, table in enumerate(tables, 1):
        try:
            made = ProviderSettings.model_validate(_beside(file, table))
        except ValidationError as error:
            raise NotConfigured(f"{file}: provider {number}: {_told(error)}") from error
        if made.secret == "":
            raise NotConfigured(f"{made.client_secret_file}: is empty")
        _ = made.private_key  # read now, so that a wrong file is told when the service starts
        found.append(made)
    _refuse_twins(file, [one.id for one in found])
    _refuse_twins(file, [one.issuer for one in found])
    return tuple(found)


def _beside(file: Path, table: dict[str, object]) -> dict[str, object]:
    """Paths of other files are read from where this one lies."""
    named = {name: value for name, value in table.items() if name.endswith("_file") and isinstance(value, str)}
    return table | {name: str(file.parent / value) for name, value in named.items()}


def _refuse_twins(file: Path, words: Sequence[str]) -> None:
    if twins := {word for word in words if words.count(word) > 1}:
        raise NotConfigured(f"{file}: given more than once: {', '.join(sorted(twins))}")


def _text(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            read = opened.read(_LONGEST_FILE + 1)
        if len(read) > _LONGEST_FILE:
            raise NotConfigured(f"{file}: is too long")
        return read.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise NotConfigured(f"{file}: cannot be read: {error}") from error


def _key(file: Path) -> tuple[SigningKey, str]:
    try:
        key = load_pem_private_key(_text(file).encode(), password=None)
    except (ValueError, TypeError) as error:
        raise NotConfigured(f"{file}: is no private key in PEM without a password") from error
    if isinstance(key, Ed25519PrivateKey):
        return key, "EdDSA"
    if isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP256R1):
        return key, "ES256"
    if isinstance(key, RSAPrivateKey) and key.key_size >= 2048:
        return key, "PS256"
    raise NotConfigured(f"{file}: must be Ed25519, P-256, or RSA of 2,048 bits or more")


def _told(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, found['loc']))}: {re.sub('^Value error, ', '', found['msg'])}".removeprefix(": ")
        for found in error.errors()
    )
