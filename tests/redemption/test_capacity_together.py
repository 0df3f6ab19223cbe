"""Bills of one provider are added up against what it declares: over HTTP, in batches, in races, with refunds.

8 cards are 192 card-hours a day.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.services.idempotency import Answer
from app.services.redemption.batch import decide_batch
from app.services.redemption.bills import Bill, BillLine
from app.services.redemption.commands import Redeem
from app.services.redemption.decisions import Asked
from app.services.redemption.outcomes import PutOff
from app.services.redemption.replaying import replay
from app.settings import Settings
from tests.conftest import serving
from tests.redemption import test_twins as twins
from tests.redemption.test_bills_over_http import bill, declares, quoted
from tests.redemption.test_replay_assessment import stored_by
from tests.world import HANGZHOU, Actor, Counter, World, counter, ok, problem, redemption_body, rules_body

A_DAY = ("2026-03-01T00:00:00+08:00", "2026-03-02T00:00:00+08:00")
NEXT_DAY = ("2026-03-02T00:00:00+08:00", "2026-03-03T00:00:00+08:00")
ACROSS = ("2026-03-01T22:00:00+08:00", "2026-03-02T02:00:00+08:00")


AT_A: dict[str, Any] = {"provider_site": "a"}


def line(card_hours: int, times: tuple[str, str] = A_DAY, **changes: Any) -> dict[str, Any]:
    """Card-hours at one yuan."""
    plain = {
        "category": "training",
        "quantity": str(card_hours),
        "unit": "card_hour",
        "unit_price": "1",
        "amount_fen": card_hours * 100,
        "used_from": times[0],
        "used_until": times[1],
    }
    return plain | changes


def asking(world: World, *, verdict: str = "refuse", region_code: str = HANGZHOU, **profile: Any) -> Counter:
    """A provider of eight cards, and a voucher of a programme that holds bills against them."""
    desk = counter(world.city(region_code), bill_checks={"capacity": {"beyond": verdict}})
    declares(world, desk.machine.organisation_id, **({"capacity_cards": 8} | profile))
    return desk


def refund(desk: Counter, redemption: dict[str, Any], amount_fen: int) -> dict[str, Any]:
    path = f"/v1/redemptions/{redemption['id']}/refunds"
    answer: dict[str, Any] = ok(desk.machine.post(path, {"amount_fen": amount_fen, "reason": "退单"}))
    return answer


def stored(world: World) -> list[tuple[Any, ...]]:
    """The counters, without the locks of days."""
    rows = text(
        "SELECT to_char(first_on, 'MM-DD'), to_char(last_on, 'MM-DD'), site, unit, amount::text FROM capacity_uses"
        " WHERE unit <> '' ORDER BY first_on, last_on, site, unit"
    )
    return [tuple(row) for row in world.database.transact(lambda tx: tx.execute(rows).all())]


def test_two_bills_of_one_day_that_together_exceed(world: World) -> None:
    desk = asking(world)
    other = desk.second_voucher(1_000_000)
    first = ok(desk.redeem(0, bill=bill(line(150))))
    refused = problem(other.redeem(0, bill=bill(line(1, NEXT_DAY), line(43)), order_no="A"), 409, "capacity_used_up")
    (place,) = refused["errors"]
    assert (place["pointer"], place["code"]) == ("/bill/lines/1/quantity", "capacity_used_up")
    assert (place["limit"], place["actual"]) == ("42", "43")
    assert "Line 2: 43 card_hour were billed, but other bills leave 42" in refused["detail"]
    assert other.balance_fen() == 1_000_000
    assert stored(world) == [("03-01", "03-01", "", "card_hour", "150")], "what is refused takes nothing"
    fits = ok(other.redeem(0, bill=bill(line(42)), order_no="A"))
    problem(desk.redeem(0, bill=bill(line(1))), 409, "capacity_used_up")
    ok(desk.redeem(0, bill=bill(line(192, NEXT_DAY))))
    assert replay(stored_by(desk.city.auditor, fits["id"])).differences == ()
    assert world.differences() == []

    refund(desk, first, 5_000)  # a third of 150 card-hours
    problem(other.redeem(0, bill=bill(line(51))), 409, "capacity_used_up")
    ok(other.redeem(0, bill=bill(line(50))))
    back = refund(desk, first, 10_000)
    assert replay(stored_by(desk.city.auditor, back["refund"]["id"])).differences == ()
    ok(other.redeem(0, bill=bill(line(100))))
    assert stored(world)[0] == ("03-01", "03-01", "", "card_hour", "192")
    assert world.differences() == []


def test_where_the_rules_flag_it_is_drawn_and_noted_as_quoted(world: World) -> None:
    desk = asking(world, verdict="flag")
    ok(desk.redeem(0, bill=bill(line(150))))
    quote, redeemed = quoted(desk, line(43)), ok(desk.redeem(0, bill=bill(line(43))))
    flag = {"code": "capacity_used_up", "line": 1, "limit": "42", "actual": "43"}
    assert redeemed["flags"] == [flag]
    assert quote["trace"] == redeemed["trace"]
    again = ok(desk.redeem(0, bill=bill(line(10), line(10, NEXT_DAY))))
    assert again["flags"] == [flag | {"limit": "0", "actual": "10"}], "the next day pays for nothing"
    for one in (redeemed, again):
        assert replay(stored_by(desk.city.auditor, one["id"])).differences == ()
    assert stored(world)[0][4] == "203"
    assert world.differences() == []


def test_rows_of_one_batch_are_held_against_each_other(world: World) -> None:
    desk = asking(world)
    vouchers = [desk.voucher["code"], *(desk.second_voucher(100_000).voucher["code"] for _ in range(2))]
    rows = [
        redemption_body(code, 0, bill=bill(line(hours))) for code, hours in zip(vouchers, (100, 93, 92), strict=True)
    ]
    answer = ok(desk.machine.post("/v1/redemptions:batch", {"redemptions": rows}))["data"]
    assert [row["status"] for row in answer] == [201, 409, 201]
    (place,) = answer[1]["body"]["errors"]
    assert (place["limit"], place["actual"]) == ("92", "93")
    assert world.differences() == []


def test_a_hold_takes_nothing_and_its_redemptions_do(world: World) -> None:
    desk = asking(world)
    other = desk.second_voucher(1_000_000)
    expected = bill(line(192))
    body = {"voucher_code": desk.voucher["code"], "hold_no": "H", "bill": expected}
    held = ok(desk.machine.post("/v1/holds", body))
    ok(other.redeem(0, bill=bill(line(100))))

    def part(hours: int, order_no: str, *, final: bool = False) -> httpx.Response:
        asked = {"hold_id": held["id"], "order_no": order_no, "bill": bill(line(hours)), "final": final}
        return desk.machine.post("/v1/redemptions", asked)

    first = ok(part(50, "P1"))
    problem(part(43, "P2"), 409, "capacity_used_up")
    ok(part(42, "P2", final=True))
    problem(other.redeem(0, bill=bill(line(1))), 409, "capacity_used_up")
    refund(desk, first, 5_000)
    ok(other.redeem(0, bill=bill(line(50))))
    assert replay(stored_by(desk.city.auditor, first["id"])).differences == ()
    assert stored(world) == [("03-01", "03-01", "", "card_hour", "192")]
    assert world.differences() == []


def test_midnight_in_shanghai_parts_the_days_and_a_job_across_it_has_both(world: World) -> None:
    """16:00 UTC is midnight. 32 card-hours across it lie on either day: 192 + 176 + 32 are more than two days' 384."""
    desk = asking(world)
    utc = ("2026-02-28T16:00:00Z", "2026-03-01T16:00:00Z")
    ok(desk.redeem(0, bill=bill(line(192, utc))))
    ok(desk.redeem(0, bill=bill(line(161, NEXT_DAY))))
    problem(desk.redeem(0, bill=bill(line(32, ACROSS))), 409, "capacity_used_up")
    ok(desk.redeem(0, bill=bill(line(31, ACROSS))))
    problem(desk.redeem(0, bill=bill(line(1, NEXT_DAY))), 409, "capacity_used_up")
    assert stored(world) == [
        ("03-01", "03-01", "", "card_hour", "192"),
        ("03-01", "03-02", "", "card_hour", "31"),
        ("03-02", "03-02", "", "card_hour", "161"),
    ]
    assert world.differences() == []


