"""The counters of cumulative rules in the database: locked after the vouchers, read, and added to. Set-based.

Each holder (a firm, a group, a contract, a voucher, in one programme) has one row that is its lock. Rules that look
at each bill alone have no counters, and their redemptions touch none of this.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from sqlalchemy import Connection

from app.services.redemption.holds.states import HoldState
from app.services.redemption.states import ProgrammeTerms
from app.services.rules.position import ALL, Bucket, Counter, Position
from app.sql import Statement

HolderKey = tuple[str, str, str, str]
"""(region_code, programme id, firm | group | contract | voucher, holder id)."""

_ASKED = (
    "unnest(CAST(:regions AS text[]), CAST(:programmes AS text[]), CAST(:holders AS text[]), CAST(:ids AS text[]))"
    " AS asked(region_code, programme_id, holder, holder_id)"
)
_MATCH = (
    "p.region_code = asked.region_code AND p.programme_id = asked.programme_id"
    " AND p.holder = asked.holder AND p.holder_id = asked.holder_id"
)
_OPEN = Statement(
    "INSERT INTO positions (region_code, programme_id, holder, holder_id, period, category,"
    " base_fen, gross_fen, granted_fen, claims)"
    f" SELECT region_code, programme_id, holder, holder_id, '{ALL}', '', 0, 0, 0, 0 FROM {_ASKED}"
    " ORDER BY region_code, programme_id, holder, holder_id ON CONFLICT DO NOTHING"
)
_LOCK = (
    f"SELECT p.region_code, p.programme_id, p.holder, p.holder_id FROM positions p JOIN {_ASKED} ON {_MATCH}"
    f" WHERE p.period = '{ALL}' AND p.category = ''"
    " ORDER BY p.region_code, p.programme_id, p.holder, p.holder_id FOR NO KEY UPDATE OF p"
)
_LOCK_WAITING = Statement(_LOCK)
_LOCK_SKIPPING = Statement(_LOCK + " SKIP LOCKED")
_READ = Statement(
    "SELECT p.region_code, p.programme_id, p.holder, p.holder_id, p.period, p.category,"
    f" p.base_fen, p.gross_fen, p.granted_fen, p.claims FROM positions p JOIN {_ASKED} ON {_MATCH}"
)
_WRITE = Statement(
    "INSERT INTO positions (region_code, programme_id, holder, holder_id, period, category,"
    " base_fen, gross_fen, granted_fen, claims)"
    " SELECT * FROM unnest(CAST(:regions AS text[]), CAST(:programmes AS text[]), CAST(:holders AS text[]),"
    " CAST(:ids AS text[]), CAST(:periods AS text[]), CAST(:categories AS text[]), CAST(:base AS bigint[]),"
    " CAST(:gross AS bigint[]), CAST(:granted AS bigint[]), CAST(:claims AS bigint[]))"
    " ON CONFLICT (region_code, programme_id, holder, holder_id, period, category) DO UPDATE SET"
    " base_fen = excluded.base_fen, gross_fen = excluded.gross_fen,"
    " granted_fen = excluded.granted_fen, claims = excluded.claims"
)


def lock_holders(tx: Connection, keys: Collection[HolderKey], *, wait: bool) -> set[HolderKey]:
    """Lock holders in sorted order and say which are locked; with `wait` false, busy ones are left out."""
    if not keys:
        return set()
    asked = _columns(sorted(keys))
    _OPEN.send(tx, asked)
    return {tuple(row) for row in (_LOCK_WAITING if wait else _LOCK_SKIPPING)(tx, asked)}


@dataclass(slots=True)
class Positions:
    """The counters of the locked holders of one transaction, as they evolve, and what has been added to them."""

    _counters: dict[HolderKey, dict[tuple[str, str], Counter]] = field(default_factory=dict)
    _touched: set[tuple[HolderKey, str, str]] = field(default_factory=set)

    @classmethod
    def read(cls, tx: Connection, keys: Collection[HolderKey]) -> Positions:
        """The counters of holders that are locked."""
        found = cls()
        if keys:
            for row in _READ(tx, _columns(sorted(keys))):
                of_holder = found._counters.setdefault((row[0], row[1], row[2], row[3]), {})
                of_holder[row.period, row.category] = Counter(row.base_fen, row.gross_fen, row.granted_fen, row.claims)
        return found

    def of_claim(self, region_code: str, programme_id: str, holders: Mapping[str, str], *, since: date) -> Position:
        """What the holders of one claim have come to by now; single days before `since` are left out."""
        first_day = since.isoformat()
        return Position(
            (Bucket(holder, period, category), counter)
            for holder, holder_id in holders.items()
            for (period, category), counter in self._counters.get(
                (region_code, programme_id, holder, holder_id), {}
            ).items()
            if len(period) < len(first_day) or period >= first_day
        )

    def around(self, hold: HoldState, terms: ProgrammeTerms | None) -> Position:
        """What the holders of a hold have come to without it; nothing where it counts in nobody's counters.

        It keeps its place among the claims: see `Position.in_the_place_of`.
        """
        if terms is None:
            return Position()
        since = terms.since(hold.held_at)
        now_there = self.of_claim(hold.region_code, hold.programme_id, hold.holders, since=since).without(hold.counted)
        return now_there.in_the_place_of(hold.position_at_first)

    def add(
        self,
        region_code: str,
        programme_id: str,
        holders: Mapping[str, str],
        counted: Iterable[tuple[Bucket, Counter]],
    ) -> None:
        """Let the next claim see what this one counts."""
        for bucket, counter in counted:
            key = (region_code, programme_id, bucket.holder, holders[bucket.holder])
            of_holder = self._counters.setdefault(key, {})
            place = (bucket.period, bucket.category)
            of_holder[place] = of_holder.get(place, Counter()).plus(counter)
            self._touched.add((key, *place))

    def write(self, tx: Connection) -> None:
        """Write what has changed, in one statement. The holders' locks make the values those of the database."""
        rows = [
            (*key, period, category, *self._counters[key][period, category])
            for key, period, category in sorted(self._touched)
        ]
        if rows:
            columns = zip(_WRITTEN, zip(*rows, strict=True), strict=True)
            _WRITE.send(tx, {name: list(column) for name, column in columns})


_WRITTEN = ("regions", "programmes", "holders", "ids", "periods", "categories", "base", "gross", "granted", "claims")


def _columns(keys: Collection[HolderKey]) -> dict[str, list[str]]:
    return {name: [key[place] for key in keys] for place, name in enumerate(_WRITTEN[:4])}
