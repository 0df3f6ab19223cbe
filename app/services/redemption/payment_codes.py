"""Payment codes where they are used: what a provider sends, the claim of the one use, and what is refused.

"Used" is a claim like an order number's: a row whose key is the code, inserted before anything is locked, in
sorted order, and deleted again where the command is refused or put off. Everything else about a code lies under its
voucher's lock. Each function here that takes a transaction is one statement, however many commands there are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from app.kernel.canonical import sha256_hex
from app.kernel.payment_digits import parse_digits
from app.kernel.problems import Code
from app.models import PaymentCodeUse
from app.models.payment_codes import WRONG_DIGITS_LIMIT
from app.services.redemption.decisions import Refused
from app.services.vouchers.payment_secrets import PaymentSecrets
from app.sql import BulkInsert, Statement

CodeKey = tuple[str, str]
"""(region_code, payment code id)."""

Holder = tuple[str, str, str]
"""(region_code, voucher id, provider id): whom a code is for."""


@dataclass(frozen=True, slots=True)
class PaymentCodeGiven:
    """What a provider sent: a token's code id, or the keyed hashes of digits; neither for a token that is not ours."""

    sha256: str
    """Of what was sent, for the command's fingerprint."""
    id: str | None = None
    digits_macs: tuple[bytes, ...] = ()

    @property
    def is_digits(self) -> bool:
        """Whether it was read out, and so might be a guess."""
        return bool(self.digits_macs)


@dataclass(slots=True)
class PaymentCodeState:
    """A payment code under its voucher's lock. Changes as the commands of one batch are decided one after the other."""

    region_code: str
    id: str
    voucher_id: str
    provider_id: str
    limit_fen: int
    valid_until: datetime
    withdrawn_at: datetime | None
    wrong_digits: int
    used_by: str | None = None
    """The hold or redemption that used it before this command."""

    @property
    def holder(self) -> Holder:
        """Whom it is for."""
        return (self.region_code, self.voucher_id, self.provider_id)


def is_token(sent: str) -> bool:
    """Whether it is meant as a token, and not as digits that people type: every JWT begins like this."""
    return sent.startswith("eyJ")


def normalised(sent: str) -> str:
    """What was sent, as it counts: a token without spaces around it, digits without separators.

    Raises ValueError with a sentence in both languages where digits have a typing error.
    """
    bare = sent.strip()
    return bare if is_token(bare) else parse_digits(bare)


def read_given(sent: str, secrets: PaymentSecrets, *, voucher_code: str, provider_id: str) -> PaymentCodeGiven:
    """What a provider sent with a voucher's code, verified as far as that needs no database.

    A token that is not ours is no error here: it is refused like any other code, under its Idempotency-Key. Raises
    ValueError where digits have a typing error.
    """
    counted = normalised(sent)
    digest = sha256_hex(counted.encode(errors="replace"))
    if is_token(counted):
        return PaymentCodeGiven(digest, id=secrets.verified(counted))
    macs = secrets.digits_macs(voucher_code=voucher_code, provider_id=provider_id, digits=counted)
    return PaymentCodeGiven(digest, digits_macs=macs)


def refuse_payment_code(
    state: PaymentCodeState | None, *, provider_id: str, voucher_id: str, is_digits: bool = False, at: datetime
) -> Refused | None:
    """Why this code is no consent for this provider to draw on this voucher now, or None. Pure.

    What is unknown, forged, somebody else's, withdrawn, or sent as digits after too many wrong ones looks the same.
    """
    if state is None or (state.provider_id, state.voucher_id) != (provider_id, voucher_id):
        return Refused(Code.PAYMENT_CODE_INVALID)
    if is_digits and state.wrong_digits >= WRONG_DIGITS_LIMIT:
        return Refused(Code.PAYMENT_CODE_INVALID)
    if state.used_by is not None:
        return Refused(Code.PAYMENT_CODE_USED, {"used_by": state.used_by}, {"used_by": state.used_by})
    if state.withdrawn_at is not None:
        return Refused(Code.PAYMENT_CODE_INVALID)
    if at >= state.valid_until:
        return Refused(Code.PAYMENT_CODE_EXPIRED, {"limit": state.valid_until, "actual": at})
    return None


def refuse_over_limit(state: PaymentCodeState, *, amount_fen: int) -> Refused | None:
    """Why this much (drawn or held, fen) is beyond the code, or None. Pure."""
    if amount_fen > state.limit_fen:
        return Refused(Code.PAYMENT_CODE_EXCEEDED, {"limit_fen": state.limit_fen, "actual_fen": amount_fen})
    return None


