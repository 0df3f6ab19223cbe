"""Public ids: kind, issuing region, and a UUIDv7 in 26 lower-case Crockford characters (`vch_330100_01k9…`).

An id alone says what it names and which region's shard holds it. Ids made in one process sort by creation.
"""

from __future__ import annotations

import re
from enum import StrEnum

from uuid_utils import uuid7

from app.kernel.problems import AppError, Code


class Prefix(StrEnum):
    """What an id names. Stored for ever: members are added, never changed."""

    ORGANISATION = "org"
    USER = "usr"
    CLIENT = "cli"
    ROLE_GRANT = "grn"
    INVITATION = "inv"
    SESSION = "ses"
    PROGRAMME = "prg"
    RULE_VERSION = "rul"
    POOL = "pol"
    APPROPRIATION_REQUEST = "apr"
    APPROVAL = "apv"
    ISSUANCE_BATCH = "bat"
    VOUCHER = "vch"
    MANDATE = "mdt"
    HOLD = "hld"
    PAYMENT_CODE = "pay"
    REDEMPTION = "rdm"
    REFUND = "rfd"
    ENTRY = "ent"
    AUDIT_EVENT = "evt"
    EVENT = "evn"
    RECONCILIATION = "rcn"
    PAYMENT_ORDER = "pyo"
    PAYMENT_RESULT = "pyr"
    RECOVERY = "rcv"
    YEAR_CLOSE = "ycl"
    RECONCILIATION_CASE = "cas"
    CASE_NOTE = "cno"
    STATEMENT = "stm"
    BANK_LIST = "bkl"
    RESTORATION = "rst"
    JOB = "job"
    ALLOCATION_ROUND = "alr"
    APPLICATION = "apl"
    UPLOAD = "upl"
    VOUCHER_ACTS = "act"
    PUBLIC_NOTICE = "ntc"
    OBJECTION = "obj"
    RELATION = "rel"
    DEBARMENT = "dbr"
    PERSON = "per"
    APPROVAL_BANDS = "bnd"
    DELEGATION = "dlg"
    PAYEE_ACCOUNT = "pac"
    OUTSIDE_IDENTITY = "oid"
    PERSONAL_TOKEN = "ptk"  # noqa: S105 - a prefix
    SECOND_FACTOR = "sfa"


SHARED = frozenset(
    {
        Prefix.ORGANISATION,
        Prefix.USER,
        Prefix.CLIENT,
        Prefix.ROLE_GRANT,
        Prefix.INVITATION,
        Prefix.SESSION,
        Prefix.RESTORATION,
        Prefix.RELATION,
        Prefix.PERSON,
        Prefix.OUTSIDE_IDENTITY,
        Prefix.PERSONAL_TOKEN,
        Prefix.SECOND_FACTOR,
    }
)
"""What belongs to no region: their ids have no region part."""

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [high + low for high in _ALPHABET for low in _ALPHABET]
_PAIR_SHIFTS = range(120, -1, -10)
_RANDOM_PART = f"[0-7][{_ALPHABET}]{{25}}"

_FORMATS = {
    prefix: re.compile(f"{prefix}_{_RANDOM_PART}" if prefix in SHARED else f"{prefix}_([0-9]{{6}})_{_RANDOM_PART}")
    for prefix in Prefix
}


def new_id(prefix: str, region_code: str | None = None) -> str:
    """A new id (about 2 µs). Regional kinds need the issuing region's code, shared ones take none.

    Raises ValueError for an unknown prefix, and for a region where none belongs or none where one does.
    """
    kind = Prefix(prefix)
    if (region_code is None) != (kind in SHARED):
        raise ValueError(f"An id of kind {prefix!r} {'has no' if kind in SHARED else 'needs a'} region code.")
    number = uuid7().int
    unique = "".join([_PAIRS[number >> shift & 1023] for shift in _PAIR_SHIFTS])
    return f"{prefix}_{unique}" if region_code is None else f"{prefix}_{region_code}_{unique}"


def is_id(text: str, prefix: str) -> bool:
    """Whether `text` is a well-formed id of that kind; whether it exists is the database's to say."""
    return _FORMATS[Prefix(prefix)].fullmatch(text) is not None


def region_of(public_id: str) -> str | None:
    """The region code within a well-formed regional id, else None."""
    try:
        match = _FORMATS[Prefix(public_id[:3])].fullmatch(public_id)
    except ValueError:
        return None
    return match[1] if match and match.re.groups else None


def require_region(public_id: str, *, what: str) -> str:
    """The region code within an id that has to be regional. Raises `not_found`: there is no such `what`."""
    region_code = region_of(public_id)
    if region_code is None:
        raise AppError(Code.NOT_FOUND, what=what)
    return region_code
