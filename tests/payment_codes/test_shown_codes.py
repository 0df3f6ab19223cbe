"""A payment code shown for a check or a quote: consent like any, never used up, and no way to guess at digits."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from app.embedded.databases import Urls
from app.kernel.codes import new_code
from app.kernel.payment_digits import digits_of
from tests.payment_codes.codes import age, make, path_of
from tests.world import Counter, World, bill_body, counter, ok, problem


@pytest.fixture
def desk(world: World) -> Counter:
    """A counter whose firm has withdrawn its mandate: only codes are consent."""
    desk = counter(world.city(), rate="1.00")
    ok(desk.manager.http.delete(f"/v1/vouchers/{desk.voucher['id']}/mandates/{desk.mandate['id']}"))
    return desk


def check(desk: Counter, sent: str | None = None) -> httpx.Response:
    body = {"voucher_code": desk.voucher["code"]} | ({} if sent is None else {"payment_code": sent})
    return desk.machine.http.post("/v1/vouchers/check", json=body)


def quote(desk: Counter, total_fen: int, sent: str | None = None) -> httpx.Response:
    body: dict[str, Any] = {"voucher_code": desk.voucher["code"], "bill": bill_body(total_fen)}
    body |= {} if sent is None else {"payment_code": sent}
    return desk.machine.http.post(f"/v1/programmes/{desk.programme_id}/quotes", json=body)


def wrong(made: Any, number: int) -> str:
    digits = digits_of(number)
    assert digits != made["digits"].replace(" ", ""), "one in a hundred million"
    return digits


def test_a_code_is_consent_for_checks_and_quotes_and_stays_unused(world: World, desk: Counter) -> None:
    problem(check(desk), 422, "consent_missing")
    problem(quote(desk, 100), 422, "consent_missing")
    made = make(desk, limit_fen=30_000)
    quoted: dict[str, Any] = {}
    for sent in (made["token"], made["digits"], made["token"]):
        usable = ok(check(desk, sent))
        assert (usable["drawable_fen"], usable["balance_fen"]) == (30_000, 1_000_000)
        assert (usable["mandate_until"], usable["payment_code_until"]) == (None, made["valid_until"])
        quoted = ok(quote(desk, 30_000, sent))
        assert (quoted["subsidy_fen"], quoted["refusal"]) == (30_000, None)
    (listed,) = ok(desk.manager.get(path_of(desk)))["data"]
    assert (listed["status"], listed["wrong_digits"]) == ("open", 0)
    assert ok(desk.redeem(30_000, payment_code=made["digits"]))["trace"] == quoted["trace"]
    used = problem(check(desk, made["token"]), 409, "payment_code_used")
    assert used == problem(check(desk, made["digits"]), 409, "payment_code_used") | {
        "request_id": used["request_id"],
        "instance": used["instance"],
    }
    problem(quote(desk, 100, made["digits"]), 409, "payment_code_used")
    assert world.differences() == []


def test_a_quote_says_when_the_bill_is_beyond_the_consent(desk: Counter) -> None:
    made = make(desk, limit_fen=5_000)
    beyond = ok(quote(desk, 5_001, made["token"]))
    assert (beyond["subsidy_fen"], beyond["refusal"]["code"]) == (0, "payment_code_exceeded")
    assert "50.00 yuan at most; this bill would draw 50.01" in beyond["refusal"]["detail"]
    asked = {"provider_id": desk.machine.organisation_id, "limit_fen": 4_000}
    ok(desk.manager.post(f"/v1/vouchers/{desk.voucher['id']}/mandates", asked))
    assert ok(quote(desk, 4_001))["refusal"]["code"] == "mandate_exceeded"
    assert ok(quote(desk, 4_000))["refusal"] is None
    assert ok(quote(desk, 5_000, made["token"]))["refusal"] is None, "a code spares the mandate"


def test_each_refusal_of_a_shown_code_is_its_own(world: World, desk: Counter, urls: Urls) -> None:
    withdrawn, expired, good = make(desk), make(desk), make(desk)
    ok(desk.manager.http.delete(f"{path_of(desk)}/{withdrawn['id']}"))
    age(urls, expired["id"])
    provider = world.provider()
    desk.city.admit(desk.programme_id, provider)
    stranger = Counter(desk.city, desk.programme_id, desk.voucher, desk.manager, world.machine(provider), {})
    for answer in (check(desk, withdrawn["token"]), quote(desk, 100, withdrawn["digits"])):
        problem(answer, 422, "payment_code_invalid")
    for answer in (check(desk, expired["digits"]), quote(desk, 100, expired["token"])):
        problem(answer, 409, "payment_code_expired")
    for sent in (good["token"], good["digits"]):
        problem(check(stranger, sent), 422, "payment_code_invalid")
        problem(quote(stranger, 100, sent), 422, "payment_code_invalid")
    problem(check(desk, good["token"][:-6] + "AAAAAA"), 422, "payment_code_invalid")
    slip = problem(check(desk, "123456780"), 422, "validation_failed")
    assert [error["pointer"] for error in slip["errors"]] == ["/payment_code"]
    unknown = {"voucher_code": new_code("330100"), "payment_code": good["token"]}
    problem(desk.machine.http.post("/v1/vouchers/check", json=unknown), 404, "voucher_not_found")
    problem(
        desk.manager.http.post("/v1/vouchers/check", json=unknown | {"voucher_code": desk.voucher["code"]}),
        403,
        "forbidden",
    )
    alone = {"bill": bill_body(100), "payment_code": good["token"]}
    problem(desk.machine.http.post(f"/v1/programmes/{desk.programme_id}/quotes", json=alone), 422, "validation_failed")


def test_wrong_numbers_count_together_whatever_they_are_sent_with(desk: Counter) -> None:
    made = make(desk)
    problem(check(desk, wrong(made, 0)), 422, "payment_code_invalid")
    problem(quote(desk, 100, wrong(made, 1)), 422, "payment_code_invalid")
    problem(desk.redeem(100, payment_code=wrong(made, 2)), 422, "payment_code_invalid")
    problem(check(desk, wrong(made, 3)), 422, "payment_code_invalid")
    ok(check(desk, made["digits"]))
    problem(quote(desk, 100, wrong(made, 4)), 422, "payment_code_invalid")
    for answer in (
        check(desk, made["digits"]),
        quote(desk, 100, made["digits"]),
        desk.redeem(1, payment_code=made["digits"]),
    ):
        problem(answer, 422, "payment_code_invalid")
    ok(check(desk, made["token"]))


def test_a_right_number_waits_for_those_that_are_just_counted(world: World, desk: Counter) -> None:
    made = make(desk)

    def counting(tx: Any) -> Future[httpx.Response]:
        """Who holds the voucher counts the fifth wrong number while the right one is on its way."""
        tx.execute(text("SELECT 1 FROM vouchers FOR NO KEY UPDATE"))
        asked = pool.submit(check, desk, made["digits"])
        waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        deadline = time.monotonic() + 3
        while tx.execute(waiting).scalar_one() < 1:
            assert time.monotonic() < deadline, "it does not wait for the voucher"
            tx.execute(text("SELECT pg_stat_clear_snapshot(), pg_sleep(0.01)"))
        tx.execute(text("UPDATE payment_codes SET wrong_digits = 5"))
        return asked

    with ThreadPoolExecutor(1) as pool:
        problem(world.database.transact(counting).result(), 422, "payment_code_invalid")
    ok(check(desk, made["token"]))
