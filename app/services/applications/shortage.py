"""How much of a programme's money is free for one who might wait for it. One look, then pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, select

from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import ApplicationStatus
from app.models import Application, IssuanceRow, Programme
from app.services.applications.records import ApplicationRecord
from app.services.issuance.batches import load_pools, rules_in_force
from app.services.issuance.plans import Pool, draws
from app.services.rules.budget import FundShare
from app.sql import now


@dataclass(frozen=True, slots=True)
class Shortage:
    """The pools, what is proposed out of them already, and those who wait, in the order of first submission."""

    shares: Sequence[FundShare]
    pools: Mapping[str, Pool]
    proposed_fen: Sequence[int]
    waiting: list[tuple[datetime, int]] = field(default_factory=list)

    def put_in_line(self, application: ApplicationRecord) -> int:
        """Let it wait; returns what is free for it, in fen. Raises `pool_suffices` where the pools can carry it.

        Those who were submitted before it come before it.
        """
        assert application.assessed_fen is not None, "a CHECK holds it"
        assert application.submitted_at is not None, "a CHECK holds it"
        earlier = [fen for since, fen in self.waiting if since < application.submitted_at]
        before_fen = sum(self.proposed_fen) + sum(earlier)
        available_fen = sum(pool.available_fen for pool in self.pools.values())
        try:
            draws([*self.proposed_fen, *earlier, application.assessed_fen], self.shares, self.pools)
        except AppError as short:
            if short.code is not Code.BUDGET_EXHAUSTED:
                raise
            self.waiting.append((application.submitted_at, application.assessed_fen))
            return max(0, available_fen - before_fen)
        raise AppError(
            Code.POOL_SUFFICES, available_fen=available_fen - before_fen, actual_fen=application.assessed_fen
        )


def load_shortage(tx: Connection, region_code: str, programme_id: str) -> Shortage:
    """How things stand now."""
    rules = rules_in_force(tx, region_code, programme_id, now(tx)).rules
    year = tx.execute(
        select(Programme.fiscal_year).where(Programme.region_code == region_code, Programme.id == programme_id)
    ).scalar_one()
    pools = load_pools(tx, region_code, programme_id, year)
    proposed = tx.execute(
        select(IssuanceRow.face_value_fen).where(
            IssuanceRow.region_code == region_code,
            IssuanceRow.programme_id == programme_id,
            IssuanceRow.rejected_at.is_(None),
            IssuanceRow.voucher_id.is_(None),
        )
    ).scalars()
    waiting = tx.execute(
        select(Application.submitted_at, Application.assessed_fen).where(
            Application.region_code == region_code,
            Application.programme_id == programme_id,
            Application.status == ApplicationStatus.WAITLISTED,
            Application.batch_id.is_(None),
        )
    )
    line = [(row.submitted_at, row.assessed_fen) for row in waiting]
    return Shortage(rules.fund_sources, pools, list(proposed), line)
