"""The form for a mandate: what people type is understood, or marked where it cannot be."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from app.api.portal.forms import Grant, GrantForm, read_grant
from app.api.portal.texts import Words
from app.kernel.clock import end_of_day
from app.kernel.ids import new_id
from app.kernel.problems import AppError, Code, FieldError

ZH = Words("zh")
PROVIDER = new_id("org")
YEAR_END = end_of_day(date(2026, 12, 31))


@pytest.mark.parametrize("limit", ["12,345.60", "12345.6", " １２３４５．６０ "])
def test_an_amount_is_read_as_people_type_it(limit: str) -> None:
    asked = read_grant(GrantForm(provider=PROVIDER, limit=limit, until="2026-12-30"), ZH)
    assert asked == Grant(PROVIDER, 1_234_560, date(2026, 12, 30))


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("provider", ""),
        ("provider", "org_'; DROP"),
        ("limit", ""),
        ("limit", "0"),
        ("limit", "-5"),
        ("limit", "1e9"),
        ("limit", "1.005"),
        ("limit", "一万"),
        ("until", ""),
        ("until", "2026-02-30"),
        ("until", "9999-12-31"),
    ],
)
def test_what_cannot_be_read_is_marked_and_stays(field: str, typed: str) -> None:
    typed_in = {"provider": PROVIDER, "limit": "100", "until": "2026-12-30"} | {field: typed}
    marked = read_grant(GrantForm(typed_in["provider"], typed_in["limit"], typed_in["until"]), ZH)
    assert isinstance(marked, GrantForm)
    assert list(marked.errors) == [field]
    assert getattr(marked, field) == typed


def test_the_last_day_of_the_voucher_means_its_very_end() -> None:
    odd_end = datetime(2026, 12, 31, 9, tzinfo=UTC)
    assert Grant(PROVIDER, 1, date(2026, 12, 31)).valid_until(odd_end) is None
    assert Grant(PROVIDER, 1, date(2026, 12, 30)).valid_until(odd_end) == end_of_day(date(2026, 12, 30))


def test_a_refusal_of_the_service_is_put_at_its_field() -> None:
    form = GrantForm(PROVIDER, "999", "2026-12-31")
    places = [
        FieldError("/limit_fen", "too_large", limit=5_000, actual=99_900),
        FieldError("/valid_until", "out_of_range", limit="…", actual="…"),
    ]
    refused = form.refused(AppError(Code.VALIDATION_FAILED, count=2, errors=places), ZH, valid_until=YEAR_END)
    assert refused is not None
    assert refused.errors == {"limit": "不能超过面值 50.00 元。", "until": "须不早于今天、不晚于 2026-12-31。"}
    exists = form.refused(AppError(Code.MANDATE_EXISTS, mandate_id="mdt_1"), ZH, valid_until=YEAR_END)
    assert exists is not None
    assert exists.problem is not None
    assert "mdt_1" in exists.problem
    assert form.refused(AppError(Code.VOUCHER_FROZEN, since=YEAR_END), ZH, valid_until=YEAR_END) is None
