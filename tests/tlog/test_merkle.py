from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.tlog.merkle import (
    EMPTY_ROOT,
    Frontier,
    Node,
    ProofError,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root,
    verify_consistency,
    verify_inclusion,
)
from tests.tlog import naive

# The reference tree of certificate-transparency-go and transparency-dev/merkle (testonly/constants.go).
LEAVES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    bytes.fromhex(text)
    for text in (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    )
]
N10 = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
N20 = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
N23 = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
N47 = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
N67 = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
L4 = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
L6 = "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f"
# (index, size, proof) and (first, second, proof), proof/verify_test.go of transparency-dev/merkle.
INCLUSION = [
    (0, 1, []),
    (0, 8, [N10, N23, N47]),
    (5, 8, [L4, N67, ROOTS[4].hex()]),
    (2, 3, [ROOTS[2].hex()]),
    (1, 5, [ROOTS[1].hex(), N23, L4]),
]
CONSISTENCY = [
    (1, 1, []),
    (1, 8, [N10, N23, N47]),
    (6, 8, [N20, N67, ROOTS[4].hex()]),
    (2, 5, [N23, L4]),
    (6, 7, [N20, L6, ROOTS[4].hex()]),
]
sizes = st.integers(1, 300)


def nodes(hashes: list[bytes]) -> Node:
    return lambda level, index: naive.node_of(hashes, level, index)


def refused_inclusion(leaf: bytes, index: int, size: int, proof: list[bytes], root_hash: bytes) -> None:
    with pytest.raises(ProofError):
        verify_inclusion(leaf, index, size, proof, root_hash)


def refused_consistency(first: int, second: int, proof: list[bytes], old: bytes, new: bytes) -> None:
    with pytest.raises(ProofError):
        verify_consistency(first, second, proof, old, new)


def test_the_reference_trees_have_the_published_roots() -> None:
    hashes = [leaf_hash(leaf) for leaf in LEAVES]
    assert [root(hashes[:size]) for size in range(9)] == ROOTS
    assert [Frontier().extend(hashes[:size]).root() for size in range(9)] == ROOTS
    assert ROOTS[0] == EMPTY_ROOT


@pytest.mark.parametrize(("index", "size", "published"), INCLUSION)
def test_the_published_inclusion_proofs_are_made_and_hold(index: int, size: int, published: list[str]) -> None:
    hashes = [leaf_hash(leaf) for leaf in LEAVES][:size]
    proof = inclusion_proof(index, size, nodes(hashes))
    assert [value.hex() for value in proof] == published
    verify_inclusion(hashes[index], index, size, proof, ROOTS[size])


@pytest.mark.parametrize(("first", "second", "published"), CONSISTENCY)
def test_the_published_consistency_proofs_are_made_and_hold(first: int, second: int, published: list[str]) -> None:
    hashes = [leaf_hash(leaf) for leaf in LEAVES][:second]
    proof = consistency_proof(first, second, nodes(hashes))
    assert [value.hex() for value in proof] == published
    verify_consistency(first, second, proof, ROOTS[first], ROOTS[second])


def test_every_small_tree_is_the_one_of_the_definition() -> None:
    hashes = naive.leaf_hashes(34)
    for size in range(1, 35):
        tree = hashes[:size]
        assert root(tree) == naive.mth(tree)
        for index in range(size):
            proof = inclusion_proof(index, size, nodes(tree))
            assert proof == naive.path(index, tree)
            verify_inclusion(hashes[index], index, size, proof, naive.mth(tree))
        for first in range(1, size + 1):
            proof = consistency_proof(first, size, nodes(tree))
            assert proof == naive.proof(first, tree)
            verify_consistency(first, size, proof, naive.mth(hashes[:first]), naive.mth(tree))


@given(sizes, st.data())
def test_larger_trees_are_too(size: int, data: st.DataObject) -> None:
    hashes = naive.leaf_hashes(size)
    first = data.draw(st.integers(1, size))
    index = data.draw(st.integers(0, size - 1))
    assert root(hashes) == naive.mth(hashes)
    assert inclusion_proof(index, size, nodes(hashes)) == naive.path(index, hashes)
    assert consistency_proof(first, size, nodes(hashes)) == naive.proof(first, hashes)


@given(st.lists(st.integers(0, 90), max_size=5))
def test_appending_in_any_batches_gives_one_tree(batches: list[int]) -> None:
    hashes = naive.leaf_hashes(sum(batches))
    edge = Frontier()
    done = 0
    for batch in batches:
        edge = edge.extend(hashes[done : done + batch])
        done += batch
        assert (edge.size, edge.root()) == (done, naive.mth(hashes[:done]))
        assert Frontier.from_bytes(edge.size, edge.to_bytes()) == edge


def test_an_edge_lists_the_largest_subtree_first() -> None:
    hashes = naive.leaf_hashes(7)
    expected = (naive.mth(hashes[:4]), naive.mth(hashes[4:6]), hashes[6])
    assert Frontier().extend(hashes).hashes == expected


