"""The manifest of a pack: what it must look like, and what it may not say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct, json

MANIFEST = "manifest.json"
LARGEST_PART = 1 << 20
"""Leaves in a file at most, whatever the manifest says; `voucher export` writes 16,384."""

Count = Annotated[int, Meta(ge=0, le=2**53)]


class Listed(Struct, frozen=True, gc=False):
    """A file as the manifest lists it."""

    path: Annotated[str, Meta(min_length=1, max_length=200)]
    bytes: Count
    sha256: str


class RegionListed(Struct, frozen=True, gc=False):
    """A region as the manifest lists it."""

    region: Annotated[str, Meta(pattern=r"^[0-9]{6}\Z")]
    origin: str
    size: Count
    unsealed: Count


class Manifest(Struct, frozen=True):
    """What is in the pack. Members that are not known are left aside."""

    format: Literal["voucher-pack"]
    version: Literal[1]
    taken_at: Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z\Z")]
    leaves_per_file: Annotated[int, Meta(ge=1, le=LARGEST_PART)]
    regions: list[RegionListed]
    files: list[Listed]


class BadManifest(ValueError):
    """The manifest cannot be read; the message says why."""


def read_manifest(written: bytes) -> Manifest:
    """Raises BadManifest."""
    try:
        manifest = json.decode(written, type=Manifest)
        is_plain = json.encode(json.decode(written)) == json.format(written, indent=-1)
        datetime.fromisoformat(manifest.taken_at)
    except (ValueError, RecursionError) as error:
        raise BadManifest(str(error)) from None
    if not is_plain:
        raise BadManifest("a member that stands twice, or a number or text that can be written more plainly")
    for name in (*(one.origin for one in manifest.regions), *(one.path for one in manifest.files)):
        if not name.isprintable():
            raise BadManifest(f"a name with a character that nobody sees: {name!r}")
    _refuse_twice("regions", (one.region for one in manifest.regions))
    _refuse_twice("origins", (one.origin for one in manifest.regions if one.origin))
    _refuse_twice("files", (one.path.casefold() for one in manifest.files))  # one file, where case does not count
    for one in manifest.files:
        if one.path.startswith("/") or "\\" in one.path or ".." in one.path.split("/"):
            raise BadManifest(f"a path that leads out of the pack: {one.path!r}")
    return manifest


def _refuse_twice(what: str, names: Iterable[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise BadManifest(f"{what} listed twice: {', '.join(sorted(twice)[:5])}")
