"""What is claimed of invoice lines, in the database: locked after everything else, read, added to. Set-based.

The lock is the line's row without a layer. It is national, so two cities that are shown one invoice wait for each other
here; asked only for bills that name an invoice, or a contract that their rules count.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from app.models import InvoiceUse
from app.services.redemption.invoice_bases import (
    EXCLUSIVE,
    BaseKey,
    BaseState,
    BaseUse,
    Contract,
    InvoiceGrounds,
    Layer,
)
from app.sql import BulkInsert, Rows, Statement, ask_now, pipelined

_ASKED = "unnest(CAST(:fingerprints AS text[]), CAST(:line_nos AS smallint[])) AS asked(fingerprint, line_no)"
_OPEN = Statement(
    "INSERT INTO invoice_bases (fingerprint, line_no, layer, used_fen, granted_fen)"
    f" SELECT fingerprint, line_no, '', 0, 0 FROM {_ASKED} ORDER BY fingerprint, line_no ON CONFLICT DO NOTHING"
)
_LOCK = (
    f"SELECT b.fingerprint, b.line_no FROM invoice_bases b JOIN {_ASKED} ON b.fingerprint = asked.fingerprint"
    " AND b.line_no = asked.line_no AND b.layer = '' ORDER BY b.fingerprint, b.line_no FOR NO KEY UPDATE OF b"
)
_LOCK_WAITING = Statement(_LOCK)
_LOCK_SKIPPING = Statement(_LOCK + " SKIP LOCKED")
_READ = Statement(
    "SELECT b.fingerprint, b.line_no, b.layer, b.stated_fen, b.limit_fen, b.used_fen, b.granted_fen"
    f" FROM invoice_bases b JOIN {_ASKED} ON b.fingerprint = asked.fingerprint AND b.line_no = asked.line_no"
)
_USED_BY = Statement(
    "SELECT u.fingerprint, u.line_no, u.provider_id, max(u.redemption_id) AS redemption_id FROM ("
    "SELECT u.fingerprint, u.line_no, u.provider_id, u.redemption_id"
    f" FROM invoice_uses u JOIN {_ASKED} ON u.fingerprint = asked.fingerprint AND u.line_no = asked.line_no"
    " GROUP BY u.fingerprint, u.line_no, u.provider_id, u.redemption_id HAVING sum(u.base_fen) > 0) AS u"
    " GROUP BY u.fingerprint, u.line_no, u.provider_id"
)
_RED = Statement("SELECT r.fingerprint FROM red_invoices r WHERE r.fingerprint = ANY(CAST(:fingerprints AS text[]))")
_IDENTIFIERS = Statement(
    "SELECT o.id, o.identifier_value FROM organisations o"
    " WHERE o.id = ANY(CAST(:ids AS text[])) AND o.identifier_type = 'uscc'"
)
_WRITE = Statement(
    "INSERT INTO invoice_bases (fingerprint, line_no, layer, stated_fen, limit_fen, used_fen, granted_fen)"
    " SELECT * FROM unnest(CAST(:fingerprints AS text[]), CAST(:line_nos AS smallint[]), CAST(:layers AS text[]),"
    " CAST(:stated AS bigint[]), CAST(:limits AS bigint[]), CAST(:used AS bigint[]), CAST(:granted AS bigint[]))"
    " AS given(fingerprint, line_no, layer, stated_fen, limit_fen, used_fen, granted_fen)"
    " ON CONFLICT (fingerprint, line_no, layer) DO UPDATE SET stated_fen = excluded.stated_fen,"
    " limit_fen = excluded.limit_fen, used_fen = excluded.used_fen, granted_fen = excluded.granted_fen"
)
_USES = BulkInsert(
    InvoiceUse.__table__,
    (
        "region_code",
        "redemption_id",
        "cause_id",
        "bill_line",
        "fingerprint",
        "line_no",
        "layer",
        "provider_id",
        "base_fen",
        "granted_fen",
    ),
)


@dataclass(slots=True)
class InvoiceBases:
    """What is claimed of the invoice lines of one transaction, as it evolves, and what has been added to it."""

    _states: dict[BaseKey, BaseState] = field(default_factory=dict)
    _used_by: dict[BaseKey, dict[str, str]] = field(default_factory=dict)
    """Provider → one of its redemptions that holds some of the line."""
    _red: frozenset[str] = frozenset()
    _touched: set[tuple[BaseKey, str]] = field(default_factory=set)
    _uses: list[dict[str, Any]] = field(default_factory=list)

    def state(self, key: BaseKey) -> BaseState:
        """A line as it is counted by now."""
        return self._states.get(key, BaseState())

    def grounds(
        self,
        keys: Collection[BaseKey],
        *,
        provider_id: str,
        contract: Contract | None,
        provider_uscc: str | None = None,
        holder_uscc: str | None = None,
    ) -> InvoiceGrounds:
        """What a decision about a bill on these lines looks at."""
        own = {key: mine for key in keys if (mine := self._used_by.get(key, {}).get(provider_id)) is not None}
        return InvoiceGrounds(
            states={key: self._states[key] for key in keys if key in self._states},
            own=own,
            red=self._red & {key[0] for key in keys},
            contract=contract,
            provider_uscc=provider_uscc,
            holder_uscc=holder_uscc,
        )

    def add(
        self,
        uses: Iterable[BaseUse],
        *,
        region_code: str,
        redemption_id: str,
        cause_id: str,
        provider_id: str,
        stated_fen: Mapping[BaseKey, int],
    ) -> None:
        """Let the next bill see what this one claims, or what a refund gives back (below zero). Under the locks."""
        for use in uses:
            before = self.state(use.key)
            amount_fen = stated_fen.get(use.key)
            self._states[use.key] = before.with_use(use.layer, use.base_fen, use.granted_fen, stated_fen=amount_fen)
            layers = (use.layer, EXCLUSIVE) if before.fixed else (use.layer, EXCLUSIVE, *before.layers)
            self._touched |= {(use.key, layer) for layer in layers}
            self._used_by.setdefault(use.key, {})[provider_id] = redemption_id
            self._uses.append(
                {
                    "region_code": region_code,
                    "redemption_id": redemption_id,
                    "cause_id": cause_id,
                    "bill_line": use.line,
                    "fingerprint": use.key[0],
                    "line_no": use.key[1],
                    "layer": use.layer,
                    "provider_id": provider_id,
                    "base_fen": use.base_fen,
                    "granted_fen": use.granted_fen,
                }
            )

    def lower(self, key: BaseKey, red_fen: int) -> None:
        """Take something off the amount of a line for good."""
        state = self._states[key] = self.state(key).less(red_fen)
        self._touched |= {(key, layer) for layer in (*state.layers, EXCLUSIVE)}

    def write(self, tx: Connection) -> None:
        """Write what has changed: the counters in one statement, the uses in another. Under the locks."""
        if not self._touched:
            return
        names = ("fingerprints", "line_nos", "layers", "stated", "limits", "used", "granted")
        rows = [
            (*key, layer, state.stated_fen, state.limit_fen, *state.layers.get(layer, Layer()))
            for key, layer in sorted(self._touched)
            for state in (self._states[key],)
        ]
        _WRITE.send(tx, {name: list(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)})
        if self._uses:
            _USES.send(tx, self._uses)


def lock_bases(
    tx: Connection, asked: Mapping[int, Collection[BaseKey]], also: Collection[BaseKey] = (), *, wait: bool
) -> tuple[list[int], InvoiceBases, datetime]:
    """Lock the invoice lines of bills in sorted order; then say what is claimed of them, and what time it is.

    Says first which bills have to wait, by their keys: with `wait` false, a line that somebody else holds is left out.
    Of the lines in `also` it is told how they stand, without a lock. One journey.
    """
    keys = {key for of_place in asked.values() for key in of_place}
    with pipelined(tx):
        if keys:
            _OPEN.send(tx, _columns(keys))
        locked = (_LOCK_WAITING if wait else _LOCK_SKIPPING).ask(tx, _columns(keys))
        states, used_by, red = _ask(tx, keys | set(also))
        clock = ask_now(tx)
    free = {(row.fingerprint, row.line_no) for row in locked()}
    busy = [place for place, of_place in asked.items() if not free.issuperset(of_place)]
    return busy, _read(states, used_by, red), clock()


def read_bases(tx: Connection, keys: Collection[BaseKey]) -> InvoiceBases:
    """How invoice lines stand, without a lock: for what only asks."""
    if not keys:
        return InvoiceBases()
    return _read(*_ask(tx, keys))


def identifiers(tx: Connection, ids: Collection[str]) -> dict[str, str]:
    """The 统一社会信用代码 of organisations, by id; one that has another identifier is not among them."""
    return {row.id: row.identifier_value for row in _IDENTIFIERS(tx, {"ids": sorted(ids)})} if ids else {}


def _ask(tx: Connection, keys: Collection[BaseKey]) -> tuple[Rows, Rows, Rows]:
    columns = _columns(keys)
    red = _RED.ask(tx, {"fingerprints": sorted({key[0] for key in keys})})
    return _READ.ask(tx, columns), _USED_BY.ask(tx, columns), red


def _read(states: Rows, used_by: Rows, red: Rows) -> InvoiceBases:
    found: dict[BaseKey, BaseState] = {}
    for row in states():
        key = (row.fingerprint, row.line_no)
        before = found.get(key, BaseState())
        layers = {**before.layers, row.layer: Layer(row.used_fen, row.granted_fen)}
        found[key] = BaseState(row.stated_fen, row.limit_fen, layers)
    holders: dict[BaseKey, dict[str, str]] = {}
    for row in used_by():
        holders.setdefault((row.fingerprint, row.line_no), {})[row.provider_id] = row.redemption_id
    return InvoiceBases(found, holders, frozenset(row.fingerprint for row in red()))


def _columns(keys: Collection[BaseKey]) -> dict[str, Any]:
    ordered = sorted(keys)
    return {"fingerprints": [key[0] for key in ordered], "line_nos": [key[1] for key in ordered]}
