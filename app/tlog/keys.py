"""Ed25519 keys of notes: plain ones (C2SP signed-note, type 0x01) and witnesses' (C2SP tlog-cosignature, type 0x04).

Their text forms are those of golang.org/x/mod/sumdb/note: `NAME+KEYID+base64(type ‖ public key)` to hand on, and
`PRIVATE+KEY+NAME+KEYID+base64(type ‖ seed)` to keep.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from app.tlog.encoding import decode_base64, encode_base64
from app.tlog.notes import KEY_ID_BYTES, Signature, Signer, check_name

ED25519 = 0x01
COSIGNATURE_V1 = 0x04
_TIMESTAMP_BYTES = 8
_RAW_BYTES = 32
_PRIVATE = "PRIVATE+KEY+"


@dataclass(frozen=True, slots=True)
class Ed25519Verifier:
    """A public key of type 0x01, plain signatures. Raises ValueError for a name that no key may have."""

    name: str
    public: bytes

    def __post_init__(self) -> None:
        _check_key(self.name, self.public)

    @property
    def key_id(self) -> bytes:
        """SHA-256(name ‖ newline ‖ 0x01 ‖ public key)[:4]."""
        return _key_id(self.name, ED25519, self.public)

    @property
    def vkey(self) -> str:
        """The text by which the key is handed on."""
        return _vkey(self.name, ED25519, self.public)

    def verify(self, text: bytes, signature: bytes) -> bool:
        """Whether this key made the signature over the text."""
        return _fits(self.public, text, signature)


@dataclass(frozen=True, slots=True)
class CosignatureVerifier:
    """A witness's public key of type 0x04, timestamped cosignatures. Raises ValueError as above."""

    name: str
    public: bytes

    def __post_init__(self) -> None:
        _check_key(self.name, self.public)

    @property
    def key_id(self) -> bytes:
        """SHA-256(name ‖ newline ‖ 0x04 ‖ public key)[:4]."""
        return _key_id(self.name, COSIGNATURE_V1, self.public)

    @property
    def vkey(self) -> str:
        """The text by which the key is handed on."""
        return _vkey(self.name, COSIGNATURE_V1, self.public)

    def verify(self, text: bytes, signature: bytes) -> bool:
        """Whether this key made the cosignature, with the time it carries, over the text."""
        stamp = signature[:_TIMESTAMP_BYTES]
        if len(stamp) < _TIMESTAMP_BYTES or stamp[0] & 0x80:
            return False
        return _fits(self.public, _cosigned(text, int.from_bytes(stamp)), signature[_TIMESTAMP_BYTES:])


@dataclass(frozen=True, slots=True)
class Ed25519Signer:
    """A private key of type 0x01 held in memory."""

    name: str
    private: Ed25519PrivateKey

    @property
    def verifier(self) -> Ed25519Verifier:
        """The public half."""
        return Ed25519Verifier(self.name, self.private.public_key().public_bytes_raw())

    @property
    def key_id(self) -> bytes:
        """The public half's."""
        return self.verifier.key_id

    @property
    def skey(self) -> str:
        """The private key's text form, as `signer` reads it. A secret."""
        return _skey(self.key_id, self.name, ED25519, self.private)

    def sign(self, text: bytes) -> bytes:
        """64 bytes."""
        return self.private.sign(text)


@dataclass(frozen=True, slots=True)
class Cosigner:
    """A witness's private key of type 0x04. It signs as of an instant: `cosigner.at(seconds)` is the Signer."""

    name: str
    private: Ed25519PrivateKey

    @property
    def verifier(self) -> CosignatureVerifier:
        """The public half."""
        return CosignatureVerifier(self.name, self.private.public_key().public_bytes_raw())

    @property
    def skey(self) -> str:
        """The private key's text form, as `cosigner` reads it. A secret."""
        return _skey(self.verifier.key_id, self.name, COSIGNATURE_V1, self.private)

    def at(self, timestamp_s: int) -> Signer:
        """Who signs as of this POSIX time."""
        return _CosignerAt(self, timestamp_s)


