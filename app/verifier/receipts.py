"""Receipts: what the service promised to put into the log, against what the log holds."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from msgspec import DecodeError, json

from app.verifier.findings import Findings
from app.verifier.notes import LOG_KEY, Keys

MEMBERS = ("log", "entry_id", "leaf_sha256", "at", "promised_by", "key_id", "signature")


class UnreadableReceipts(Exception):
    """The file is not one receipt (or one answer with a receipt) a line."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """`leaf_sha256` is the RFC 6962 hash of the leaf; `signed` the bytes that the log's key signed."""

    log: str
    entry_id: str
    leaf_sha256: str
    promised_by: str
    key_id: str
    signature: str
    signed: bytes


def read_receipts(path: Path) -> list[Receipt]:
    """The receipts of a JSON-lines file. Raises UnreadableReceipts."""
    try:
        lines = [line for line in path.read_bytes().splitlines() if line.strip()]
    except OSError as error:
        raise UnreadableReceipts(f"{path}: {error}") from error
    receipts = []
    for number, line in enumerate(lines, start=1):
        try:
            row = json.decode(line)
            row = row.get("receipt", row)
            values = {member: row[member] for member in MEMBERS}
        except (DecodeError, RecursionError, KeyError, TypeError, AttributeError) as error:
            raise UnreadableReceipts(f"{path}:{number}: {error!r}") from error
        if not all(isinstance(value, str) for value in values.values()):
            raise UnreadableReceipts(f"{path}:{number}: a member is no text")
        signed = json.encode({name: row[name] for name in row if name != "signature"}, order="sorted")
        del values["at"]
        receipts.append(Receipt(**values, signed=signed))
    return receipts


def judge(
    receipts: Iterable[Receipt],
    *,
    region_of: Mapping[str, str],
    sealed: Mapping[str, tuple[int, str]],
    waiting: Mapping[str, str],
    keys: Keys,
    taken_at: str,
    findings: Findings,
) -> dict[str, int]:
    """Judge each receipt; counts by outcome.

    `region_of` names the region of each log in the pack, `sealed` the place and hash of each leaf asked for, `waiting`
    the hash of those that the pack has but no head covers yet. A promise is broken where its time had passed when the
    pack was taken.
    """
    counts = {"kept": 0, "not_due": 0, "broken": 0, "not_judged": 0}
    for receipt in receipts:
        region = region_of.get(receipt.log)
        if region is None:
            counts["not_judged"] += 1
            continue
        genuine = _is_genuine(receipt, keys)
        if not genuine:
            # Without the log's signature it promises nothing, whatever it says.
            findings.add("receipt_signature", region, receipt.entry_id, actual=receipt.key_id, entry=receipt.entry_id)
            counts["not_judged"] += 1
            continue
        place = sealed.get(receipt.entry_id)
        found = place[1] if place is not None else waiting.get(receipt.entry_id)
        if found is not None and found != receipt.leaf_sha256:
            findings.add(
                "receipt_leaf",
                region,
                receipt.entry_id,
                expected=receipt.leaf_sha256,
                actual=found,
                index=None if place is None else place[0],
                entry=receipt.entry_id,
            )
            counts["broken"] += 1
        elif place is not None:
            counts["kept"] += 1
        elif receipt.promised_by <= taken_at:
            findings.add(
                "receipt_omitted",
                region,
                receipt.entry_id,
                expected=receipt.promised_by,
                actual=taken_at,
                entry=receipt.entry_id,
            )
            counts["broken"] += 1
        else:
            counts["not_due"] += 1
    return counts


def _is_genuine(receipt: Receipt, keys: Keys) -> bool:
    try:
        key_id, signature = bytes.fromhex(receipt.key_id), base64.b64decode(receipt.signature, validate=True)
    except ValueError:
        return False
    key = keys.find(receipt.log, key_id, LOG_KEY)
    return key is not None and key.signed(receipt.signed, signature)


def wanted(receipts: Iterable[Receipt]) -> dict[str, list[str]]:
    """The entries that receipts speak of, by log."""
    by_log: dict[str, list[str]] = {}
    for receipt in receipts:
        by_log.setdefault(receipt.log, []).append(receipt.entry_id)
    return by_log
