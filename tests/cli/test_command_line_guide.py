"""The guide to the command line and the examples in the help: every command exists, every option too; Python runs."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from typer.main import get_command

from app.cli.commands import app
from app.models import Client
from tests.world import World, counter

ROOT = Path(__file__).resolve().parents[2]
GUIDES = [ROOT / "docs" / "guides" / name for name in ("command-line.md", "command-line.zh-CN.md")]
OFFICE = ("programme", "budget", "issue", "voucher", "approvals", "application", "allocation", "notice")
COMMANDS: Any = get_command(app)


def commands_in(text: str) -> Iterator[list[str]]:
    """The words of each command, its comment left out."""
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith("voucher "):
                yield shlex.split(line, comments=True)[1:]


def found(words: list[str]) -> tuple[Any, list[str], tuple[str, ...]]:
    """The command, the words after its name, and its name."""
    command, name = COMMANDS, []
    while words and words[0] in getattr(command, "commands", {}):
        command, words = command.commands[words[0]], words[1:]
        name.append(command.name)
    return command, words, tuple(name)


def check(words: list[str]) -> None:
    command, rest, name = found(words)
    options = {
        option: parameter for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
    }
    options |= {option: None for option in ("--install-completion",) if not name}
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
    assert len(arguments) <= len(wanted), f"{words} has too many words"
    missing = [
        one.name for one in command.params if one.required and one not in wanted and not set(one.opts) & set(given)
    ]
    assert not missing, f"{words} lacks {missing}"


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
