"""The stored counters of a pack against the books that were derived from the leaves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import itemgetter
from typing import Any

from app.verifier.books import HOLD_PARTS, NOBODYS, Books
from app.verifier.findings import Findings
from app.verifier.moves import PARTS
from app.verifier.payment_rows import PaymentRows
from app.verifier.vouchers import Voucher

Row = Mapping[str, Any]
TABLES = (
    *("pools", "vouchers", "allotments", "holds", "hold_shares", "refunds", "payment_items", "payment_orders"),
    *("recoveries", "redemptions", "mandates"),
)
"""The files under `stored/`, in the order in which they are read."""

_parts = itemgetter(*(f"{part}_fen" for part in PARTS))
_redemption = itemgetter("id", "mandate_id", "subsidy_fen", "refunded_fen")
_HOLD_NAMES = tuple(f"{part}_fen" for part in HOLD_PARTS)
_NO_PARTS, _NO_VOUCHER = [0] * len(PARTS), Voucher()


def compare(books: Books, rows: Callable[[str], Iterator[Row]], findings: Findings) -> dict[str, int]:
    """Compare every table; how many rows each had. `rows` gives those of a table, one at a time.

    What a row tells is taken from what the leaves come to, so one that is there twice is wrong the second time.
    The books are used up by it.

    A row that lacks a member that is needed is a finding of its own.
    """
    comparison = _Comparison(books, findings)
    counts = {}
    for table in TABLES:
        count = 0
        judge = getattr(comparison, table)
        for row in rows(table):
            count += 1
            try:
                judge(row)
            except (KeyError, TypeError, ValueError) as error:
                findings.add("row_malformed", books.region, f"{table} {row.get('id', count)}", actual=repr(error))
        counts[table] = count
    comparison.finish()
    return counts


class _Comparison:
    def __init__(self, books: Books, findings: Findings) -> None:
        self._books, self._findings = books, findings
        self._refunded: dict[str, int] = defaultdict(int)
        self._used: dict[str, int] = defaultdict(int)
        self._vouchers = set(books.vouchers.by_id)
        self._holds = _sums((hold, parts) for (hold, _), parts in books.holds.items())
        self._pools = set(books.pools)
        self._allotments = {(key, pool) for key, one in books.vouchers.by_id.items() for pool in one.parts}
        self._shares = set(books.holds)
        self._drawn, self._returned = books.drawn, books.returned
        paid = self._paid = PaymentRows(books.payments, self._same)
        self.payment_items, self.payment_orders, self.recoveries = paid.item, paid.order, paid.recovery

    def pools(self, row: Row) -> None:
        pool, closed_at = row["id"], row["closed_at"]
        available = self._books.pools[pool].get("available", 0) if pool in self._pools else 0
        self._pools.discard(pool)
        self._same("pools", pool, available, row["available_fen"])
        lapsed_at = self._books.lapsed_at.get(pool)
        if lapsed_at is not None:
            self._same("pools", f"{pool} closed_at", lapsed_at, closed_at)
        used_at = self._books.used_at.get(pool)
        if closed_at is not None and used_at is not None and used_at >= closed_at:
            self._findings.add("closed_year", self._books.region, pool, expected=f"< {closed_at}", actual=used_at)

    def vouchers(self, row: Row) -> None:
        voucher = row["id"]
        known = self._books.vouchers.by_id[voucher] if voucher in self._vouchers else _NO_VOUCHER
        self._vouchers.discard(voucher)
        parts = [sum(column) for column in zip(_NO_PARTS, *known.parts.values(), strict=True)]
        self._same("vouchers", voucher, parts, list(_parts(row)))
        self._same("posting_count", voucher, known.count, row["posting_count"])
        validity = self._books.validities.by_voucher.get(voucher)
        if validity is not None:
            stored = " ".join(str(row.get(name)) for name in ("valid_from", "valid_until", "redeemable_until"))
            if stored != validity:
                self._findings.add("validity_stored", self._books.region, voucher, expected=validity, actual=stored)
        if known.first and not row["valid_from"] <= known.first <= known.last < row["valid_until"]:
            valid, drawn = f"{row['valid_from']} … {row['valid_until']}", f"{known.first} … {known.last}"
            self._findings.add("validity", self._books.region, voucher, expected=valid, actual=drawn)

    def allotments(self, row: Row) -> None:
        voucher, pool = key = (row["voucher_id"], row["pool_id"])
        parts = self._books.vouchers.by_id[voucher].parts[pool] if key in self._allotments else _NO_PARTS
        self._allotments.discard(key)
        self._same("allotments", " ".join(key), parts, list(_parts(row)))

    def holds(self, row: Row) -> None:
        held = self._holds.pop(row["id"], [0] * 4)
        self._same("holds", row["id"], held, [row[name] for name in _HOLD_NAMES])
        if row["status"] != "open" and row["held_fen"] != 0:
            self._same("holds", f"{row['id']} {row['status']}", 0, row["held_fen"])
        if row["mandate_id"] is not None:
            self._used[row["mandate_id"]] += row["held_fen"]

    def hold_shares(self, row: Row) -> None:
        key = (row["hold_id"], row["pool_id"])
        share = self._books.holds[key] if key in self._shares else [0] * 4
        self._shares.discard(key)
        self._same("hold_shares", " ".join(key), share, [row[name] for name in _HOLD_NAMES])

    def refunds(self, row: Row) -> None:
        self._refunded[row["redemption_id"]] += row["subsidy_refund_fen"]
        returned = self._returned.pop(row["id"], None)
        self._same("refunds", row["id"], 0 if returned is None else returned.fen, row["subsidy_refund_fen"])
        if returned is not None:
            of = self._drawn.get(row["redemption_id"], NOBODYS).of
            self._same("refunds", f"{row['id']} of", of, returned.of)

    def redemptions(self, row: Row) -> None:
        redemption, mandate, subsidy_fen, refunded_fen = _redemption(row)
        drawn, refunded = self._drawn.pop(redemption, NOBODYS).fen, self._refunded.get(redemption, 0)
        if drawn != subsidy_fen:
            self._same("redemptions", redemption, drawn, subsidy_fen)
        if refunded != refunded_fen or refunded_fen > subsidy_fen:
            self._same("refunded", redemption, f"{refunded} ≤ {subsidy_fen}", refunded_fen)
        self._paid.redemption(row, redemption, subsidy_fen - refunded_fen)
        if mandate is not None:
            self._used[mandate] += subsidy_fen - refunded_fen

    def mandates(self, row: Row) -> None:
        self._same("mandates", row["id"], self._used.pop(row["id"], 0), row["used_fen"])
        if row["used_fen"] > row["limit_fen"]:
            self._same("mandates", row["id"], f"≤ {row['limit_fen']}", row["used_fen"])

    def finish(self) -> None:
        """What the leaves know and no stored row tells."""
        for table, missing in (
            ("pools", self._pools),
            ("vouchers", self._vouchers),
            ("allotments", (" ".join(key) for key in self._allotments)),
            ("holds", self._holds),
            ("hold_shares", (" ".join(key) for key in self._shares)),
            ("redemptions", self._drawn),
            ("refunds", (refund for refund, returned in self._returned.items() if returned.fen)),
            ("mandates", (mandate for mandate, fen in self._used.items() if fen)),
            *self._paid.missing(),
        ):
            for subject in sorted(map(str, missing)):
                self._findings.add("row_missing", self._books.region, f"{table} {subject}")

    def _same(self, table: str, subject: str, expected: object, actual: object) -> None:
        if expected != actual:
            self._findings.add(
                "counter", self._books.region, f"{table} {subject}", expected=_told(expected), actual=_told(actual)
            )


def _sums(parts: Iterable[tuple[str, list[int]]]) -> dict[str, list[int]]:
    summed: dict[str, list[int]] = {}
    for key, values in parts:
        before = summed.get(key)
        summed[key] = list(values) if before is None else [one + two for one, two in zip(before, values, strict=True)]
    return summed


def _told(value: object) -> str:
    return " ".join(str(one) for one in value) if isinstance(value, list) else str(value)
