"""What waits for a lock is judged when it has it: the clock is read after the locks, and so is what else refuses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from sqlalchemy import Connection, create_engine, text

from app.embedded.databases import Urls
from tests.corrections.test_corrections import entry_of
from tests.embedded.processes import within
from tests.past import end_validity_on, superuser_url
from tests.world import Counter, World, counter, ok, problem

WAITING_S = 30
LEFT_MS = 1_500
"""Enough for a request to be under way; where it is not, the act is refused before it waits."""

Act = Callable[[], httpx.Response]

_SOON = f"clock_timestamp() + {LEFT_MS} * interval '1 millisecond'"
_LOCKS = ("SELECT 1 FROM pools FOR NO KEY UPDATE", "SELECT 1 FROM positions FOR NO KEY UPDATE")
_SOMEBODY_WAITS = text("SELECT EXISTS (SELECT 1 FROM pg_locks WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid)))")
_OVER = text("SELECT clock_timestamp() >= redeemable_until FROM vouchers WHERE id = :id")


@pytest.fixture
def owner(urls: Urls) -> Iterator[Connection]:
    """A superuser, who can do what the service cannot."""
    engine = create_engine(superuser_url(urls.owner_url.rsplit("/", 1)[1]))
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def approving(desk: Counter, path: str) -> Act:
    """The approval of what a maker has asked for already."""
    approval_id = ok(desk.city.maker.post(path, {"reason": "核查"}))["id"]
    return lambda: desk.city.checker.post(f"/v1/approvals/{approval_id}/approve")


def void(desk: Counter) -> Act:
    return approving(desk, f"/v1/vouchers/{desk.voucher['id']}/void")


def surrender(desk: Counter) -> Act:
    return lambda: desk.manager.post(f"/v1/vouchers/{desk.voucher['id']}/surrender", {"reason": "放弃"})


def reverse_issue(desk: Counter) -> Act:
    return approving(desk, f"/v1/ledger/entries/{entry_of(desk, 'issue')['id']}/reverse")


def reverse_redemption(desk: Counter) -> Act:
    return approving(desk, f"/v1/ledger/entries/{ok(desk.redeem(100_000))['entry_id']}/reverse")


@pytest.mark.parametrize(
    ("act_of", "refusal"),
    [
        (void, "wrong_state"),
        (surrender, "wrong_state"),
        (reverse_issue, "wrong_state"),
        (reverse_redemption, "redemption_not_reversible"),
    ],
)
def test_a_voucher_that_expires_meanwhile_has_expired(
    world: World, owner: Connection, act_of: Callable[[Counter], Act], refusal: str
) -> None:
    caps = [{"scope": "firm", "name": "yearly", "limit_fen": 500_000}]
    desk = counter(world.city(), caps=caps)
    act, voucher = act_of(desk), {"id": desk.voucher["id"]}
    for lock in _LOCKS:
        owner.execute(text(lock))
    with ThreadPoolExecutor(1) as pool, owner.engine.connect() as beside:
        end_validity_on(beside, f"valid_until = {_SOON}, redeemable_until = {_SOON}", desk.voucher["id"])
        beside.commit()
        acting = pool.submit(act)
        assert within(WAITING_S, lambda: acting.done() or owner.execute(_SOMEBODY_WAITS).scalar_one())
        assert within(WAITING_S, lambda: beside.execute(_OVER, voucher).scalar_one())
        owner.rollback()
        problem(acting.result(), 409, refusal)
    shown = ok(desk.manager.get(f"/v1/vouchers/{desk.voucher['id']}"))
    assert (shown["status"], shown["voided_fen"], shown["surrendered_fen"]) == ("expired", 0, 0)
    assert world.differences() == []


def test_a_provider_suspended_meanwhile_is_not_paid(world: World, owner: Connection) -> None:
    desk = counter(world.city(), suspension={"payments": "stand"})
    city, provider_id = desk.city, desk.machine.organisation_id
    drawn = ok(desk.redeem(100_000))
    proposed = city.maker.post("/v1/payment-orders", {"redemption_ids": [drawn["id"]]})
    suspended = f"/v1/programmes/{desk.programme_id}/providers/{provider_id}/suspend"
    asked = city.maker.post(suspended, {"reason": "核查"})
    owner.execute(text("SELECT 1 FROM vouchers FOR NO KEY UPDATE"))
    with ThreadPoolExecutor(1) as pool:
        paying = pool.submit(city.approve, proposed, by=city.finance)
        assert within(WAITING_S, lambda: owner.execute(_SOMEBODY_WAITS).scalar_one())
        ok(city.approve(asked))
        owner.rollback()
        problem(paying.result(), 409, "payee_suspended")
    assert world.differences() == []
