"""The counter behind which the commands for officials stand: options they share, a client, ways to say things.

`@command(app, "name", …)` makes a command of a function whose first parameter is an `Office`; the options that all have
are added here, so that they mean the same everywhere.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
import os
import sys
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from typing import Annotated, Any, Generic, NamedTuple, TypeVar

import msgspec
import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from app.cli.client import PATIENCE, language
from app.cli.endings import SIGN_IN, Interrupted, NobodySignedIn
from app.cli.following import progress_of_job
from app.cli.groups import Group
from app.cli.login import DEFAULT_URL
from app.cli.office.pending import key_for
from app.cli.office.words import Words, yuan
from app.cli.output import Failure
from app.cli.proving import prove_kept, prove_once
from app.client import Problem, VoucherClient, models
from app.client.jobs import Progress
from app.client.signing_in import current_session

T = TypeVar("T")
Shown_contra = TypeVar("Shown_contra", contravariant=True)

WIDE = 100_000
"""Where no terminal sets the width a row stays a line."""
SHOWN = 50
"""Items of a list where neither --limit nor --all says otherwise."""


class Language(StrEnum):
    """Of what is said, and of the service's sentences."""

    ZH = "zh"
    EN = "en"


class Column(NamedTuple, Generic[Shown_contra]):
    """A column of a table, or a field of one thing: its names, and how to word it of an item."""

    zh: str
    en: str
    word: Callable[[Shown_contra], str]
    is_number: bool = False


AsJson = Annotated[
    bool | None, typer.Option("--json/--table", help="默认：终端为表格，否则 JSON / Default: a table on a terminal")
]
Url = Annotated[str | None, typer.Option("--url", help="服务地址 / Address of the service", envvar="VOUCHER_URL")]
Lang = Annotated[
    Language | None,
    typer.Option(
        "--language", help="只用中文或英文（默认两者并列） / One language; both by default", case_sensitive=False
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="不显示进度与说明 / Say nothing but the answer")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="只显示将要提交的内容，不提交 / Show what would be sent, send nothing")
]
Key = Annotated[
    str | None,
    typer.Option(
        "--idempotency-key",
        help="Idempotency-Key；默认自动生成，中断后重新运行同一命令即接续 / Made by itself; run again, it goes on",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="不再询问（脚本用） / Do not ask, for scripts")]
Limit = Annotated[int, typer.Option("--limit", help="至多条数 / At most so many", min=1)]
All = Annotated[bool, typer.Option("--all", help="全部 / All of them")]


