"""A log of the tests: its leaves, its key, and what it submits to a witness."""

from __future__ import annotations

import base64

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.tlog.checkpoints import Checkpoint
from app.tlog.keys import Ed25519Signer
from app.tlog.merkle import consistency_proof, leaf_hash, root
from app.tlog.notes import sign
from tests.tlog import naive


class Log:
    def __init__(self, origin: str, leaves: int = 100) -> None:
        self.origin = origin
        self.key = Ed25519Signer(origin, Ed25519PrivateKey.generate())
        self.hashes = [leaf_hash(f"{origin} {number}".encode()) for number in range(leaves)]

    @property
    def vkey(self) -> str:
        return self.key.verifier.vkey

    def forked_at(self, index: int) -> Log:
        """The same log, signing with the same key, with another leaf at `index`."""
        fork = Log(self.origin)
        fork.key = self.key
        fork.hashes = [*self.hashes[:index], leaf_hash(b"forged"), *self.hashes[index + 1 :]]
        return fork

    def root(self, size: int) -> bytes:
        return root(self.hashes[:size])

    def checkpoint(self, size: int) -> str:
        return Checkpoint(self.origin, size, self.root(size)).text()

    def note(self, size: int) -> str:
        return sign(self.checkpoint(size), self.key)

    def proof(self, old: int, size: int) -> list[bytes]:
        return consistency_proof(old, size, lambda level, index: naive.node_of(self.hashes, level, index))

    def submission(self, old: int, size: int) -> bytes:
        return submission(old, self.proof(old, size) if old <= size else [], self.note(size))


def submission(old: int | str, proof: list[bytes], note: str) -> bytes:
    lines = "".join(base64.b64encode(value).decode() + "\n" for value in proof)
    return f"old {old}\n{lines}\n{note}".encode()
