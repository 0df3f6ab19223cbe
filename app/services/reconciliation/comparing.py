"""Redemptions here against providers' statements: matched, missing here, missing there, differing. Set-based SQL.

What can be compared is a `Comparison` whatever the two sides are; `bank_comparing.py` makes another one, of payments.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, text

from app.kernel.canonical import canonical
from app.kernel.clock import end_of_day, start_of_day
from app.kernel.vocabulary import DifferenceGroup, Sides

MATCHED = "matched"


@dataclass(frozen=True, slots=True)
class Period:
    """Days in Asia/Shanghai, both included."""

    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Tally:
    """How much of one party falls in one group. Amounts in fen: what this side says, what that side says."""

    region_code: str
    party_id: str
    kind: str
    count: int
    here_fen: int
    there_fen: int


@dataclass(frozen=True, slots=True)
class Unheld:
    """What happened here on days for which the party has sent nothing to hold it against."""

    region_code: str
    party_id: str
    count: int
    here_fen: int


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One difference with its evidence. `subject` is what makes it the same one in the next run."""

    region_code: str
    party_id: str
    kind: DifferenceGroup
    subject: str
    happened_on: date
    here_fen: int | None
    there_fen: int | None
    evidence: Mapping[str, Any]

    @property
    def fingerprint(self) -> str:
        """Its kind and figures, in one text: while it stays the same, a person's verdict stands."""
        differs = self.evidence.get("differs", {})
        return canonical([self.kind, self.here_fen, self.there_fen, differs]).decode()


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two sides of a period held against each other, over one snapshot."""

    sides: Sides
    period: Period
    tallies: tuple[Tally, ...]
    unheld: tuple[Unheld, ...]
    mismatches: tuple[Mismatch, ...]


_DAY = "(r.redeemed_at AT TIME ZONE 'Asia/Shanghai')::date"

_LIVE = """
    SELECT region_code, id, provider_id, period_from, period_until, uploaded_at
    FROM statements
    WHERE starts_with(region_code, :prefix) AND replaced_at IS NULL
        AND period_from <= :last AND period_until >= :first
"""

_SAID = """
    SELECT l.*, s.period_from, s.period_until, l.order_no AS key_no
    FROM live s JOIN statement_lines l ON l.region_code = s.region_code AND l.statement_id = s.id
    WHERE l.order_no IS NOT NULL
    UNION ALL
    SELECT l.*, s.period_from, s.period_until, i.order_no
    FROM live s
    JOIN statement_lines l ON l.region_code = s.region_code AND l.statement_id = s.id
    LEFT JOIN redemptions i ON i.region_code = l.region_code AND i.id = l.redemption_id
        AND i.provider_id = l.provider_id
    WHERE l.order_no IS NULL
"""
"""Each line with the order number by which it is known here, its own or that of the redemption it names."""

_EARLIER = """
    SELECT 1 FROM statement_lines x
    JOIN statements t ON t.region_code = x.region_code AND t.id = x.statement_id
        AND t.replaced_at IS NULL AND t.period_until < :first
    WHERE x.region_code = l.region_code AND x.provider_id = l.provider_id
"""
"""What a statement of days before the period has claimed already."""

_REFUNDED = """
    SELECT CAST(coalesce(sum(f.subsidy_refund_fen), 0) AS bigint) AS fen FROM refunds f
    WHERE f.region_code = r.region_code AND f.redemption_id = r.id AND l.refunded_fen IS NOT NULL
        AND f.refunded_at < ((l.period_until + 1)::timestamp AT TIME ZONE 'Asia/Shanghai')
"""
"""What had gone back of a redemption at the end of its line's period: what the line can know, whatever came later."""