@dataclass
class Office:
    """What a command has. `quiet` leaves out all but the answer; `language` is one, or None for both."""

    as_json: bool
    quiet: bool
    words: Words
    client: VoucherClient
    principal: str
    """Who is signed in, as part of what makes one command the same as another."""
    dry_run: bool = False
    key: str | None = None
    yes: bool = False
    aside: Console = field(default_factory=lambda: _console(stderr=True))
    _out: Console = field(default_factory=lambda: _console(stderr=False))

    # -- answers -------------------------------------------------------------------------------------------------------

    def answer(self, thing: T, fields: Sequence[Column[T]]) -> None:
        """One thing: its fields under each other, or the whole of it as JSON."""
        if self.as_json:
            return self._json(thing)
        return self._out.print(self._grid(thing, fields))

    def answer_table(self, thing: Any, title: str, columns: Sequence[Column[T]], rows: Sequence[T]) -> None:
        """One thing of which a table of rows is shown; as JSON the whole of it."""
        if self.as_json:
            return self._json(thing)
        return self._table(title, columns, rows)

    def answer_list(
        self, items: Iterator[T], columns: Sequence[Column[T]], *, limit: int | None, title: tuple[str, str]
    ) -> None:
        """The first items of a list as a table, or as `{"data": […], "complete": …}`."""
        found = list(items) if limit is None else list(islice(items, limit + 1))
        shown = found if limit is None else found[:limit]
        complete = len(shown) == len(found)
        if self.as_json:
            self._json({"data": shown, "complete": complete})
        else:
            self._table(self.words.sentence(*title), columns, shown)
            if not shown:
                self.say("没有符合条件的记录。", "there is none")
        if not complete:
            self.say(f"只列出前 {limit} 条，全部请加 --all。", f"the first {limit}; --all for all of them")

    def also(self, title: tuple[str, str], columns: Sequence[Column[T]], rows: Sequence[T]) -> None:
        """A further table for people, of what the JSON has already."""
        if not self.as_json and rows:
            self._table(self.words.sentence(*title), columns, rows)

    def say(self, zh: str, en: str) -> None:
        """A sentence beside the answer."""
        if not self.quiet:
            self.aside.print(escape(self.words.sentence(zh, en)))

    def present(self, thing: T, fields: Sequence[Column[T]]) -> None:
        """One thing, for the eyes of whoever is to decide: beside the answer, also where that is JSON."""
        self.aside.print(self._grid(thing, fields))

    def present_table(self, title: tuple[str, str], columns: Sequence[Column[T]], rows: Sequence[T]) -> None:
        """The same with a table."""
        if rows:
            self.aside.print(self._rows(self.words.sentence(*title), columns, rows))

    # -- acts ----------------------------------------------------------------------------------------------------------

    def asked(self, approval: models.ApprovalRead) -> None:
        """What now waits for a second person."""
        fields: list[Column[models.ApprovalRead]] = [
            Column("审核编号", "approval", lambda one: one.id),
            Column("对象", "subject", lambda one: one.subject_id),
            Column("金额（元）", "amount", lambda one: yuan(one.amount_fen)),
        ]
        self.answer(approval, fields)
        self.say("等待另一人审核：voucher approvals approve", "waits for another person")

    def rehearsed(self, zh: str, en: str, **sent: Any) -> bool:
        """With --dry-run: show what would be sent, and True."""
        if not self.dry_run:
            return False
        self.say(f"未提交：{zh}", f"not sent: {en}")
        given = {name: value for name, value in sent.items() if value is not None}
        if self.as_json:
            self._json({"dry_run": True, **given})
        else:
            for name, value in given.items():
                self._out.print(escape(f"{name}  {value}"))
        return True

    def confirm(self, zh: str, en: str) -> None:
        """Ask whether to go on. Ends the command with 1 where the answer is no, with 2 where nobody can be asked."""
        if self.yes:
            return
        if not sys.stdin.isatty():
            raise typer.BadParameter(
                self.words.sentence("此操作需要确认，脚本中请加 --yes。", "this asks first: give --yes in a script")
            )
        if not typer.confirm(self.words.sentence(zh, en), default=False, err=True):
            self.say("未执行任何操作。", "nothing was done")
            raise typer.Exit(1)

    @contextmanager
    def once(self, act: str, **command: Any) -> Iterator[str]:
        """The key for an act: as given, that of the same command where it was interrupted, or a new one."""
        with key_for({"act": act, "by": self.principal, "url": self.client.wire.url, **command}, self.key) as (
            key,
            since,
        ):
            if since is not None:
                self.say(
                    f"接续 {since[:19]} 中断的同一操作，不会重复执行。", "going on with the same act, begun before"
                )
            yield key

    @contextmanager
    def progress(self) -> Iterator[Progress | None]:
        """Where how far a job has come is shown."""
        with nullcontext() if self.quiet else progress_of_job(self.aside) as shown:
            yield shown

    # -- how -----------------------------------------------------------------------------------------------------------

    def _json(self, thing: Any) -> None:
        print(json.dumps(msgspec.to_builtins(thing), ensure_ascii=False, indent=2))

    def _table(self, title: str, columns: Sequence[Column[T]], rows: Sequence[T]) -> None:
        self._out.print(self._rows(title, columns, rows))

    def _grid(self, thing: T, fields: Sequence[Column[T]]) -> Table:
        grid = Table.grid(padding=(0, 2))
        for column in fields:
            grid.add_row(escape(self.words.label(column.zh, column.en)), escape(column.word(thing)))
        return grid

    def _rows(self, title: str, columns: Sequence[Column[T]], rows: Sequence[T]) -> Table:
        table = Table(title=escape(title), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
        for column in columns:
            heading = escape(self.words.heading(column.zh, column.en))
            table.add_column(heading, justify="right" if column.is_number else "left", overflow="fold")
        for row in rows:
            table.add_row(*(escape(column.word(row)) for column in columns))
        return table


class ByDefault(Group):
    """A group whose first word may be left out: then it is `usual`."""

    usual = ""

    @classmethod
    def of(cls, usual: str) -> type[ByDefault]:
        """The group with this command where none is named."""
        return type("ByDefault", (cls,), {"usual": usual})

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As typed, with the usual command in front where the first word is none of the group's."""
        if not args and self.no_args_is_help:
            return super().parse_args(ctx, args)
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = [self.usual, *args]
        return super().parse_args(ctx, args)


def command(
    group: typer.Typer,
    name: str,
    *,
    act: bool = False,
    change: bool = False,
    asks: bool = False,
    hidden: bool = False,
    examples: Sequence[str] = (),
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a command of a function of an `Office`.

    An `act` is done once for each key, a `change` is sent once; both can be rehearsed. One that `asks` takes --yes.
    """
    options = [_option("as_json", AsJson, None), _option("url", Url, None), _option("chosen", Lang, None)]
    options.append(_option("quiet", Quiet, default=False))
    if act or change:
        options.append(_option("dry_run", DryRun, default=False))
    if act:
        options.append(_option("key", Key, None))
    if asks:
        options.append(_option("yes", Yes, default=False))

    def register(function: Callable[..., None]) -> Callable[..., None]:
        own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]

        @functools.wraps(function)
        def run(**given: Any) -> None:
            shared = {option.name: given.pop(option.name) for option in options}
            with _open(**shared) as office:
                function(office, **given)

        run.__signature__ = inspect.Signature(own + options)  # type: ignore[attr-defined]  # what typer reads
        group.command(name, help=with_examples(inspect.getdoc(function) or "", *examples), hidden=hidden)(run)
        return function

    return register


def _option(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


@contextmanager
def _open(
    as_json: bool | None,  # noqa: FBT001 - three answers: yes, no, as the terminal says
    url: str | None,
    chosen: Language | None,
    **how: Any,
) -> Iterator[Office]:
    is_json = not sys.stdout.isatty() if as_json is None else as_json
    tag = {None: language(), Language.ZH: "zh-CN", Language.EN: "en"}[chosen]
    client, principal = _client(url, tag)
    office = Office(is_json, client=client, words=Words(chosen), principal=principal, **how)
    with client:
        try:
            yield office
        except Problem as problem:
            if is_json:
                print(json.dumps(problem.problem, ensure_ascii=False, indent=2))
            raise
        except KeyboardInterrupt:
            raise Interrupted(
                "已中断；重新运行同一命令即可接续，不会重复执行。",
                "interrupted: run the same command again, it goes on and does nothing twice",
            ) from None


def _client(url: str | None, tag: str) -> tuple[VoucherClient, str]:
    """As the person of VOUCHER_TOKEN, else of `voucher login`. Raises Failure."""
    if token := os.environ.get("VOUCHER_TOKEN"):
        known = VoucherClient(url or DEFAULT_URL, token=token, prove=prove_once(), language=tag, patience=PATIENCE)
        return known, _subject(token)
    session = current_session()
    if session is None:
        raise NobodySignedIn
    if url is not None and url.rstrip("/") != session.url:
        raise Failure(
            f"当前登录的是 {session.url}，令牌不会发往 {url}：请先 voucher login --url {url}。",
            "a token goes to the service that gave it alone: sign in there first",
            status=SIGN_IN,
        )
    prove = prove_kept(session)
    client = VoucherClient(session.url, token=session.token, prove=prove, language=tag, patience=PATIENCE)
    return client, session.user_id


def _subject(token: str) -> str:
    """Whose token it is: enough to tell one person's commands from another's on this machine. Nothing is verified."""
    try:
        part = token.split(".")[1]
        return str(json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))["sub"])
    except (IndexError, KeyError, TypeError, ValueError):
        return hashlib.sha256(token.encode()).hexdigest()


def _console(*, stderr: bool) -> Console:
    is_terminal = (sys.stderr if stderr else sys.stdout).isatty()
    return Console(stderr=stderr, highlight=False, soft_wrap=not is_terminal, width=None if is_terminal else WIDE)


def with_examples(text: str, *examples: str) -> str:
    """A help text, and commands that stay lines."""
    lines = "\n".join(examples)
    return f"{text}\n\n\b\n{lines}" if examples else text


def most(limit: int, everything: bool) -> int | None:  # noqa: FBT001 - the two options as they come
    """How many items of a list were asked for; None for all."""
    return None if everything else limit
