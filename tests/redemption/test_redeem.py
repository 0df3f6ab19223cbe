"""One-step redemption over HTTP: what it draws, what it refuses, and that it happens once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from app.kernel.vocabulary import Role
from tests.past import end_validity
from tests.world import (
    NINGBO,
    Counter,
    World,
    bill_body,
    counter,
    line_body,
    ok,
    problem,
    redemption_body,
)


@pytest.fixture
def desk(world: World) -> Counter:
    return counter(world.city(), face_value_fen=30_000_000)


def test_e10_bills_draw_thirty_percent_until_nothing_is_left(world: World, desk: Counter) -> None:
    answers = [ok(desk.redeem(fen)) for fen in (20_000_000, 50_000_000, 40_000_000)]
    assert [answer["subsidy_fen"] for answer in answers] == [6_000_000, 15_000_000, 9_000_000]
    assert [answer["firm_pays_fen"] for answer in answers] == [14_000_000, 35_000_000, 31_000_000]
    assert answers[2]["trace"]["reductions"] == [{"code": "CAP_VOUCHER", "subsidy_fen": 3_000_000}]
    assert desk.balance_fen() == 0
    problem(desk.redeem(100), 409, "insufficient_balance")
    assert world.differences() == []


def test_the_answer_can_be_read_again_by_id_and_by_order_no(desk: Counter) -> None:
    created = ok(desk.redeem(20_000_000, order_no="A-1"))
    assert ok(desk.machine.get(f"/v1/redemptions/{created['id']}")) == created
    assert ok(desk.machine.get("/v1/redemptions", order_no="A-1"))["data"] == [created]
    assert ok(desk.machine.get("/v1/redemptions", order_no="A-2"))["data"] == []


def test_a_repetition_gets_the_same_bytes_and_spends_nothing(desk: Counter) -> None:
    body = redemption_body(desk.voucher["code"], 20_000_000)
    first = desk.machine.post("/v1/redemptions", body, key="K")
    again = desk.machine.post("/v1/redemptions", body, key="K")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.headers["X-Request-Id"] != first.headers["X-Request-Id"]
    assert desk.balance_fen() == 24_000_000


def test_spelling_of_the_code_makes_no_other_command(desk: Counter) -> None:
    body = redemption_body(desk.voucher["code"], 1_000)
    first = desk.machine.post("/v1/redemptions", body, key="K")
    spelt = body | {"voucher_code": desk.voucher["code"].replace("-", " ").lower()}
    assert desk.machine.post("/v1/redemptions", spelt, key="K").content == first.content


def test_a_key_stands_for_one_command(desk: Counter) -> None:
    ok(desk.redeem(1_000, key="K"))
    problem(desk.redeem(2_000, key="K"), 422, "idempotency_key_reused")


def test_two_providers_may_use_the_same_key_and_order_no(world: World, desk: Counter) -> None:
    other = counter(desk.city)
    assert ok(desk.redeem(1_000, key="K", order_no="1"))["id"] != ok(other.redeem(1_000, key="K", order_no="1"))["id"]


def test_a_stored_refusal_stays_refused_and_frees_its_order_no(world: World, desk: Counter) -> None:
    body = redemption_body(desk.voucher["code"], 1_000, order_no="A-1")
    wrong = body | {"bill": bill_body(1_000, "storage")}
    first = desk.machine.post("/v1/redemptions", wrong, key="K")
    problem(first, 422, "category_not_covered")
    again = desk.machine.post("/v1/redemptions", wrong, key="K")
    assert again.content == first.content
    assert again.headers["Idempotency-Replayed"] == "true"
    ok(desk.machine.post("/v1/redemptions", body, key="K2"))
    assert world.differences() == []


def test_a_refusal_that_is_not_stored_leaves_its_key_free(desk: Counter) -> None:
    missing = redemption_body("330100-0000-0000-0001", 1_000)
    problem(desk.machine.post("/v1/redemptions", missing, key="K"), 422, "validation_failed")
    ok(desk.redeem(1_000, key="K"))


def test_an_order_no_is_taken_for_ever(desk: Counter) -> None:
    first = ok(desk.redeem(1_000, order_no="A-1"))
    refused = problem(desk.redeem(2_000, order_no="A-1"), 409, "order_no_already_used")
    assert refused["redemption_id"] == first["id"]
    assert desk.balance_fen() == 30_000_000 - 300


def test_ten_racing_redemptions_of_the_last_fen_spend_it_once(world: World) -> None:
    desk = counter(world.city(), face_value_fen=100, rate="1.00")
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda n: desk.redeem(100, key=f"k{n}", order_no=f"o{n}"), range(10)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 9
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"insufficient_balance"}
    assert desk.balance_fen() == 0
    assert world.differences() == []


def test_twins_with_one_key_get_one_effect_and_one_answer(world: World, desk: Counter) -> None:
    body = redemption_body(desk.voucher["code"], 1_000)
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: desk.machine.post("/v1/redemptions", body, key="K"), range(10)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1
    assert desk.balance_fen() == 30_000_000 - 300
    assert world.differences() == []


def test_racing_orders_with_one_number_have_one_effect(world: World, desk: Counter) -> None:
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda n: desk.redeem(1_000, key=f"k{n}", order_no="A-1"), range(10)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 9
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"order_no_already_used"}
    assert world.differences() == []


def test_a_price_beyond_all_numbers_of_json_is_told_as_text(desk: Counter) -> None:
    """What this line would come to has more digits than JSON carries exactly, and than 64 bits hold."""
    line = line_body(100) | {"quantity": "89222942007642759", "unit_price": "9"}
    body = redemption_body(desk.voucher["code"], 100) | {"bill": {"total_fen": 100, "lines": [line]}}
    (error,) = problem(desk.machine.post("/v1/redemptions", body), 422, "validation_failed")["errors"]
    assert (error["code"], error["limit"], error["actual"]) == ("amount_not_explained", "80300647806878483100", 100)


def test_only_lines_of_covered_categories_count(desk: Counter) -> None:
    lines = [line_body(10_000), line_body(5_000, "storage")]
    answer = ok(desk.redeem(15_000, bill={"total_fen": 15_000, "lines": lines}))
    assert (answer["subsidy_fen"], answer["firm_pays_fen"]) == (3_000, 12_000)
    assert answer["trace"]["reductions"] == [{"code": "NOT_ELIGIBLE_LINE", "base_fen": 5_000}]


def test_a_cap_per_bill_cuts_and_says_so(world: World) -> None:
    desk = counter(world.city(), cap={"kind": "bill", "limit_fen": 2_000})
    answer = ok(desk.redeem(10_000))
    assert answer["subsidy_fen"] == 2_000
    assert answer["trace"]["reductions"] == [{"code": "CAP_CLAIM", "cap": "bill", "subsidy_fen": 1_000}]


def test_below_the_minimum_is_refused_with_limit_and_amount(world: World) -> None:
    desk = counter(world.city(), minimum_bill_fen=10_000)
    refused = problem(desk.redeem(9_999), 422, "below_minimum")
    assert "100.00" in refused["detail"] and "99.99" in refused["detail"]
    assert ok(desk.redeem(10_000))["subsidy_fen"] == 3_000


def test_an_expectation_is_held(desk: Counter) -> None:
    problem(desk.redeem(1_000, expected_subsidy_fen=299), 409, "subsidy_changed")
    assert ok(desk.redeem(1_000, expected_subsidy_fen=300))["subsidy_fen"] == 300


def test_a_code_alone_spends_nothing(world: World, desk: Counter) -> None:
    stranger = world.machine(world.provider())
    body = redemption_body(desk.voucher["code"], 1_000)
    problem(stranger.post("/v1/redemptions", body), 422, "provider_not_admitted")
    desk.city.admit(desk.programme_id, stranger.organisation_id)
    problem(stranger.post("/v1/redemptions", body), 422, "consent_missing")
    assert desk.balance_fen() == 30_000_000


def test_a_mandate_is_a_limit_and_can_be_withdrawn(world: World) -> None:
    desk = counter(world.city(), limit_fen=1_000)
    ok(desk.redeem(2_000))
    refused = problem(desk.redeem(2_000), 422, "mandate_exceeded")
    assert "4.00" in refused["detail"]
    ok(desk.redeem(1_000))
    mandates = f"/v1/vouchers/{desk.voucher['id']}/mandates"
    withdrawn = ok(desk.manager.http.delete(f"{mandates}/{desk.mandate['id']}"))
    assert (withdrawn["used_fen"], withdrawn["revoked_at"] is not None) == (900, True)
    problem(desk.redeem(100), 422, "consent_missing")
    ok(desk.manager.post(mandates, {"provider_id": desk.machine.organisation_id, "limit_fen": 500}))
    ok(desk.redeem(100))
    assert world.differences() == []


def test_frozen_voided_and_paused_refuse_each_in_its_own_words(world: World) -> None:
    city = world.city()
    desk = counter(city)
    voucher = f"/v1/vouchers/{desk.voucher['id']}"
    ok(city.approve(city.maker.post(f"{voucher}/freeze", {"reason": "核查"})))
    assert ok(desk.manager.get(voucher))["status"] == "frozen"
    problem(desk.redeem(1_000), 409, "voucher_frozen")
    ok(city.approve(city.maker.post(f"{voucher}/unfreeze", {"reason": "核查完毕"})))
    ok(desk.redeem(1_000))
    ok(city.maker.http.post(f"/v1/programmes/{desk.programme_id}/pause"))
    problem(desk.redeem(1_000), 409, "programme_paused")
    ok(city.approve(city.maker.http.post(f"/v1/programmes/{desk.programme_id}/resume")))
    ok(city.approve(city.maker.post(f"{voucher}/void", {"reason": "企业注销"})))
    problem(desk.redeem(1_000), 409, "voucher_voided")
    shown = ok(desk.manager.get(voucher))
    assert (shown["status"], shown["balance_fen"], shown["voided_fen"], shown["redeemed_fen"]) == (
        "voided",
        0,
        999_700,
        300,
    )
    assert world.differences() == []


@pytest.mark.parametrize("grace", ["0 days", "30 days"])
def test_an_expired_voucher_draws_nothing_with_or_without_grace(world: World, desk: Counter, grace: str) -> None:
    end_validity(
        world.database,
        "valid_until = valid_from + interval '1 microsecond',"
        f" redeemable_until = clock_timestamp() + interval '{grace}'",
    )
    problem(desk.redeem(1_000), 409, "voucher_expired")
    status = ok(desk.manager.get(f"/v1/vouchers/{desk.voucher['id']}"))["status"]
    assert status == ("expired" if grace == "0 days" else "active")


def test_a_voucher_is_not_valid_before_its_day(world: World) -> None:
    city = world.city()
    desk = counter(city)
    voucher = city.issue(
        desk.programme_id, desk.manager.organisation_id, 1_000, valid_from="2125-01-01", valid_until="2125-06-30"
    )
    mandate = {"provider_id": desk.machine.organisation_id, "limit_fen": 1_000}
    ok(desk.manager.post(f"/v1/vouchers/{voucher['id']}/mandates", mandate))
    body = redemption_body(voucher["code"], 100)
    refused = problem(desk.machine.post("/v1/redemptions", body), 409, "voucher_not_yet_valid")
    assert "2125-01-01 00:00" in refused["detail"]
    assert ok(desk.manager.get(f"/v1/vouchers/{voucher['id']}"))["valid_until"] == "2125-06-30T16:00:00.000000Z"


def test_what_belongs_to_others_does_not_exist(world: World, desk: Counter) -> None:
    redemption_id = ok(desk.redeem(1_000))["id"]
    other_city = world.city(NINGBO)
    other_firm = world.person(Role.FIRM, world.firm())
    other_provider = world.machine(world.provider())
    voucher = f"/v1/vouchers/{desk.voucher['id']}"
    for stranger in (other_firm, other_city.maker, other_city.finance, other_city.auditor):
        problem(stranger.get(voucher), 404, "voucher_not_found")
        problem(stranger.get(f"{voucher}/movements"), 404, "voucher_not_found")
        problem(stranger.get(f"/v1/redemptions/{redemption_id}"), 404, "not_found")
    problem(other_provider.get(f"/v1/redemptions/{redemption_id}"), 404, "not_found")
    mandate = {"provider_id": desk.machine.organisation_id, "limit_fen": 1_000}
    problem(other_firm.post(f"{voucher}/mandates", mandate), 404, "voucher_not_found")
    problem(other_city.maker.post(f"{voucher}/void", {"reason": "不该"}), 404, "voucher_not_found")
    assert ok(other_firm.get("/v1/vouchers"))["data"] == []


def test_each_role_does_its_own_and_nothing_else(desk: Counter) -> None:
    body = redemption_body(desk.voucher["code"], 1_000)
    for stranger in (desk.manager, desk.city.maker, desk.city.checker, desk.city.finance, desk.city.auditor):
        problem(stranger.post("/v1/redemptions", body), 403, "forbidden")
    problem(desk.machine.post(f"/v1/vouchers/{desk.voucher['id']}/void", {"reason": "不该"}), 403, "forbidden")
    problem(desk.machine.get("/v1/ledger/entries"), 403, "forbidden")


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"voucher_code": "330100-ABCD-EFGH-JKMN"}, "/voucher_code"),
        ({"order_no": ""}, "/order_no"),
        ({"order_no": "有空格"}, "/order_no"),
        ({"expected_subsidy_fen": 1.5}, "/expected_subsidy_fen"),
        ({"discount": 1}, "/discount"),
        (
            {"bill": {"total_fen": 1, "lines": [line_body(1) | {"used_until": "9999-12-31T23:00:00-08:00"}]}},
            "/bill/lines/0/used_until",
        ),
        ({"bill": {"total_fen": 10**30, "lines": [line_body(1)]}}, "/bill/total_fen"),
        (
            {"bill": {"total_fen": 1, "lines": [line_body(1) | {"provider_site": "a\x00b"}]}},
            "/bill/lines/0/provider_site",
        ),
        (
            {"bill": {"total_fen": 1, "lines": [line_body(1) | {"used_from": "2026-01-01T00:00:00"}]}},
            "/bill/lines/0/used_from",
        ),
        ({"bill": {"total_fen": -1, "lines": [line_body(1)]}}, "/bill/total_fen"),
        ({"bill": {"total_fen": 100.0, "lines": [line_body(100)]}}, "/bill/total_fen"),
        ({"bill": {"total_fen": "100", "lines": [line_body(100)]}}, "/bill/total_fen"),
        ({"bill": {"total_fen": True, "lines": [line_body(1)]}}, "/bill/total_fen"),
        ({"bill": {"total_fen": 10**15 + 1, "lines": [line_body(1)]}}, "/bill/total_fen"),
        ({"bill": {"total_fen": 101, "lines": [line_body(100)]}}, "/bill/total_fen"),
        ({"bill": {"total_fen": 100, "lines": []}}, "/bill/lines"),
        ({"bill": {"total_fen": 100, "lines": [line_body(100) | {"unit_price": "0.02"}]}}, "/bill/lines/0/amount_fen"),
        ({"bill": {"total_fen": 100, "lines": [line_body(100) | {"quantity": "1e2"}]}}, "/bill/lines/0/quantity"),
        ({"bill": {"total_fen": 100, "lines": [line_body(100) | {"quantity": 100}]}}, "/bill/lines/0/quantity"),
        ({"bill": {"total_fen": 100, "lines": [line_body(100) | {"note": "x"}]}}, "/bill/lines/0/note"),
    ],
)
def test_bad_input_names_the_place_and_leaves_nothing(
    shared_world: World, change: dict[str, Any], pointer: str
) -> None:
    desk = counter(shared_world.city())
    body = redemption_body(desk.voucher["code"], 100, order_no="A-1") | change
    refused = problem(desk.machine.post("/v1/redemptions", body, key="K"), 422, "validation_failed")
    assert [place["pointer"] for place in refused["errors"]] == [pointer]
    ok(desk.redeem(100, key="K", order_no="A-1"))
    assert shared_world.differences() == []


def test_headers_that_are_missing_or_wrong_are_told(world: World, desk: Counter) -> None:
    body = redemption_body(desk.voucher["code"], 100)
    http = desk.machine.http
    problem(http.post("/v1/redemptions", json=body), 400, "idempotency_key_missing")
    for key in (b"", b"a b", "é".encode(), b"k" * 256):
        headers = {b"Idempotency-Key": key}
        problem(http.post("/v1/redemptions", json=body, headers=headers), 400, "idempotency_key_invalid")
    for broken in (b"{", b"", b'{"a": "\xff"}', b"[" * 100_000):
        json_headers = {"Idempotency-Key": "K", "Content-Type": "application/json"}
        problem(http.post("/v1/redemptions", content=broken, headers=json_headers), 400, "malformed_request")
    form = http.post("/v1/redemptions", data={"a": "b"}, headers={"Idempotency-Key": "K"})
    problem(form, 415, "unsupported_media_type")
    problem(world.anonymous().post("/v1/redemptions", json=body), 401, "unauthenticated")
    large = http.post("/v1/redemptions", content=b" " * (1024 * 1024 + 1), headers={"Idempotency-Key": "K"})
    problem(large, 413, "body_too_large")


def test_a_chunked_body_is_limited_too(desk: Counter) -> None:
    chunks = (b" " * 65536 for _ in range(17))
    refused = desk.machine.http.post("/v1/redemptions", content=chunks, headers={"Idempotency-Key": "K"})
    problem(refused, 413, "body_too_large")


def test_problems_are_told_in_the_readers_language(desk: Counter) -> None:
    body = redemption_body(desk.voucher["code"], 100) | {"bill": bill_body(100, "storage")}
    chinese = desk.machine.post("/v1/redemptions", body, headers={"Accept-Language": "zh-CN"})
    english = desk.machine.post("/v1/redemptions", body, headers={"Accept-Language": "en-GB,en;q=0.8"})
    assert problem(chinese, 422, "category_not_covered")["title"] == "账单项目不在补贴范围"
    assert problem(english, 422, "category_not_covered")["title"] == "Nothing on the bill is covered"


def test_movements_keep_a_running_balance(desk: Counter) -> None:
    redemption = ok(desk.redeem(1_000_000))
    shown = ok(desk.manager.get(f"/v1/vouchers/{desk.voucher['id']}/movements"))
    assert [(row["kind"], row["change_fen"], row["balance_fen"]) for row in shown] == [
        ("issue", 30_000_000, 30_000_000),
        ("redeem", -300_000, 29_700_000),
    ]
    assert shown[1]["subject_id"] == redemption["id"]
    assert [row["voucher_seq"] for row in shown] == [1, 2]


def test_a_check_refuses_where_a_redemption_would(world: World, desk: Counter) -> None:
    ok(desk.city.maker.http.post(f"/v1/programmes/{desk.programme_id}/pause"))
    code = {"voucher_code": desk.voucher["code"]}
    problem(desk.machine.http.post("/v1/vouchers/check", json=code), 409, "programme_paused")


def test_an_expired_voucher_can_be_neither_frozen_nor_voided(world: World, desk: Counter) -> None:
    waiting = ok(desk.city.maker.post(f"/v1/vouchers/{desk.voucher['id']}/void", {"reason": "企业注销"}))
    end_validity(world.database)
    approve = f"/v1/approvals/{waiting['id']}/approve"
    problem(desk.city.checker.post(approve), 409, "wrong_state")
    for act in ("freeze", "void"):
        asked = desk.city.maker.post(f"/v1/vouchers/{desk.voucher['id']}/{act}", {"reason": "核查"})
        problem(asked, 409, "wrong_state")


def test_a_check_tells_the_provider_what_it_may_draw(world: World, desk: Counter) -> None:
    code = {"voucher_code": desk.voucher["code"]}
    usable = ok(desk.machine.http.post("/v1/vouchers/check", json=code))
    assert (usable["status"], usable["drawable_fen"], usable["categories"]) == ("active", 30_000_000, ["training"])
    stranger = world.machine(world.provider())
    problem(stranger.http.post("/v1/vouchers/check", json=code), 422, "provider_not_admitted")