_FIND = Statement(
    "SELECT asked.use_id, p.region_code, p.id FROM payment_codes p"
    " JOIN unnest(CAST(:uses AS text[]), CAST(:regions AS text[]), CAST(:providers AS text[]), CAST(:ids AS text[]))"
    " AS asked(use_id, region_code, provider_id, id)"
    " ON p.region_code = asked.region_code AND p.id = asked.id AND p.provider_id = asked.provider_id"
    " UNION ALL SELECT asked.use_id, p.region_code, p.id FROM payment_codes p"
    " JOIN unnest(CAST(:mac_uses AS text[]), CAST(:mac_regions AS text[]), CAST(:macs AS bytea[]))"
    " AS asked(use_id, region_code, mac) ON p.region_code = asked.region_code AND p.digits_mac = asked.mac"
)
_CLAIM = BulkInsert(
    PaymentCodeUse.__table__,
    ("region_code", "payment_code_id", "used_by"),
    suffix="ON CONFLICT DO NOTHING RETURNING used_by",
)
_KEYS = "unnest(CAST(:regions AS text[]), CAST(:ids AS text[])) AS asked(region_code, id)"
_USES = Statement(
    f"SELECT u.region_code, u.payment_code_id, u.used_by FROM payment_code_uses u JOIN {_KEYS}"
    " ON u.region_code = asked.region_code AND u.payment_code_id = asked.id"
)
_GIVE_BACK = Statement(
    f"DELETE FROM payment_code_uses u USING {_KEYS}"
    " WHERE u.region_code = asked.region_code AND u.payment_code_id = asked.id"
)
_LOAD = Statement(
    "SELECT p.region_code, p.id, p.voucher_id, p.provider_id, p.limit_fen, p.valid_until, p.withdrawn_at,"
    f" p.wrong_digits FROM payment_codes p JOIN {_KEYS} ON p.region_code = asked.region_code AND p.id = asked.id"
)
_COUNT_WRONG = Statement(
    "UPDATE payment_codes p SET wrong_digits = LEAST(p.wrong_digits + asked.times, :most)"
    " FROM unnest(CAST(:regions AS text[]), CAST(:vouchers AS text[]), CAST(:providers AS text[]),"
    " CAST(:times AS bigint[])) AS asked(region_code, voucher_id, provider_id, times)"
    " WHERE p.region_code = asked.region_code AND p.voucher_id = asked.voucher_id"
    " AND p.provider_id = asked.provider_id AND p.withdrawn_at IS NULL AND p.valid_until > :at"
    f" AND p.wrong_digits < {WRONG_DIGITS_LIMIT}"
)


def find_payment_codes(tx: Connection, given: Mapping[str, tuple[str, str, PaymentCodeGiven]]) -> dict[str, CodeKey]:
    """The provider's own codes that were sent, by the use (the id of the hold or redemption to be), without a lock.

    `given`: use → region_code, provider id, what was sent. What is not found is not there, or somebody else's: nobody
    claims another provider's code, not even for a moment.
    """
    tokens = [
        (use, region, provider, sent.id) for use, (region, provider, sent) in given.items() if sent.id is not None
    ]
    macs = [(use, region, mac) for use, (region, _, sent) in given.items() for mac in sent.digits_macs]
    rows = _FIND(
        tx,
        _columns(tokens, "uses", "regions", "providers", "ids") | _columns(macs, "mac_uses", "mac_regions", "macs"),
    )
    return {row.use_id: (row.region_code, row.id) for row in rows}


def claim_payment_codes(tx: Connection, codes: Mapping[str, CodeKey]) -> set[str]:
    """Claim the one use of each code (use → code); return the uses whose code was free."""
    rows = [
        {"region_code": region_code, "payment_code_id": code_id, "used_by": use}
        for use, (region_code, code_id) in sorted(codes.items(), key=lambda item: (item[1], item[0]))
    ]
    return {row.used_by for row in _CLAIM(tx, rows)}


def uses_of(tx: Connection, keys: Collection[CodeKey]) -> dict[CodeKey, str]:
    """The holds and redemptions that hold codes which were not free."""
    rows = _USES(tx, _columns(sorted(keys), "regions", "ids"))
    return {(row.region_code, row.payment_code_id): row.used_by for row in rows}


def give_back_payment_codes(tx: Connection, keys: Collection[CodeKey]) -> None:
    """Free codes again that no hold and no redemption came to use."""
    _GIVE_BACK.send(tx, _columns(sorted(keys), "regions", "ids"))


def load_payment_codes(tx: Connection, keys: Collection[CodeKey]) -> dict[CodeKey, PaymentCodeState]:
    """The codes as they stand. Ask after their vouchers are locked: withdrawing and counting happen under that lock."""
    rows = _LOAD(tx, _columns(sorted(keys), "regions", "ids"))
    return {(row.region_code, row.id): PaymentCodeState(**row._asdict()) for row in rows}


def count_wrong_digits(tx: Connection, misses: Mapping[Holder, int], *, at: datetime) -> None:
    """Count numbers that none of a holder's codes has against those that are open. The vouchers are locked."""
    rows = [(*holder, times) for holder, times in sorted(misses.items())]
    columns = _columns(rows, "regions", "vouchers", "providers", "times")
    _COUNT_WRONG.send(tx, columns | {"most": WRONG_DIGITS_LIMIT, "at": at})


def _columns(rows: Iterable[tuple[Any, ...]], *names: str) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {name: [] for name in names}
    for row in rows:
        for name, value in zip(names, row, strict=True):
            columns[name].append(value)
    return columns
