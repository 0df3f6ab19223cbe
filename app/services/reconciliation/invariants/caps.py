"""Invariant 9: no cap is exceeded without an approved exception.

Few claims and few holders are looked at closely. A holder whose counters, with all that was ever given back, stay
within the lowest limit of any version never exceeded one; `positions` proves those counters. A bill whose every counter
has what it drew is counted. The others are read claim by claim (`cap_walk`). An exception is one that the voucher was
issued with, and the voucher's terms are those of the approved entry.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Connection, Row, TextClause, text

from app.services.reconciliation.invariants.cap_walk import (
    Claim,
    Event,
    Excess,
    exceeded,
    exceeded_alone,
    series_of,
    uncounted,
)
from app.services.reconciliation.invariants.counted import COUNTED, LATER, PARTS, counts_of
from app.services.redemption.assessing import counts_of_json
from app.services.redemption.holds.states import summed
from app.services.redemption.loading import parse_rules, parse_terms
from app.services.rules.facts import Facts
from app.services.rules.limits import ClaimCap, CountCap, HolderCap
from app.services.rules.model import Rules

CAPS = (9, "caps", "No cap is exceeded without an approved exception", "未经例外审批，任何上限均未突破")

NO_LIMIT = 2**62
AT_ONCE = 1_000
"""Rows that are fetched together."""
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)

Versions = Mapping[tuple[str, str], Rules]
"""By region and id."""


class Granted(Protocol):
    """A counter's part of a claim."""

    granted_fen: int


class Bounds(NamedTuple):
    """Between which a bill under a version needs no look of its own."""

    counters: int
    """How many counters its rules keep at least for each."""
    least_fen: int
    """What every cap of a claim or line by itself lets through."""

    def allow(self, drawn_fen: int, counts: Sequence[Granted]) -> bool:
        """Whether each of a bill's counters, and no fewer than its rules keep, has what it drew: as `_BILLS` says."""
        return drawn_fen <= self.least_fen and (
            not self.counters or (len(counts) >= self.counters and all(of.granted_fen == drawn_fen for of in counts))
        )


UNBOUNDED = Bounds(0, NO_LIMIT)


class Broken(NamedTuple):
    """A cap that was exceeded, and by what."""

    region_code: str
    subject: str
    expected: str
    actual: str


_VERSIONS = text(
    "SELECT region_code, id, programme_id, rules FROM rule_versions"
    " WHERE status = 'published' AND starts_with(region_code, :prefix) ORDER BY region_code, id"
)

_TERMS = text("""
    SELECT v.region_code, 'terms of ' || v.id AS subject,
        coalesce(e.details::jsonb ->> 'terms_sha256', 'none were approved') AS expected,
        encode(sha256(convert_to(v.terms, 'UTF8')), 'hex') AS actual
    FROM vouchers v
    LEFT JOIN entries e ON e.region_code = v.region_code AND e.voucher_id = v.id AND e.kind = 'issue'
    WHERE v.terms IS NOT NULL AND starts_with(v.region_code, :prefix)
        AND encode(sha256(convert_to(v.terms, 'UTF8')), 'hex') IS DISTINCT FROM e.details::jsonb ->> 'terms_sha256'
""")

_JUDGED = (
    "unnest(CAST(:regions AS text[]), CAST(:versions AS text[]), CAST(:counters AS bigint[]), CAST(:least AS bigint[]))"
    " AS judged(region_code, rule_version_id, counters, least_fen)"
)
_CHANGES = f"""
    SELECT region_code, claim_id, array_agg(counted) AS counted FROM ({PARTS} UNION ALL {LATER}) AS change
    GROUP BY region_code, claim_id
"""
_BILLS = text(f"""
    SELECT r.region_code, r.id, r.rule_version_id, r.subsidy_fen AS gross_fen,
        r.subsidy_fen - r.refunded_fen - r.recovered_fen AS net_fen, r.bill_refunded_fen > 0 AS gave_back,
        r.facts, v.terms, coalesce(change.counted, '{{}}') AS changes, 0 AS lines
    FROM redemptions r
    JOIN {_JUDGED} ON judged.region_code = r.region_code AND judged.rule_version_id = r.rule_version_id
    CROSS JOIN LATERAL (
        SELECT {counts_of("r.facts")} AS counted, '"granted_fen":' || r.subsidy_fen || ',' AS granted OFFSET 0
    ) AS own
    JOIN vouchers v ON v.region_code = r.region_code AND v.id = r.voucher_id
    LEFT JOIN ({_CHANGES}) AS change ON change.region_code = r.region_code AND change.claim_id = r.id
    WHERE r.hold_id IS NULL AND (NOT :plain OR r.entry_id IS NULL OR r.refunded_fen + r.recovered_fen > 0) AND (
        r.subsidy_fen > judged.least_fen OR judged.counters > 0 AND (
            r.refunded_fen + r.recovered_fen > 0
            OR length(own.counted) - length(replace(own.counted, '{{', '')) < judged.counters
            OR length(own.counted) - length(replace(own.counted, own.granted, ''))
                <> length(own.granted) * (length(own.counted) - length(replace(own.counted, '{{', '')))))
""")
"""Left out is a bill of which each counter, and no fewer counters than its rules keep, has what it drew; where all with
an entry were seen to be such (`plain`), only what was given back and what has none is read."""

