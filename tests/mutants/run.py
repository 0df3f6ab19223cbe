"""`make mutants`: plant each fault in a copy of the tree, run the test that must fail, and say which were caught.

A mutant is caught when its test ran and failed. That the test passes without it is the suite's to show.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.mutants.catalogue import ROOT, Mutant, mutants

CAUGHT, SURVIVED, BROKEN = "caught", "SURVIVED", "NOT RUN"
SOME_FAILED, ALL_PASSED = 1, 0


def main() -> int:
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--only", nargs="*", default=[], help="names of mutants; all without it")
    given.add_argument("--timeout", type=int, default=900, help="seconds for one")
    asked = given.parse_args()
    chosen = [one for one in mutants() if not asked.only or one.name in asked.only]
    came: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        tree = _copied(Path(folder) / "tree")
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
        # The copy comes first on the path, before the installed project.
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *mutant.tests]
        status = subprocess.run(command, cwd=tree, check=False, capture_output=True, timeout=timeout_s).returncode
    except subprocess.TimeoutExpired:
        return BROKEN
    finally:
        (tree / mutant.file).write_bytes(kept)
    return {SOME_FAILED: CAUGHT, ALL_PASSED: SURVIVED}.get(status, BROKEN)


if __name__ == "__main__":
    sys.exit(main())
