"""The budget's arithmetic, from the appropriation to the execution rate, to the fen."""

from __future__ import annotations

from typing import Any

from app.kernel.vocabulary import Role
from tests.payments.paying import Paying
from tests.payments.test_expiry import expire, let_expire
from tests.world import Counter, World, ok, rules_body

YUAN = 100


def test_from_appropriation_to_execution_rate(world: World) -> None:
    """Granted 10,000,000; issued 6,000,000; redeemed 2,000,000; expired 500,000; ordered 1,200,000, of which 100,000
    bounces; recovered in the same year 60,000. In yuan; each bill is subsidised in full."""
    desk, short_lived = two_vouchers(world, 5_500_000, 500_000)
    paying = Paying(desk)
    assert budget(desk) == {"appropriation": 10_000_000, "available": 4_000_000, "committed": 6_000_000}

    big, returned, owed = (ok(desk.redeem(fen * YUAN))["id"] for fen in (1_100_000, 100_000, 800_000))
    assert budget(desk)["obligated"] == 2_000_000

    let_expire(world, short_lived["id"])
    assert expire(world) == 1
    assert budget(desk) == {
        "appropriation": 10_000_000,
        "available": 4_500_000,
        "committed": 3_500_000,
        "obligated": 2_000_000,
    }

    order_id = paying.order(big, returned)
    assert (budget(desk)["in_payment"], budget(desk)["obligated"]) == (1_200_000, 800_000)
    ok(paying.bounce(order_id, returned))
    ok(paying.confirm(order_id))
    assert (budget(desk)["disbursed"], budget(desk)["obligated"]) == (1_100_000, 900_000)

    recovery = paying.refund(big, 60_000 * YUAN)["refund"]["recovery"]
    ok(paying.receive(recovery["id"]))
    assert budget(desk) == {
        "appropriation": 10_000_000,
        "available": 4_560_000,
        "committed": 3_500_000,
        "obligated": 900_000,
        "disbursed": 1_040_000,
    }
    assert 4_560_000 + 3_500_000 + 900_000 + 1_040_000 == 10_000_000
    assert pool_of(desk)["execution_rate"] == "0.1040"
    assert paying.redemption(owed)["status"] == "posted"
    assert world.differences() == []


def two_vouchers(world: World, face_yuan: int, other_face_yuan: int) -> tuple[Counter, dict[str, Any]]:
    """A programme of 10,000,000 yuan with two vouchers of one firm; the provider may draw on the first."""
    city = world.city()
    programme_id = city.programme(appropriation_fen=10_000_000 * YUAN, rules=rules_body(rate="1.00"))
    provider_id, firm_id = world.provider(), world.firm()
    city.admit(programme_id, provider_id)
    voucher = city.issue(programme_id, firm_id, face_yuan * YUAN)
    other = city.issue(programme_id, firm_id, other_face_yuan * YUAN)
    manager = world.person(Role.FIRM, firm_id)
    body = {"provider_id": provider_id, "limit_fen": face_yuan * YUAN}
    mandate = ok(manager.post(f"/v1/vouchers/{voucher['id']}/mandates", body))
    return Counter(city, programme_id, voucher, manager, world.machine(provider_id), mandate), other


def pool_of(desk: Counter) -> dict[str, Any]:
    (pool,) = ok(desk.city.finance.get(f"/v1/programmes/{desk.programme_id}/budget"))["pools"]
    shown: dict[str, Any] = pool
    return shown


def budget(desk: Counter) -> dict[str, int]:
    """The pool's accounts in yuan, the empty ones left out."""
    stages = {name.removesuffix("_fen"): fen for name, fen in pool_of(desk).items() if name.endswith("_fen")}
    assert all(fen % YUAN == 0 for fen in stages.values())
    return {name: fen // YUAN for name, fen in stages.items() if fen}
