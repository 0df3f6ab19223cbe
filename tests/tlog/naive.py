"""The tree as RFC 6962 section 2.1 defines it, word for word, recursive and slow: what the real one is held against."""

from __future__ import annotations

from hashlib import sha256


def leaf_hashes(count: int) -> list[bytes]:
    return [sha256(b"\x00" + str(number).encode()).digest() for number in range(count)]


def _below(size: int) -> int:
    power = 1
    while power * 2 < size:
        power *= 2
    return power


def mth(hashes: list[bytes]) -> bytes:
    if not hashes:
        return sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    k = _below(len(hashes))
    return sha256(b"\x01" + mth(hashes[:k]) + mth(hashes[k:])).digest()


def path(m: int, hashes: list[bytes]) -> list[bytes]:
    if len(hashes) == 1:
        return []
    k = _below(len(hashes))
    if m < k:
        return [*path(m, hashes[:k]), mth(hashes[k:])]
    return [*path(m - k, hashes[k:]), mth(hashes[:k])]


def proof(m: int, hashes: list[bytes]) -> list[bytes]:
    return _subproof(m, hashes, whole=True)


def _subproof(m: int, hashes: list[bytes], *, whole: bool) -> list[bytes]:
    if m == len(hashes):
        return [] if whole else [mth(hashes)]
    k = _below(len(hashes))
    if m <= k:
        return [*_subproof(m, hashes[:k], whole=whole), mth(hashes[k:])]
    return [*_subproof(m - k, hashes[k:], whole=False), mth(hashes[:k])]


def node_of(hashes: list[bytes], level: int, index: int) -> bytes:
    part = hashes[index << level : (index + 1) << level]
    assert len(part) == 1 << level, "only complete subtrees may be asked for"
    return mth(part)
