"""Tiles (C2SP tlog-tiles): a tree kept in pieces of 256 hashes, and its entries in bundles of as many.

The hash at position i of tile n of level L is that of the complete subtree (8·L, 256·n + i). A tile that is not full
yet is *partial*; a full tile's root is one hash of the level above.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from app.tlog.merkle import EMPTY_ROOT, HASH_BYTES, Node, root

HEIGHT = 8
WIDTH = 1 << HEIGHT
MAX_LEVEL = 63
MAX_ENTRY_BYTES = 0xFFFF
_LENGTH_BYTES = 2
_PATH = re.compile(r"(?P<no>(?:x[0-9]{3}/)*[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?")


@dataclass(frozen=True, slots=True, order=True)
class TileId:
    """Which tile: its level (0 holds leaf hashes) and its number within the level."""

    level: int
    no: int


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile's hashes, 1 to 256."""

    id: TileId
    hashes: tuple[bytes, ...]

    @property
    def width(self) -> int:
        """How many hashes."""
        return len(self.hashes)

    def to_bytes(self) -> bytes:
        """As it is served: the hashes one after the other."""
        return b"".join(self.hashes)


def tile_width(tile: TileId, size: int) -> int:
    """How many hashes the tile has in a tree of `size` leaves, 0 to 256."""
    return max(0, min(WIDTH, (size >> HEIGHT * tile.level) - WIDTH * tile.no))


def tiles_of(size: int) -> Iterator[TileId]:
    """Every tile of a tree of `size` leaves, the partial ones too, from the lowest level."""
    level = 0
    while size:
        yield from (TileId(level, no) for no in range(-(-size // WIDTH)))
        size >>= HEIGHT
        level += 1


def number_path(no: int, width: int = WIDTH) -> str:
    """A tile's or bundle's number as a path: 1234067 is `x001/x234/067`; a partial one ends in `.p/WIDTH`."""
    groups = [f"{no % 1000:03}"]
    while no := no // 1000:
        groups.append(f"x{no % 1000:03}")
    path = "/".join(reversed(groups))
    return path if width == WIDTH else f"{path}.p/{width}"


def read_number_path(path: str) -> tuple[int, int]:
    """Number and width of a path. Raises ValueError for every spelling but the one that `number_path` writes."""
    found = _PATH.fullmatch(path)
    if found is None:
        raise ValueError("this is not the path of a tile")
    no = int(found["no"].replace("x", "").replace("/", ""))
    width = int(found["width"] or WIDTH)
    if no >= 2**63 or number_path(no, width) != path or width > WIDTH:
        raise ValueError("this is not the path of a tile")
    return no, width


def grow(size: int, edge: Mapping[int, Sequence[bytes]], hashes: Sequence[bytes]) -> Iterator[Tile]:
    """Every tile that is new or wider after the leaf hashes have been appended to a tree of `size` leaves.

    `edge` has the hashes of each level's partial tile as it is now; a level whose last tile is full may be missing.
    Raises ValueError where the edge is not that of a tree of this size.
    """
    level, added = 0, hashes
    while added:
        before = size >> HEIGHT * level
        partial = edge.get(level, ()) if before % WIDTH else ()
        if len(partial) != before % WIDTH:
            raise ValueError(f"level {level} of {size} leaves ends in {before % WIDTH} hashes, not {len(partial)}")
        row = [*partial, *added]
        above = []
        for start in range(0, len(row), WIDTH):
            tile = Tile(TileId(level, before // WIDTH + start // WIDTH), tuple(row[start : start + WIDTH]))
            yield tile
            if tile.width == WIDTH:
                above.append(root(tile.hashes))
        level, added = level + 1, above


def tile_of(level: int, index: int) -> tuple[TileId, int, int]:
    """Where the complete subtree (level, index) lies: its tile and the half-open range of that tile's hashes."""
    tile_level, height = divmod(level, HEIGHT)
    no, start = divmod(index << height, WIDTH)
    return TileId(tile_level, no), start, start + (1 << height)


def tiles_read(prove: Callable[[Node], object]) -> set[TileId]:
    """The tiles that a proof is read from, so that they can be fetched at once.

    `prove` makes the proof with the given `node`: `tiles_read(lambda node: consistency_proof(3, 700, node))`.
    """
    seen = set()

    def node(level: int, index: int) -> bytes:
        seen.add(tile_of(level, index)[0])
        return EMPTY_ROOT

    prove(node)
    return seen


def node_reader(tiles: Mapping[TileId, bytes]) -> Node:
    """The hashes of complete subtrees, out of tiles as they are served. It raises LookupError for a missing one."""

    def node(level: int, index: int) -> bytes:
        tile, start, end = tile_of(level, index)
        hashes = split_hashes(tiles[tile])[start:end]
        if len(hashes) != end - start:
            raise LookupError(f"tile {tile.no} of level {tile.level} is too narrow for this subtree")
        return root(hashes)

    return node


def split_hashes(data: bytes) -> list[bytes]:
    """The hashes of a served tile. Raises ValueError for bytes that are no whole number of them."""
    if len(data) % HASH_BYTES:
        raise ValueError("a tile is a whole number of hashes")
    return [data[start : start + HASH_BYTES] for start in range(0, len(data), HASH_BYTES)]


def bundle(entries: Iterable[bytes]) -> bytes:
    """An entry bundle: each entry after its length, big-endian in two bytes. Raises ValueError for one above 65,535."""
    parts: list[bytes] = []
    for entry in entries:
        if len(entry) > MAX_ENTRY_BYTES:
            raise ValueError("an entry of a bundle has at most 65,535 bytes")
        parts += (len(entry).to_bytes(_LENGTH_BYTES), entry)
    return b"".join(parts)


def read_bundle(data: bytes) -> list[bytes]:
    """The entries of a bundle. Raises ValueError where it ends within one."""
    entries = []
    start = 0
    while start < len(data):
        begin = start + _LENGTH_BYTES
        start = begin + int.from_bytes(data[start:begin])
        if begin > len(data) or start > len(data):
            raise ValueError("the bundle ends within an entry")
        entries.append(data[begin:start])
    return entries
