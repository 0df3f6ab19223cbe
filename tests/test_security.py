"""`docs/security.md`: its checks are numbered without a gap, and each names a test that there is."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCUMENT = (ROOT / "docs" / "security.md").read_text()
CHECK = re.compile(r"^(\d+)\. .+: `(tests/[a-z0-9_/]+\.py)::(test_\w+)`$", re.MULTILINE)
LEAST = 60


@cache
def names_in(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / file).read_text())
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


def test_every_check_names_a_test_that_there_is() -> None:
    checks = CHECK.findall(DOCUMENT)
    assert [f"{file}::{name}" for _, file, name in checks if name not in names_in(file)] == []


def test_the_checks_are_numbered_without_a_gap_and_none_is_named_twice() -> None:
    checks = CHECK.findall(DOCUMENT)
    numbers = [int(number) for number in re.findall(r"^(\d+)\.", DOCUMENT, re.MULTILINE)]
    assert numbers == [int(number) for number, _, _ in checks] == list(range(1, len(checks) + 1))
    named = [(file, name) for _, file, name in checks]
    assert len(set(named)) == len(named) >= LEAST
