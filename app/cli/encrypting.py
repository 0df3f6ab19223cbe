"""Encrypted fields as the command line looks after them: at every start, and when their keys are exchanged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from app.cli.output import progress, say
from app.database import Database
from app.reach import EVERYWHERE
from app.services.encrypted_fields.keys import FOLDER, FieldKeys, names_in
from app.services.encrypted_fields.rotation import (
    CLEAR,
    encrypt_anew,
    missing_keys,
    standings,
)

MISSING = (
    "field keys are missing in that folder: put them back from the keys' backup; what was encrypted under them cannot"
    " be read without"
)


def encrypt_what_is_clear(owner_url: str, state: Path) -> None:
    """Encrypt what lies in clear since before a migration, and tell of values whose keys are not there.

    The service runs without them: what is written goes under another key, what was written before is not read.
    """
    with owner(owner_url) as database:
        found = database.transact(standings)
        missing = missing_keys(found, names_in(state / FOLDER))
        if missing:
            say(missing_in_chinese(missing, state), MISSING)
        clear = sum(one.values.get(CLEAR, 0) for one in found)
        if clear:
            say(
                f"{clear} 项个人及银行信息尚未加密，现用 {state / FOLDER} 中的密钥加密；请另行备份该目录。",
                "personal and bank data lie in clear and are encrypted now; back that folder up apart from the data",
            )
            bring_under_newest(database, FieldKeys.load_or_create(state / FOLDER), clear, only_clear=True)


def missing_in_chinese(missing: Sequence[str], state: Path) -> str:
    """Which keys have to be put back."""
    return f"{state / FOLDER} 中缺少字段密钥 {'、'.join(missing)}：请从密钥备份中恢复，否则以其加密的信息无法读取。"


def bring_under_newest(database: Database, keys: FieldKeys, values: int, *, only_clear: bool = False) -> None:
    """Encrypt anew with a bar; `values` is about how many."""
    with progress("加密字段", "encrypting fields", values) as advance:
        for rows in encrypt_anew(database, keys, only_clear=only_clear):
            for _ in range(rows):
                advance()


@contextmanager
def owner(url: str) -> Iterator[Database]:
    """The database as its owner, while inside."""
    database = Database(url, pool_size=2, reach=EVERYWHERE)
    try:
        yield database
    finally:
        database.dispose()