_HELD = text(f"""
    SELECT h.region_code, h.id, h.rule_version_id, greatest(h.amount_fen, coalesce(parts.subsidy_fen, 0)) AS gross_fen,
        h.held_fen + coalesce(parts.net_fen, 0) AS net_fen, coalesce(parts.gave_back, false) AS gave_back,
        h.facts, v.terms, coalesce(change.counted, '{{}}') AS changes, coalesce(parts.lines, 0) AS lines
    FROM holds h
    JOIN {_JUDGED} ON judged.region_code = h.region_code AND judged.rule_version_id = h.rule_version_id
    JOIN vouchers v ON v.region_code = h.region_code AND v.id = h.voucher_id
    LEFT JOIN (
        SELECT region_code, hold_id, sum(subsidy_fen) AS subsidy_fen,
            sum(subsidy_fen - refunded_fen - recovered_fen) AS net_fen,
            bool_or(bill_refunded_fen > 0) AS gave_back,
            sum(jsonb_array_length(facts::jsonb -> 'bill' -> 'lines')) AS lines
        FROM redemptions WHERE hold_id IS NOT NULL GROUP BY region_code, hold_id
    ) AS parts ON parts.region_code = h.region_code AND parts.hold_id = h.id
    LEFT JOIN ({_CHANGES}) AS change ON change.region_code = h.region_code AND change.claim_id = h.id
""")

_SHAPE = "CASE WHEN {0} = 'all' THEN 'all' WHEN length({0}) = 10 THEN 'day' ELSE 'year' END"

_SUMMED = f"""
    SELECT region_code, programme_id, row.holder, claim.holders::json ->> row.holder AS holder_id, row.period,
        row.category, sum(row.granted_fen) AS granted_fen, sum(row.claims) AS claims
    FROM ({COUNTED}) AS claim CROSS JOIN LATERAL json_to_recordset(claim.counted::json) AS row(
        holder text, period text, category text, granted_fen bigint, claims bigint)
    GROUP BY 1, 2, 3, 4, 5, 6
"""

_NEAR = """
    WITH back AS MATERIALIZED (
        SELECT region_code, programme_id, row.holder, claim.holders::json ->> row.holder AS holder_id,
            {shape_of_row} AS shape, row.category,
            -sum(least(row.granted_fen, 0)) AS fen, -sum(least(row.claims, 0)) AS claims
        FROM ({changes}) AS claim CROSS JOIN LATERAL json_to_recordset(claim.counted::json) AS row(
            holder text, period text, category text, granted_fen bigint, claims bigint)
        GROUP BY 1, 2, 3, 4, 5, 6
    ), reached AS MATERIALIZED (
        SELECT region_code, programme_id, holder, holder_id, shape, category,
            CASE shape WHEN 'year' THEN max(granted_fen) ELSE sum(granted_fen) END AS fen,
            CASE shape WHEN 'year' THEN max(claims) ELSE sum(claims) END AS claims
        FROM (SELECT *, {shape} AS shape FROM ({counters}) AS stored) AS counter
        WHERE starts_with(region_code, :prefix) GROUP BY 1, 2, 3, 4, 5, 6
    )
    SELECT DISTINCT p.region_code, p.programme_id, p.holder, p.holder_id
    FROM reached p
    JOIN unnest(CAST(:regions AS text[]), CAST(:programmes AS text[]), CAST(:holders AS text[]),
        CAST(:shapes AS text[]), CAST(:categories AS text[]), CAST(:fen AS bigint[]), CAST(:claims AS bigint[]))
        AS lowest(region_code, programme_id, holder, shape, category, fen, claims)
        USING (region_code, programme_id, holder, shape, category)
    LEFT JOIN back b USING (region_code, programme_id, holder, holder_id, shape, category)
    WHERE p.fen + coalesce(b.fen, 0) > lowest.fen OR p.claims + coalesce(b.claims, 0) > lowest.claims
"""


