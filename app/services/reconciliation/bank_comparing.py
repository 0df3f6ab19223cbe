"""Payment orders and receipts here against the bank's lists: loaded set by set, paired by pure functions."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import date
from typing import Any

from sqlalchemy import Connection, text

from app.kernel.vocabulary import BankLineStatus, PaymentOrderStatus, Sides
from app.services.reconciliation.bank_matching import BankLine, Order, Pair, Recorded, match
from app.services.reconciliation.comparing import MATCHED, Comparison, Mismatch, Period, Tally, Unheld

_HELD = """EXISTS (SELECT 1 FROM live WHERE live.region_code = {of}.region_code
    AND {of}.happened_on BETWEEN live.period_from AND live.period_until AND {of}.at <= live.uploaded_at)"""
"""Whether a list tells of a day and was sent later than what happened on it: what came after it could not know."""

_SIDES = """
    live AS MATERIALIZED (
        SELECT region_code, id, organisation_id, period_from, period_until, uploaded_at FROM bank_lists
        WHERE starts_with(region_code, :prefix) AND replaced_at IS NULL
    ),
    recorded AS MATERIALIZED (
        SELECT r.region_code, ARRAY[r.id] AS ids,
            CASE r.kind WHEN 'confirmed' THEN 'paid' ELSE 'returned' END AS status, r.bank_reference,
            r.total_fen AS amount_fen, r.order_id, o.payee_id, r.recorded_at AS at
        FROM payment_results r JOIN payment_orders o ON o.region_code = r.region_code AND o.id = r.order_id
        WHERE starts_with(r.region_code, :prefix)
        UNION ALL
        SELECT v.region_code, array_agg(v.id ORDER BY v.id), 'received', v.bank_reference, sum(v.amount_fen)::bigint,
            NULL, min(v.payee_id), max(v.ended_at)
        FROM recoveries v WHERE starts_with(v.region_code, :prefix) AND v.status = 'received'
        GROUP BY v.region_code, v.bank_reference
    ),
    orders AS MATERIALIZED (
        SELECT o.region_code, o.id, o.status, o.payee_id, o.total_fen, o.decided_at AS at,
            coalesce(sum(i.amount_fen) FILTER (WHERE i.status = 'in_payment'), 0)::bigint AS in_payment_fen,
            coalesce(sum(i.amount_fen) FILTER (WHERE i.status = 'confirmed'), 0)::bigint AS confirmed_fen,
            coalesce(sum(i.amount_fen) FILTER (WHERE i.status = 'bounced' AND i.confirm_entry_id IS NULL), 0)::bigint
                AS returned_fen
        FROM payment_orders o JOIN payment_items i ON i.region_code = o.region_code AND i.order_id = o.id
        WHERE starts_with(o.region_code, :prefix) GROUP BY o.region_code, o.id
    ),
    within AS MATERIALIZED (
        SELECT l.region_code, l.order_id, l.status, l.bank_reference
        FROM live JOIN bank_list_lines l ON l.region_code = live.region_code AND l.list_id = live.id
        WHERE l.settled_on BETWEEN :first AND :last
        UNION ALL
        SELECT region_code, order_id, status, bank_reference FROM recorded
        WHERE (at AT TIME ZONE 'Asia/Shanghai')::date BETWEEN :first AND :last
        UNION ALL
        SELECT region_code, id, NULL, NULL FROM orders
        WHERE in_payment_fen > 0 AND (at AT TIME ZONE 'Asia/Shanghai')::date BETWEEN :first AND :last
    ),
    touched AS MATERIALIZED (
        SELECT region_code, order_id FROM within WHERE order_id IS NOT NULL
        UNION SELECT r.region_code, r.order_id FROM recorded r
            JOIN within w ON w.region_code = r.region_code AND w.bank_reference = r.bank_reference
            WHERE r.order_id IS NOT NULL
    ),
    told AS MATERIALIZED (
        SELECT region_code, status, bank_reference FROM within WHERE bank_reference IS NOT NULL
        UNION SELECT r.region_code, r.status, r.bank_reference FROM recorded r
            JOIN touched t ON t.region_code = r.region_code AND t.order_id = r.order_id
    )
"""
"""Whatever can be about the period: a pair is the same whichever period is asked for, so orders are taken whole."""

_LINES = text(f"""
    WITH {_SIDES}
    SELECT l.region_code, l.list_id, l.row_no, l.status, l.bank_reference, l.amount_fen, l.settled_on, l.order_id,
        l.payee_name, l.account_tail, live.organisation_id
    FROM live JOIN bank_list_lines l ON l.region_code = live.region_code AND l.list_id = live.id
    WHERE (l.region_code, l.order_id) IN (SELECT region_code, order_id FROM touched)
        OR (l.region_code, l.status, l.bank_reference) IN (SELECT region_code, status, bank_reference FROM told)
""")

_RECORDED = text(f"""
    WITH {_SIDES}, wanted AS (
        SELECT r.*, (r.at AT TIME ZONE 'Asia/Shanghai')::date AS happened_on FROM recorded r
        WHERE (r.region_code, r.order_id) IN (SELECT region_code, order_id FROM touched)
            OR (r.region_code, r.status, r.bank_reference) IN (SELECT region_code, status, bank_reference FROM told)
    )
    SELECT w.region_code, w.ids, w.status, w.bank_reference, w.amount_fen, w.happened_on AS recorded_on, w.payee_id,
        p.name AS payee_name, w.order_id, {_HELD.format(of="w")} AS held
    FROM wanted w JOIN organisations p ON p.id = w.payee_id ORDER BY w.region_code, w.ids