@dataclass(frozen=True, slots=True)
class _CosignerAt:
    cosigner: Cosigner
    timestamp_s: int

    @property
    def name(self) -> str:
        return self.cosigner.name

    @property
    def key_id(self) -> bytes:
        return self.cosigner.verifier.key_id

    def sign(self, text: bytes) -> bytes:
        stamp = self.timestamp_s.to_bytes(_TIMESTAMP_BYTES)
        return stamp + self.cosigner.private.sign(_cosigned(text, self.timestamp_s))


def verifier(vkey: str) -> Ed25519Verifier | CosignatureVerifier:
    """Read `NAME+KEYID+base64(type ‖ public key)`. Raises ValueError where it is damaged or of another type."""
    name, key_id, kind, public = _read_key(vkey)
    read: Ed25519Verifier | CosignatureVerifier
    if kind == ED25519:
        read = Ed25519Verifier(name, public)
    elif kind == COSIGNATURE_V1:
        read = CosignatureVerifier(name, public)
    else:
        raise ValueError(f"keys of type 0x{kind:02x} are not known here")
    if read.key_id != key_id:
        raise ValueError("the key's id does not fit its name and bytes")
    return read


def signer(skey: str) -> Ed25519Signer:
    """Read a private key of type 0x01. Raises ValueError; the message tells nothing of the key."""
    name, private = _read_private(skey, ED25519)
    return Ed25519Signer(name, private)


def cosigner(skey: str) -> Cosigner:
    """Read a private key of type 0x04. Raises ValueError; the message tells nothing of the key."""
    name, private = _read_private(skey, COSIGNATURE_V1)
    return Cosigner(name, private)


def timestamp_s(cosignature: Signature) -> int:
    """The POSIX time that a verified cosignature was made at."""
    return int.from_bytes(cosignature.signature[:_TIMESTAMP_BYTES])


def _check_key(name: str, public: bytes) -> None:
    check_name(name)
    if len(public) != _RAW_BYTES:
        raise ValueError("an Ed25519 key is 32 bytes")


def _key_id(name: str, kind: int, public: bytes) -> bytes:
    return sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:KEY_ID_BYTES]


def _vkey(name: str, kind: int, public: bytes) -> str:
    return f"{name}+{_key_id(name, kind, public).hex()}+{encode_base64(bytes([kind]) + public)}"


def _skey(key_id: bytes, name: str, kind: int, private: Ed25519PrivateKey) -> str:
    return f"{_PRIVATE}{name}+{key_id.hex()}+{encode_base64(bytes([kind]) + private.private_bytes_raw())}"


def _read_key(text: str) -> tuple[str, bytes, int, bytes]:
    """Name, key id, type and raw bytes of either text form."""
    name, _, rest = text.partition("+")
    id_hex, _, encoded = rest.partition("+")
    data = decode_base64(encoded)
    if data is None or len(data) != 1 + _RAW_BYTES or len(id_hex) != 2 * KEY_ID_BYTES:
        raise ValueError("a key reads NAME+KEYID+BASE64")
    try:
        key_id = bytes.fromhex(id_hex)
    except ValueError:
        raise ValueError("a key's id is eight hexadecimal digits") from None
    if key_id.hex() != id_hex:
        raise ValueError("a key's id is eight hexadecimal digits")
    check_name(name)
    return name, key_id, data[0], data[1:]


def _read_private(skey: str, kind: int) -> tuple[str, Ed25519PrivateKey]:
    if not skey.startswith(_PRIVATE):
        raise ValueError("a private key begins with PRIVATE+KEY+")
    name, key_id, found, seed = _read_key(skey.removeprefix(_PRIVATE))
    private = Ed25519PrivateKey.from_private_bytes(seed)
    if found != kind or key_id != _key_id(name, kind, private.public_key().public_bytes_raw()):
        raise ValueError("the private key's id does not fit its type, name and bytes")
    return name, private


def _cosigned(text: bytes, seconds: int) -> bytes:
    return f"cosignature/v1\ntime {seconds}\n".encode() + text


def _fits(public: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
