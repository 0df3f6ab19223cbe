"""Signed notes, checkpoints and cosignatures as C2SP writes them (signed-note, tlog-checkpoint, tlog-cosignature).

A key's text form (vkey) is `<name>+<key id, 8 hex digits>+<base64 of type byte and public key>`; type 1 signs a log's
checkpoints (Ed25519), type 4 cosigns them as a witness. The key id is the start of SHA-256(name, newline, type, key).
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

LOG_KEY, WITNESS_KEY = 1, 4


class BadNote(ValueError):
    """The text is not what it should be; the message says how."""


@dataclass(frozen=True)
class Key:
    """A public key by its name."""

    name: str
    key_id: bytes
    kind: int
    public: Ed25519PublicKey

    def signed(self, message: bytes, signature: bytes) -> bool:
        """Whether this key signed the message."""
        try:
            self.public.verify(signature, message)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature line of a note: `blob` without the four bytes of the key id."""

    name: str
    key_id: bytes
    blob: bytes


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of a log as its note says it. `text` is what was signed."""

    origin: str
    size: int
    root: bytes
    text: bytes
    signatures: tuple[Signature, ...]


class Keys:
    """Keys by name and id."""

    def __init__(self, vkeys: Iterable[str]) -> None:
        keys = [parse_vkey(vkey) for vkey in vkeys]
        self._keys: Mapping[tuple[str, bytes], Key] = {(key.name, key.key_id): key for key in keys}

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, name: str, key_id: bytes, kind: int) -> Key | None:
        """The key of this name, id and kind, or None."""
        key = self._keys.get((name, key_id))
        return key if key is not None and key.kind == kind else None

    def witnesses(self) -> list[Key]:
        """The keys of witnesses."""
        return [key for key in self._keys.values() if key.kind == WITNESS_KEY]


def parse_vkey(vkey: str) -> Key:
    """Read a key's text form. Raises BadNote."""
    name, _, rest = vkey.strip().partition("+")
    key_hex, _, encoded = rest.partition("+")
    try:
        key_id, blob = bytes.fromhex(key_hex), base64.b64decode(encoded, validate=True)
    except ValueError:
        raise BadNote(f"not a key in its text form: {vkey!r}") from None
    if not name or len(blob) != 33 or blob[0] not in {LOG_KEY, WITNESS_KEY}:
        raise BadNote(f"not a key of a kind known here: {vkey!r}")
    if key_id != sha256(name.encode() + b"\n" + blob).digest()[:4]:
        raise BadNote(f"the id of the key does not belong to it: {vkey!r}")
    return Key(name, key_id, blob[0], Ed25519PublicKey.from_public_bytes(blob[1:]))


def parse_signature(line: str) -> Signature:
    """Read `— <name> <base64>`. Raises BadNote."""
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != "—" or not parts[1]:
        raise BadNote(f"not a signature line: {line[:80]!r}")
    try:
        blob = base64.b64decode(parts[2], validate=True)
    except ValueError:  # also of letters outside ASCII
        raise BadNote(f"a signature is not base64: {line[:80]!r}") from None
    if len(blob) < 5:
        raise BadNote(f"a signature is too short: {line[:80]!r}")
    return Signature(parts[1], blob[:4], blob[4:])


def parse_checkpoint(note: str) -> Checkpoint:
    """Read a signed checkpoint: origin, size, root, extension lines, an empty line, signatures. Raises BadNote."""
    text, gap, signed = note.rpartition("\n\n")
    if not gap or not signed.endswith("\n"):
        raise BadNote("not a signed note: no empty line before the signatures, or no newline at the end")
    lines = text.split("\n")
    if len(lines) < 3 or not lines[0] or "" in lines[3:]:
        raise BadNote("not a checkpoint: origin, size and root are expected")
    if not lines[1].isascii() or not lines[1].isdigit() or not _is_plain(lines[1]):
        raise BadNote(f"not a size: {lines[1][:40]!r}")
    try:
        root = base64.b64decode(lines[2], validate=True)
    except ValueError:  # also of letters outside ASCII
        root = b""
    if len(root) != 32:
        raise BadNote(f"not a root: {lines[2][:60]!r}")
    signatures = tuple(parse_signature(line) for line in signed.rstrip("\n").split("\n"))
    return Checkpoint(lines[0], int(lines[1]), root, (text + "\n").encode(), signatures)


def _is_plain(digits: str) -> bool:
    return len(digits) < 20 and digits == str(int(digits))


def is_signed_by_log(checkpoint: Checkpoint, keys: Keys) -> bool | None:
    """Whether the log's own key signed it; None where no key of that name and id is known."""
    known = None
    for signature in checkpoint.signatures:
        key = keys.find(signature.name, signature.key_id, LOG_KEY)
        if key is None or signature.name != checkpoint.origin:
            continue
        if not key.signed(checkpoint.text, signature.blob):
            return False
        known = True
    return known


def is_cosigned(checkpoint: Checkpoint, signature: Signature, keys: Keys) -> bool | None:
    """Whether a witness cosigned it (cosignature/v1); None where the witness's key is not known."""
    key = keys.find(signature.name, signature.key_id, WITNESS_KEY)
    if key is None:
        return None
    if len(signature.blob) != 72:
        return False
    at = int.from_bytes(signature.blob[:8], "big")
    return key.signed(f"cosignature/v1\ntime {at}\n".encode() + checkpoint.text, signature.blob[8:])
