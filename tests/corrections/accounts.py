"""T-accounts: what lies on the accounts of a programme's pool, in yuan, as a textbook shows it."""

from __future__ import annotations

from tests.payments.paying import Paying

ACCOUNTS = {
    "预算指标": "appropriation",
    "可用额度": "available",
    "已发放占用": "committed",
    "应付": "obligated",
    "支付中": "in_payment",
    "已拨付": "disbursed",
    "追回挂账": "recovery_claimed",
    "待追回": "recovery_due",
    "缴回国库": "treasury",
}


def balances(table: str) -> dict[str, int]:
    """A table of accounts in yuan, as fen: `可用额度  995,000.00`, one account a line; what is not named is empty."""
    rows = (line.split() for line in table.splitlines() if line.strip())
    return {ACCOUNTS[name]: fen_of(amount) for name, amount in rows}


def fen_of(yuan: str) -> int:
    """`-1,234.50` yuan in fen."""
    whole, _, cents = yuan.replace(",", "").partition(".")
    assert len(cents) == 2, f"{yuan} needs two decimals"
    return int(whole + cents)


def stands(paying: Paying, table: str) -> None:
    """The books stand as the table says, account by account."""
    assert paying.pool() == dict(sorted(balances(table).items()))


def posted(paying: Paying, entry_id: str) -> list[tuple[str, str, int]]:
    """What an entry moved: (from, to, yuan)."""
    names = {account: name for name, account in ACCOUNTS.items()}
    entry = paying.desk.city.finance.get(f"/v1/ledger/entries/{entry_id}").json()
    return [(names[one["source"]], names[one["destination"]], one["amount_fen"] // 100) for one in entry["postings"]]
