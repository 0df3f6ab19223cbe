"""Look-ups of holds: each is one statement, however many holds there are. The vouchers' locks cover them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection

from app.services.redemption.assessing import Counts, counts_of_json
from app.services.redemption.holds.states import HoldState, Part, summed
from app.services.redemption.states import Share
from app.services.vouchers.status import OVER
from app.sql import Statement

HoldKey = tuple[str, str]
"""(region_code, hold id)."""


class Place(NamedTuple):
    """Whose a hold is, on which voucher of which programme: none of it ever changes, so it needs no lock."""

    voucher_id: str
    programme_id: str
    provider_id: str


DUE = (
    "h.status = 'open' AND h.expires_at <= {clock}"
    f" AND (v.frozen_at IS NULL OR h.expires_at <= v.frozen_at OR {OVER})"
)
"""Holds `h` of vouchers `v` that have expired: a freeze stops their clocks, but not beyond the voucher's own end."""

_ASKED = "unnest(CAST(:regions AS text[]), CAST(:ids AS text[])) AS asked(region_code, id)"
_PLACES = Statement(
    "SELECT h.region_code, h.id, h.voucher_id, h.programme_id, h.provider_id FROM holds h"
    f" JOIN {_ASKED} ON h.region_code = asked.region_code AND h.id = asked.id"
)
_HOLDS = Statement(
    "SELECT h.region_code, h.id, h.voucher_id, h.programme_id, h.firm_id, h.provider_id, h.mandate_id,"
    " h.payment_code_id, h.rule_version_id, h.status, h.amount_fen, h.held_fen, h.redeemed_fen, h.facts,"
    " h.held_at, h.expires_at, h.end_counted FROM holds h"
    f" JOIN {_ASKED} ON h.region_code = asked.region_code AND h.id = asked.id"
    " ORDER BY h.region_code, h.id"
)
_SHARES = Statement(
    "SELECT s.region_code, s.hold_id, s.pool_id, s.held_fen, s.redeemed_fen, p.closed_at, p.fiscal_year"
    f" FROM {_ASKED} CROSS JOIN LATERAL (SELECT * FROM hold_shares"
    " WHERE region_code = asked.region_code AND hold_id = asked.id ORDER BY line OFFSET 0) AS s"
    " JOIN pools p ON p.region_code = s.region_code AND p.id = s.pool_id"
    " ORDER BY s.region_code, s.hold_id, s.line"
)
_PARTS = Statement(
    "SELECT r.region_code, r.hold_id, r.id, r.part_no, r.facts, r.subsidy_fen, r.refunded_fen,"
    " r.recovered_fen FROM redemptions r"
    f" JOIN {_ASKED} ON r.region_code = asked.region_code AND r.hold_id = asked.id"
    " ORDER BY r.region_code, r.hold_id, r.part_no"
)
_REFUNDS = Statement(
    "SELECT r.region_code, r.hold_id, r.id AS redemption_id, f.facts FROM refunds f"
    " JOIN redemptions r ON r.region_code = f.region_code AND r.id = f.redemption_id"
    f" JOIN {_ASKED} ON r.region_code = asked.region_code AND r.hold_id = asked.id"
)
_RECOVERIES = Statement(
    "SELECT r.region_code, r.hold_id, v.counted, v.restored, v.status FROM recoveries v"
    " JOIN redemptions r ON r.region_code = v.region_code AND r.id = v.redemption_id"
    f" JOIN {_ASKED} ON r.region_code = asked.region_code AND r.hold_id = asked.id WHERE v.status <> 'refunded'"
)
_DUE = Statement(
    # By voucher, in the order of that index: by itself PostgreSQL may read all open holds instead.
    f"SELECT h.region_code, h.id FROM {_ASKED} JOIN vouchers v ON v.region_code = asked.region_code AND v.id = asked.id"
    " CROSS JOIN LATERAL (SELECT * FROM holds"
    " WHERE region_code = v.region_code AND voucher_id = v.id ORDER BY id OFFSET 0) AS h"
    f" WHERE {DUE.format(clock='clock_timestamp()')}"
)
_OPEN = Statement(
    "SELECT h.region_code, h.id FROM holds h"
    f" JOIN {_ASKED} ON h.region_code = asked.region_code AND h.voucher_id = asked.id WHERE h.status = 'open'"
)


