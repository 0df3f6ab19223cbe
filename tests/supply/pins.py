"""The pinned packages of a requirements file, with the hashes by which they are installed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REQUIREMENTS = Path(__file__).resolve().parents[2] / "requirements"
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Pin:
    """One package: its normalized name, its exact version, the SHA-256 of each file that may be installed."""

    name: str
    version: str
    hashes: tuple[str, ...]

    @property
    def purl(self) -> str:
        """Its package URL."""
        return f"pkg:pypi/{self.name}@{self.version}"


def read_pins(path: Path) -> list[Pin]:
    """All that the file pins, on whatever machine. Raises ValueError for a line that pins nothing or has no hash."""
    pins = []
    for statement in _statements(path.read_text(encoding="utf-8")):
        wanted, hashes = Requirement(statement.partition(" --hash")[0]), tuple(_HASH.findall(statement))
        versions = [one.version for one in wanted.specifier if one.operator == "=="]
        if len(versions) != 1 or not hashes:
            raise ValueError(f"{path.name}: {wanted.name} is not pinned to one version with its hashes")
        pins.append(Pin(canonicalize_name(wanted.name), versions[0], hashes))
    return pins


def _statements(text: str) -> list[str]:
    joined = text.replace("\\\n", " ")
    lines = (line.partition(" #")[0].strip() for line in joined.splitlines())
    return [re.sub(r"\s+", " ", line) for line in lines if line and not line.startswith(("#", "-"))]
