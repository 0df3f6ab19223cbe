"""`make mutants`: plant each fault in a copy of the tree, run the test that must fail, and say which were caught.

A mutant is caught when its test ran and failed, and the same test passed in the copy before anything was planted
there: one that fails anyway catches nothing.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.mutants.catalogue import ROOT, Mutant, mutants

CAUGHT, SURVIVED, BROKEN = "caught", "SURVIVED", "NOT RUN"
SOME_FAILED, ALL_PASSED = 1, 0


def main() -> int:
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--only", nargs="*", default=[], help="names of mutants; all without it")
    given.add_argument("--timeout", type=int, default=900, help="seconds for one")
    asked = given.parse_args()
    if unknown := set(asked.only) - {one.name for one in mutants()}:
        given.error(f"there is no {', '.join(sorted(unknown))}")
    chosen = [one for one in mutants() if not asked.only or one.name in asked.only]
    came: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        tree = _copied(Path(folder) / "tree")
        tests = sorted({test for mutant in chosen for test in mutant.tests})
        if _status(tests, tree, asked.timeout * max(1, len(tests) // 4)) != ALL_PASSED:
            print("Without a fault not all of these tests pass: " + " ".join(tests))
            return 1
        for mutant in chosen:
            began = time.monotonic()
            came[mutant.name] = _run(mutant, tree, asked.timeout)
            print(f"{came[mutant.name]:<9} {mutant.name} ({time.monotonic() - began:.0f} s)", flush=True)
    missed = [name for name, outcome in came.items() if outcome != CAUGHT]
    print(f"{len(came) - len(missed)} of {len(came)} caught" + (f"; not: {', '.join(missed)}" if missed else ""))
    return 1 if missed else 0


def _copied(tree: Path) -> Path:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, tree / name)
    return tree


def _run(mutant: Mutant, tree: Path, timeout_s: int) -> str:
    kept = (tree / mutant.file).read_bytes()
    try:
        mutant.plant(tree)
        status = _status(mutant.tests, tree, timeout_s)
    finally:
        (tree / mutant.file).write_bytes(kept)
    return CAUGHT if status == SOME_FAILED else SURVIVED if status == ALL_PASSED else BROKEN


def _status(tests: Sequence[str], tree: Path, timeout_s: int) -> int | None:
    """Of pytest; None where it took too long."""
    # The copy comes first on the path, before the installed project.
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    try:
        return subprocess.run(command, cwd=tree, check=False, capture_output=True, timeout=timeout_s).returncode
    except subprocess.TimeoutExpired:
        return None


if __name__ == "__main__":
    sys.exit(main())
