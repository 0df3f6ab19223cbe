"""Grants of a round, or of the waiting list, as a batch: issued on the way of every other, under another approval."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from app.kernel.ids import new_id
from app.services.allocation.applied import Applications, granting_row
from app.services.allocation.plans import Candidate
from app.services.identity.principals import Caller
from app.services.issuance.batches import load_pools
from app.services.issuance.checks import Submission, check
from app.services.issuance.plans import draws, rows_sha256
from app.services.issuance.rows import GrantRow, Layout
from app.services.issuance.submission import BatchReport, write_batch
from app.services.issuance.terms import Terms
from app.services.programmes.programmes import ProgrammeRecord
from app.services.rules.model import Rules

_LAYOUT = Layout("zh")
"""What is wrong with these rows now was right when they were frozen: each complaint says itself which row it means."""


@dataclass(frozen=True, slots=True)
class Grants:
    """A batch that is checked and not yet written."""

    batch_id: str
    report: BatchReport

    def command(self) -> dict[str, Any]:
        """What the approval has to hold to issue exactly these rows."""
        return {
            "batch_id": self.batch_id,
            "row_count": self.report.row_count,
            "total_fen": self.report.total_fen,
            "rows_sha256": rows_sha256(self.batch_id, self.report.rows),
        }

    def pools(self) -> list[dict[str, Any]]:
        """What is taken from which pool, for the approval's effect."""
        return [
            {
                "pool_id": draw.pool_id,
                "fund_source": draw.fund_source,
                "amount_fen": draw.amount_fen,
                "available_before_fen": draw.available_before_fen,
                "available_after_fen": draw.available_after_fen,
            }
            for draw in self.report.draws
        ]


def granted_rows(
    candidates: Iterable[Candidate], amounts_fen: Mapping[int, int], applications: Applications, rules: Rules
) -> list[GrantRow]:
    """The rows of a batch that grants candidates these amounts, by their places; applications as they stand now."""
    rows = []
    for candidate in candidates:
        if candidate.place not in amounts_fen:
            continue
        row = GrantRow(
            row_no=candidate.place,
            reference_no=candidate.reference_no,
            face_value_fen=amounts_fen[candidate.place],
            firm_id=candidate.firm_id,
            terms=Terms.model_validate_json(candidate.terms) if candidate.terms else None,
        )
        if candidate.application_id is not None:
            row = granting_row(row, applications[candidate.application_id], rules)
        rows.append(row)
    return rows


def prepare(tx: Connection, programme: ProgrammeRecord, rows: Sequence[GrantRow], *, at: datetime) -> Grants:
    """Check the rows as if they were issued now. The caller holds the programme's lock.

    Raises what a batch is refused for: `wrong_state`, `validation_failed`, `reference_already_used`,
    `budget_exhausted`, `year_closed`.
    """
    total_fen = sum(row.face_value_fen for row in rows)
    submission = Submission(programme.id, tuple(rows), _LAYOUT, len(rows), total_fen)
    checked = check(tx, programme, submission, at=at)
    checked.require_sound(submission)
    pools = load_pools(tx, programme.region_code, programme.id, programme.fiscal_year)
    batch_id = new_id("bat", programme.region_code)
    report = BatchReport(
        batch_id=batch_id,
        approval_id=None,
        region_code=programme.region_code,
        programme_id=programme.id,
        row_count=len(rows),
        total_fen=total_fen,
        firm_count=len({row.firm_id for row in checked.rows}),
        file_name=None,
        file_sha256=None,
        draws=draws((row.face_value_fen for row in checked.rows), checked.rules.fund_sources, pools),
        rows=checked.rows,
        at=at,
    )
    return Grants(batch_id, report)


def write(tx: Connection, caller: Caller, grants: Grants) -> None:
    """Write the batch down, so that a checker can read it row by row. He is asked by whoever prepared it."""
    write_batch(tx, caller, grants.report, grants.batch_id)