def _near_by(counters: str) -> TextClause:
    shapes = {"shape": _SHAPE.format("period"), "shape_of_row": _SHAPE.format("row.period")}
    return text(_NEAR.format(counters=counters, changes=f"{PARTS} UNION ALL {LATER}", **shapes))


_NEAR_AS_STORED, _NEAR_AS_SUMMED = _near_by("SELECT * FROM positions"), _near_by(_SUMMED)

_EVENTS = text(f"""
    SELECT near.region_code, near.programme_id, near.holder, near.holder_id, e.subject, e.at, e.rule_version_id,
        e.drawn_fen, e.subject <> e.claim_id AS split, e.counted, e.facts, v.terms
    FROM ({COUNTED}) AS e
    CROSS JOIN LATERAL json_each_text(e.holders::json) AS own(holder, holder_id)
    JOIN unnest(CAST(:regions AS text[]), CAST(:programmes AS text[]), CAST(:holders AS text[]), CAST(:ids AS text[]))
        AS near(region_code, programme_id, holder, holder_id)
        ON near.region_code = e.region_code AND near.programme_id = e.programme_id AND near.holder = own.holder
        AND near.holder_id = own.holder_id
    LEFT JOIN vouchers v ON v.region_code = e.region_code AND v.id = e.voucher_id
    ORDER BY near.region_code, near.programme_id, near.holder, near.holder_id, e.at
""")


def bounds_of(tx: Connection, prefix: str) -> dict[tuple[str, str], Bounds]:
    """The bounds of bills by region and version, for all that have caps."""
    return {of: _bounds(rules) for of, rules in _versions(tx, prefix)[0].items()}


def over_caps(tx: Connection, prefix: str, *, counters_hold: bool, bills_plain: bool = False) -> Iterator[Broken]:
    """Every cap that was exceeded in the regions, and all money that a cap could not see.

    `counters_hold` says whether `positions` found the stored counters right; where it did not, what was counted is
    summed again. `bills_plain`: whether all bills with an entry were seen to be within their
    `Bounds`. A programme without caps costs nothing. Reads a holder's claims at a time; of others, a thousand.
    """
    versions, lowest = _versions(tx, prefix)
    yield from (Broken(*row) for row in tx.execute(_TERMS, {"prefix": prefix}))
    if versions:
        yield from _claims_alone(tx, versions, bills_plain=bills_plain)
    if lowest:
        query = _NEAR_AS_STORED if counters_hold else _NEAR_AS_SUMMED
        yield from _holders(tx, versions, _near(tx, query, prefix, lowest))


def _versions(
    tx: Connection, prefix: str
) -> tuple[dict[tuple[str, str], Rules], dict[tuple[str, str, str, str, str], list[int]]]:
    """The published versions that have caps, and the lowest limits of each counter of a programme."""
    versions: dict[tuple[str, str], Rules] = {}
    lowest: dict[tuple[str, str, str, str, str], list[int]] = {}
    for row in tx.execute(_VERSIONS, {"prefix": prefix}):
        rules = parse_rules(row.rules)
        if rules.caps:
            versions[row.region_code, row.id] = rules
            _note(lowest, (row.region_code, row.programme_id), rules)
    return versions, lowest


def _note(lowest: dict[tuple[str, str, str, str, str], list[int]], programme: tuple[str, str], rules: Rules) -> None:
    for cap in rules.caps:
        of = series_of(cap)
        if of is not None:
            holder, (shape, category) = of
            least = lowest.setdefault((*programme, holder, shape, category), [NO_LIMIT, NO_LIMIT])
            place = 1 if isinstance(cap, CountCap) else 0
            least[place] = min(least[place], cap.limit if isinstance(cap, CountCap) else _least(cap))


