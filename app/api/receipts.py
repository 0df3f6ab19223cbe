"""Receipts on the wire: what a provider keeps, so that an omission from the log can be proved."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from app.api.fields import Read


class ReceiptRead(Read):
    """The signed promise that an entry will be in the region's log. `GET /v1/ledger/proofs/inclusion` shows that it is.

    Keep it. How to check it, and what to do if the promise is broken, is told in the guide for compute centres.
    """

    log: Annotated[str, Field(description="Name of the log, the first line of its checkpoints.")]
    entry_id: str
    leaf_sha256: Annotated[str, Field(description="SHA-256 of a zero byte and the entry's leaf, hexadecimal.")]
    at: Annotated[str, Field(description="When the entry was made, RFC 3339 with six decimals.")]
    promised_by: Annotated[str, Field(description="From this instant on the leaf must be in the log.")]
    key_id: Annotated[str, Field(description="Which key of the log signed: as in GET /v1/logs/{region}/keys.")]
    signature: Annotated[
        str, Field(description="Base64 Ed25519 over the canonical JSON (RFC 8785) of the other members.")
    ]
