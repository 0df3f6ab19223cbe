"""Each metered usage is billed once: claims in the database, given back in vain, refused once billed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.services.redemption.bills import Bill, BillLine
from app.services.redemption.grounds import Billed
from app.services.redemption.usage_references import (
    UsageClaim,
    claim_references,
    claims_of,
    give_back_references,
    holders_of_references,
)
from tests.world import HANGZHOU, Counter, World, counter, ok


def scope(ref: str, provider_id: str = "org_1") -> tuple[str, str, str]:
    return (HANGZHOU, provider_id, ref)


def claims(redemption_id: str, *refs: str, provider_id: str = "org_1") -> list[UsageClaim]:
    return [UsageClaim(scope(ref, provider_id), redemption_id, n) for n, ref in enumerate(refs, start=1)]


def billed_by(desk: Counter, redemption_id: str, ref: str) -> None:
    """What the redemption will do itself once the desk claims references."""
    provider_id = desk.machine.organisation_id
    claimed = desk.city.world.database.transact(
        lambda tx: claim_references(tx, claims(redemption_id, ref, provider_id=provider_id))
    )
    assert claimed == {scope(ref, provider_id): redemption_id}


def test_a_bill_claims_each_of_its_usages_once() -> None:
    line: dict[str, Any] = {"category": "training", "quantity": "1", "unit": "day", "unit_price": "1", "amount_fen": 1}
    refs = (None, "b", "a", "b")
    bill = Bill(4, tuple(BillLine(**line, usage_ref=ref) for ref in refs))
    assert claims_of(bill, region_code=HANGZHOU, provider_id="org_1", redemption_id="rdm_1") == [
        UsageClaim(scope("b"), "rdm_1", 2),
        UsageClaim(scope("a"), "rdm_1", 3),
    ]


def test_the_first_gets_it_and_the_next_is_told_who_has_it(world: World) -> None:
    provider_id = world.provider()
    first = claims("rdm_1", "a", "b", provider_id=provider_id)
    second = claims("rdm_2", "b", "c", provider_id=provider_id)
    together = world.database.transact(lambda tx: claim_references(tx, first + second))
    assert {key[2]: value for key, value in together.items()} == {"a": "rdm_1", "b": "rdm_1", "c": "rdm_2"}
    again = world.database.transact(lambda tx: claim_references(tx, claims("rdm_3", "a", provider_id=provider_id)))
    assert again == {}
    asked = [scope(ref, provider_id) for ref in ("a", "c", "z")]
    assert world.database.transact(lambda tx: holders_of_references(tx, asked)) == {
        scope("a", provider_id): Billed("rdm_1", 1),
        scope("c", provider_id): Billed("rdm_2", 2),
    }
    world.database.transact(lambda tx: give_back_references(tx, [scope(r, provider_id) for r in "abc"]))


def test_another_provider_may_use_the_same_number(world: World) -> None:
    mine, other = world.provider(), world.provider()
    both = claims("rdm_1", "a", provider_id=mine) + claims("rdm_2", "a", provider_id=other)
    assert len(world.database.transact(lambda tx: claim_references(tx, both))) == 2
    world.database.transact(lambda tx: give_back_references(tx, [scope("a", mine), scope("a", other)]))


def test_what_was_claimed_in_vain_is_free_again(world: World) -> None:
    provider_id = world.provider()
    for redemption_id in ("rdm_1", "rdm_2"):
        wanted = partial(claim_references, claims=claims(redemption_id, "a", provider_id=provider_id))
        assert world.database.transact(wanted) != {}
        world.database.transact(lambda tx: give_back_references(tx, [scope("a", provider_id)]))


def test_nothing_is_asked_for_nothing(world: World) -> None:
    assert world.database.transact(lambda tx: claim_references(tx, [])) == {}
    assert world.database.transact(lambda tx: holders_of_references(tx, [])) == {}


def test_racing_claims_of_the_same_usages_never_deadlock_and_each_goes_to_one(world: World) -> None:
    provider_id, start = world.provider(), Barrier(4)
    refs = [f"job-{n}" for n in range(40)]

    def race(n: int) -> dict[Any, str]:
        start.wait()
        wanted = claims(f"rdm_{n}", *(refs if n % 2 else reversed(refs)), provider_id=provider_id)
        return world.database.transact(lambda tx: claim_references(tx, wanted))

    with ThreadPoolExecutor(4) as pool:
        won = list(pool.map(race, range(4)))
    assert sorted(key[2] for mine in won for key in mine) == sorted(refs)
    world.database.transact(lambda tx: give_back_references(tx, [scope(ref, provider_id) for ref in refs]))


def test_a_billed_usage_stays_until_the_whole_bill_is_cancelled(world: World) -> None:
    desk = counter(world.city())
    redemption = ok(desk.redeem(10_000))
    billed_by(desk, redemption["id"], "job-1")
    mine = scope("job-1", desk.machine.organisation_id)
    with pytest.raises(DBAPIError, match="is refused"):
        world.database.transact(lambda tx: give_back_references(tx, [mine]))
    path = f"/v1/redemptions/{redemption['id']}/refunds"
    ok(desk.machine.post(path, {"amount_fen": 9_999, "reason": "退单"}))
    assert mine in world.database.transact(lambda tx: holders_of_references(tx, [mine]))
    ok(desk.machine.post(path, {"amount_fen": 1, "reason": "退单"}))
    assert world.database.transact(lambda tx: holders_of_references(tx, [mine])) == {}
    assert world.differences() == []


def test_nobody_rewrites_a_claim(world: World) -> None:
    with pytest.raises(DBAPIError, match="permission denied"):
        world.database.transact(lambda tx: tx.execute(text("UPDATE usage_references SET redemption_id = 'x'")))


def test_the_books_tell_of_a_usage_that_no_redemption_billed(world: World) -> None:
    desk = counter(world.city())
    billed_by(desk, "rdm_330100_nobody", "job-1")
    (difference,) = world.differences()
    assert "job-1" in str(difference)
    mine = scope("job-1", desk.machine.organisation_id)
    world.database.transact(lambda tx: give_back_references(tx, [mine]))
    assert world.differences() == []
