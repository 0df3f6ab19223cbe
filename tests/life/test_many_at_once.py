"""Acts on many vouchers: one approval with its totals, all or nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import httpx
from sqlalchemy import text

from tests.past import end_validity
from tests.world import NINGBO, Counter, World, bill_body, counter, ok, problem

WHY = {"reason": "专项核查"}


def ask(desk: Counter, act: str, vouchers: list[str], *, key: str | None = None, **more: Any) -> httpx.Response:
    return desk.city.maker.post("/v1/voucher-acts", {"act": act, "voucher_ids": vouchers, **WHY, **more}, key=key)


def three(desk: Counter) -> list[str]:
    return [desk.voucher["id"], *(desk.second_voucher(200_000).voucher["id"] for _ in range(2))]


def shown(desk: Counter, voucher_id: str) -> dict[str, Any]:
    voucher: dict[str, Any] = ok(desk.manager.get(f"/v1/vouchers/{voucher_id}"))
    return voucher


def test_one_approval_freezes_extends_and_voids_many(world: World) -> None:
    desk = counter(world.city(), extension={"times": 1, "days": 10, "past_year_end": True})
    ids = three(desk)
    hold = {"voucher_code": desk.voucher["code"], "hold_no": "H1", "bill": bill_body(100_000)}
    ok(desk.machine.post("/v1/holds", hold))
    asked = ask(desk, "extend", ids, key="K", days=10)
    approval = ok(asked)
    assert ask(desk, "extend", list(reversed(ids)), key="K", days=10).content == asked.content
    assert approval["command"]["voucher_ids"] == sorted(ids)
    effect = approval["effect"]
    assert {name: effect[name] for name in ("count", "balance_fen", "held_fen")} == {
        "count": 3,
        "balance_fen": 1_370_000,
        "held_fen": 30_000,
    }
    assert (approval["amount_fen"], len(effect["vouchers"])) == (1_400_000, 3)
    ok(desk.city.approve(asked))
    ok(desk.city.approve(ask(desk, "freeze", ids)))
    assert {shown(desk, one)["status"] for one in ids} == {"frozen"}
    ok(desk.city.approve(ask(desk, "unfreeze", ids)))
    ok(desk.city.approve(ask(desk, "void", ids)))
    assert [(shown(desk, one)["status"], shown(desk, one)["balance_fen"]) for one in ids] == [("voided", 0)] * 3
    assert shown(desk, ids[0])["voided_fen"] == 1_000_000
    events = text("SELECT action FROM audit_events WHERE object_id = :id ORDER BY at, id")
    told = world.database.transact(lambda tx: tx.execute(events, {"id": ids[1]}).scalars().all())
    assert [one for one in told if one.startswith("voucher.")] == [
        "voucher.extended",
        "voucher.frozen",
        "voucher.unfrozen",
        "voucher.voided",
    ]
    assert world.differences() == []


def test_one_that_does_not_allow_it_keeps_all_as_they_are(world: World) -> None:
    desk = counter(world.city())
    ids = sorted(three(desk))
    ok(desk.city.approve(desk.city.maker.post(f"/v1/vouchers/{ids[1]}/freeze", WHY)))
    refused = problem(ask(desk, "freeze", [ids[2], ids[0], ids[1]]), 409, "vouchers_unfit")
    assert [(one["pointer"], one["code"], one["actual"]) for one in refused["errors"]] == [
        ("/voucher_ids/2", "wrong_state", ids[1])
    ]
    waiting = ask(desk, "void", ids)
    end_validity(world.database, voucher_id=ids[2])
    refused = problem(desk.city.approve(waiting), 409, "vouchers_unfit")
    assert ids[2] in refused["errors"][0]["detail"]
    assert shown(desk, ids[0])["status"] == "active"
    refused = problem(ask(desk, "extend", ids, days=3), 409, "vouchers_unfit")
    assert [one["code"] for one in refused["errors"]] == ["extension_beyond_rules"] * 2 + ["wrong_state"]
    assert world.differences() == []


def test_lists_that_are_none(world: World) -> None:
    city = world.city()
    desk, other = counter(city), counter(world.city(NINGBO))
    own, foreign = desk.voucher["id"], other.voucher["id"]
    refused = problem(ask(desk, "void", [own, foreign]), 404, "voucher_not_found")
    assert [one["pointer"] for one in refused["errors"]] == ["/voucher_ids/1"]
    problem(desk.manager.post("/v1/voucher-acts", {"act": "void", "voucher_ids": [own], **WHY}), 403, "forbidden")
    wrongs: list[dict[str, Any]] = [
        {"voucher_ids": []},
        {"voucher_ids": [own, own]},
        {"act": "surrender"},
        {"days": 3},
        {"act": "extend"},
        {"ground": "related_party"},
        {"act": "freeze", "ground": "fraud"},
    ]
    for wrong in wrongs:
        body = {"act": "void", "voucher_ids": [own], **WHY} | wrong
        problem(city.maker.post("/v1/voucher-acts", body), 422, "validation_failed")
    elsewhere = counter(replace(world.city(), world=world))
    problem(ask(desk, "void", [own, elsewhere.voucher["id"]]), 404, "voucher_not_found")


def test_voided_or_redeemed_the_fen_add_up(world: World) -> None:
    """Bills race the void of all vouchers: what was drawn before it stays drawn, the rest is the pool's."""
    desk = counter(world.city(), face_value_fen=100_000, rate="1.00")
    others = [desk.second_voucher(100_000) for _ in range(3)]
    asked = ask(desk, "void", [one.voucher["id"] for one in (desk, *others)])
    with ThreadPoolExecutor(9) as pool:
        bills = [pool.submit(one.redeem, 1_000) for one in (desk, *others) * 10]
        voided = pool.submit(desk.city.approve, asked)
        answers = [bill.result() for bill in bills]
    ok(voided.result())
    drawn_fen = sum(ok(one)["subsidy_fen"] for one in answers if one.is_success)
    assert {one.json()["code"] for one in answers if not one.is_success} <= {"voucher_voided"}
    budget = ok(desk.city.finance.get(f"/v1/programmes/{desk.programme_id}/budget"))["pools"][0]
    assert (budget["available_fen"], budget["committed_fen"]) == (100_000_000 - drawn_fen, 0)
    assert world.differences() == []
