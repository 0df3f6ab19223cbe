"""A report's spreadsheet as an accountant opens it: what it adds up to, and what it does not show."""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import openpyxl  # type: ignore[import-untyped]
import pytest

from app.services.reconciliation.reconcile import ReconciliationRecord
from app.services.reconciliation.report_sheet import write_report

PROVIDER = "org_01kay0000000000000000000ab"
AT = datetime(2026, 11, 26, 8, tzinfo=UTC)


def difference(number: int) -> dict[str, Any]:
    return {
        "region_code": "330100",
        "kind": "differing_amount",
        "party_id": PROVIDER,
        "subject": f"A-{number}",
        "happened_on": "2026-11-05",
        "here_fen": 3_001,
        "there_fen": 2_999,
        "case_id": f"cas_330100_{number}",
        "evidence": {
            "line": {"order_no": f"A-{number}"}, "redemption": None, "stands_twice": False, "differs": ["subsidy_fen"],
            "statement_id": None, "row_no": number,
        },
    }  # fmt: skip


def sheets(*, shown: int, count: int, broken: int = 0) -> Any:
    """The report of a run that found so many differences, of which so many stand in it."""
    tally = {
        "region_code": "330100", "party_id": PROVIDER, "kind": "differing_amount", "count": count,
        "here_fen": 3_001 * count, "there_fen": 2_999 * count,
    }  # fmt: skip
    rows = [{"region_code": "330100", "subject": "vch_330100_1", "expected": "1", "actual": "2"}] if broken else []
    report = {
        "findings": [{"number": 1, "title_zh": "余额", "title_en": "Balances", "count": broken, "differences": rows}],
        "comparisons": [
            {
                "sides": "statements", "period_from": "2026-11-01", "period_until": "2026-11-30",
                "difference_count": count, "tallies": [tally], "unheld": [],
                "differences": [difference(number) for number in range(1, shown + 1)],
            }
        ],
    }  # fmt: skip
    record = ReconciliationRecord("330100", "rec_330100_1", AT, AT, "usr_1", broken, report)
    return openpyxl.load_workbook(BytesIO(write_report(record)))


def words(sheet: Any) -> str:
    return " ".join(str(cell.value) for row in sheet.iter_rows(min_row=2) for cell in row[:1] if cell.value)


def test_the_differences_add_up_to_their_totals() -> None:
    book = sheets(shown=3, count=3)
    (total,) = [row for row in book["对账汇总"].iter_rows(min_row=2, values_only=True) if row[1]]
    listed = [row for row in book["对账差异"].iter_rows(min_row=2, values_only=True) if row[1]]
    for place, of in ((4, 6), (5, 7)):
        assert sum(row[of] for row in listed) == pytest.approx(total[place], abs=0.001)
    assert (len(listed), total[3], total[4]) == (3, 3, 90.03)
    assert "未列出" not in words(book["对账差异"])


def test_what_is_left_out_is_said_where_somebody_would_add_up() -> None:
    book = sheets(shown=3, count=1_003, broken=5)
    assert "另有 1000 条未列出" in words(book["对账差异"])
    assert "GET /v1/reconciliation-cases" in words(book["对账差异"])
    assert "另有 4 条未列出" in words(book["账目差异"])
