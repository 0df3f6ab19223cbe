"""Movements on an account with its running balance: of a voucher, a firm, a provider or a pool, newest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, select

from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import Account, Role
from app.models import Voucher
from app.services.identity.principals import Caller
from app.services.sealing.reading import reads_all
from app.sql import Statement


class Whose(StrEnum):
    """Of whom the movements are told."""

    VOUCHER = "voucher"
    FIRM = "firm"
    PROVIDER = "provider"
    POOL = "pool"


USUAL = {
    Whose.VOUCHER: Account.COMMITTED,
    Whose.FIRM: Account.COMMITTED,
    Whose.PROVIDER: Account.OBLIGATED,
    Whose.POOL: Account.AVAILABLE,
}
"""The account that is meant where none is named: what is free to draw, what is owed, what is free to promise."""

_CONDITIONS = {
    Whose.VOUCHER: "p.voucher_id = :id",
    Whose.FIRM: "p.voucher_id IN (SELECT id FROM vouchers WHERE region_code = :region AND firm_id = :id)",
    Whose.PROVIDER: "p.payee_id = :id",
    Whose.POOL: "p.pool_id = :id",
}
_CHANGED = """
    SELECT p.entry_id, p.voucher_seq, CASE p.destination WHEN :account THEN p.amount_fen ELSE -p.amount_fen END AS fen
    FROM postings p
    WHERE p.region_code = :region AND {} AND (p.source = :account OR p.destination = :account)
"""
_BY_ID = ("entry_id", "entry_id", 'CAST(:before AS text) COLLATE "C"')
_BY_SEQ = (
    "max(voucher_seq)",
    "voucher_seq",
    "(SELECT min(voucher_seq) FROM postings WHERE region_code = :region AND voucher_id = :id AND entry_id = :before)",
)
_ORDERS = {whose: _BY_SEQ if whose is Whose.VOUCHER else _BY_ID for whose in Whose}
"""The place of an entry and of a posting, and where the page before ended.

A voucher's postings are numbered under its lock; ids follow the clocks of the machines that made them.
"""
_BEFORE = "(CAST(:before AS text) IS NULL OR {} < {})"
_PAGES = {
    whose: Statement(
        f"""
        WITH page AS (
            SELECT entry_id, {place} AS place, CAST(sum(fen) AS bigint) AS change_fen
            FROM ({_CHANGED.format(_CONDITIONS[whose])}) AS changed
            WHERE {_BEFORE.format(one, before)} GROUP BY entry_id ORDER BY place DESC LIMIT :most
        )
        SELECT e.id, e.at, e.kind, e.subject_id, e.voucher_id, page.change_fen
        FROM page JOIN entries e ON e.region_code = :region AND e.id = page.entry_id ORDER BY page.place DESC
        """
    )
    for whose, (place, one, before) in _ORDERS.items()
}
_BALANCES = {
    whose: Statement(
        f"""
        SELECT CAST(coalesce(sum(fen), 0) AS bigint) AS fen FROM ({_CHANGED.format(_CONDITIONS[whose])}) AS changed
        WHERE {_BEFORE.format(one, before)}
        """
    )
    for whose, (_, one, before) in _ORDERS.items()
}


@dataclass(frozen=True, slots=True)
class Movement:
    """What an entry changed on the account, and what lay there after it. Fen.

    In the order of a voucher's own numbers; of others, in that of the entries' ids.
    """

    id: str
    at: datetime
    kind: str
    subject_id: str
    voucher_id: str | None
    change_fen: int
    balance_fen: int


def list_movements(
    tx: Connection,
    *,
    caller: Caller,
    region_code: str,
    whose: Whose,
    holder_id: str,
    account: Account | None,
    limit: int,
    before_id: str | None = None,
) -> list[Movement]:
    """A page of movements, newest first. The caller reads over one snapshot (`Database.snapshot`).

    Finance and auditors of the region see all; a provider what it is paid, a firm what its vouchers did. Raises
    `forbidden`; `not_found` for what is another's.
    """
    caller.require(Role.FINANCE, Role.AUDITOR, Role.PROVIDER, Role.FIRM)
    if not reads_all(caller, region_code) and not _is_own(tx, caller, region_code, whose, holder_id):
        raise AppError(Code.NOT_FOUND, what=whose)
    bound = {
        "region": region_code,
        "id": holder_id,
        "account": account or USUAL[whose],
        "before": before_id,
    }
    rows = _PAGES[whose](tx, bound | {"most": limit})
    ((balance_fen,),) = _BALANCES[whose](tx, bound)
    movements = []
    for row in rows:
        movements.append(
            Movement(row.id, row.at, row.kind, row.subject_id, row.voucher_id, row.change_fen, balance_fen)
        )
        balance_fen -= row.change_fen
    return movements


def _is_own(tx: Connection, caller: Caller, region_code: str, whose: Whose, holder_id: str) -> bool:
    match whose:
        case Whose.PROVIDER:
            return caller.holds(Role.PROVIDER) and holder_id == caller.organisation_id
        case Whose.FIRM:
            return caller.holds(Role.FIRM) and holder_id == caller.organisation_id
        case Whose.VOUCHER:
            of = select(Voucher.firm_id).where(Voucher.region_code == region_code, Voucher.id == holder_id)
            return caller.holds(Role.FIRM) and tx.execute(of).scalar_one_or_none() == caller.organisation_id
        case Whose.POOL:
            return False
