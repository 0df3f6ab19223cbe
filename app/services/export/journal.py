"""Entries as transactions of a plain-text journal, in the syntax of Beancount; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from app.kernel.clock import civil_date
from app.kernel.vocabulary import Account

_ROOTS: Mapping[str, str] = {
    Account.APPROPRIATION: "Equity",
    Account.AUTHORISED: "Equity",
    Account.RECOVERY_CLAIMED: "Equity",
    Account.DISBURSED: "Expenses",
    Account.LAPSED: "Expenses",
}
"""Sources are equity, what has left for good is an expense, everything between is an asset."""

Side = tuple[str, str]
"""A pool and one of its accounts."""


def account_name(side: Side) -> str:
    """`Assets:R330100:P01K9…:Available`: Beancount takes no underscores, and capitals first."""
    pool_id, account = side
    _, region, unique = pool_id.split("_")
    return f"{_ROOTS.get(account, 'Assets')}:R{region}:P{unique.upper()}:{account.title().replace('_', '')}"


def sides(leaf: Mapping[str, Any]) -> set[Side]:
    """The accounts that an entry touches."""
    return {(posting["pool"], posting[side]) for posting in leaf["postings"] for side in ("from", "to")}


def transaction(leaf: Mapping[str, Any], index: int) -> str:
    """An entry, by its leaf and the leaf's place in the log. Its day is Shanghai's."""
    day = civil_date(datetime.fromisoformat(leaf["at"])).isoformat()
    voucher = f'  voucher: "{leaf["voucher"]}"\n' if leaf["voucher"] is not None else ""
    return (
        f'{day} * "{leaf["kind"]}" "{leaf["subject"]}"\n  entry: "{leaf["id"]}"\n  leaf: {index}\n'
        f'  at: "{leaf["at"]}"\n{voucher}{"".join(map(_posting, leaf["postings"]))}\n'
    )


def _posting(posting: Mapping[str, Any]) -> str:
    yuan, fen = divmod(posting["fen"], 100)
    source, destination = ((posting["pool"], posting[side]) for side in ("from", "to"))
    payee = f'    payee: "{posting["payee"]}"\n' if posting["payee"] is not None else ""
    return (
        f"  {account_name(source)}  -{yuan}.{fen:02d} CNY\n  {account_name(destination)}  {yuan}.{fen:02d} CNY\n{payee}"
    )


def head(region_code: str, touched: Iterable[Side], parts: Iterable[str]) -> str:
    """The first file: accounts are opened on a day before all entries, for the log's order is not quite the days'."""
    opened = "".join(f"2000-01-01 open {name} CNY\n" for name in sorted(map(account_name, touched)))
    included = "".join(f'include "journal/{part}"\n' for part in parts)
    return f'option "title" "{region_code}"\noption "operating_currency" "CNY"\n\n{opened}\n{included}'
