"""The documents tell the truth where a machine can tell: links, tests, routes, commands, tables of problems.

After a change of the catalogue `python -m tests.test_documents` writes the tables of docs/problems anew.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Literal

import pytest
from typer.main import get_group

from app.api.problems import NEVER_STORED, STATUS, STORED_KINDS
from app.cli.commands import app as command_line
from app.kernel.canonical import canonical, sha256_hex
from app.kernel.catalogue import CATALOGUE
from app.main import openapi_document
from app.services.bank_lists.words import SENTENCES as BANK_LISTS
from app.services.evidence.accelerators import published_table
from app.services.evidence.units import UNITS
from app.services.issuance.words import SENTENCES as ISSUANCE
from app.services.registry_lists.words import SENTENCES as REGISTRY
from app.services.statements.words import SENTENCES as STATEMENTS

ROOT = Path(__file__).resolve().parents[1]
SENTENCES = {**ISSUANCE, **STATEMENTS, **BANK_LISTS, **REGISTRY, **BANK_LISTS, **STATEMENTS, **ISSUANCE}
"""In the order of the first four; worded as the last that has it words it."""
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md"))]
TRANSLATED = (
    "README",
    "docs/accelerators",
    "docs/corrections",
    "docs/problems",
    "docs/guides/officials",
    "docs/guides/registrars",
    "docs/guides/providers",
    "docs/guides/firms",
    "docs/operations",
    "docs/guides/witness",
    "docs/guides/command-line",
    "docs/simulating",
    "docs/writing-a-scheme",
)

_LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)(?:#[^)\s]*)?\)")
_PATH = re.compile(
    r"`((?:app|benchmarks|deploy|docs|examples|migrations|openapi|requirements|tests)/[\w./*-]+)(?:::(\w+))?`"
)
_ROUTE = re.compile(r"/(?:v1|oauth|\.well-known)/[\w{}$…./-]+")
_COMMAND = re.compile(r"\bvoucher ([a-z][a-z-]*)")
_CODE_BLOCK = re.compile(r"```(?:sh|console)\n(.*?)```", re.DOTALL)
_INLINE_CODE = re.compile(r"`([^`\n]+)`")
_PLACEHOLDER = re.compile(r"\{(\w+?)(?:_fen|_en|_zh)?(?::\w+)?\}")

Language = Literal["en", "zh"]
PROBLEMS: Mapping[str, Language] = {"problems.md": "en", "problems.zh-CN.md": "zh"}
ACCELERATORS: Mapping[str, Language] = {"accelerators.md": "en", "accelerators.zh-CN.md": "zh"}


def text_of(document: Path) -> str:
    return document.read_text(encoding="utf-8")


def code_in(document: Path) -> Iterator[str]:
    """Commands in blocks of shell, and words in backticks."""
    yield from _CODE_BLOCK.findall(text_of(document))
    yield from _INLINE_CODE.findall(text_of(document))


def named(document: Path) -> str:
    return str(document.relative_to(ROOT))


def table(language: Language) -> list[str]:
    """The rows of docs/problems: every problem, and whether its answer stays under its Idempotency-Key."""
    place = 0 if language == "en" else 1
    stays, free = ("stays", "free") if language == "en" else ("保留", "释放")
    rows = []
    for code, row in CATALOGUE.items():
        key = stays if row.kind in STORED_KINDS and code not in NEVER_STORED else free
        rows.append(f"| `{code}` | {STATUS[row.kind]} | {key} | {row.title[place]} | {_plain(row.detail[place])} |")
    rows += [f"| `{name}` | {_plain(sentence[place])} |" for name, sentence in SENTENCES.items()]
    return rows


def cards(language: Language) -> list[str]:
    """The rows of docs/accelerators: every card with its source."""
    rows = []
    for card in published_table().accelerators:
        maker, name = (card.maker_en, card.name_en) if language == "en" else (card.maker_zh, card.name_zh)
        source = f"`{card.source_kind}`: [{card.source}]({card.source_url})"
        rows.append(f"| `{card.code}` | {maker} | {name} | {card.fp16_dense_tflops} | {source} |")
    return rows


def units(language: Language) -> list[str]:
    """The rows of the units below them."""
    return [f"| `{unit.code}` | {unit.en if language == 'en' else unit.zh} | {unit.counts} |" for unit in UNITS]


def _plain(sentence: str) -> str:
    return _PLACEHOLDER.sub(r"`\1`", sentence)


def write_tables() -> None:
    """Put the present rows under the two headings of each file."""
    for name, language in PROBLEMS.items():
        rows = table(language)
        _write(name, {5: rows[: len(CATALOGUE)], 2: rows[len(CATALOGUE) :]})
    for name, language in ACCELERATORS.items():
        _write(name, {5: cards(language), 3: units(language)})


def _write(name: str, tables: Mapping[int, list[str]]) -> None:
    """Put rows under the headings of so many columns."""
    document = ROOT / "docs" / name
    for columns, rows in tables.items():
        written = "".join(f"{row}\n" for row in rows)
        heading = f"(?<=\n)({re.escape('|---' * columns)}\\|\n)(?:\\| `.*\n)*"
        document.write_text(re.sub(heading, lambda found: found[1] + written, text_of(document)), encoding="utf-8")  # noqa: B023


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_readme_is_read_in_one_go(name: str) -> None:
    assert len(text_of(ROOT / name).splitlines()) <= 150


@pytest.mark.parametrize("name", TRANSLATED)
def test_what_people_read_is_there_in_both_languages(name: str) -> None:
    assert (ROOT / f"{name}.md").exists()
    assert (ROOT / f"{name}.zh-CN.md").exists()


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_every_link_leads_somewhere(document: Path) -> None:
    missing = [target for target in _LINK.findall(text_of(document)) if not (document.parent / target).exists()]
    assert not missing


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_every_file_and_test_that_is_named_exists(document: Path) -> None:
    for path, test in _PATH.findall(text_of(document)):
        found = list(ROOT.glob(path))
        assert found, f"{path} does not exist"
        if test:
            assert re.search(rf"^ *(?:async )?def {test}\(", text_of(found[0]), re.MULTILINE), f"{path} has no {test}"


@cache
def served_routes() -> list[re.Pattern[str]]:
    return [re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))) for path in openapi_document()["paths"]]


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_every_route_that_is_named_is_served(document: Path) -> None:
    served = served_routes()
    for code in code_in(document):
        for route in _ROUTE.findall(code):
            asked = route.rstrip("./")
            assert any(path.fullmatch(asked) for path in served), f"{asked} is not served"


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_every_command_that_is_named_can_be_given(document: Path) -> None:
    known = set(get_group(command_line).commands)
    for code in code_in(document):
        asked = set(_COMMAND.findall(code))
        assert asked <= known, f"there is no voucher {asked - known}"


@pytest.mark.parametrize(("name", "language"), PROBLEMS.items())
def test_the_tables_of_problems_are_the_catalogue(name: str, language: Language) -> None:
    written = [line for line in text_of(ROOT / "docs" / name).splitlines() if line.startswith("| `")]
    assert written == table(language)


@pytest.mark.parametrize(("name", "language"), ACCELERATORS.items())
def test_the_tables_of_cards_and_units_are_the_data(name: str, language: Language) -> None:
    document = text_of(ROOT / "docs" / name)
    written = [line for line in document.splitlines() if line.startswith("| `")]
    assert written == [*cards(language), *units(language)]
    assert published_table().version_on.isoformat() in document


def test_the_example_of_a_leaf_is_byte_for_byte_what_it_says() -> None:
    document = text_of(ROOT / "docs/architecture.md")
    (leaf,) = re.findall(r"^(\{\"alg\".*\})$", document, re.MULTILINE)
    (size,) = re.findall(r"A redemption of .*, ([0-9,]+) bytes:", document)
    (digest,) = re.findall(r"Its SHA-256 is `([0-9a-f]{64})`", document)
    assert canonical(json.loads(leaf)) == leaf.encode()
    assert (f"{len(leaf.encode()):,}", sha256_hex(leaf.encode())) == (size, digest)


if __name__ == "__main__":
    write_tables()
