"""The Merkle tree of RFC 6962, section 2.1, grown leaf by leaf; only its right edge is kept."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

EMPTY_ROOT = sha256(b"").digest()


def leaf_hashes(leaves: Iterable[bytes]) -> list[bytes]:
    """The hashes of leaves, each of its bytes as they are."""
    return [sha256(b"\x00" + leaf).digest() for leaf in leaves]


class Tree:
    """Complete subtrees along the right edge, the largest first."""

    def __init__(self, size: int = 0, edge: Iterable[bytes] = ()) -> None:
        self.size = size
        self.edge = list(edge)

    def append(self, hashes: Iterable[bytes]) -> None:
        """Add leaf hashes in order."""
        edge, size, sha = self.edge, self.size, sha256
        for right in hashes:
            complete = size
            while complete & 1:
                right = sha(b"\x01" + edge.pop() + right).digest()  # noqa: PLW2901
                complete >>= 1
            edge.append(right)
            size += 1
        self.size = size

    def root(self) -> bytes:
        """The root over all leaves so far."""
        if not self.edge:
            return EMPTY_ROOT
        root = self.edge[-1]
        for left in reversed(self.edge[:-1]):
            root = sha256(b"\x01" + left + root).digest()
        return root