def test_months_are_held_against_months_and_days(world: World) -> None:
    """March is 31 × 192 = 5,952: of two monthly bills of 4,000 the second has 1,952 left, of which a day has 192."""
    march = ("2026-03-01T00:00:00+08:00", "2026-04-01T00:00:00+08:00")
    desk = asking(world)
    ok(desk.redeem(0, bill=bill(line(4_000, march))))
    refused = problem(desk.redeem(0, bill=bill(line(4_000, march))), 409, "capacity_used_up")
    assert refused["errors"][0]["limit"] == "1952"
    ok(desk.redeem(0, bill=bill(line(1_900, march))))
    problem(desk.redeem(0, bill=bill(line(53))), 409, "capacity_used_up")
    ok(desk.redeem(0, bill=bill(line(52))))
    assert world.differences() == []


def test_sites_and_programmes_and_declarations(world: World) -> None:
    """Site a has 2 cards (48 a day) of eight. What is declared counts as it is when a bill comes."""
    site = {"code": "a", "name": "一号机房", "region_code": "330106", "capacity_cards": 2}
    desk = asking(world, sites=[site])
    provider_id = desk.machine.organisation_id
    ok(desk.redeem(0, bill=bill(line(40, **AT_A))))
    refused = problem(desk.redeem(0, bill=bill(line(9, **AT_A))), 409, "capacity_used_up")
    assert "the site a" in refused["detail"]
    ok(desk.redeem(0, bill=bill(line(150, provider_site="elsewhere"))))
    problem(desk.redeem(0, bill=bill(line(3, **AT_A))), 409, "capacity_used_up")  # 190 of 192
    declares(world, provider_id, capacity_cards=9, sites=[site])
    ok(desk.redeem(0, bill=bill(line(3, **AT_A))))
    declares(world, provider_id, capacity_cards=4, sites=[site])
    problem(desk.redeem(0, bill=bill(line(1))), 409, "capacity_used_up")

    city = desk.city
    second = city.programme(rules=rules_body(bill_checks={"capacity": {"beyond": "refuse"}}))
    city.admit(second, provider_id)
    voucher = city.issue(second, desk.voucher["firm_id"], 100_000)
    mandate = {"provider_id": provider_id, "limit_fen": 100_000}
    ok(desk.manager.post(f"/v1/vouchers/{voucher['id']}/mandates", mandate))
    body = redemption_body(voucher["code"], 0, bill=bill(line(1)))
    problem(desk.machine.post("/v1/redemptions", body), 409, "capacity_used_up")
    declares(world, provider_id)
    answer = ok(desk.machine.post("/v1/redemptions", body, key="another"))
    assert [flag["code"] for flag in answer["flags"]] == ["capacity_not_declared"]
    assert [row[2:] for row in stored(world)] == [("", "card_hour", "150"), ("a", "card_hour", "43")]
    assert world.differences() == []


