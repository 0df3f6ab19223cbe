"""Many officials and one pool: approvals of one voucher each, on money that is enough for half of them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from app.database import Database
from app.kernel.problems import AppError, Code
from app.services.approvals.decisions import approve
from app.services.issuance.checks import Submission
from app.services.issuance.rows import GrantRow, Layout
from app.services.issuance.submission import submit_batch
from benchmarks.redemptions.books import caller_of

GRANT_FEN = 1_000


class Race:
    """So many approvals; `funds_fen` is what half of them need, and half a voucher more."""

    def __init__(self, database: Database, people: Mapping[str, Any], firm_id: str, approvals: int) -> None:
        self._database, self._people, self._firm_id, self._approvals = database, people, firm_id, approvals
        self.funds_fen = approvals // 2 * GRANT_FEN + GRANT_FEN // 2

    def prepare(self, programme_id: str, name: str) -> list[str]:
        """Submit a batch of one for each approval."""
        layout = Layout("zh")

        def submit(number: int) -> str:
            row = GrantRow(1, f"{name}-{number}", GRANT_FEN, firm_id=self._firm_id)
            submission = Submission(programme_id, (row,), layout, 1, GRANT_FEN)
            report = self._database.transact(
                lambda tx: submit_batch(
                    tx, caller=caller_of(tx, self._people["maker"]), submission=submission, dry_run=False
                )
            )
            assert report.approval_id is not None, "not rehearsed"
            return report.approval_id

        return [submit(number) for number in range(self._approvals)]

    def one_by_one(self, asked: Sequence[str]) -> None:
        """Approve in their order."""
        self._require_half([self._approve(approval_id) for approval_id in asked])

    def at_once(self, asked: Sequence[str]) -> None:
        """Approve all in the same moment, each in a thread of its own."""
        together = threading.Barrier(len(asked))

        def press(approval_id: str) -> str:
            together.wait()
            return self._approve(approval_id)

        with ThreadPoolExecutor(len(asked)) as threads:
            self._require_half(list(threads.map(press, asked)))

    def _approve(self, approval_id: str) -> str:
        try:
            self._database.transact(
                lambda tx: approve(tx, caller=caller_of(tx, self._people["checker"]), approval_id=approval_id)
            )
        except AppError as refusal:
            return refusal.code
        return "issued"

    def _require_half(self, answers: Sequence[str]) -> None:
        half = self._approvals // 2
        assert Counter(answers) == {"issued": half, Code.BUDGET_EXHAUSTED: self._approvals - half}, Counter(answers)