_LINES = f"""
    SELECT l.region_code, l.provider_id, l.key_no, l.statement_id, l.row_no, l.order_no, l.redemption_id,
        l.redeemed_on, l.bill_total_fen, l.subsidy_fen, l.refunded_fen, l.voucher_code,
        r.id AS found_id, r.entry_id, r.redeemed_at, r.order_no AS found_no, r.bill_total_fen AS found_bill_fen,
        r.subsidy_fen AS found_subsidy_fen,
        CASE WHEN l.refunded_fen IS NULL THEN r.refunded_fen ELSE refunded.fen END AS found_refunded_fen,
        v.code AS found_code,
        coalesce(l.redeemed_on, {_DAY}, l.period_from) AS happened_on,
        row_number() OVER (PARTITION BY l.region_code, l.provider_id, coalesce(r.id, l.key_no, l.redemption_id)
                ORDER BY l.period_from, l.row_no) > 1
            OR EXISTS ({_EARLIER} AND x.order_no = l.key_no)
            OR EXISTS ({_EARLIER} AND x.order_no IS NULL AND x.redemption_id = coalesce(r.id, l.redemption_id))
            AS again,
        array_remove(ARRAY[
            CASE WHEN l.subsidy_fen <> r.subsidy_fen THEN 'subsidy_fen' END,
            CASE WHEN l.bill_total_fen <> r.bill_total_fen THEN 'bill_total_fen' END,
            CASE WHEN l.refunded_fen <> refunded.fen THEN 'refunded_fen' END,
            CASE WHEN l.voucher_code <> v.code THEN 'voucher_code' END,
            CASE WHEN l.redemption_id <> r.id THEN 'redemption_id' END
        ], NULL) AS differs
    FROM said l
    LEFT JOIN redemptions r ON r.region_code = l.region_code AND r.provider_id = l.provider_id AND r.order_no = l.key_no
    LEFT JOIN vouchers v ON v.region_code = r.region_code AND v.id = r.voucher_id
    LEFT JOIN LATERAL ({_REFUNDED}) AS refunded ON r.id IS NOT NULL
"""

_HERE = f"""
    SELECT r.region_code, r.provider_id, r.order_no AS key_no, s.id AS statement_id, r.id AS found_id, r.entry_id,
        r.redeemed_at, r.bill_total_fen AS found_bill_fen, r.subsidy_fen AS found_subsidy_fen,
        r.refunded_fen AS found_refunded_fen, {_DAY} AS happened_on,
        s.id IS NOT NULL AS held, EXISTS (
            SELECT 1 FROM statement_lines x JOIN statements t ON t.region_code = x.region_code
                AND t.id = x.statement_id AND t.replaced_at IS NULL
            WHERE x.region_code = r.region_code AND x.provider_id = r.provider_id AND x.order_no = r.order_no
        ) OR EXISTS (
            SELECT 1 FROM statement_lines x JOIN statements t ON t.region_code = x.region_code
                AND t.id = x.statement_id AND t.replaced_at IS NULL
            WHERE x.region_code = r.region_code AND x.provider_id = r.provider_id AND x.order_no IS NULL
                AND x.redemption_id = r.id
        ) AS said
    FROM redemptions r
    LEFT JOIN live s ON s.region_code = r.region_code AND s.provider_id = r.provider_id
        AND {_DAY} BETWEEN s.period_from AND s.period_until AND r.redeemed_at <= s.uploaded_at
    WHERE starts_with(r.region_code, :prefix) AND r.redeemed_at >= :begins AND r.redeemed_at < :ends
        AND r.subsidy_fen > 0
"""
"""Of what drew nothing no statement needs to know; what came after a statement was sent it could not know."""

