"""The planted faults, as they stand in `mutants.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILE = Path(__file__).with_name("mutants.toml")


@dataclass(frozen=True)
class Mutant:
    """One change of one place, and the tests of which one must fail with it."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def plant(self, root: Path) -> None:
        """Change the file. Raises ValueError unless `old` stands in it exactly once."""
        path = root / self.file
        before = path.read_text()
        if before.count(self.old) != 1:
            raise ValueError(f"{self.name}: {self.file} has `{self.old}` {before.count(self.old)} times")
        path.write_text(before.replace(self.old, self.new))


def mutants() -> list[Mutant]:
    """All of them, in the order of the file."""
    return [
        Mutant(name, one["file"], one["old"], one["new"], tuple(one["test"].split(" or ")))
        for name, one in tomllib.loads(FILE.read_text()).items()
    ]
