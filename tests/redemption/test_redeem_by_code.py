"""Redeeming by a payment code over HTTP: once, by one provider, on one voucher, up to a maximum, within minutes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy import text

from app.embedded.databases import Urls
from app.kernel.payment_digits import digits_of
from tests.payment_codes.codes import age, make, path_of
from tests.world import Counter, World, bill_body, counter, ok, problem, redemption_body


def without_mandate(world: World, **given: Any) -> Counter:
    """A counter whose firm has withdrawn its mandate: only codes are consent."""
    desk = counter(world.city(), **given)
    ok(desk.manager.http.delete(f"/v1/vouchers/{desk.voucher['id']}/mandates/{desk.mandate['id']}"))
    return desk


def test_a_bill_is_redeemed_by_qr_or_by_digits_and_each_code_once(world: World) -> None:
    desk = without_mandate(world, rate="1.00")
    problem(desk.redeem(10_000), 422, "consent_missing")
    for sent in ("token", "digits"):
        made = make(desk)
        drawn = ok(desk.redeem(10_000, payment_code=made[sent]))
        assert (drawn["mandate_id"], drawn["payment_code_id"], drawn["subsidy_fen"]) == (None, made["id"], 10_000)
        again = problem(desk.redeem(10_000, payment_code=made["token"]), 409, "payment_code_used")
        assert again["used_by"] == drawn["id"]
        assert drawn["id"] in again["detail"]
    assert desk.balance_fen() == 980_000
    assert world.differences() == []


def test_a_code_spares_the_mandate_that_is_there(world: World) -> None:
    desk = counter(world.city(), rate="1.00")
    ok(desk.redeem(10_000, payment_code=make(desk)["token"]))
    (mandate,) = ok(desk.manager.get(f"/v1/vouchers/{desk.voucher['id']}/mandates"))
    assert mandate["used_fen"] == 0
    assert world.differences() == []


def test_the_first_answer_comes_again_also_when_the_code_has_run_out(world: World, urls: Urls) -> None:
    desk = without_mandate(world)
    made = make(desk)
    body = {"order_no": "A", "payment_code": made["digits"]}
    first = desk.redeem(10_000, key="K", **body)
    age(urls, made["id"])
    again = desk.redeem(10_000, key="K", **(body | {"payment_code": made["digits"].replace(" ", "")}))
    assert (again.status_code, again.content) == (201, first.content)
    problem(desk.redeem(10_000, key="K", **(body | {"payment_code": made["token"]})), 422, "idempotency_key_reused")


def test_a_bill_beyond_the_maximum_is_refused_and_the_code_stays_good(world: World) -> None:
    desk = without_mandate(world, rate="1.00")
    made = make(desk, limit_fen=5_000)
    refused = problem(desk.redeem(5_001, order_no="A", payment_code=made["token"]), 422, "payment_code_exceeded")
    assert "50.00 yuan at most; this bill would draw 50.01" in refused["detail"]
    assert ok(desk.redeem(5_000, order_no="A", payment_code=made["token"]))["subsidy_fen"] == 5_000
    assert world.differences() == []


def test_withdrawn_expired_forged_and_foreign_codes_draw_nothing(world: World, urls: Urls) -> None:
    desk = without_mandate(world)
    second = desk.city.issue(desk.programme_id, desk.voucher["firm_id"], 50_000)
    withdrawn, expired, good = make(desk), make(desk), make(desk)
    ok(desk.manager.http.delete(f"{path_of(desk)}/{withdrawn['id']}"))
    age(urls, expired["id"])
    problem(desk.redeem(100, payment_code=withdrawn["digits"]), 422, "payment_code_invalid")
    problem(desk.redeem(100, payment_code=expired["token"]), 409, "payment_code_expired")
    forged = good["token"][:-6] + "AAAAAA"
    problem(desk.redeem(100, payment_code=forged), 422, "payment_code_invalid")
    problem(desk.redeem(100, voucher_code=second["code"], payment_code=good["token"]), 422, "payment_code_invalid")
    provider = world.provider()
    desk.city.admit(desk.programme_id, provider)
    stranger = world.machine(provider)
    for sent in (good["token"], good["digits"]):
        body = redemption_body(desk.voucher["code"], 100, payment_code=sent)
        problem(stranger.post("/v1/redemptions", body), 422, "payment_code_invalid")
    assert desk.balance_fen() == 1_000_000
    ok(desk.redeem(100, payment_code=good["digits"]))
    (found,) = world.differences()
    assert found.startswith(f"6 consents: grant of {expired['id']}"), "made older than it was given"


def test_a_typing_error_is_told_at_its_place_and_is_no_guess(world: World) -> None:
    desk = without_mandate(world)
    made = make(desk)
    digits = made["digits"].replace(" ", "")
    wrong = f"{digits[:4]}{(int(digits[4]) + 1) % 10}{digits[5:]}"
    for _ in range(6):
        refused = problem(desk.redeem(100, key="K", payment_code=wrong), 422, "validation_failed")
        assert [error["pointer"] for error in refused["errors"]] == ["/payment_code"]
        assert "check digit" in refused["errors"][0]["detail"]
    ok(desk.redeem(100, key="K", payment_code=digits))


def test_a_request_of_a_thousand_guesses_buys_five(world: World) -> None:
    desk = without_mandate(world)
    made = make(desk)
    right = made["digits"].replace(" ", "")
    guesses = [digits for digits in (digits_of(number) for number in range(1_000)) if digits != right][:999]
    rows = [redemption_body(desk.voucher["code"], 100, payment_code=digits) for digits in [*guesses, right]]
    answers = ok(desk.machine.post("/v1/redemptions:batch", {"redemptions": rows}))["data"]
    assert {row["body"]["code"] for row in answers} == {"payment_code_invalid"}
    problem(desk.redeem(100, payment_code=right), 422, "payment_code_invalid")
    ok(desk.redeem(100, payment_code=made["token"]))


def test_twenty_racing_redemptions_use_one_code_once(world: World) -> None:
    desk = without_mandate(world)
    made = make(desk)
    with ThreadPoolExecutor(10) as pool:
        answers = list(
            pool.map(lambda n: desk.redeem(1_000, payment_code=made["token" if n % 2 else "digits"]), range(20))
        )
    assert sorted(answer.status_code for answer in answers) == [201] + 19 * [409]
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"payment_code_used"}
    assert world.differences() == []


def test_a_refund_goes_back_to_the_voucher_and_the_code_stays_used(world: World) -> None:
    desk = without_mandate(world, rate="1.00")
    made = make(desk)
    drawn = ok(desk.redeem(10_000, payment_code=made["token"]))
    ok(desk.machine.post(f"/v1/redemptions/{drawn['id']}/refunds", {"amount_fen": 10_000, "reason": "取消"}))
    assert desk.balance_fen() == 1_000_000
    problem(desk.redeem(10_000, payment_code=made["token"]), 409, "payment_code_used")
    assert world.differences() == []


def test_reconciliation_finds_a_redemption_that_its_code_does_not_cover(world: World) -> None:
    desk = without_mandate(world)
    ok(desk.redeem(100, payment_code=make(desk)["token"]))
    assert world.differences() == []
    change = text("UPDATE payment_codes SET withdrawn_at = created_at, withdrawn_by = 'x'")
    world.database.transact(lambda tx: tx.execute(change))
    code, consents = sorted(world.differences())
    assert consents.startswith("6 consents: grant of ") and "payment code of" in code


def test_a_hold_uses_a_code_once_and_its_redemptions_need_no_other(world: World) -> None:
    desk = without_mandate(world)
    made = make(desk, limit_fen=30_000)
    asked = {"voucher_code": desk.voucher["code"], "payment_code": made["token"]}
    too_much = {**asked, "hold_no": "A", "bill": bill_body(100_010)}
    problem(desk.machine.post("/v1/holds", too_much), 422, "payment_code_exceeded")
    held = ok(desk.machine.post("/v1/holds", {**asked, "hold_no": "A", "bill": bill_body(100_000)}))
    assert (held["mandate_id"], held["payment_code_id"], held["subsidy_fen"]) == (None, made["id"], 30_000)
    used = problem(desk.redeem(10_000, payment_code=made["digits"]), 409, "payment_code_used")
    assert used["used_by"] == held["id"]
    for n in (1, 2):
        part = {"hold_id": held["id"], "order_no": f"P{n}", "bill": bill_body(10_000)}
        assert ok(desk.machine.post("/v1/redemptions", part))["payment_code_id"] == made["id"]
    again = {"hold_id": held["id"], "order_no": "P3", "bill": bill_body(1_000), "payment_code": made["token"]}
    problem(desk.machine.post("/v1/redemptions", again), 422, "validation_failed")
    assert world.differences() == []
