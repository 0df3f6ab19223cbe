"""What is submitted to a witness, read and judged. Pure: what the witness remembers is passed in."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from app.tlog.checkpoints import Checkpoint, read_checkpoint, read_hash, read_size
from app.tlog.merkle import EMPTY_ROOT, ProofError, verify_consistency
from app.tlog.notes import InvalidSignature, MalformedNote, UnverifiedNote, Verifier, open_note, read_note

MAX_PROOF_LINES = 63
_OLD = re.compile(r"old ([0-9]+)")

Logs = Mapping[str, Sequence[Verifier]]
"""By origin, the keys with which that log signs (several while it changes them)."""


class Reason(Enum):
    """Why a checkpoint is not cosigned."""

    MALFORMED = "malformed"
    UNKNOWN_ORIGIN = "unknown_origin"
    UNSIGNED = "unsigned"
    SMALLER_THAN_OLD = "smaller_than_old"
    OTHER_OLD_SIZE = "other_old_size"
    FORKED = "forked"
    INCONSISTENT = "inconsistent"


class Refused(Exception):
    """The checkpoint is not cosigned."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Head:
    """What is remembered of a log: the newest tree that was cosigned, and the note that said so."""

    size: int = 0
    root: bytes = EMPTY_ROOT
    note: str = ""
    """The checkpoint as its log signed it; empty where none has been seen."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A checkpoint that its log has signed, and what is to show that it continues the tree of `old` leaves."""

    old: int
    proof: tuple[bytes, ...]
    checkpoint: Checkpoint
    text: str
    note: str
    """The text with the log's own signatures and no others."""

    @property
    def head(self) -> Head:
        """What is to be remembered once it is accepted."""
        return Head(self.checkpoint.size, self.checkpoint.root, self.note)


def read_submission(body: bytes, logs: Logs) -> Submission:
    """Read the body of an `add-checkpoint` and check the log's signature. Raises Refused."""
    try:
        old, proof, note = _parts(body)
        text, _ = read_note(note)
        checkpoint = read_checkpoint(text)
    except MalformedNote as error:
        raise Refused(Reason.MALFORMED) from error
    keys = logs.get(checkpoint.origin)
    if keys is None:
        raise Refused(Reason.UNKNOWN_ORIGIN)
    try:
        opened = open_note(note, keys)
    except (InvalidSignature, UnverifiedNote) as error:
        raise Refused(Reason.UNSIGNED) from error
    if old > checkpoint.size:
        raise Refused(Reason.SMALLER_THAN_OLD)
    kept = text + "\n" + "".join(each.line() for each in opened.verified)
    return Submission(old, proof, checkpoint, text, kept)


def judge(submission: Submission, remembered: Head) -> None:
    """Return where the checkpoint continues the remembered tree. Raises Refused."""
    checkpoint = submission.checkpoint
    if submission.old != remembered.size:
        raise Refused(Reason.OTHER_OLD_SIZE)
    if checkpoint.size == remembered.size and checkpoint.root != remembered.root:
        raise Refused(Reason.FORKED)
    try:
        verify_consistency(remembered.size, checkpoint.size, submission.proof, remembered.root, checkpoint.root)
    except ProofError as error:
        raise Refused(Reason.INCONSISTENT) from error


def _parts(body: bytes) -> tuple[int, tuple[bytes, ...], bytes]:
    head, separator, note = body.partition(b"\n\n")
    try:
        first, *lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise MalformedNote("the lines before the checkpoint are ASCII") from error
    found = _OLD.fullmatch(first)
    if found is None or not separator or len(lines) > MAX_PROOF_LINES:
        raise MalformedNote("an old size, at most 63 hashes and an empty line come before the checkpoint")
    return read_size(found[1]), tuple(read_hash(line) for line in lines), note