def test_who_asks_for_nothing_counts_nothing_and_a_reversal_gives_all_back(world: World) -> None:
    plain = counter(world.city(), bill_checks={"price": {"above_list": "flag"}})
    declares(world, plain.machine.organisation_id, capacity_cards=8)
    ok(plain.redeem(0, bill=bill(line(1_000))))
    declared_nothing = asking(world, capacity_cards=0)
    ok(declared_nothing.redeem(0, bill=bill(line(1_000))))
    assert world.database.transact(lambda tx: tx.execute(text("SELECT count(*) FROM capacity_uses")).scalar()) == 0

    desk = asking(world)
    first = ok(desk.redeem(0, bill=bill(line(192))))
    city = desk.city
    ok(city.approve(city.maker.post(f"/v1/ledger/entries/{first['entry_id']}/reverse", {"reason": "误记"})))
    ok(desk.redeem(0, bill=bill(line(192))))
    assert world.differences() == []


@pytest.fixture
def other_url(settings: Settings, world: World) -> Iterator[str]:
    """A second service on the same database and signing keys, with a desk of its own."""
    with serving(settings) as base_url:
        yield base_url


def test_two_services_never_give_away_what_is_left_of_two_days_twice(world: World, other_url: str) -> None:
    """Bills of 40 for one day, the next and both on two services, and refunds among them, while 384 are to be had."""
    desk = asking(world)
    codes = [desk.voucher["code"], *(desk.second_voucher(100_000).voucher["code"] for _ in range(14))]
    both = (A_DAY[0], NEXT_DAY[1])
    with httpx.Client(base_url=other_url, headers=desk.machine.http.headers, timeout=60, trust_env=False) as http:
        machines = (desk.machine, Actor(desk.machine.id, desk.machine.organisation_id, http))

        def race(place: int) -> list[httpx.Response]:
            machine, times = machines[place % 2], (A_DAY, both, NEXT_DAY)[place % 3]
            answers = [machine.post("/v1/redemptions", redemption_body(codes[place], 0, bill=bill(line(40, times))))]
            if place % 5 == 0 and answers[0].is_success:
                path = f"/v1/redemptions/{answers[0].json()['id']}/refunds"
                answers.append(machine.post(path, {"amount_fen": 4_000, "reason": "退单"}))
            return answers

        with ThreadPoolExecutor(15) as pool:
            answers = [one for some in pool.map(race, range(15)) for one in some]
    assert {one.status_code for one in answers} <= {201, 409}
    assert {one.json()["code"] for one in answers if one.status_code == 409} <= {"capacity_used_up"}
    taken = {row[:2]: int(row[4]) for row in stored(world)}
    assert all(taken.get((day, day), 0) <= 192 for day in ("03-01", "03-02"))
    assert 200 <= sum(taken.values()) <= 384
    assert world.differences() == []


