"""Each planted fault still fits the code, and the test that must catch it is there. `make mutants` runs them."""

from __future__ import annotations

import ast
import shutil
from functools import cache
from pathlib import Path

import pytest

from tests.mutants.catalogue import ROOT, Mutant, mutants

LEAST = 40


@cache
def names_in(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / file).read_text())
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize("mutant", mutants(), ids=lambda mutant: mutant.name)
def test_a_mutant_fits_the_code_and_names_a_test(mutant: Mutant, tmp_path: Path) -> None:
    planted = tmp_path / mutant.file
    planted.parent.mkdir(parents=True)
    shutil.copyfile(ROOT / mutant.file, planted)
    mutant.plant(tmp_path)
    assert planted.read_text() != (ROOT / mutant.file).read_text()
    if mutant.file.endswith(".py"):
        ast.parse(planted.read_text())
    for test in mutant.tests:
        file, _, name = test.partition("::")
        assert name in names_in(file) or (not name and names_in(file)), test


def test_there_are_enough_of_them() -> None:
    assert len(mutants()) >= LEAST


def test_a_mutant_that_no_longer_fits_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("a\na\n")
    for old in ("a", "b"):
        with pytest.raises(ValueError, match="times"):
            Mutant("m", "x.py", old, "c", ("t",)).plant(tmp_path)
