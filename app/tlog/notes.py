"""Signed notes (C2SP signed-note): written, read, and opened with the keys that are trusted.

A note is a text and one line per signature: `— NAME base64(key id ‖ signature)`. Signers and verifiers are
interfaces; `app.tlog.keys` has those with Ed25519, and a device or another algorithm can take their place.

NoteError
├── MalformedNote      no note at all
├── InvalidSignature   a known key's signature does not fit: the note was altered
└── UnverifiedNote     nobody known has signed it
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from app.tlog.encoding import decode_base64, encode_base64

MAX_NOTE_BYTES = 1_000_000
MAX_SIGNATURES = 100
KEY_ID_BYTES = 4
_DASH = "— "


class NoteError(ValueError):
    """A note cannot be accepted."""


class MalformedNote(NoteError):
    """The bytes are not a signed note."""


class InvalidSignature(NoteError):
    """A signature that names a known key was not made by it over this text."""


class UnverifiedNote(NoteError):
    """No signature is from a known key."""


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line: who says to have signed, and the bytes after the key id."""

    name: str
    key_id: bytes
    signature: bytes

    def line(self) -> str:
        """As it stands in a note, with its newline."""
        return f"{_DASH}{self.name} {encode_base64(self.key_id + self.signature)}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """An opened note: its text and its signatures, each key's first one, in their order."""

    text: str
    verified: tuple[Signature, ...]
    others: tuple[Signature, ...] = ()
    """From keys that are not known here; they say nothing."""


class Signer(Protocol):
    """Whatever can sign a note's text under a name."""

    @property
    def name(self) -> str:
        """The key's name; for a log its origin."""

    @property
    def key_id(self) -> bytes:
        """Four bytes that tell this key from others of the name."""

    def sign(self, text: bytes) -> bytes:
        """The signature's bytes, without the key id."""


class Verifier(Protocol):
    """Whatever can check signatures of one key."""

    @property
    def name(self) -> str:
        """The key's name."""

    @property
    def key_id(self) -> bytes:
        """Its four bytes."""

    def verify(self, text: bytes, signature: bytes) -> bool:
        """Whether this key made the signature over the text."""


def signature_by(signing: Signer, text: str) -> Signature:
    """One signature over a note's text. Raises MalformedNote where the text may not stand in a note."""
    _check_text(text)
    check_name(signing.name)
    return Signature(signing.name, signing.key_id, signing.sign(text.encode()))


def sign(text: str, *signers: Signer) -> str:
    """The note: text, blank line, a signature line each. Raises MalformedNote for a text without its last newline."""
    assert signers, "a note has a signature"
    return text + "\n" + "".join(signature_by(each, text).line() for each in signers)


def open_note(note: bytes | str, verifiers: Iterable[Verifier]) -> Note:
    """Read a note and check every signature of a known key; unknown keys' are passed by.

    A second signature of the same name and key id is ignored, a known key's unread. Raises MalformedNote,
    InvalidSignature where one known key's does not fit, and UnverifiedNote where there is none of a known key.
    """
    text, signatures = read_note(note)
    known = {(each.name, each.key_id): each for each in verifiers}
    message = text.encode()
    verified: dict[tuple[str, bytes], Signature] = {}
    others: dict[Signature, None] = {}
    for found in signatures:
        key = (found.name, found.key_id)
        checking = known.get(key)
        if checking is None:
            others[found] = None
        elif key not in verified:
            if not checking.verify(message, found.signature):
                raise InvalidSignature(f"the signature of {found.name}+{found.key_id.hex()} does not fit")
            verified[key] = found
    if not verified:
        raise UnverifiedNote("the note has no signature of a known key")
    return Note(text, tuple(verified.values()), tuple(others))


def read_note(note: bytes | str) -> tuple[str, Sequence[Signature]]:
    """A note's text and its signature lines, unchecked: trust neither before `open_note`. Raises MalformedNote."""
    try:
        whole = note.decode() if isinstance(note, bytes) else note
        length = len(note if isinstance(note, bytes) else whole.encode())
    except UnicodeError as error:
        raise MalformedNote("a note is UTF-8") from error
    if length > MAX_NOTE_BYTES:
        raise MalformedNote("the note is too long")
    body, separator, tail = whole.rpartition("\n\n")
    if not separator or not tail.endswith("\n"):
        raise MalformedNote("a note ends in a blank line and whole signature lines")
    text = body + "\n"
    _check_text(text)
    return text, read_signatures(tail)


def read_signatures(lines: str) -> list[Signature]:
    """Signature lines as a witness answers them, unchecked. Raises MalformedNote."""
    if not lines.endswith("\n"):
        raise MalformedNote("a signature line ends in a newline")
    split = lines[:-1].split("\n")
    if len(split) > MAX_SIGNATURES:
        raise MalformedNote("the note has too many signatures")
    return [_read_signature(line) for line in split]


def _read_signature(line: str) -> Signature:
    if not line.startswith(_DASH):
        raise MalformedNote("a signature line begins with an em dash and a space")
    name, separator, encoded = line.removeprefix(_DASH).partition(" ")
    check_name(name)
    data = decode_base64(encoded) if separator else None
    if data is None or len(data) <= KEY_ID_BYTES:
        raise MalformedNote("a signature is the base64 of a key id and the signature's bytes")
    return Signature(name, data[:KEY_ID_BYTES], data[KEY_ID_BYTES:])


def _check_text(text: str) -> None:
    if not text.endswith("\n") or any(character < " " and character != "\n" for character in text):
        raise MalformedNote("a note's text ends in a newline and has no other control characters")


def check_name(name: str) -> None:
    """Refuse what may not be a key's name. Raises MalformedNote."""
    if not name or "+" in name or any(character.isspace() or character < " " for character in name):
        raise MalformedNote("a key's name is not empty and has neither spaces nor plus signs")
