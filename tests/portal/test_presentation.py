"""What the pages show of a voucher: parts that fill the bar, days that people count, movements by entry."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.portal.pages import signed_yuan, yuan
from app.api.portal.presentation import (
    BAR_WIDTH,
    PARTS,
    ends_with_day,
    last_day,
    local_time,
    shown_mandates,
    shown_movements,
    shown_voucher,
)
from app.kernel.clock import end_of_day, start_of_day
from app.kernel.vocabulary import VoucherStatus
from app.services.vouchers.mandates import MandateRecord
from app.services.vouchers.reads import VoucherMovement, VoucherRecord

YEAR_END = end_of_day(date(2026, 12, 31))
NOON = start_of_day(date(2026, 12, 1)) + timedelta(hours=12)

VOUCHER = VoucherRecord(
    region_code="330100",
    id="vch_1",
    code="330100XXXXXXXXXXXX",
    programme_id="prg_1",
    programme_title="AI算力券",
    voucher_kind="compute",
    firm_id="org_1",
    firm_name="企业",
    status=VoucherStatus.ACTIVE,
    face_value_fen=300,
    balance_fen=100,
    held_fen=0,
    redeemed_fen=200,
    recovered_fen=0,
    expired_fen=0,
    voided_fen=0,
    surrendered_fen=0,
    valid_from=start_of_day(date(2026, 1, 1)),
    valid_until=YEAR_END,
    redeemable_until=YEAR_END,
    issued_at=start_of_day(date(2026, 1, 1)),
    frozen_at=None,
    ended_at=None,
)


def test_the_exclusive_end_is_shown_as_the_last_day_it_includes() -> None:
    assert last_day(YEAR_END) == date(2026, 12, 31)
    assert ends_with_day(YEAR_END)
    assert last_day(YEAR_END - timedelta(hours=7)) == date(2026, 12, 31)
    assert not ends_with_day(YEAR_END - timedelta(hours=7))
    assert local_time(datetime(2026, 12, 31, 16, 5, tzinfo=UTC)) == "2027-01-01 00:05"


@pytest.mark.parametrize(
    ("on", "days", "soon"),
    [(date(2026, 12, 1), 30, False), (date(2026, 12, 2), 29, True), (date(2026, 12, 31), 0, True)],
)
def test_days_are_counted_as_people_count_them(on: date, days: int, soon: bool) -> None:  # noqa: FBT001
    shown = shown_voucher(VOUCHER, at=start_of_day(on) + timedelta(hours=23))
    assert (shown.days_left, shown.ends_soon) == (days, soon)


@pytest.mark.parametrize(
    "record",
    [
        replace(VOUCHER, status=VoucherStatus.EXHAUSTED, balance_fen=0, redeemed_fen=300),
        replace(VOUCHER, status=VoucherStatus.VOIDED, balance_fen=0, voided_fen=100),
    ],
)
def test_nothing_ends_soon_where_nothing_is_left(record: VoucherRecord) -> None:
    assert not shown_voucher(record, at=YEAR_END - timedelta(days=1)).ends_soon


@given(st.lists(st.integers(0, 10**15), min_size=len(PARTS), max_size=len(PARTS)))
def test_the_parts_fill_the_bar_without_gap_or_overlap(amounts: list[int]) -> None:
    parts: dict[str, Any] = {f"{name}_fen": fen for name, fen in zip(PARTS, amounts, strict=True)}
    shown = shown_voucher(replace(VOUCHER, face_value_fen=sum(amounts), **parts), at=NOON)
    edge = 0
    for part in shown.parts:
        assert part.x == edge
        assert part.amount_fen > 0
        edge = part.x + part.width
    assert edge == (BAR_WIDTH if sum(amounts) else 0)


def posting(
    seq: int,
    entry: str,
    kind: str,
    change_fen: int,
    balance_fen: int,
    *,
    held_fen: int | None = None,
    provider_id: str | None = None,
) -> VoucherMovement:
    """One posting; `held_fen` is what moved where money of a hold did."""
    return VoucherMovement(
        voucher_seq=seq,
        at=NOON,
        kind=kind,
        source="",
        destination="",
        amount_fen=abs(change_fen) if held_fen is None else held_fen,
        change_fen=change_fen,
        balance_fen=balance_fen,
        entry_id=entry,
        subject_id=f"of {entry}",
        pool_id=f"pol_{seq % 2}",
        payee_id=None,
        hold_id="hld_1" if held_fen is not None else None,
        provider_id=provider_id,
    )


def test_what_is_carried_to_the_next_year_is_one_movement_that_changes_nothing() -> None:
    issued = posting(1, "ent_1", "issue", 100, 100)
    out = replace(posting(2, "ent_2", "move", -100, 0), subject_id="ycl_1")
    into = replace(posting(3, "ent_3", "move", 100, 100), subject_id="ycl_1")
    shown = shown_movements([issued, out, into], {})
    assert [(one.kind, one.change_fen, one.balance_fen) for one in shown] == [("move", 0, 100), ("issue", 100, 100)]


def test_an_entry_over_two_fund_sources_is_one_movement() -> None:
    found = [
        posting(1, "ent_1", "issue", 60, 60),
        posting(2, "ent_1", "issue", 40, 100),
        posting(3, "ent_2", "redeem", -6, 94, provider_id="org_9"),
        posting(4, "ent_2", "redeem", -4, 90, provider_id="org_9"),
    ]
    shown = shown_movements(found, {"org_9": "智算中心"})
    assert [(one.kind, one.change_fen, one.balance_fen) for one in shown] == [("redeem", -10, 90), ("issue", 100, 100)]
    assert [(one.provider, one.redemption_id) for one in shown] == [("智算中心", "of ent_2"), (None, None)]


def test_a_redemption_from_a_hold_says_what_it_took_from_there_and_what_came_back() -> None:
    found = [
        posting(1, "ent_1", "hold", -60, 40, held_fen=60, provider_id="org_9"),
        posting(2, "ent_2", "redeem", 0, 40, held_fen=25, provider_id="org_9"),
        posting(3, "ent_2", "redeem", 0, 40, held_fen=20, provider_id="org_9"),
        posting(4, "ent_2", "redeem", 10, 50, held_fen=10, provider_id="org_9"),
        posting(5, "ent_2", "redeem", 5, 55, held_fen=5, provider_id="org_9"),
        posting(6, "ent_3", "release", 7, 62, held_fen=7, provider_id="org_9"),
    ]
    shown = shown_movements(found, {"org_9": "智算中心"})
    assert [(one.kind, one.change_fen, one.balance_fen, one.from_hold_fen, one.freed_fen) for one in shown] == [
        ("release", 7, 62, 0, 0),
        ("redeem", 15, 55, 45, 15),
        ("hold", -60, 40, 0, 0),
    ]
    assert {one.provider for one in shown} == {"智算中心"}


def test_a_mandate_says_whether_it_can_still_be_used() -> None:
    live = MandateRecord("mdt_1", "vch_1", "org_9", "智算中心", 100, 40, YEAR_END, NOON, None)
    given_mandates = [
        live,
        replace(live, used_fen=100),
        replace(live, valid_until=NOON),
        replace(live, revoked_at=NOON),
    ]
    shown = shown_mandates(given_mandates, at=NOON)
    assert [(one.state, one.left_fen) for one in shown] == [
        ("live", 60),
        ("used_up", 0),
        ("ended", 0),
        ("withdrawn", 0),
    ]


def test_amounts_have_a_true_sign() -> None:
    assert [signed_yuan(123_450), signed_yuan(-2_000), yuan(0), yuan(-1)] == ["+1,234.50", "−20.00", "0.00", "−0.01"]
