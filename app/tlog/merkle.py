"""The Merkle tree of RFC 6962 section 2.1 over SHA-256: hashing, proofs, and appending without reading the tree.

Every hash is 32 bytes. A complete subtree is named by (level, index): it covers the leaves from `index << level` up to
`(index + 1) << level`. Proofs are made from the hashes of complete subtrees alone, which is what tiles keep, and are
checked by the algorithms of RFC 9162 sections 2.1.3.2 and 2.1.4.2 (the same tree, the same proofs).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()
"""The root of the tree without leaves."""

Node = Callable[[int, int], bytes]
"""(level, index) → the hash of that complete subtree."""


class ProofError(ValueError):
    """A proof does not show what it is said to show, or is no proof for these sizes at all."""


def leaf_hash(leaf: bytes) -> bytes:
    """SHA-256(0x00 ‖ leaf)."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 ‖ left ‖ right)."""
    return sha256(b"\x01" + left + right).digest()


def root(hashes: Sequence[bytes]) -> bytes:
    """The root over these leaf hashes (or over the hashes of equally large complete subtrees)."""
    if not hashes:
        return EMPTY_ROOT
    level = list(hashes)
    while len(level) > 1:
        paired = [sha256(b"\x01" + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=False)]
        if len(level) % 2:
            paired.append(level[-1])  # a last one without a partner rises as it is
        level = paired
    return level[0]


def inclusion_proof(index: int, size: int, node: Node) -> list[bytes]:
    """The audit path of leaf `index` in the tree of `size` leaves (RFC 6962 section 2.1.1), lowest hash first.

    Raises ProofError where there is no such leaf.
    """
    if not 0 <= index < size:
        raise ProofError(f"a tree of {size} leaves has no leaf {index}")
    path = []
    begin, end = 0, size
    while end - begin > 1:
        split = _split(begin, end)
        if index < split:
            path.append(_range_hash(split, end, node))
            end = split
        else:
            path.append(_range_hash(begin, split, node))
            begin = split
    return path[::-1]


def consistency_proof(first: int, second: int, node: Node) -> list[bytes]:
    """What shows that the tree of `first` leaves is the beginning of the tree of `second` (RFC 6962 section 2.1.2).

    Empty where `first` is 0 or equals `second`. Raises ProofError where `first` is the larger one.
    """
    if not 0 <= first <= second:
        raise ProofError(f"a tree of {first} leaves is not the beginning of one of {second}")
    if first == 0:
        return []
    path = []
    begin, end = 0, second
    while first < end:
        split = _split(begin, end)
        if first <= split:
            path.append(_range_hash(split, end, node))
            end = split
        else:
            path.append(_range_hash(begin, split, node))
            begin = split
    if begin > 0:  # else it is the first tree itself, whose root the reader has
        path.append(_range_hash(begin, end, node))
    return path[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root_hash: bytes) -> None:
    """Check that the tree of `size` leaves with this root has the leaf hash `leaf` at `index`. Raises ProofError."""
    if not 0 <= index < size:
        raise ProofError(f"a tree of {size} leaves has no leaf {index}")
    _check_lengths(leaf, root_hash, *proof)
    position, last, value = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise ProofError("the proof is too long")
        if position & 1 or position == last:
            value = node_hash(sibling, value)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            value = node_hash(value, sibling)
        position, last = position >> 1, last >> 1
    if last:
        raise ProofError("the proof is too short")
    if value != root_hash:
        raise ProofError("the proof leads to another root")


def verify_consistency(first: int, second: int, proof: Sequence[bytes], first_root: bytes, second_root: bytes) -> None:
    """Check that the tree of `first` leaves with its root is the beginning of the other. Raises ProofError.

    The empty tree is the beginning of every tree; its root must still be the empty tree's.
    """
    if not 0 <= first <= second:
        raise ProofError(f"a tree of {first} leaves is not the beginning of one of {second}")
    _check_lengths(first_root, second_root, *proof)
    if first == 0 and first_root != EMPTY_ROOT:
        raise ProofError("this is not the root of the empty tree")
    if first in {0, second}:
        if proof:
            raise ProofError("the proof is too long")
        if first == second and first_root != second_root:
            raise ProofError("two trees of one size have different roots")
        return
    if not proof:
        raise ProofError("the proof is too short")
    path = [first_root, *proof] if first & (first - 1) == 0 else list(proof)
    position, last = first - 1, second - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise ProofError("the proof is too long")
        if position & 1 or position == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        position, last = position >> 1, last >> 1
    if last:
        raise ProofError("the proof is too short")
    if old != first_root or new != second_root:
        raise ProofError("the proof leads to another root")


@dataclass(frozen=True, slots=True)
class Frontier:
    """The right edge of a tree: its complete subtrees from the largest, one for each bit of its size.

    All that appending needs. A value: `extend` gives another one. Raises ValueError where size and hashes do not fit.
    """

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if self.size < 0 or self.size.bit_count() != len(self.hashes):
            raise ValueError(f"{len(self.hashes)} subtrees are not the right edge of {self.size} leaves")
        if any(len(value) != HASH_BYTES for value in self.hashes):
            raise ValueError("a hash is 32 bytes")

    @classmethod
    def from_bytes(cls, size: int, data: bytes) -> Frontier:
        """Read what `to_bytes` wrote. Raises ValueError where it is not for this size."""
        return cls(size, tuple(data[start : start + HASH_BYTES] for start in range(0, len(data), HASH_BYTES)))

    def to_bytes(self) -> bytes:
        """The hashes one after the other; the size is kept beside them."""
        return b"".join(self.hashes)

    def extend(self, hashes: Iterable[bytes]) -> Frontier:
        """The right edge after these leaf hashes have been appended (about a microsecond each)."""
        size, edge = self.size, list(self.hashes)
        for leaf in hashes:
            value, rest = leaf, size
            while rest & 1:
                value = sha256(b"\x01" + edge.pop() + value).digest()
                rest >>= 1
            edge.append(value)
            size += 1
        return Frontier(size, tuple(edge))

    def root(self) -> bytes:
        """The tree's root."""
        return _fold(self.hashes) if self.hashes else EMPTY_ROOT


def _split(begin: int, end: int) -> int:
    # RFC 6962: the largest power of two below the number of leaves goes left.
    return begin + (1 << (end - begin - 1).bit_length() - 1)


def _range_hash(begin: int, end: int, node: Node) -> bytes:
    # Only for ranges that the two descents above meet, whose beginning is a multiple of each subtree taken.
    hashes = []
    while begin < end:
        level = (end - begin).bit_length() - 1
        hashes.append(node(level, begin >> level))
        begin += 1 << level
    return _fold(hashes)


def _fold(hashes: Sequence[bytes]) -> bytes:
    value = hashes[-1]
    for left in reversed(hashes[:-1]):
        value = node_hash(left, value)
    return value


def _check_lengths(*hashes: bytes) -> None:
    if any(len(value) != HASH_BYTES for value in hashes):
        raise ProofError("a hash is 32 bytes")
