"""Reminders before a balance expires: told to the firm as events, each once, caught up with after a rest.

A reminder of so many days is due when that is what is left. Of those that have come due since the last look only the
most urgent is made. Nothing is told of what has expired, nor of days that were over when the voucher was issued.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, text

from app.kernel.canonical import canonical
from app.kernel.clock import civil_date
from app.kernel.vocabulary import EventKind
from app.services.events import Told, tell
from app.services.redemption.loading import FIRST, ProgrammeKey, load_terms
from app.services.vouchers.extending import last_day_of
from app.sql import now

AT_ONCE = 5_000
"""Vouchers in one transaction."""

_DUE = text(
    "SELECT p.region_code, p.id FROM programmes p"
    " LEFT JOIN reminder_marks m ON m.region_code = p.region_code AND m.programme_id = p.id"
    " WHERE p.status IN ('published', 'paused', 'closed') AND (m.programme_id IS NULL OR m.until IS NOT NULL"
    " OR m.looked_at <= statement_timestamp() - interval '1 hour') AND (p.region_code, p.id) > (:region, :after)"
    " ORDER BY p.region_code, p.id LIMIT :most"
)
_BEGIN = text(
    "INSERT INTO reminder_marks (region_code, programme_id, looked_at, after_id)"
    " VALUES (:region, :programme, clock_timestamp() - interval '400 days', '') ON CONFLICT DO NOTHING"
)
_LOCK = text(
    "SELECT looked_at, until, after_id FROM reminder_marks WHERE region_code = :region AND programme_id = :programme"
    " AND (until IS NOT NULL OR looked_at <= clock_timestamp() - interval '1 hour') FOR NO KEY UPDATE SKIP LOCKED"
)
_VOUCHERS = text(
    "SELECT v.id, v.firm_id, v.valid_until, v.balance_fen, due.days FROM vouchers v CROSS JOIN LATERAL ("
    "  SELECT min(n) AS days FROM unnest(CAST(:days AS integer[])) AS n"
    "  WHERE v.valid_until - n * interval '1 day' > greatest(:since, v.issued_at)"
    "  AND v.valid_until - n * interval '1 day' <= :until) AS due"
    " WHERE v.region_code = :region AND v.programme_id = :programme AND v.id > :after AND v.ended_as IS NULL"
    " AND v.balance_fen > 0 AND NOT v.stands_still AND v.valid_until > :at AND due.days IS NOT NULL"
    " ORDER BY v.id LIMIT :most"
)
_MARK = text(
    "UPDATE reminder_marks SET looked_at = :looked_at, until = :until, after_id = :after"
    " WHERE region_code = :region AND programme_id = :programme"
)


def find_programmes_to_remind(tx: Connection, *, most: int, after: ProgrammeKey = FIRST) -> list[ProgrammeKey]:
    """Up to `most` programmes at which nobody has looked for an hour, or not to the end, in order; without a lock."""
    asked = {"most": most, "region": after[0], "after": after[1]}
    return [(row.region_code, row.id) for row in tx.execute(_DUE, asked)]


def remind(tx: Connection, found: Sequence[ProgrammeKey]) -> int:
    """Make the reminders of these programmes that are due; how many programmes it looked at.

    At most `AT_ONCE` a programme: the rest follows with the next call. What somebody else is at is left alone.
    """
    return sum(_remind(tx, *key) for key in found)


def _remind(tx: Connection, region_code: str, programme_id: str) -> bool:
    here = {"region": region_code, "programme": programme_id}
    tx.execute(_BEGIN, here)
    mark = tx.execute(_LOCK, here).one_or_none()
    if mark is None:
        return False
    at = now(tx)
    until = mark.until or at
    version = load_terms(tx, [(region_code, programme_id)])[region_code, programme_id].rules_on(civil_date(at))
    days = sorted(version.rules.reminder_days) if version is not None else []
    bound = {"days": days, "since": mark.looked_at, "until": until, "at": at, "after": mark.after_id, "most": AT_ONCE}
    due = tx.execute(_VOUCHERS, here | bound).all()
    tell(
        tx,
        [
            Told(
                region_code,
                row.firm_id,
                EventKind.VOUCHER_EXPIRING,
                row.id,
                canonical(
                    {
                        "voucher_id": row.id,
                        "programme_id": programme_id,
                        "days_before": row.days,
                        "last_day": last_day_of(row.valid_until).isoformat(),
                        "balance_fen": row.balance_fen,
                    }
                ).decode(),
                at,
            )
            for row in due
        ],
    )
    goes_on = len(due) == AT_ONCE
    told = (
        {"looked_at": mark.looked_at, "until": until, "after": due[-1].id}
        if goes_on
        else {"looked_at": until, "until": None, "after": ""}
    )
    tx.execute(_MARK, here | told)
    return True