_COMPARED = text(f"""
    WITH live AS MATERIALIZED ({_LIVE}), said AS ({_SAID}), lines AS MATERIALIZED ({_LINES}),
    here AS MATERIALIZED ({_HERE}), compared AS MATERIALIZED (
        SELECT CASE WHEN found_id IS NULL OR again THEN 'missing_here' WHEN cardinality(differs) > 0
                THEN 'differing_amount' ELSE 'matched' END AS kind,
            region_code, provider_id, key_no, statement_id, row_no, order_no, redemption_id, redeemed_on,
            bill_total_fen, subsidy_fen, refunded_fen, voucher_code, found_id, entry_id, redeemed_at, found_no,
            found_bill_fen, found_subsidy_fen, found_refunded_fen, found_code, happened_on, again, differs
        FROM lines WHERE happened_on BETWEEN :first AND :last
        UNION ALL
        SELECT 'missing_there', region_code, provider_id, key_no, statement_id, NULL, NULL, NULL, NULL, NULL, NULL,
            NULL, NULL, found_id, entry_id, redeemed_at, key_no, found_bill_fen, found_subsidy_fen,
            found_refunded_fen, NULL, happened_on, false, NULL
        FROM here WHERE held AND NOT said
    )
    SELECT kind, region_code, provider_id, count(*) AS counted,
        coalesce(sum(found_subsidy_fen) FILTER (WHERE NOT again), 0)::bigint AS here_fen,
        coalesce(sum(subsidy_fen), 0)::bigint AS there_fen, NULL::jsonb AS difference
    FROM compared GROUP BY 1, 2, 3
    UNION ALL
    SELECT 'unheld', region_code, provider_id, count(*), sum(found_subsidy_fen)::bigint, 0, NULL
    FROM here WHERE NOT held AND NOT said GROUP BY 2, 3
    UNION ALL
    SELECT kind, region_code, provider_id, 1, CASE WHEN again THEN NULL ELSE found_subsidy_fen END, subsidy_fen,
        to_jsonb(compared)
    FROM compared WHERE kind <> 'matched'
""")


def compare_statements(tx: Connection, *, prefix: str, period: Period) -> Comparison:
    """Hold the redemptions of a period against the statements that are live, in the regions that begin with `prefix`.

    A line finds its redemption by the order number, whatever day either side gives it; so what two calendars put on
    two sides of midnight still matches. One statement and one snapshot, while redemptions go on.
    """
    rows = tx.execute(
        _COMPARED,
        {
            "prefix": prefix,
            "first": period.first,
            "last": period.last,
            "begins": start_of_day(period.first),
            "ends": end_of_day(period.last),
        },
    ).all()
    return Comparison(
        sides=Sides.STATEMENTS,
        period=period,
        tallies=tuple(
            Tally(row.region_code, row.provider_id, row.kind, row.counted, row.here_fen, row.there_fen)
            for row in sorted(rows, key=lambda row: (row.region_code, row.provider_id, row.kind))
            if row.difference is None and row.kind != "unheld"
        ),
        unheld=tuple(
            Unheld(row.region_code, row.provider_id, row.counted, row.here_fen)
            for row in sorted(rows, key=lambda row: (row.region_code, row.provider_id))
            if row.kind == "unheld"
        ),
        mismatches=tuple(
            sorted(
                (_mismatch(row) for row in rows if row.difference is not None),
                key=lambda found: (found.region_code, found.subject),
            )
        ),
    )


_LINE = {
    "order_no": "order_no",
    "redemption_id": "redemption_id",
    "redeemed_on": "redeemed_on",
    "bill_total_fen": "bill_total_fen",
    "subsidy_fen": "subsidy_fen",
    "refunded_fen": "refunded_fen",
    "voucher_code": "voucher_code",
}
_FOUND = {
    "order_no": "found_no",
    "redemption_id": "found_id",
    "redeemed_at": "redeemed_at",
    "bill_total_fen": "found_bill_fen",
    "subsidy_fen": "found_subsidy_fen",
    "refunded_fen": "found_refunded_fen",
    "voucher_code": "found_code",
    "entry_id": "entry_id",
}


def _mismatch(row: Row[Any]) -> Mismatch:
    found: dict[str, Any] = row.difference
    line = {name: found[column] for name, column in _LINE.items() if found[column] is not None}
    here = {name: found[column] for name, column in _FOUND.items() if found[column] is not None}
    differs = {name: [here.get(name), line.get(name)] for name in found["differs"] or ()}
    known_by = found["key_no"] or found["redemption_id"]
    subject = f"{row.provider_id} {known_by}"
    if found["again"]:
        subject += f" again {found['statement_id']} {found['row_no']}"
    return Mismatch(
        region_code=row.region_code,
        party_id=row.provider_id,
        kind=DifferenceGroup(row.kind),
        subject=subject,
        happened_on=date.fromisoformat(found["happened_on"]),
        here_fen=row.here_fen,
        there_fen=row.there_fen,
        evidence={
            "statement_id": found["statement_id"],
            "row_no": found["row_no"],
            "line": line or None,
            "redemption": here or None,
            "stands_twice": found["again"],
            "differs": differs,
        },
    )
