"""What a leaf must look like: an entry with its postings, or an audit event.

A leaf is judged by its bytes, and they are hashed as they are. To know that they can be read in one way only, what was
read is written again and compared: msgspec writes members in the order in which they stand below, which is that of
canonical JSON (RFC 8785), without blanks, each once, and escapes what must be escaped.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from msgspec import Meta, Struct, ValidationError, field
from msgspec.json import Decoder, Encoder

Fen = Annotated[int, Meta(gt=0, le=2**53 - 1)]


class Posting(Struct, forbid_unknown_fields=True, omit_defaults=True, gc=False, kw_only=True):
    """`fen` from one account of a pool to another. `hold` is there where one of them is `held`."""

    fen: Fen
    source: str = field(name="from")
    hold: str | None = None
    line: int
    payee: str | None
    pool: str
    seq: Annotated[int, Meta(gt=0)] | None
    destination: str = field(name="to")
    voucher: str | None


class Leaf(Struct, forbid_unknown_fields=True, gc=False, kw_only=True):
    """An entry."""

    alg: Literal["sha256"]
    approval: str | None
    at: str
    checker: str | None
    details: str
    facts: str | None
    id: str
    kind: str
    maker: str | None
    organisation: str
    pair: str | None
    postings: Annotated[list[Posting], Meta(min_length=1)]
    principal: str
    programme: str
    region: str
    request: str
    reverses: str | None
    rules: str | None
    subject: str
    trace: str | None
    type: Literal["entry"]
    v: Literal[1]
    voucher: str | None
    voucher_end: str | None


class AuditEvent(Struct, forbid_unknown_fields=True, gc=False, kw_only=True):
    """What changed without moving money. It has a place in the log and nothing in the books."""

    action: str
    alg: Literal["sha256"]
    at: str
    details: str
    id: str
    object: str | None
    organisation: str
    principal: str
    region: str
    request: str
    result: str
    type: Literal["audit_event"]
    v: Literal[1]


class BadLeaf(ValueError):
    """Not a leaf of a known format; the message says why."""


LONGEST = 65_535
_AT = re.compile(r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\.[0-9]{6}Z").fullmatch
_read_entry, _read_event = Decoder(Leaf).decode, Decoder(AuditEvent).decode
_write = Encoder().encode_into
_again = bytearray(LONGEST + 1)


def read_leaf(written: bytes) -> Leaf | AuditEvent:
    """The leaf. Raises BadLeaf."""
    if not 0 < len(written) <= LONGEST:
        raise BadLeaf(f"{len(written)} bytes")
    is_event = written.startswith(b'{"action"')
    try:
        leaf = _read_event(written) if is_event else _read_entry(written)
    except ValidationError as error:
        raise BadLeaf(str(error)) from None
    except ValueError as error:
        raise BadLeaf(f"no JSON: {error}") from None
    _write(leaf, _again)
    if _again != written:
        raise BadLeaf("not canonical JSON")
    if not _AT(leaf.at):
        raise BadLeaf(f"at {leaf.at}")
    if type(leaf) is Leaf:
        for line, posting in enumerate(leaf.postings, start=1):
            if posting.line != line:
                raise BadLeaf(f"line {posting.line} for {line}")
            if (posting.voucher is None) is not (posting.seq is None):
                raise BadLeaf(f"posting {line}: voucher without seq, or seq without voucher")
            if (posting.source == "held" or posting.destination == "held") is (posting.hold is None):
                raise BadLeaf(f"posting {line}: hold")
    return leaf
