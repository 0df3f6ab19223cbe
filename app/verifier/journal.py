"""The plain-text journal of a pack (Beancount's syntax), written again from the leaves to be compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import lru_cache

from app.verifier.leaves import Leaf

ROOTS: Mapping[str, str] = {
    "appropriation": "Equity",
    "authorised": "Equity",
    "recovery_claimed": "Equity",
    "disbursed": "Expenses",
    "lapsed": "Expenses",
}
"""What is none of these are assets: money that is still there, at one stage or another."""


@lru_cache(maxsize=4096)
def account_name(pool_id: str, account: str) -> str:
    """`Assets:R330100:P01K9…:Available`: region, pool, stage."""
    stage = "".join(word.capitalize() for word in account.split("_"))
    return f"{ROOTS.get(account, 'Assets')}:R{pool_id[4:10]}:P{pool_id[11:].upper()}:{stage}"


@lru_cache(maxsize=1024)
def _day(hour: str) -> str:
    """The day in Shanghai (UTC+8) of an instant given by its UTC hour."""
    return (datetime.fromisoformat(f"{hour}:00:00+00:00") + timedelta(hours=8)).date().isoformat()


@lru_cache(maxsize=4096)
def _sides(pool_id: str, source: str, destination: str) -> tuple[str, str]:
    """What stands before the amount on the two lines of a posting."""
    return f"  {account_name(pool_id, source)}  -", f"  {account_name(pool_id, destination)}  "


def transaction(leaf: Leaf, index: int) -> str:
    """One entry as a transaction that balances. Raises ValueError where its instant is none."""
    at, voucher = leaf.at, leaf.voucher
    text = (
        f'{_day(at[:13])} * "{leaf.kind}" "{leaf.subject}"\n  entry: "{leaf.id}"\n  leaf: {index}\n  at: "{at}"\n'
        if voucher is None
        else f'{_day(at[:13])} * "{leaf.kind}" "{leaf.subject}"\n  entry: "{leaf.id}"\n  leaf: {index}\n'
        f'  at: "{at}"\n  voucher: "{voucher}"\n'
    )
    for posting in leaf.postings:
        fen, payee = posting.fen, posting.payee
        out, into = _sides(posting.pool, posting.source, posting.destination)
        yuan = f"{fen // 100}.{fen % 100:02d} CNY\n"
        text += f"{out}{yuan}{into}{yuan}" if payee is None else f'{out}{yuan}{into}{yuan}    payee: "{payee}"\n'
    return text + "\n"


def journal_head(region: str, accounts: Iterable[tuple[str, str]], parts: Iterable[str]) -> str:
    """The journal's first file: every (pool, account) opened, the other files included."""
    opened = sorted(account_name(pool_id, account) for pool_id, account in accounts)
    return (
        f'option "title" "{region}"\noption "operating_currency" "CNY"\n\n'
        + "".join(f"2000-01-01 open {name} CNY\n" for name in opened)
        + "\n"
        + "".join(f'include "journal/{part}"\n' for part in parts)
    )
