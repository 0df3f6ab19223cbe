"""Which version judges a claim: the one in force on the day of the event that the rules pin."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from app.services.redemption.states import DatedRules, GrantTerms, ProgrammeTerms, VoucherState
from app.services.rules.model import Rules

NOON = datetime(2026, 11, 20, 4, tzinfo=UTC)


def terms(pinned_by: str) -> ProgrammeTerms:
    """The first version from January, the second from July, the third from December on."""
    rules = Rules.model_validate({"categories": ["training"], "rate": {"rate": "0.30"}, "pinned_by": pinned_by})
    days = (date(2026, 12, 1), date(2026, 7, 1), date(2026, 1, 1))
    return ProgrammeTerms("published", tuple(DatedRules(f"rul_{3 - n}", 3 - n, on, rules) for n, on in enumerate(days)))


def voucher(issued_at: datetime) -> VoucherState:
    later = datetime(2027, 6, 1, tzinfo=UTC)
    return VoucherState(
        region_code="330100",
        id="vch_1",
        code="330100AAAAAAAAAAAA",
        programme_id="prg_1",
        firm_id="org_1",
        balance_fen=100,
        held_fen=0,
        posting_count=1,
        issued_at=issued_at,
        valid_from=issued_at,
        valid_until=later,
        redeemable_until=later,
        frozen_at=None,
        ended_as=None,
        ended_at=None,
        terms=GrantTerms(),
        shares=[],
    )


@pytest.mark.parametrize(
    ("pinned_by", "claim", "number"),
    [
        ("claim", {}, 2),
        ("issue", {}, 1),
        ("contract", {"contract_signed_on": "2026-03-01"}, 1),
        ("contract", {"contract_signed_on": "2026-07-01"}, 2),
        ("contract", {"contract_signed_on": "2026-12-24"}, 2),  # a day to come is today's at most
        ("contract", {"contract_signed_on": "2025-12-31"}, None),
        ("contract", {"contract_signed_on": "soon"}, None),
        ("contract", {}, None),
    ],
)
def test_the_pinned_event_decides(pinned_by: str, claim: dict[str, Any], number: int | None) -> None:
    issued_at = datetime(2026, 6, 30, 15, 59, tzinfo=UTC)  # 23:59 in Shanghai
    found = terms(pinned_by).rules_for(voucher(issued_at), claim, at=NOON)
    assert (found.number if found else None) == number
