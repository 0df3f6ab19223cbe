from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kernel.problems import AppError, Code
from app.services.issuance.plans import Pool, draws, parts_of
from app.services.rules.budget import FundShare

FACES = st.lists(st.integers(1, 10**12), min_size=1, max_size=30)
SHARES = st.lists(st.integers(1, 1_000), min_size=1, max_size=8).map(
    lambda shares: [FundShare(source=f"s{place}", share=share) for place, share in enumerate(shares)]
)


@given(st.integers(1, 10**15), SHARES)
def test_the_parts_of_a_voucher_add_up_and_none_is_empty(face_value_fen: int, shares: list[FundShare]) -> None:
    parts = parts_of(face_value_fen, shares)
    assert sum(part for _, part in parts) == face_value_fen
    assert all(part > 0 for _, part in parts)
    assert [source for source, _ in parts] == [s.source for s in shares if s.source in dict(parts)]


@given(FACES, SHARES)
def test_a_batch_draws_exactly_what_its_vouchers_are_worth(faces: list[int], shares: list[FundShare]) -> None:
    pools = {share.source: Pool(f"pol_{share.source}", sum(faces)) for share in shares}
    taken = draws(faces, shares, pools)
    assert sum(draw.amount_fen for draw in taken) == sum(faces)
    assert all(draw.available_after_fen == draw.available_before_fen - draw.amount_fen >= 0 for draw in taken)


@given(FACES, SHARES, st.data())
def test_one_fen_too_few_in_any_pool_is_a_refusal(
    faces: list[int], shares: list[FundShare], data: st.DataObject
) -> None:
    ample = {share.source: Pool(f"pol_{share.source}", sum(faces)) for share in shares}
    exact = {draw.fund_source: Pool(draw.pool_id, draw.amount_fen) for draw in draws(faces, shares, ample)}
    assert draws(faces, shares, exact)
    short = data.draw(st.sampled_from(sorted(exact)))
    with pytest.raises(AppError) as refused:
        draws(faces, shares, exact | {short: Pool(exact[short].id, exact[short].available_fen - 1)})
    assert refused.value.code is Code.BUDGET_EXHAUSTED
    assert (refused.value.context["fund_source"], refused.value.context["actual_fen"]) == (
        short,
        exact[short].available_fen,
    )


def test_a_source_without_a_pool_has_nothing() -> None:
    with pytest.raises(AppError) as refused:
        draws([100], [FundShare(source="city", share=1)], {})
    assert refused.value.context == {"fund_source": "city", "limit_fen": 0, "actual_fen": 100}
