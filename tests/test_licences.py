"""What the service brings along is free of GPL and AGPL; LGPL is imported unmodified, and only where it is named."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import PackageMetadata, metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
REQUIREMENTS = ROOT / "requirements"

LGPL_IMPORTED_UNMODIFIED = frozenset({"psycopg", "psycopg-binary", "python-stdnum"})

_LGPL = re.compile(r"\bLGPL|Lesser General Public|Library General Public", re.IGNORECASE)
_GPL = re.compile(r"(?<!L)GPL|(?<!Lesser )(?<!Library )General Public License|Affero", re.IGNORECASE)


def pinned(file: str) -> dict[str, Requirement]:
    """Every requirement of a compiled file that applies on this machine, by name."""
    text = (REQUIREMENTS / file).read_text(encoding="utf-8")
    found = (Requirement(line.removesuffix("\\").strip()) for line in text.splitlines() if re.match("[a-z0-9]", line))
    return {wanted.name: wanted for wanted in found if wanted.marker is None or wanted.marker.evaluate()}


def direct(file: str) -> set[str]:
    """The names that a requirements file asks for itself."""
    lines = (REQUIREMENTS / file).read_text(encoding="utf-8").splitlines()
    return {Requirement(line).name.lower() for line in lines if re.match("[A-Za-z0-9]", line)}


def licences(package: PackageMetadata) -> Iterator[str]:
    """What a package says of its licence: the SPDX expression, the first line of the old field, the classifiers."""
    yield from package.get_all("License-Expression") or []
    for text in package.get_all("License") or []:
        yield from text.strip().splitlines()[:1]
    yield from (words for words in package.get_all("Classifier") or [] if words.startswith("License ::"))


@pytest.mark.parametrize("name", sorted(pinned("runtime.txt")))
def test_what_the_service_runs_with_has_a_licence_that_may_be_passed_on(name: str) -> None:
    said = " | ".join(licences(metadata(name)))
    assert said, f"{name} says nothing of its licence: look, and decide"
    assert not _GPL.search(said), f"{name}: {said}"
    if name not in LGPL_IMPORTED_UNMODIFIED:
        assert not _LGPL.search(said), f"{name}: {said}"


@pytest.mark.parametrize("said", ["GPL-3.0-or-later", "AGPLv3", "GNU General Public License v3 (GPLv3)", "Affero"])
def test_gpl_is_recognised_however_it_is_written(said: str) -> None:
    assert _GPL.search(said)


@pytest.mark.parametrize("said", ["LGPL-3.0-only", "GNU Lesser General Public License v2 or later", "LGPL"])
def test_lgpl_is_not_taken_for_gpl(said: str) -> None:
    assert _LGPL.search(said) and not _GPL.search(said)


@pytest.mark.parametrize("file", ["runtime", "dev"])
def test_every_direct_dependency_is_recorded_with_its_version(file: str) -> None:
    versions = pinned(f"{file}.txt")
    record = (ROOT / "docs/dependencies.md").read_text(encoding="utf-8")
    recorded = dict(re.findall(r"^\| `([a-z0-9-]+)` \| ([^ |]+) \|", record, re.MULTILINE))
    for name in direct(f"{file}.in"):
        assert versions[name].specifier == f"=={recorded.get(name)}", f"{name} in docs/dependencies.md"
