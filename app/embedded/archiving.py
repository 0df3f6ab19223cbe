"""How PostgreSQL hands its write-ahead log to an archive, and fetches it from there: two commands of a few shell words.

A segment that has been archived is whole, on the disk, and never replaced: it is written under another name, synced,
and linked to its own, which fails where that exists. The same segment again (after a crash just here) is a success,
another one under its name never is. A folder on a file system without hard links cannot be an archive.

PostgreSQL takes an exit status above 125 for a broken command: its archiver would restart unreported, so failures end
with 1; a recovery would stop, which is what a damaged segment deserves. It must not pass for the end of the archive.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

EVERY_S = 60
"""At the latest after this long a segment in which something was written is closed and archived, full or not."""


def archive_settings(wal: Path) -> Mapping[str, str]:
    """PostgreSQL's settings with which a server archives into the folder."""
    return {"archive_mode": "on", "archive_timeout": f"{EVERY_S}s", "archive_command": archive_command(wal)}


def archive_command(wal: Path) -> str:
    """The command that archives a segment: `%p` is its path, `%f` its name."""
    folder = _quoted(wal)
    return (
        f"d={folder}; o=$d/%f.gz; n=$d/.%f.$$; "
        'if test -e "$o"; then gzip -dc "$o" | cmp -s - %p || exit 1; '
        'else gzip -1 <%p >"$n" && sync "$n" && ln "$n" "$o" && rm "$n" || { rm -f "$n"; exit 1; }; fi; '
        'sync "$o" "$d" || exit 1'
    )


def restore_command(wal: Path) -> str:
    """The command that fetches a segment to `%p`: 1 where there is none of this name, 255 for a damaged one."""
    return f'o={_quoted(wal)}/%f.gz; test -e "$o" || exit 1; gzip -dc "$o" >%p || exit 255'


def _quoted(path: Path) -> str:
    return shlex.quote(str(path)).replace("%", "%%")