def _least(cap: ClaimCap | HolderCap) -> int:
    """The least that a cap lets a claim come to whose facts are known; nothing, where it depends on a number."""
    if isinstance(cap, HolderCap) and cap.also_counts is not None:
        return 0
    return min(fen for fen in (cap.limit_fen, *cap.limits_fen.values()) if fen is not None)


def _bounds(rules: Rules) -> Bounds:
    alone = (_least(cap) for cap in rules.caps if not isinstance(cap, CountCap) and not series_of(cap))
    return Bounds(len(rules.kept), min(alone, default=NO_LIMIT))


def _claims_alone(tx: Connection, versions: Versions, *, bills_plain: bool) -> Iterator[Broken]:
    bounds = [_bounds(rules) for rules in versions.values()]
    asked = {
        "regions": [region_code for region_code, _ in versions],
        "versions": [version_id for _, version_id in versions],
        "counters": [of.counters for of in bounds],
        "least": [of.least_fen for of in bounds],
    }
    for query, beside in ((_BILLS, {"plain": bills_plain}), (_HELD, {})):
        for row in _streamed(tx, query, asked | beside):
            facts = json.loads(row.facts)
            claim = Claim(
                subject=row.id,
                rules=versions[row.region_code, row.rule_version_id],
                facts=_given(facts, row.terms),
                lines=max(row.lines, len(facts["bill"]["lines"])),
                gross_fen=row.gross_fen,
                net_fen=row.net_fen,
                counted=summed(
                    counts_of_json(facts.get("counted", ())),
                    *(counts_of_json(json.loads(change)) for change in row.changes),
                ),
                gave_back=row.gave_back,
            )
            for excess in (*exceeded_alone(claim), *uncounted(claim)):
                yield _broken(row.region_code, excess)


def _near(
    tx: Connection, query: TextClause, prefix: str, lowest: Mapping[tuple[str, str, str, str, str], Sequence[int]]
) -> Sequence[tuple[str, str, str, str]]:
    """The holders that may have exceeded a cap: whose counters were ever above the lowest limit there is."""
    regions, programmes, holders, shapes, categories = map(list, zip(*lowest, strict=True))
    fen, claims = map(list, zip(*lowest.values(), strict=True))
    asked = {"regions": regions, "programmes": programmes, "holders": holders, "shapes": shapes}
    rows = tx.execute(query, {"prefix": prefix, "categories": categories, "fen": fen, "claims": claims, **asked})
    return [(row.region_code, row.programme_id, row.holder, row.holder_id) for row in rows]


def _holders(tx: Connection, versions: Versions, near: Sequence[tuple[str, str, str, str]]) -> Iterator[Broken]:
    if not near:
        return
    asked = dict(zip(("regions", "programmes", "holders", "ids"), map(list, zip(*near, strict=True)), strict=True))
    for (region_code, programme_id, holder, holder_id), rows in groupby(_streamed(tx, _EVENTS, asked), _WHOSE):
        events = [_event(row, versions.get((region_code, row.rule_version_id))) for row in rows]
        for excess in exceeded(holder, events):
            broken = _broken(region_code, excess)
            yield broken._replace(subject=f"{broken.subject}, {holder} {holder_id} of {programme_id}")


_WHOSE = itemgetter(slice(0, 4))


def _event(row: Row[Any], rules: Rules | None) -> Event:
    draws = row.facts is not None and rules is not None
    return Event(
        subject=row.subject,
        at=row.at,
        counted=counts_of_json(json.loads(row.counted)),
        rules=rules if draws else None,
        facts=_given(json.loads(row.facts), row.terms) if draws else None,
        drawn_fen=row.drawn_fen,
        split=row.split,
    )


def _given(facts: Mapping[str, Any], terms: str | None) -> Facts:
    """What was known of a claim; of exceptions, what the voucher was issued with."""
    if "given" not in facts:  # the first format knew the bill alone
        return Facts((), at=LONG_AGO)
    return Facts.read(facts["given"] | {"exceptions_fen": parse_terms(terms).exceptions_fen}, (), None)


def _streamed(tx: Connection, query: TextClause, asked: Mapping[str, Any]) -> Iterator[Any]:
    return iter(tx.execute(query.execution_options(yield_per=AT_ONCE), asked))


def _broken(region_code: str, excess: Excess) -> Broken:
    return Broken(region_code, f"{excess.cap} by {excess.subject}", f"<= {excess.limit}", str(excess.actual))