def test_racing_bills_for_one_day_are_drawn_as_far_as_it_reaches(world: World, other_url: str) -> None:
    """Twelve bills of 40 on two services for what is left of 192 after 32: four are drawn."""
    desk = asking(world)
    ok(desk.redeem(0, bill=bill(line(32))))
    codes = [desk.voucher["code"], *(desk.second_voucher(100_000).voucher["code"] for _ in range(11))]
    with httpx.Client(base_url=other_url, headers=desk.machine.http.headers, timeout=60, trust_env=False) as other:
        clients = (desk.machine.http, other)

        def race(place: int) -> httpx.Response:
            body = redemption_body(codes[place], 0, bill=bill(line(40)))
            return clients[place % 2].post("/v1/redemptions", json=body, headers={"Idempotency-Key": f"d{place}"})

        with ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(race, range(12)))
    assert sorted(one.status_code for one in answers) == [201] * 4 + [409] * 8
    assert {one.json()["errors"][0]["limit"] for one in answers if one.status_code == 409} == {"0"}
    assert stored(world) == [("03-01", "03-01", "", "card_hour", "192")]
    assert world.differences() == []


def run(world: World, sql: str) -> None:
    world.database.transact(lambda tx: tx.execute(text(sql)))


def test_the_books_tell_of_a_counter_that_its_redemptions_do_not_explain(world: World) -> None:
    desk = asking(world)
    ok(desk.redeem(0, bill=bill(line(100))))
    nobodys = "INSERT INTO capacity_uses VALUES ('330100', 'org_x', '2026-03-01', '2026-03-02', 'a', 'card_hour', 7)"
    for tampering in ("UPDATE capacity_uses SET amount = amount - 1 WHERE unit <> ''", nobodys):
        run(world, tampering)
    less, more = sorted(world.differences(), key=len, reverse=True)
    assert less == f"4 capacity_uses: capacity {desk.machine.organisation_id} 2026-03-01 2026-03-01 card_hour 100 / 99"
    assert more == "4 capacity_uses: capacity org_x 2026-03-01 2026-03-02 a card_hour 0 / 7"
    for forbidden in ("DELETE FROM capacity_uses", "UPDATE capacity_uses SET site = 'b'"):
        with pytest.raises(DBAPIError, match="permission denied"):
            run(world, forbidden)


def test_a_busy_day_holds_up_its_own_bills_and_nobody_elses(world: World) -> None:
    desk = asking(world)
    other = desk.second_voucher(100_000)
    ok(desk.redeem(0, bill=bill(line(1))))
    commands = [command(desk, "A", *A_DAY), command(other, "B", *NEXT_DAY)]
    lock = text("SELECT 1 FROM capacity_uses WHERE first_on = '2026-03-01' AND unit = '' FOR UPDATE")
    with world.database.engine.connect() as holder:
        holder.execute(lock)
        waits, done = world.database.transact(lambda tx: decide_batch(tx, commands, wait=False))
    assert isinstance(waits, PutOff)
    assert isinstance(done, Answer)
    (done,) = world.database.transact(lambda tx: decide_batch(tx, commands[:1], wait=False))
    assert isinstance(done, Answer)
    assert [row[4] for row in stored(world)] == ["2", "1"]
    assert world.differences() == []


def command(desk: Counter, order_no: str, since: str, until: str) -> Redeem:
    """One card-hour, as the desk gets it."""
    times = (datetime.fromisoformat(since), datetime.fromisoformat(until))
    asked = Asked(Bill(100, (BillLine("training", "1", "card_hour", "1", 100, *times),)))
    return replace(twins.command(desk, order_no), asked=asked, key=order_no)


def test_what_a_provider_says_of_its_uses_is_no_use_of_its_capacity(world: World) -> None:
    """A fact may be called like what is counted; a bill of anything but compute counts nothing."""
    cap = {"scope": "claim", "name": "by_use", "limit_by": "provider.uses", "limits_fen": {"训练": 9_000}}
    facts = [{"name": "provider.uses", "type": "words"}]
    desk = counter(world.city(), bill_checks={"capacity": {"beyond": "refuse"}}, facts=facts, caps=[cap])
    declares(world, desk.machine.organisation_id, facts={"uses": ["训练", "推理"]})
    ok(desk.redeem(0, bill=bill(line(10, unit="item"))))
    assert world.differences() == []
