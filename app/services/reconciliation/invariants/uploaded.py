"""Statements and lists of the bank are compared as they were sent: their lines are those that were sealed."""

from __future__ import annotations

from app.models import BankList, Statement
from app.services.period_files import PeriodFile, digests
from app.services.reconciliation.invariants.invariant import Invariant


def _lines_of(table: PeriodFile, action: str) -> str:
    return f"""
        SELECT f.region_code, 'lines of ' || f.id AS subject,
            concat_ws(' ', said.d ->> 'line_count', said.d ->> 'file_sha256', said.d ->> 'lines_sha256') AS expected,
            concat_ws(' ', f.line_count, f.file_sha256, stored.lines_sha256) AS actual
        FROM {table.__tablename__} f
        JOIN audit_events a ON a.region_code = f.region_code AND a.object_id = f.id AND a.action = '{action}'
        CROSS JOIN LATERAL (SELECT a.details::jsonb AS d OFFSET 0) AS said
        LEFT JOIN ({digests(table)}) AS stored ON stored.region_code = f.region_code AND stored.id = f.id
        WHERE said.d ->> 'line_count' <> f.line_count::text OR said.d ->> 'file_sha256' <> f.file_sha256
            OR said.d ->> 'lines_sha256' <> coalesce(stored.lines_sha256, '')
    """


INVARIANTS: tuple[Invariant, ...] = (
    Invariant(
        6,
        "uploaded_lines",
        "The lines of statements and of the bank's lists are those that were uploaded",
        "对账单与银行结果清单的各行与上传时一致",
        f"{_lines_of(Statement, 'statement.uploaded')} UNION ALL {_lines_of(BankList, 'bank_list.uploaded')}",
    ),
)
"""Of what was uploaded before digests were sealed, only the file's hash and the number of lines are compared."""
