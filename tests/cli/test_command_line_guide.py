"""The guide to the command line and the examples in the help: every command exists, every option too; Python runs."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from typer.main import get_command
from typer.testing import CliRunner

from app.cli.commands import app
from app.models import Client
from tests.world import World, counter

ROOT = Path(__file__).resolve().parents[2]
GUIDES = [ROOT / "docs" / "guides" / name for name in ("command-line.md", "command-line.zh-CN.md")]
OFFICE = ("programme", "budget", "issue", "voucher", "approvals", "application", "allocation", "notice")
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md"))]
COMMANDS: Any = get_command(app)
CHINESE = re.compile("[\u4e00-\u9fff]")
SENTENCE = re.compile("[A-Za-z]+ [a-z]+ [a-z]+")


def commands_in(text: str) -> Iterator[list[str]]:
    """The words of each command, its comment left out."""
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            typed = line.strip().removeprefix(".venv/bin/")
            if typed.startswith("voucher "):
                words = shlex.split(typed, comments=True)[1:]
                yield list(takewhile(lambda word: word not in {"|", ">", ">>", "&&"}, words))


def found(words: list[str]) -> tuple[Any, list[str], tuple[str, ...]]:
    """The command, the words after its name, and its name."""
    command, name = COMMANDS, []
    while words and words[0] in getattr(command, "commands", {}):
        command, words = command.commands[words[0]], words[1:]
        name.append(command.name)
    usual: str | None = getattr(command, "usual", None)
    if words and usual:
        command = command.commands[usual]
    return command, words, tuple(name)


def check(words: list[str]) -> None:
    command, rest, name = found(words)
    assert not getattr(command, "hidden", False), f"{words} is a former name"
    options = {
        option: parameter for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
    }
    options |= {option: None for option in ("--install-completion",) if not name}
    if "--help" in rest:
        return
    given = [word for word in rest if word.startswith("--")]
    assert set(given) <= set(options), f"{words} has unknown options"
    assert name or given, f"{words} is no command"
    values = [
        place + 1 for place, word in enumerate(rest) if word in options and not getattr(options[word], "is_flag", True)
    ]
    arguments = [word for place, word in enumerate(rest) if not word.startswith("--") and place not in values]
    wanted = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
    lacking = [parameter for parameter in wanted if parameter.required][len(arguments) :]
    assert not lacking, f"{words} lacks {lacking}"
    takes_many = any(parameter.nargs == -1 for parameter in wanted)
    assert takes_many or len(arguments) <= len(wanted), f"{words} has too many words"
    missing = [
        one.name for one in command.params if one.required and one not in wanted and not set(one.opts) & set(given)
    ]
    assert not missing, f"{words} lacks {missing}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_of_every_document_exists_with_its_options(document: Path) -> None:
    for words in commands_in(document.read_text(encoding="utf-8")):
        check(words)


def every(group: Any, *name: str) -> Iterator[tuple[str, Any]]:
    yield " ".join(name), group
    for part, command in getattr(group, "commands", {}).items():
        yield from every(command, *name, part)


def test_every_help_is_in_both_languages_paragraph_by_paragraph() -> None:
    for name, command in every(COMMANDS, "voucher"):
        summary, *rest = (command.help or "").split("\n\n")
        chinese, _, english = summary.partition(" / ")
        assert CHINESE.search(chinese) and english, f"{name}: {summary}"
        told = " ".join(one for one in rest if not one.startswith(("\b", "voucher ")))
        assert bool(CHINESE.search(told)) == bool(SENTENCE.search(told)), f"{name} tells more in one language: {told}"


def test_the_list_of_commands_cuts_no_sentence_short() -> None:
    for name, command in every(COMMANDS, "voucher"):
        if hasattr(command, "commands"):
            told = CliRunner().invoke(app, [*name.split()[1:], "--help"]).output
            assert "..." not in told.split("Commands:")[1], name


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.name)
def test_every_command_of_the_guide_exists_with_its_options(guide: Path) -> None:
    commands = list(commands_in(guide.read_text(encoding="utf-8")))
    assert len(commands) > 40
    for words in commands:
        check(words)


def test_the_guide_has_every_command_for_officials() -> None:
    told = {found(words)[2] for words in commands_in(GUIDES[0].read_text(encoding="utf-8"))}
    known = {(group, *name) for group in OFFICE for name in leaves(COMMANDS.commands[group])}
    assert known <= told | {("approvals", "list")}


def leaves(group: Any) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        if command.hidden:
            continue
        if hasattr(command, "commands"):
            yield from ((name, *rest) for rest in leaves(command))
        else:
            yield (name,)


def test_both_guides_tell_of_the_same_commands() -> None:
    english, chinese = (
        [found(words)[2] for words in commands_in(guide.read_text(encoding="utf-8"))] for guide in GUIDES
    )
    assert english == chinese


@pytest.mark.parametrize("group", OFFICE)
def test_the_examples_in_the_help_are_commands(group: str) -> None:
    helps = [COMMANDS.commands[group], *COMMANDS.commands[group].commands.values()]
    examples = [text for one in helps for text in (one.help or "").split("\b\n")[1:]]
    assert examples
    for text in examples:
        for words in commands_in(f"```sh\n{text}\n```"):
            check(words)


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.name)
def test_the_python_of_the_guide_runs(
    guide: Path, world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    desk = counter(world.city(), face_value_fen=1_000_000, rate="0.30")
    machine, digest = desk.machine.id, hashlib.sha256(b"a secret").digest()
    world.database.transact(
        lambda tx: tx.execute(update(Client).where(Client.id == machine).values(secret_sha256=digest))
    )
    monkeypatch.setenv("VOUCHER_TOKEN", desk.city.maker.http.headers["Authorization"].removeprefix("Bearer "))
    for name, value in (
        ("VOUCHER_URL", world.base_url),
        ("CLIENT_ID", machine),
        ("CLIENT_SECRET", "a secret"),
        ("CODE", desk.voucher["code"]),
    ):
        monkeypatch.setenv(name, value)
    official, centre = re.findall(r"```python\n(.*?)```", guide.read_text(encoding="utf-8"), re.DOTALL)
    exec(official, {})  # noqa: S102 - the guide's own
    exec(centre.replace("training_inference", "training"), {})  # noqa: S102 - the guide's own
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[0] == desk.voucher["code"] and "1000000" in lines[0]
    assert lines[1] == "30000 70000"
