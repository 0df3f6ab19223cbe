"""What a payment code is shown as: a signed token for the QR, digits for the telephone. Neither is stored.

Both follow from the code's row and a signing key: Ed25519 signs the same bytes the same way each time, and the digits
are a keyed function of the code's id. So the firm's page can show them again, a repeated request gets the same bytes,
and whoever reads the database, an answer stored under an Idempotency-Key, a backup or a log learns neither.

**The token** is a JWT as strict as RFC 8725 asks, with a type and an audience of its own: an access token is no
payment code, and a payment code opens no door. What it says (voucher, maximum, end) is for the till that scans it; what
counts is the row. That it has run out is the desk's to say, by the database's clock: a repeated request must
get its first answer also when the code has run out meanwhile.

**The digits**: eight, equally likely (10⁸ = 26.6 bits), and a check digit. Only the provider that a code is for can
use it, so only that provider could want to guess, and it has to have the voucher's code. After `WRONG_DIGITS_LIMIT` = 5
numbers that fit no code of the voucher, the digits of all codes that were open then are void (the QR still holds). The
count lies under the voucher's lock, so neither more processes nor a batch of a thousand buy another guess. At most
`OPEN_LIMIT` = 10 codes are open per voucher and provider. So a guesser's chance is

    5 guesses × 1 open code / 10⁸ = 1 in 20 million,   at the very most 5 × 10 / 10⁸ = 1 in 2 million,

each time the firm makes codes that it does not give to the provider; and what could be drawn is the code's maximum, by
a provider whose name stands on it. They are kept as an HMAC-SHA256 with a key outside the database: unkeyed, ten
seconds would do to try all 10⁸.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import jwt
from pydantic import BaseModel, ConfigDict, Field

from app.kernel.ids import is_id
from app.kernel.payment_digits import DRAWN, digits_of
from app.services.identity.signing_keys import SigningKeys
from app.settings import Settings

ALGORITHM = "EdDSA"
TYPE = "payment-code+jwt"
"""Explicitly typed (RFC 8725 section 3.11): no other token of ours has this type."""

PURPOSE = "payment-code digits"
MAX_LENGTH = 1024
"""Longer is no token of ours: one has about 450 characters."""

_HEADER = frozenset({"alg", "kid", "typ"})


class _Payload(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    aud: str
    jti: str
    voucher_code: str
    limit_fen: Annotated[int, Field(gt=0)]
    exp: Annotated[int, Field(ge=0)]


@dataclass(frozen=True, slots=True)
class PaymentTerms:
    """What a token says of its code. `limit_fen` is fen."""

    id: str
    key_id: str
    voucher_code: str
    limit_fen: int
    valid_until: datetime


class PaymentSecrets:
    """Tokens and digits of the payment codes of one installation. Pure but for its keys' folder."""

    def __init__(self, keys: SigningKeys, *, issuer: str) -> None:
        self.audience = f"{issuer}/payment-codes"
        self._keys = keys
        self._jwt = jwt.PyJWT(
            {
                "require": list(_Payload.model_fields),
                "strict_aud": True,
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            }
        )

    @classmethod
    def from_settings(cls, settings: Settings) -> PaymentSecrets:
        """Those of this installation, with its own keys."""
        return cls(SigningKeys.load_or_create(settings.state_dir / "keys"), issuer=settings.public_url.rstrip("/"))

    @property
    def key_id(self) -> str:
        """The key that new codes follow from."""
        return self._keys.current_kid

    def token(self, terms: PaymentTerms) -> str | None:
        """The signed token of a code, the same each time; None once its key has been removed."""
        key = self._keys.private(terms.key_id)
        if key is None:
            return None
        payload: dict[str, Any] = {
            "aud": self.audience,
            "jti": terms.id,
            "voucher_code": terms.voucher_code,
            "limit_fen": terms.limit_fen,
            "exp": int(terms.valid_until.timestamp()),
        }
        return self._jwt.encode(payload, key, ALGORITHM, {"typ": TYPE, "kid": terms.key_id})

    def digits(self, *, key_id: str, code_id: str) -> str | None:
        """The digits of a code, without groups; None once its key has been removed."""
        secret = self._keys.derived(key_id, PURPOSE)
        if secret is None:
            return None
        drawn = hmac.digest(secret, f"digits\0{code_id}".encode(), "sha256")
        return digits_of(int.from_bytes(drawn[:16]) % 10**DRAWN)

    def digits_mac(self, *, key_id: str, voucher_code: str, provider_id: str, digits: str) -> bytes | None:
        """By what a code is found among those made with this key."""
        secret = self._keys.derived(key_id, PURPOSE)
        if secret is None:
            return None
        return hmac.digest(secret, f"lookup\0{voucher_code}\0{provider_id}\0{digits}".encode(), "sha256")

    def digits_macs(self, *, voucher_code: str, provider_id: str, digits: str) -> tuple[bytes, ...]:
        """By what a code is found, whichever of our keys it was made with."""
        macs = (
            self.digits_mac(key_id=kid, voucher_code=voucher_code, provider_id=provider_id, digits=digits)
            for kid in self._keys.kids()
        )
        return tuple(mac for mac in macs if mac is not None)

    def verified(self, token: str) -> str | None:
        """The id of the code that a token of ours names, or None for anything that we did not sign as a payment code.

        Whether the code still holds is not asked here.
        """
        try:
            code_id = _Payload.model_validate(self._decoded(token)).jti
        except (jwt.InvalidTokenError, ValueError):
            return None
        return code_id if is_id(code_id, "pay") else None

    def _decoded(self, token: str) -> dict[str, Any]:
        if len(token) > MAX_LENGTH:
            raise ValueError("too long to be ours")
        header = jwt.get_unverified_header(token)
        # Exactly the header we write: no `crit`, and no `jwk`, `jku` or `x5u` that would bring a key of its own.
        if header.keys() != _HEADER or header["typ"] != TYPE or header["alg"] != ALGORITHM:
            raise ValueError("not a header of ours")
        key = self._keys.public(header["kid"])
        if key is None:
            raise ValueError("no key of ours")
        return self._jwt.decode(token, key, algorithms=[ALGORITHM], audience=self.audience)
