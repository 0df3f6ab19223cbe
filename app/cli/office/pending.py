"""The keys of what was sent and not answered yet, so that the same command, run again, goes on and does nothing twice.

One small private file for each in `pending/` beside the sign-in. It is written before anything is sent and goes once an
answer has come, whatever it says; after Ctrl-C, a lost connection or a crash it stays.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from app.client import Problem
from app.client.signing_in import home
from app.client.wire import new_key
from app.embedded.private import write_private
from app.kernel.clock import utc_now


@contextmanager
def key_for(command: Mapping[str, Any], given: str | None) -> Iterator[tuple[str, str | None]]:
    """The key under which to send this command, and since when it waits where it was begun before.

    `command` is all that it says, with the file by its hash. A key that is `given` is used and not kept.
    """
    if given is not None:
        yield given, None
        return
    text = json.dumps(command, ensure_ascii=False, sort_keys=True)
    path = home() / "pending" / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.json"
    key, since = _kept(path)
    if since is None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(path, json.dumps({"key": key, "since": utc_now().isoformat(), "command": command}))
    try:
        yield key, since
    except Problem as problem:
        if _is_final(problem, begun_before=since is not None):
            _forget(path)
        raise
    _forget(path)


def _is_final(problem: Problem, *, begun_before: bool) -> bool:
    """Whether nothing can have been done under this key, nor will be.

    What was begun before may have been done before, whatever stands at the door today (a token that ran out, a role
    that was taken away): then only an answer to the command itself counts, which the service would give again.
    """
    if problem.is_transient or problem.status == 401 or problem.status >= 500:
        return False
    return problem.status in {409, 422} if begun_before else True


def _kept(path: Path) -> tuple[str, str | None]:
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return str(kept["key"]), str(kept["since"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return new_key(), None


def _forget(path: Path) -> None:
    with suppress(FileNotFoundError):
        path.unlink()
