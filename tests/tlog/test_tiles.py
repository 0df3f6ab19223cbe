from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.tlog.merkle import consistency_proof, inclusion_proof
from app.tlog.tiles import (
    TileId,
    bundle,
    grow,
    node_reader,
    number_path,
    read_bundle,
    read_number_path,
    split_hashes,
    tile_of,
    tile_width,
    tiles_of,
    tiles_read,
)
from tests.tlog import naive


@pytest.mark.parametrize(
    ("no", "width", "path"),
    [
        (0, 256, "000"),
        (1, 256, "001"),
        (999, 256, "999"),
        (1000, 256, "x001/000"),
        (1234067, 256, "x001/x234/067"),
        (273, 112, "273.p/112"),
        (1234067, 8, "x001/x234/067.p/8"),
    ],
)
def test_numbers_are_paths_as_the_specification_shows(no: int, width: int, path: str) -> None:
    assert number_path(no, width) == path
    assert read_number_path(path) == (no, width)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "1",
        "01",
        "0000",
        "x000/001",
        "001/000",
        "x001",
        "x001/x234",
        "000.p/0",
        "000.p/01",
        "000.p/256",
        "000.p/999",
        "000.p/",
        "000/",
        "/000",
        "-01",
        "٠٠٠",
        "x001/" * 2000 + "000",
        "../etc",
        "000\n",
    ],
)
def test_every_other_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        read_number_path(path)


def test_a_tree_of_70000_has_the_tiles_that_the_specification_counts() -> None:
    widths = Counter((tile.level, tile_width(tile, 70_000)) for tile in tiles_of(70_000))
    assert widths == {(0, 256): 273, (0, 112): 1, (1, 256): 1, (1, 17): 1, (2, 1): 1}
    assert [(tile.level, tile_width(tile, 256)) for tile in tiles_of(256)] == [(0, 256), (1, 1)]
    assert list(tiles_of(0)) == []
    assert tile_width(TileId(0, 274), 70_000) == 0


def test_subtrees_lie_in_the_tile_of_their_eight_levels() -> None:
    assert tile_of(0, 257) == (TileId(0, 1), 1, 2)
    assert tile_of(3, 33) == (TileId(0, 1), 8, 16)
    assert tile_of(8, 5) == (TileId(1, 0), 5, 6)
    assert tile_of(17, 2) == (TileId(2, 0), 4, 6)


def grown(sizes: list[int], hashes: list[bytes]) -> dict[TileId, bytes]:
    """The tiles of a tree that is appended to until it has each of these sizes."""
    tiles: dict[TileId, bytes] = {}
    size = 0
    for larger in sizes:
        edge = {tile.level: split_hashes(tiles[tile]) for tile in tiles_of(size) if 0 < tile_width(tile, size) < 256}
        tiles |= {tile.id: tile.to_bytes() for tile in grow(size, edge, hashes[size:larger])}
        size = larger
    return tiles


HASHES = naive.leaf_hashes(66_000)


@settings(max_examples=20)
@given(st.lists(st.integers(0, 1500), min_size=1, max_size=5).map(sorted))
def test_a_tree_grown_in_any_steps_has_the_tiles_of_the_definition(sizes: list[int]) -> None:
    size = sizes[-1]
    tiles = grown(sizes, HASHES)
    assert set(tiles) == set(tiles_of(size))
    for tile, data in tiles.items():
        reach = 256**tile.level
        first = tile.no * 256
        expected = [
            naive.mth(HASHES[at * reach : (at + 1) * reach]) for at in range(first, first + tile_width(tile, size))
        ]
        assert split_hashes(data) == expected


def test_proofs_are_read_from_tiles_and_need_few_of_them() -> None:
    size = 66_000  # 256 full tiles and more: three levels
    node = node_reader(grown([300, 65_536, size], HASHES))
    for index in (0, 299, 65_535, 65_999):
        assert inclusion_proof(index, size, node) == naive.path(index, HASHES)
    for first in (1, 300, 65_536, 65_999, size):
        assert consistency_proof(first, size, node) == naive.proof(first, HASHES)
    # Leaf 299 lies in tile 1; its siblings above are hashes of tile (1, 0); what follows 65,536 lies at the right edge.
    assert tiles_read(lambda node: inclusion_proof(299, size, node)) == {
        TileId(0, 1),
        TileId(1, 0),
        TileId(1, 1),
        TileId(0, 257),
    }


def test_a_tile_that_is_missing_or_too_narrow_gives_no_hash() -> None:
    node = node_reader({TileId(0, 0): HASHES[0] * 3})
    assert node(1, 0) == naive.mth([HASHES[0], HASHES[0]])
    for level, index in [(1, 1), (0, 3), (0, 256)]:
        with pytest.raises(LookupError):
            node(level, index)


def test_a_tree_is_not_grown_from_an_edge_of_another_size() -> None:
    with pytest.raises(ValueError, match="level 0 of 3 leaves"):
        list(grow(3, {0: HASHES[:2]}, HASHES[3:5]))
    with pytest.raises(ValueError, match="level 1 of 256 leaves"):
        list(grow(256, {}, HASHES[256:512]))


def test_a_bundle_has_each_entry_after_its_length() -> None:
    assert bundle([b"abc", b"", b"x" * 258]) == b"\x00\x03abc\x00\x00\x01\x02" + b"x" * 258


@given(st.lists(st.binary(max_size=50)))
def test_a_bundle_reads_back(entries: list[bytes]) -> None:
    assert read_bundle(bundle(entries)) == entries


def test_bundles_that_end_too_early_and_entries_too_long_are_refused() -> None:
    for data in (b"\x00", b"\x00\x03ab", b"\x00\x01a\x00"):
        with pytest.raises(ValueError, match="ends within"):
            read_bundle(data)
    assert read_bundle(bundle([b"x" * 65_535])) == [b"x" * 65_535]
    with pytest.raises(ValueError, match="65,535"):
        bundle([b"x" * 65_536])
    with pytest.raises(ValueError, match="whole number"):
        split_hashes(b"x" * 33)
