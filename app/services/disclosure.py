"""Open totals (信息公开): what each programme has issued and redeemed, for everybody; no names, added up seldom."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from sqlalchemy import BigInteger, Connection, and_, cast, func, select

from app.database import Database
from app.kernel.vocabulary import ProgrammeStatus
from app.models import Organisation, Programme, Voucher
from app.sql import now

KEPT_S = 60
"""Nobody signs in for this, so however many ask, the vouchers are added up once a minute."""

OPEN = (ProgrammeStatus.PUBLISHED, ProgrammeStatus.PAUSED, ProgrammeStatus.CLOSED)


@dataclass(frozen=True, slots=True)
class ProgrammeTotals:
    """One programme. Amounts are fen; redeemed is net of refunds, ended what expired, was voided or given back."""

    region_code: str
    programme_id: str
    title: str
    document_no: str
    fiscal_year: int
    voucher_kind: str
    authority_name: str
    voucher_count: int
    firm_count: int
    issued_fen: int
    redeemed_fen: int
    ended_fen: int


@dataclass(frozen=True, slots=True)
class OpenTotals:
    """All published programmes as of an instant, by region, newest programme first."""

    at: datetime
    programmes: tuple[ProgrammeTotals, ...]


def add_up(tx: Connection) -> OpenTotals:
    """The totals as they stand."""
    ended_fen = Voucher.expired_fen + Voucher.voided_fen + Voucher.surrendered_fen
    rows = tx.execute(
        select(
            Programme.region_code,
            Programme.id,
            Programme.title,
            Programme.document_no,
            Programme.fiscal_year,
            Programme.voucher_kind,
            Organisation.name,
            func.count(Voucher.id),
            func.count(Voucher.firm_id.distinct()),
            *(
                cast(func.coalesce(func.sum(amount), 0), BigInteger)
                for amount in (Voucher.face_fen, Voucher.redeemed_fen, ended_fen)
            ),
        )
        .join(Organisation, Organisation.id == Programme.authority_id)
        .outerjoin(Voucher, and_(Voucher.region_code == Programme.region_code, Voucher.programme_id == Programme.id))
        .where(Programme.status.in_(OPEN))
        .group_by(Programme.region_code, Programme.id, Organisation.id)
        .order_by(Programme.region_code, Programme.id.desc())
    )
    return OpenTotals(now(tx), tuple(ProgrammeTotals(*tuple(row)) for row in rows))


class Disclosure:
    """Adds up when it is asked, and remembers the answer for a while."""

    def __init__(self, database: Database, *, timer: Callable[[], float] = time.monotonic) -> None:
        self._database, self._timer = database, timer
        self._lock = Lock()
        self._known: OpenTotals | None = None
        self._added_at = 0.0

    def read(self) -> OpenTotals:
        """The totals, KEPT_S old at most; who asks meanwhile waits for the one that adds up."""
        with self._lock:
            if self._known is None or self._timer() - self._added_at >= KEPT_S:
                self._known = self._database.snapshot(add_up)
                self._added_at = self._timer()
            return self._known
