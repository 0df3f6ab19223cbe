"""The files of a pack: a folder, or an uncompressed .tar of one. Nothing is unpacked, nothing is trusted."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, cast

from msgspec import DecodeError, json

MANIFEST = "manifest.json"
FORMAT, VERSION = "voucher-pack", 1
BLOCK = 1 << 20
_object = json.Decoder(dict[str, Any]).decode


class UnreadablePack(Exception):
    """There is no pack here, or none of a version that is known. The message says why."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A file as the manifest lists it."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class RegionListed:
    """A region as the manifest lists it."""

    region: str
    origin: str
    size: int
    unsealed: int


class Pack:
    """Raises UnreadablePack where there is no manifest that can be read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._tar: tarfile.TarFile | None = None
        self._members: dict[str, tarfile.TarInfo] = {}
        self._read: set[str] = set()
        if not path.is_dir():
            self._open_tar(path)
        try:
            with self._open(MANIFEST) as file:
                written = file.read()
        except OSError as error:
            raise UnreadablePack(f"{path}: {MANIFEST}: {error}") from error
        self.manifest_sha256 = sha256(written).hexdigest()
        try:
            self._read_manifest(json.decode(written))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise UnreadablePack(f"{path}: {MANIFEST}: {error!r}") from error

    def _open_tar(self, path: Path) -> None:
        try:
            self._tar = tarfile.open(path, "r:")  # noqa: SIM115 - open as long as the pack is
            members = [member for member in self._tar.getmembers() if member.isfile()]
        except (OSError, tarfile.TarError) as error:
            raise UnreadablePack(f"{path}: {error}") from error
        inside = next((member.name.removesuffix(MANIFEST) for member in members if _is_manifest(member.name)), "")
        self._members = {member.name.removeprefix(inside): member for member in members}

    def _read_manifest(self, manifest: dict[str, Any]) -> None:
        if manifest["format"] != FORMAT or manifest["version"] != VERSION:
            raise UnreadablePack(f"{self.path}: {manifest['format']} {manifest['version']}, not {FORMAT} {VERSION}")
        self.taken_at: str = manifest["taken_at"]
        self.leaves_per_file: int = manifest["leaves_per_file"]
        self.regions = [
            RegionListed(one["region"], one["origin"], one["size"], one["unsealed"]) for one in manifest["regions"]
        ]
        self.files = {one["path"]: Listed(one["bytes"], one["sha256"]) for one in manifest["files"]}
        if self.leaves_per_file < 1:
            raise UnreadablePack(f"{self.path}: leaves_per_file {self.leaves_per_file}")

    def close(self) -> None:
        """Close the archive, if it is one."""
        if self._tar is not None:
            self._tar.close()

    def names(self) -> set[str]:
        """Every file that is there, listed or not."""
        if self._tar is not None:
            return set(self._members)
        return {str(file.relative_to(self.path)) for file in self.path.rglob("*") if file.is_file()}

    def read(self, name: str) -> tuple[bytes | None, str | None]:
        """A file's bytes and what is wrong with it: `file_missing`, `file_differs` from the manifest, or None."""
        self._read.add(name)
        try:
            with self._open(name) as file:
                written = file.read()
        except OSError:
            return None, "file_missing"
        listed = self.files.get(name)
        if listed is None or len(written) != listed.bytes or sha256(written).hexdigest() != listed.sha256:
            return written, "file_differs"
        return written, None

    def rows(self, name: str, wrong: Callable[[str], object]) -> Iterator[dict[str, Any]]:
        """The objects of a JSON-lines file, one at a time; `wrong` is told at the end what is wrong with the file.

        A line that is no object ends the reading with `file_malformed`.
        """
        self._read.add(name)
        digest, length = sha256(), 0
        try:
            file = self._open(name)
        except OSError:
            wrong("file_missing")
            return
        with file:
            while block := file.read(BLOCK):
                block += file.readline()
                digest.update(block)
                length += len(block)
                lines = block.split(b"\n")
                if not lines[-1]:
                    lines.pop()
                for line in lines:
                    try:
                        row = _object(line)
                    except DecodeError:
                        wrong("file_malformed")
                        return
                    yield row
        listed = self.files.get(name)
        if listed is None or listed.bytes != length or listed.sha256 != digest.hexdigest():
            wrong("file_differs")

    def unread(self) -> list[str]:
        """The listed files that nobody has asked for yet."""
        return sorted(set(self.files) - self._read)

    def _open(self, name: str) -> IO[bytes]:
        if self._tar is None:
            return cast("IO[bytes]", io.BufferedReader((self.path / name).open("rb", buffering=0), BLOCK))
        member = self._members.get(name)
        file = None if member is None else self._tar.extractfile(member)
        if file is None:
            raise FileNotFoundError(name)
        return file


def _is_manifest(name: str) -> bool:
    return name == MANIFEST or (name.endswith("/" + MANIFEST) and name.count("/") == 1) or name == "./" + MANIFEST


def split_leaves(framed: bytes) -> tuple[list[bytes], bool]:
    """The leaves of a file, each behind its length in two bytes, and whether the file ends with the last of them."""
    leaves: list[bytes] = []
    place, end = 0, len(framed)
    while place + 2 <= end:
        start = place + 2
        place = start + (framed[place] << 8) + framed[place + 1]
        if place > end:
            return leaves, False
        leaves.append(framed[start:place])
    return leaves, place == end


def part_name(region: str, kind: str, first: int, suffix: str = "bin") -> str:
    """The file of a region that begins with leaf `first`."""
    return f"{region}/{kind}/{first:012d}.{suffix}"
