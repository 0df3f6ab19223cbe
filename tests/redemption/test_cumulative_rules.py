"""Rules that look at what a firm has come to so far: the same numbers over HTTP, in races and after refunds."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select, text

from app.kernel.vocabulary import Role
from app.models import PositionCounter
from tests.world import City, Counter, World, counter, ok, problem, rules_body

WAN = 1_000_000  # 1 万元 in fen
GROUP = '{"group": "之江"}'


def yearly_cap(limit_fen: int, **more: Any) -> dict[str, Any]:
    return {"scope": "firm", "name": "firm_year", "limit_fen": limit_fen, **more}


def bracket(method: str) -> dict[str, Any]:
    bands = [
        {"up_to_fen": 50 * WAN, "rate": {"kind": "flat", "rate": "0.50"}},
        {"rate": {"kind": "flat", "rate": "0.30"}},
    ]
    return {"kind": "bracket", "method": method, "bands": bands}


def register(world: World, firm_id: str, profile: str) -> None:
    """Put a profile into the registry, as plain JSON."""
    statement = text("UPDATE organisations SET profile = CAST(:profile AS jsonb) WHERE id = :id")
    world.database.transact(lambda tx: tx.execute(statement, {"profile": profile, "id": firm_id}))


def granted(world: World) -> dict[tuple[str, str], int]:
    rows = world.database.transact(lambda tx: tx.execute(select(PositionCounter)).all())
    return {(row.holder, row.period): row.granted_fen for row in rows if row.granted_fen}


def programme_with(city: City, rules: dict[str, Any]) -> Counter:
    return counter(city, face_value_fen=50 * WAN, **rules)


def test_a_yearly_cap_counts_all_vouchers_of_the_firm(world: World) -> None:
    """E2, over two vouchers: what is above the cap is refused, not carried over."""
    desk = programme_with(world.city(), {"rate": "0.20", "caps": [yearly_cap(20 * WAN)]})
    other = desk.second_voucher(50 * WAN)
    assert ok(desk.redeem(95 * WAN))["subsidy_fen"] == 19 * WAN
    answer = ok(other.redeem(10 * WAN))
    assert answer["subsidy_fen"] == WAN
    assert answer["trace"]["reductions"] == [{"code": "CAP_FIRM_PERIOD", "cap": "firm_year", "subsidy_fen": WAN}]
    refusal = problem(desk.redeem(10 * WAN), 422, "cap_firm_period")
    assert refusal["cap"] == "firm_year"
    assert world.differences() == []


def test_racing_redemptions_of_two_vouchers_never_exceed_the_firms_cap(world: World) -> None:
    desk = programme_with(world.city(), {"rate": "1.00", "caps": [yearly_cap(100)]})
    vouchers = [desk, desk.second_voucher(50 * WAN)]
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda n: vouchers[n % 2].redeem(30), range(20)))
    drawn = [answer.json()["subsidy_fen"] for answer in answers if answer.status_code == 201]
    assert sorted(drawn, reverse=True) == [30, 30, 30, 10]
    assert {answer.json()["code"] for answer in answers if answer.status_code != 201} == {"cap_firm_period"}
    assert sum(fen for (holder, period), fen in granted(world).items() if holder == "firm" and period != "all") == 100
    assert world.differences() == []


def test_brackets_over_the_year_come_out_as_worked_by_hand(world: World) -> None:
    """E5: the second contract takes the firm over 500,000."""
    expected = {"cliff_recalc": 1_500_000, "cliff_prospective": 7_500_000, "marginal": 11_500_000}
    for method, second_fen in expected.items():
        city = world.city()
        desk = programme_with(city, {})
        programme_id = city.programme(rules=rules_body() | {"rate": bracket(method)})
        city.admit(programme_id, desk.machine.organisation_id)
        voucher = city.issue(programme_id, desk.voucher["firm_id"], 80 * WAN)
        mandate = {"provider_id": desk.machine.organisation_id, "limit_fen": 80 * WAN}
        ok(desk.manager.post(f"/v1/vouchers/{voucher['id']}/mandates", mandate))
        there = Counter(city, programme_id, voucher, desk.manager, desk.machine, {})
        assert ok(there.redeem(30 * WAN))["subsidy_fen"] == 15 * WAN
        assert ok(there.redeem(25 * WAN))["subsidy_fen"] == second_fen, method
    assert world.differences() == []


def test_a_refund_gives_the_cap_back_where_the_rules_say_so(world: World) -> None:
    for restores, expected_fen in ((True, 12), (False, 2)):
        rules = {"rate": "1.00", "caps": [yearly_cap(20)], "adjustment": {"restores_cap": restores}}
        desk = programme_with(world.city(), rules)
        redemption = ok(desk.redeem(18))
        body = {"amount_fen": 10, "reason": "退单"}
        assert (
            ok(desk.machine.post(f"/v1/redemptions/{redemption['id']}/refunds", body))["refund"]["subsidy_refund_fen"]
            == 10
        )
        assert ok(desk.redeem(50))["subsidy_fen"] == expected_fen
    assert world.differences() == []


@pytest.mark.parametrize(
    ("method", "refund_fen", "returned_fen"),
    [
        ("marginal", 1, 1),
        ("marginal", 100_000, 50_000),
        ("cliff_prospective", 1, 1),
        ("cliff_prospective", 100_000, 50_000),
        ("cliff_recalc", 100_000, 30_000),
    ],
)
def test_a_refund_leaves_a_bill_its_place_in_the_bracket(
    world: World, method: str, refund_fen: int, returned_fen: int
) -> None:
    """Two bills of 300,000 yuan, the first at 50 %. Of half a fen the whole goes back (the rest is rounded down).

    Where the bracket works out all of the year anew, all bills are at 30 % by now.
    """
    city = world.city()
    desk = programme_with(city, {})
    rounding = {"mode": "floor"}
    programme_id = city.programme(rules=rules_body() | {"rate": bracket(method), "rounding": rounding})
    city.admit(programme_id, desk.machine.organisation_id)
    voucher = city.issue(programme_id, desk.voucher["firm_id"], 80 * WAN)
    mandate = {"provider_id": desk.machine.organisation_id, "limit_fen": 80 * WAN}
    ok(desk.manager.post(f"/v1/vouchers/{voucher['id']}/mandates", mandate))
    there = Counter(city, programme_id, voucher, desk.manager, desk.machine, {})
    first = ok(there.redeem(30 * WAN))
    assert first["subsidy_fen"] == 15 * WAN
    ok(there.redeem(30 * WAN))
    body = {"amount_fen": refund_fen, "reason": "尾差"}
    back = ok(desk.machine.post(f"/v1/redemptions/{first['id']}/refunds", body))
    assert back["refund"]["subsidy_refund_fen"] == returned_fen
    assert world.differences() == []


def test_a_group_shares_one_cap(world: World) -> None:
    city = world.city()
    desk = programme_with(city, {"rate": "1.00", "caps": [yearly_cap(100, scope="group", name="group_year")]})
    sister = world.firm()
    for firm_id in (desk.voucher["firm_id"], sister):
        register(world, firm_id, GROUP)
    voucher = city.issue(desk.programme_id, sister, 50 * WAN)
    manager = world.person(Role.FIRM, sister)
    body = {"provider_id": desk.machine.organisation_id, "limit_fen": 50 * WAN}
    ok(manager.post(f"/v1/vouchers/{voucher['id']}/mandates", body))
    other = Counter(city, desk.programme_id, voucher, manager, desk.machine, {})
    assert ok(desk.redeem(70))["subsidy_fen"] == 70
    assert ok(other.redeem(70))["subsidy_fen"] == 30


def test_a_contracts_cap_counts_its_bills_and_needs_its_number(world: World) -> None:
    caps = [{"scope": "contract", "name": "per_contract", "limit_fen": 100}]
    desk = programme_with(world.city(), {"rate": "1.00", "caps": caps})
    refusal = problem(desk.redeem(80), 422, "not_eligible")
    assert (refusal["reason"], refusal["what"]) == ("FACT_MISSING", "claim.contract_no")
    assert ok(desk.redeem(80, claim={"contract_no": "A-1"}))["subsidy_fen"] == 80
    assert ok(desk.redeem(80, claim={"contract_no": "A-1"}))["subsidy_fen"] == 20
    assert ok(desk.redeem(80, claim={"contract_no": "A-2"}))["subsidy_fen"] == 80


def test_a_provider_states_what_is_a_claimants_to_state_and_nothing_else(world: World) -> None:
    signed = {"kind": "date", "fact": "claim.contract_signed_on", "from_on": "2026-01-01"}
    desk = programme_with(world.city(), {"requirements": [{"name": "signed_in_time", "when": signed}]})
    assert problem(desk.redeem(100), 422, "not_eligible")["what"] == "signed_in_time"
    assert problem(desk.redeem(100, claim={"contract_signed_on": "2025-12-31"}), 422, "not_eligible")["reason"] == (
        "NOT_ELIGIBLE"
    )
    assert ok(desk.redeem(100, claim={"contract_signed_on": "2026-01-01"}))["subsidy_fen"] == 30
    for wrong, code in (
        ({"approved_rate": "0.90"}, "not_for_the_claimant"),
        ({"contract_signed_on": "yesterday"}, "wrong_fact_type"),
        ({"contract_singed_on": "2026-01-01"}, "not_for_the_claimant"),
    ):
        refusal = problem(desk.redeem(100, claim=wrong), 422, "validation_failed")
        assert [(place["pointer"], place["code"]) for place in refusal["errors"]] == [
            (f"/claim/{next(iter(wrong))}", code)
        ]


def test_what_the_registry_says_decides_who_gets_which_rate(world: World) -> None:
    rate = {"kind": "by", "fact": "holder.tags", "rates": {"初创": "0.60"}, "otherwise": "0.50"}
    city = world.city()
    programme_id = city.programme(rules=rules_body() | {"rate": rate})
    desk = counter(city)
    city.admit(programme_id, desk.machine.organisation_id)
    voucher = city.issue(programme_id, desk.voucher["firm_id"], WAN)
    body = {"provider_id": desk.machine.organisation_id, "limit_fen": WAN}
    ok(desk.manager.post(f"/v1/vouchers/{voucher['id']}/mandates", body))
    there = Counter(city, programme_id, voucher, desk.manager, desk.machine, {})
    assert ok(there.redeem(1000))["subsidy_fen"] == 500
    register(world, desk.voucher["firm_id"], '{"tags": [{"name": "初创", "since_on": "2024-01-01", "until_on": null}]}')
    assert ok(there.redeem(1000))["subsidy_fen"] == 600


def test_a_voucher_that_cannot_be_divided_is_used_once(world: World) -> None:
    desk = programme_with(world.city(), {"use": {"divisible": False}})
    ok(desk.redeem(100))
    assert problem(desk.redeem(100), 422, "not_eligible")["detail"].startswith("The programme's rules grant nothing")


def test_a_scheme_that_the_firm_claims_is_not_redeemed_by_a_provider(world: World) -> None:
    desk = programme_with(world.city(), {"mode": "post_reimburse", "claimant": "firm", "payee": "firm"})
    problem(desk.redeem(100), 422, "claimant_not_provider")


def test_facts_of_any_shape_are_refused_in_words(world: World) -> None:
    caps = [{"scope": "contract", "name": "per_contract", "limit_fen": 100}]
    desk = programme_with(world.city(), {"pinned_by": "contract", "caps": caps})
    for wrong in ("garbage", "2026-13-45", 5, True, ["2026-01-01"]):
        body: dict[str, Any] = {"contract_signed_on": wrong, "contract_no": "A"}
        assert desk.redeem(100, claim=body).status_code == 422, wrong
    good = {"contract_signed_on": "2026-02-01"}
    problem(desk.redeem(100, claim=good | {"contract_no": "A\u0000B"}), 422, "validation_failed")
    problem(desk.redeem(100, claim=good | {"contract_no": ["A", "B"]}), 422, "not_eligible")
    assert ok(desk.redeem(100, claim=good | {"contract_no": "A"}))["subsidy_fen"] == 30
    assert world.differences() == []


def test_a_fact_that_the_rules_leave_to_officials_is_not_the_providers_to_state(world: World) -> None:
    facts = [{"name": "claim.contract_fen", "type": "number", "stated_by": "official"}]
    floors = [{"of": "contract", "at_least_fen": 1_000_000}]
    desk = programme_with(world.city(), {"facts": facts, "floors": floors})
    refusal = problem(desk.redeem(100, claim={"contract_fen": 2_000_000}), 422, "validation_failed")
    assert refusal["errors"][0]["code"] == "not_for_the_claimant"


def test_what_a_refund_leaves_with_nothing_counts_nothing(world: World) -> None:
    """A redemption that holds nothing any more takes up no place and sets nothing off."""
    bands = [
        {"up_to_fen": 100_000, "rate": {"kind": "flat", "rate": "0.50"}},
        {"rate": {"kind": "flat", "rate": "0.30"}},
    ]
    rate = {"kind": "bracket", "method": "cliff_recalc", "per": "lifetime", "bands": bands}
    city = world.city()
    base = programme_with(city, {})
    count = {"scope": "claims", "name": "two", "limit": 2}
    programme_id = city.programme(rules=rules_body() | {"rate": rate, "caps": [count]})
    city.admit(programme_id, base.machine.organisation_id)
    voucher = city.issue(programme_id, base.voucher["firm_id"], 10_000_000)
    body = {"provider_id": base.machine.organisation_id, "limit_fen": 10_000_000}
    ok(base.manager.post(f"/v1/vouchers/{voucher['id']}/mandates", body))
    desk = Counter(city, programme_id, voucher, base.manager, base.machine, {})

    def give_back(redemption: dict[str, Any], amount_fen: int) -> None:
        path = f"/v1/redemptions/{redemption['id']}/refunds"
        ok(desk.machine.post(path, {"amount_fen": amount_fen, "reason": "退单"}))

    first, second = ok(desk.redeem(100_000)), ok(desk.redeem(120_000))
    assert (first["subsidy_fen"], second["subsidy_fen"]) == (50_000, 16_000)
    give_back(second, 70_000)
    give_back(first, 100_000)
    give_back(second, 1)
    assert [ok(desk.redeem(10_000))["subsidy_fen"] for _ in range(2)] == [5_000, 5_000]
    assert world.differences() == []


def test_counters_that_would_leave_exact_numbers_refuse_the_bill(world: World) -> None:
    caps = [{"scope": "claim", "name": "one_fen", "limit_fen": 1}, yearly_cap(1_000)]
    desk = programme_with(world.city(), {"caps": caps})
    problem(desk.redeem(10**13 + 1), 422, "validation_failed")
    ok(desk.redeem(10**13))
    statement = text("UPDATE positions SET base_fen = 999999999999999")
    world.database.transact(lambda tx: tx.execute(statement))
    problem(desk.redeem(100), 422, "cap_firm_period")


def test_bands_of_each_contract_over_http(world: World) -> None:
    """100 yuan at 50 %, then 10 %: 80 and 70 yuan of one contract, 70 of another; then half of the first goes back."""
    bands = [
        {"up_to_fen": 10_000, "rate": {"kind": "flat", "rate": "0.50"}},
        {"rate": {"kind": "flat", "rate": "0.10"}},
    ]
    rate = {"kind": "bracket", "method": "marginal", "holder": "contract", "per": "lifetime", "bands": bands}
    city = world.city()
    desk = programme_with(city, {})
    programme_id = city.programme(rules=rules_body() | {"rate": rate})
    city.admit(programme_id, desk.machine.organisation_id)
    voucher = city.issue(programme_id, desk.voucher["firm_id"], 80 * WAN)
    mandate = {"provider_id": desk.machine.organisation_id, "limit_fen": 80 * WAN}
    ok(desk.manager.post(f"/v1/vouchers/{voucher['id']}/mandates", mandate))
    there = Counter(city, programme_id, voucher, desk.manager, desk.machine, {})
    made = [
        ok(there.redeem(fen, claim={"contract_no": number}))
        for fen, number in ((8_000, "A"), (7_000, "A"), (7_000, "B"))
    ]
    assert [one["subsidy_fen"] for one in made] == [4_000, 1_000 + 500, 3_500]
    problem(there.redeem(1_000), 422, "not_eligible")
    body = {"amount_fen": 4_000, "reason": "退单"}
    back = ok(desk.machine.post(f"/v1/redemptions/{made[0]['id']}/refunds", body))
    assert back["refund"]["subsidy_refund_fen"] == 2_000
    assert ok(there.redeem(3_000, claim={"contract_no": "A"}))["subsidy_fen"] == 300
    assert world.differences() == []