""")

_ORDERS = text(f"""
    WITH {_SIDES}, wanted AS (
        SELECT o.*, (o.at AT TIME ZONE 'Asia/Shanghai')::date AS happened_on FROM orders o
        WHERE (o.region_code, o.id) IN (SELECT region_code, order_id FROM touched)
    )
    SELECT w.region_code, w.id, w.status, w.payee_id, p.name AS payee_name, w.total_fen, w.in_payment_fen,
        w.confirmed_fen, w.returned_fen, w.happened_on AS sent_on, {_HELD.format(of="w")} AS held
    FROM wanted w JOIN organisations p ON p.id = w.payee_id ORDER BY w.region_code, w.id
""")


def compare_bank_lists(tx: Connection, *, prefix: str, period: Period) -> Comparison:
    """Hold payment orders and receipts of a period against the bank's live lists, in regions beginning with `prefix`.

    A line belongs to the day on which the bank settled it, what has none to the day on which it was recorded or sent.
    Over one snapshot.
    """
    asked = {"prefix": prefix, "first": period.first, "last": period.last}
    lines = _by_region(tx.execute(_LINES, asked).all(), _line)
    recorded = _by_region(tx.execute(_RECORDED, asked).all(), _recorded)
    orders = _by_region(tx.execute(_ORDERS, asked).all(), _order)
    pairs = [
        (region_code, pair)
        for region_code in sorted({*lines, *recorded, *orders})
        for pair in match(lines[region_code], recorded[region_code], {one.id: one for one in orders[region_code]})
        if period.first <= pair.happened_on <= period.last
    ]
    found = [difference(region_code, pair) for region_code, pair in pairs if pair.kind is not None]
    return Comparison(
        sides=Sides.BANK_LISTS,
        period=period,
        tallies=_tallies((region_code, pair) for region_code, pair in pairs if pair.held),
        unheld=tuple(
            Unheld(row.region_code, row.party_id, row.count, row.here_fen)
            for row in _tallies((region_code, pair) for region_code, pair in pairs if not pair.held)
        ),
        mismatches=tuple(sorted(found, key=lambda one: (one.region_code, one.subject))),
    )


def _by_region(rows: Iterable[Any], make: Callable[[dict[str, Any]], Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        values = dict(row._mapping)
        found[values.pop("region_code")].append(make(values))
    return found


def _line(values: dict[str, Any]) -> BankLine:
    return BankLine(**values | {"status": BankLineStatus(values["status"])})


def _recorded(values: dict[str, Any]) -> Recorded:
    return Recorded(**values | {"status": BankLineStatus(values["status"]), "ids": tuple(values["ids"])})


def _order(values: dict[str, Any]) -> Order:
    sent_on = values["sent_on"] if values["status"] == PaymentOrderStatus.ORDERED else None
    return Order(**values | {"sent_on": sent_on})


def _tallies(pairs: Iterable[tuple[str, Pair]]) -> tuple[Tally, ...]:
    counts: Counter[tuple[str, str, str]] = Counter()
    here_fen: Counter[tuple[str, str, str]] = Counter()
    there_fen: Counter[tuple[str, str, str]] = Counter()
    for region_code, pair in pairs:
        key = (region_code, _party(pair), pair.kind or MATCHED)
        counts[key] += 1
        here_fen[key] += pair.here_fen or 0
        there_fen[key] += pair.line.amount_fen if pair.line else 0
    return tuple(Tally(*key, counts[key], here_fen[key], there_fen[key]) for key in sorted(counts))


def _party(pair: Pair) -> str:
    """Whose it is: the payee's, where both sides agree on that, or one of them is silent; else the bureau's."""
    payees = {of.payee_id for of in (pair.recorded, pair.order) if of is not None}
    one_order = "order_id" not in pair.differs
    if len(payees) == 1 and one_order:
        return payees.pop()
    assert pair.line is not None, "what is here has a payee"
    return pair.line.organisation_id


def difference(region_code: str, pair: Pair) -> Mismatch:
    """The pair as a difference with its evidence. Within a region no two have the same subject. Pure."""
    assert pair.kind is not None
    line, recorded, order = pair.line, pair.recorded, pair.order
    if recorded is not None:
        subject = f"{recorded.status} {recorded.bank_reference}"
    elif line is not None:
        subject = f"{line.status} {line.bank_reference}"
    else:
        assert order is not None, "a pair has something in it"
        subject = f"sent {order.id}"
    if pair.first is not None and line is not None:
        subject += f" again {line.list_id} {line.row_no}"
    return Mismatch(
        region_code=region_code,
        party_id=_party(pair),
        kind=pair.kind,
        subject=subject,
        happened_on=pair.happened_on,
        here_fen=pair.here_fen,
        there_fen=line.amount_fen if line else None,
        evidence={
            "bank_list_id": line.list_id if line else None,
            "row_no": line.row_no if line else None,
            "line": _shown(line, "list_id", "row_no", "organisation_id"),
            "recorded": _shown(recorded, "held", "payee_name"),
            "payment_order": _shown(order, "held"),
            "stands_first": {"bank_list_id": pair.first.list_id, "row_no": pair.first.row_no} if pair.first else None,
            "differs": dict(pair.differs),
        },
    )


def _shown(of: BankLine | Recorded | Order | None, *without: str) -> dict[str, Any] | None:
    """A side as evidence, days as text; what nobody said is left out."""
    if of is None:
        return None
    said = {name: getattr(of, name) for name in of.__slots__ if name not in without}
    return {
        name: value.isoformat() if isinstance(value, date) else value
        for name, value in said.items()
        if value is not None
    }