@pytest.mark.parametrize(("size", "data"), [(1, b""), (2, b"x" * 64), (3, b"x" * 63), (-1, b""), (0, b"x" * 32)])
def test_an_edge_of_another_size_is_refused(size: int, data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        Frontier.from_bytes(size, data)


@given(sizes, st.data())
def test_an_altered_inclusion_proof_is_refused(size: int, data: st.DataObject) -> None:
    hashes = naive.leaf_hashes(size)
    index = data.draw(st.integers(0, size - 1))
    leaf, top, proof = hashes[index], naive.mth(hashes), naive.path(index, hashes)
    refused_inclusion(leaf_hash(b"other"), index, size, proof, top)
    refused_inclusion(leaf, index, size, proof, leaf_hash(b"other"))
    refused_inclusion(leaf, index, size, [*proof, top], top)
    refused_inclusion(leaf, index, size, [top, *proof], top)
    refused_inclusion(leaf, index, size, [*proof, b""], top)
    refused_inclusion(leaf, size, size, proof, top)
    refused_inclusion(leaf, -1, size, proof, top)
    refused_inclusion(leaf, index, size * 2, proof, top)
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        refused_inclusion(leaf, index, size, [*proof[:at], *proof[at + 1 :]], top)
        refused_inclusion(leaf, index, size, [*proof[:at], leaf_hash(proof[at]), *proof[at + 1 :]], top)
        refused_inclusion(leaf, index, size, [*proof[:at], proof[at][:31], *proof[at + 1 :]], top)
        refused_inclusion(leaf, index ^ 1, size, proof, top)


@given(st.integers(2, 300), st.data())
def test_an_altered_consistency_proof_is_refused(second: int, data: st.DataObject) -> None:
    hashes = naive.leaf_hashes(second)
    first = data.draw(st.integers(1, second - 1))
    old, new, proof = naive.mth(hashes[:first]), naive.mth(hashes), naive.proof(first, hashes)
    other = leaf_hash(b"other")
    refused_consistency(first, second, proof, other, new)
    refused_consistency(first, second, proof, old, other)
    refused_consistency(first, second, proof, new, old)
    refused_consistency(first, second, [], old, new)
    refused_consistency(first, second, [*proof, new], old, new)
    refused_consistency(first, second, [old, *proof], old, new)
    refused_consistency(second, first, proof, old, new)
    refused_consistency(first, second * 2, proof, old, new)
    at = data.draw(st.integers(0, len(proof) - 1))
    refused_consistency(first, second, [*proof[:at], *proof[at + 1 :]], old, new)
    refused_consistency(first, second, [*proof[:at], other, *proof[at + 1 :]], old, new)
    refused_consistency(first, second, [*proof[:at], proof[at] + b"x", *proof[at + 1 :]], old, new)


def test_a_tree_with_one_leaf_exchanged_is_no_continuation() -> None:
    hashes = naive.leaf_hashes(20)
    forked = [*hashes[:3], leaf_hash(b"forged"), *hashes[4:]]
    for first in range(4, 20):
        refused_consistency(first, 20, naive.proof(first, forked), naive.mth(hashes[:first]), naive.mth(forked))


def test_the_empty_tree_and_equal_trees_need_no_proof() -> None:
    one = leaf_hash(b"")
    verify_consistency(0, 0, [], EMPTY_ROOT, EMPTY_ROOT)
    verify_consistency(0, 1, [], EMPTY_ROOT, one)
    verify_consistency(1, 1, [], one, one)
    refused_consistency(0, 1, [], one, one)
    refused_consistency(0, 1, [one], EMPTY_ROOT, one)
    refused_consistency(1, 1, [one], one, one)
    refused_consistency(1, 1, [], one, EMPTY_ROOT)
    assert consistency_proof(0, 5, nodes(naive.leaf_hashes(5))) == []


def test_no_proof_is_made_for_what_the_tree_has_not() -> None:
    node = nodes(naive.leaf_hashes(3))
    for index, size in [(3, 3), (-1, 3), (0, 0)]:
        with pytest.raises(ProofError):
            inclusion_proof(index, size, node)
    for first, second in [(4, 3), (-1, 3)]:
        with pytest.raises(ProofError):
            consistency_proof(first, second, node)


def test_bytes_moved_from_one_hash_to_its_neighbour_are_no_other_proof() -> None:
    hashes = naive.leaf_hashes(2)
    top = naive.mth(hashes)
    leaf, sibling = hashes
    with pytest.raises(ProofError, match="32 bytes"):  # the same 64 bytes are hashed
        verify_inclusion(leaf + sibling[:1], 0, 2, [sibling[1:]], top)
    with pytest.raises(ProofError, match="32 bytes"):
        verify_consistency(1, 2, [sibling[1:]], leaf + sibling[:1], top)
