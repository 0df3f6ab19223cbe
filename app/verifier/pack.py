"""The files of a pack: a folder, or an uncompressed .tar of one. Nothing is unpacked, nothing is trusted."""

from __future__ import annotations

import io
import tarfile
from collections import Counter
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, cast

from msgspec import DecodeError, json

from app.verifier.manifest import MANIFEST, BadManifest, RegionListed, read_manifest

BLOCK = 1 << 20
LARGEST_FILE, LARGEST_LINE = 1_200_000_000, 1 << 26
"""Bytes that are read at once at most: of a whole file (full of the longest leaves it has 1.1 GB), and of a line."""

_object, _written = json.Decoder(dict[str, Any]).decode, json.Encoder().encode
_UNCERTAIN = frozenset((float, bool))
"""No row holds either; 3000.0 and `false` would pass for amounts."""


class UnreadablePack(Exception):
    """There is no pack here, or none of a version that is known. The message says why."""


class Pack:
    """Raises UnreadablePack where there is no manifest that can be read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._tar: tarfile.TarFile | None = None
        self._members: dict[str, tarfile.TarInfo] = {}
        self._read: set[str] = set()
        self._beside: set[str] = set()
        """What an archive has outside the pack's own folder, and its links and devices: who unpacks it has them too."""
        self.twice: list[str] = []
        """Names that an archive has more than once: who unpacks it sees the last."""
        try:
            self._read_manifest()
        except UnreadablePack:
            self.close()
            raise

    def _read_manifest(self) -> None:
        path = self.path
        if not path.exists():
            raise UnreadablePack(f"{path}: 没有这个文件或文件夹 / there is no such file or folder")
        if not path.is_dir():
            self._open_tar(path)
        try:
            with self._open(MANIFEST) as file:
                written = file.read(LARGEST_FILE)
            manifest = read_manifest(written)
        except FileNotFoundError:
            raise UnreadablePack(
                f"{path}: 没有 {MANIFEST}，不是完整的审计包 / no {MANIFEST} in it: no pack, or not all of one"
            ) from None
        except (OSError, BadManifest) as error:
            raise UnreadablePack(f"{path}: {MANIFEST}: {error}") from error
        self.manifest_sha256 = sha256(written).hexdigest()
        self.taken_at, self.leaves_per_file = manifest.taken_at, manifest.leaves_per_file
        self.regions: list[RegionListed] = manifest.regions
        self.files = {one.path: one for one in manifest.files}

    def _open_tar(self, path: Path) -> None:
        try:
            self._tar = tarfile.open(path, "r:")  # noqa: SIM115 - open as long as the pack is
            members = [member for member in self._tar.getmembers() if not member.isdir()]
        except (OSError, tarfile.TarError) as error:
            raise UnreadablePack(
                f"{path}: 不是文件夹，也不是完整、未压缩的 .tar / no folder, no whole and uncompressed .tar ({error})"
            ) from error
        files = [member for member in members if member.isfile()]
        inside = next((member.name.removesuffix(MANIFEST) for member in files if _is_manifest(member.name)), "")
        self._members = {one.name.removeprefix(inside): one for one in files if one.name.startswith(inside)}
        self.twice = sorted(name for name, count in Counter(one.name for one in members).items() if count > 1)
        kept = {one.name for one in self._members.values()}
        self._beside = {one.name for one in members} - kept

    def close(self) -> None:
        """Close the archive, if it is one."""
        if self._tar is not None:
            self._tar.close()

    def unlisted(self) -> list[str]:
        """Whatever is there, no folder, and not listed; of what lies beside an archive's pack the whole names."""
        if self._tar is not None:
            there = set(self._members)
        else:
            found = (file for file in self.path.rglob("*") if file.is_symlink() or not file.is_dir())
            there = {str(file.relative_to(self.path)) for file in found}
        return sorted((there - set(self.files) - {MANIFEST}) | self._beside)

    def read(self, name: str) -> tuple[bytes | None, str | None]:
        """A file's bytes and what is wrong with it: it is missing, cannot be read, is not as the manifest lists it.

        A file that is too large to be what it should be is not read.
        """
        self._read.add(name)
        listed = self.files.get(name)
        try:
            with self._open(name) as file:
                written = file.read(LARGEST_FILE if listed is None else min(listed.bytes + 1, LARGEST_FILE))
        except FileNotFoundError:
            return None, "file_missing"
        except (OSError, tarfile.TarError, MemoryError):
            return None, "file_unreadable"
        if listed is None or len(written) != listed.bytes or sha256(written).hexdigest() != listed.sha256:
            return written, "file_differs"
        return written, None

    def compare(self, name: str) -> str | None:
        """What is wrong with a file that is read for nothing but its hash."""
        self._read.add(name)
        digest, length, listed = sha256(), 0, self.files[name]
        try:
            with self._open(name) as file:
                while length <= listed.bytes and (block := file.read(BLOCK)):
                    digest.update(block)
                    length += len(block)
        except FileNotFoundError:
            return "file_missing"
        except (OSError, tarfile.TarError):
            return "file_unreadable"
        return None if (length, digest.hexdigest()) == (listed.bytes, listed.sha256) else "file_differs"

    def rows(self, name: str, wrong: Callable[[str], object]) -> Iterator[dict[str, Any]]:
        """The objects of a JSON-lines file, one at a time; `wrong` is told at the end what is wrong with the file.

        A line that is no object, or could be read in two ways (a member twice, a number or text not as the export
        writes them), ends the reading with `file_malformed`, a file that is longer than listed with `file_differs`.
        """
        self._read.add(name)
        digest, length, listed = sha256(), 0, self.files.get(name)
        try:
            with self._open(name) as file:
                while block := file.read(BLOCK):
                    block += file.readline(LARGEST_LINE)
                    digest.update(block)
                    length += len(block)
                    if listed is None or length > listed.bytes:
                        wrong("file_differs")
                        return
                    lines = block.split(b"\n")
                    if not lines[-1]:
                        lines.pop()
                    for line in lines:
                        row = _object(line)
                        if _written(row) != line or not _UNCERTAIN.isdisjoint(map(type, row.values())):
                            wrong("file_malformed")
                            return
                        yield row
        except FileNotFoundError:
            wrong("file_missing")
        except (OSError, tarfile.TarError):
            wrong("file_unreadable")
        except (DecodeError, RecursionError):
            wrong("file_malformed")
        else:
            if listed is None or (listed.bytes, listed.sha256) != (length, digest.hexdigest()):
                wrong("file_differs")

    def unread(self) -> list[str]:
        """The listed files that nobody has asked for yet."""
        return sorted(set(self.files) - self._read)

    def _open(self, name: str) -> IO[bytes]:
        if self._tar is None:
            place = self.path / name
            if place.exists() and not place.is_file():
                raise OSError(f"no plain file: {name}")  # a pipe would be waited for
            return cast("IO[bytes]", io.BufferedReader(place.open("rb", buffering=0), BLOCK))
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