def find_holds(tx: Connection, keys: Collection[HoldKey]) -> dict[HoldKey, Place]:
    """Voucher and provider of holds, without a lock."""
    return ask_places(tx, keys)()


def ask_places(tx: Connection, keys: Collection[HoldKey]) -> Callable[[], dict[HoldKey, Place]]:
    """The same, given when it is asked for: see `pipelined`."""
    rows = _PLACES.ask(tx, _columns(keys))
    return lambda: {
        (row.region_code, row.id): Place(row.voucher_id, row.programme_id, row.provider_id) for row in rows()
    }


def due_holds(tx: Connection, vouchers: Collection[tuple[str, str]]) -> list[HoldKey]:
    """The open holds of vouchers whose time has run out by the database's clock (`DUE`)."""
    return [(row.region_code, row.id) for row in _DUE(tx, _columns(vouchers))]


def open_holds(tx: Connection, vouchers: Collection[tuple[str, str]]) -> list[HoldKey]:
    """The open holds of vouchers."""
    return [(row.region_code, row.id) for row in _OPEN(tx, _columns(vouchers))]


def load_holds(tx: Connection, keys: Collection[HoldKey]) -> dict[HoldKey, HoldState]:
    """Holds of locked vouchers with their shares, redemptions and what was refunded of these."""
    asked = _columns(keys)
    shares: dict[HoldKey, list[Share]] = defaultdict(list)
    for row in _SHARES(tx, asked):
        share = Share(row.pool_id, row.held_fen, row.redeemed_fen, row.fiscal_year, row.closed_at is not None)
        shares[row.region_code, row.hold_id].append(share)
    parts: dict[HoldKey, list[Part]] = defaultdict(list)
    by_id: dict[str, Part] = {}
    for row in _PARTS(tx, asked):
        part = Part(
            row.id, row.part_no, json.loads(row.facts), row.subsidy_fen - row.refunded_fen - row.recovered_fen, {}
        )
        parts[row.region_code, row.hold_id].append(part)
        by_id[row.id] = part
    recounted: dict[HoldKey, Counts] = defaultdict(tuple)
    pending: dict[HoldKey, Counts] = defaultdict(tuple)
    if parts:
        for row in _REFUNDS(tx, asked):
            document = json.loads(row.facts)
            part = by_id[row.redemption_id]
            part.refunded_fen = _added(part.refunded_fen, document["cancelled"])
            recounted[row.region_code, row.hold_id] += counts_of_json(document["counted"])
        for row in _RECOVERIES(tx, asked):
            taken_off = recounted if row.restored else pending
            taken_off[row.region_code, row.hold_id] += counts_of_json(json.loads(row.counted))
    found = {}
    for row in _HOLDS(tx, asked):
        key = (row.region_code, row.id)
        facts = json.loads(row.facts)
        documents = [facts["counted"], *(part.facts["counted"] for part in parts[key])]
        documents += [json.loads(row.end_counted)] if row.end_counted else []
        values = {name: value for name, value in row._asdict().items() if name != "end_counted"}
        found[key] = HoldState(
            **values | {"facts": facts},
            shares=shares[key],
            parts=parts[key],
            counted=summed(*map(counts_of_json, documents), recounted[key]),
            pending=pending[key],
        )
    return found


def _added(refunded_fen: Mapping[int, int], cancelled: Mapping[str, int]) -> dict[int, int]:
    total = dict(refunded_fen)
    for line, fen in cancelled.items():
        total[int(line)] = total.get(int(line), 0) + fen
    return total


def _columns(keys: Iterable[tuple[str, str]]) -> dict[str, Any]:
    ordered = sorted(keys)
    return {"regions": [key[0] for key in ordered], "ids": [key[1] for key in ordered]}
