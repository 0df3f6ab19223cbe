"""Each refusal says where in the request it lies, what the limit is and what was asked, in both languages."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from app.kernel.places import places_of, told
from app.kernel.problems import AppError, Code, FieldError
from app.kernel.vocabulary import Reason
from app.kernel.wording import detail
from app.services.redemption.commands import POINTERS
from app.services.redemption.shortfalls import missed_minimum, reached_cap
from app.services.rules.assess import Assessment
from tests.past import end_validity
from tests.world import Counter, World, bill_body, counter, line_body, ok, redemption_body

CHINESE = re.compile(r"[\u4e00-\u9fff]")
KEY = "/header/Idempotency-Key"

JSON = {"Content-Type": "application/json"}


class Refusals:
    """Sends what is refused in both languages and keeps what machines read of it."""

    def __init__(self, desk: Counter) -> None:
        self._desk = desk
        self.code = desk.voucher["code"]

    def of(self, path: str, body: dict[str, Any]) -> tuple[int, str, list[dict[str, Any]]]:
        """Status, code and places; the sentences differ, and only the Chinese one is Chinese."""
        chinese, english = (
            self._desk.machine.post(path, body, headers={"Accept-Language": language}).json()
            for language in ("zh-CN", "en")
        )
        sentences = [[problem["detail"], *self._sentences(problem)] for problem in (chinese, english)]
        assert all(CHINESE.search(sentence) for sentence in sentences[0]), sentences[0]
        assert not any(CHINESE.search(sentence) for sentence in sentences[1]), sentences[1]
        bare = [{name: value for name, value in place.items() if name != "detail"} for place in english["errors"]]
        return english["status"], english["code"], bare

    def redeem(self, total_fen: int = 100, **changes: Any) -> tuple[int, str, list[dict[str, Any]]]:
        """Of a redemption in one step."""
        return self.of("/v1/redemptions", redemption_body(self.code, total_fen, **changes))

    @staticmethod
    def _sentences(problem: dict[str, Any]) -> list[str]:
        return [place["detail"] for place in problem["errors"] if "detail" in place]


def place(pointer: str, code: str, **numbers: Any) -> list[dict[str, Any]]:
    return [{"pointer": pointer, "code": code, **numbers}]


def test_a_refused_redemption_names_place_limit_and_what_was_asked(shared_world: World) -> None:
    desk = counter(shared_world.city(), face_value_fen=10_000, rate="1.00", limit_fen=500, minimum_bill_fen=50)
    refusals, code = Refusals(desk), desk.voucher["code"]
    first = ok(desk.redeem(100, order_no="A-1", key="K"))

    assert refusals.redeem(401) == (
        422,
        "mandate_exceeded",
        place("/bill/total_fen", "mandate_exceeded", limit=400, actual=401),
    )
    assert refusals.redeem(expected_subsidy_fen=99) == (
        409,
        "subsidy_changed",
        place("/expected_subsidy_fen", "subsidy_changed", limit=99, actual=100),
    )
    assert refusals.redeem(order_no="A-1") == (
        409,
        "order_no_already_used",
        place("/order_no", "order_no_already_used", actual="A-1"),
    )
    assert refusals.redeem(bill=bill_body(100, "storage")) == (
        422,
        "category_not_covered",
        place("/bill/lines", "category_not_covered", limit="training", actual="storage"),
    )
    assert refusals.redeem(49) == (
        422,
        "below_minimum",
        place("/bill/total_fen", "below_minimum", limit=50, actual=49),
    )
    assert refusals.redeem(payment_code="eyJ") == (
        422,
        "payment_code_invalid",
        place("/payment_code", "payment_code_invalid"),
    )
    refund = {"reason": "客户取消", "lines": [{"line": 1, "amount_fen": 60}, {"line": 1, "amount_fen": 60}]}
    assert refusals.of(f"/v1/redemptions/{first['id']}/refunds", refund) == (
        422,
        "refund_exceeds_redemption",
        place("/lines/1/amount_fen", "refund_exceeds_redemption", limit=100, actual=120),
    )
    assert refusals.of(
        f"/v1/redemptions/{first['id']}/refunds", refund | {"lines": [{"line": 2, "amount_fen": 1}]}
    ) == (
        422,
        "validation_failed",
        place("/lines/0/line", "no_such_line", limit=1, actual=2),
    )
    reused = desk.machine.post("/v1/redemptions", redemption_body(code, 200), key="K").json()
    assert (reused["code"], reused["errors"]) == ("idempotency_key_reused", place(KEY, "idempotency_key_reused"))
    assert desk.balance_fen() == 9_900
    assert shared_world.differences() == []


def test_a_hold_that_is_none_or_has_ended_is_named_where_the_request_names_it(shared_world: World) -> None:
    desk = counter(shared_world.city(), face_value_fen=1_000, rate="1.00")
    refusals = Refusals(desk)
    held = ok(desk.machine.post("/v1/holds", {"voucher_code": refusals.code, "hold_no": "H-1", "bill": bill_body(600)}))
    part = {"hold_id": held["id"], "order_no": "P-1", "bill": bill_body(100)}
    ok(desk.machine.post(f"/v1/holds/{held['id']}/release"))
    ended = (409, "hold_already_resolved")
    assert refusals.of("/v1/redemptions", part) == (*ended, place("/hold_id", ended[1], actual="released"))
    release = f"/v1/holds/{held['id']}/release"
    assert refusals.of(release, {}) == (*ended, place("/path/hold_id", ended[1], actual="released"))
    stranger = "hld_330100_01m85r7edwejb9kg3szhzhwwdp"
    missing = (404, "hold_not_found")
    assert refusals.of("/v1/redemptions", part | {"hold_id": stranger}) == (
        *missing,
        place("/hold_id", "hold_not_found", actual=stranger),
    )
    again = {"voucher_code": refusals.code, "hold_no": "H-1", "bill": bill_body(1)}
    assert refusals.of("/v1/holds", again) == (
        409,
        "hold_no_already_used",
        place("/hold_no", "hold_no_already_used", actual="H-1"),
    )
    status, code, (beyond,) = refusals.of("/v1/holds", again | {"hold_no": "H-2", "expires_at": "2090-01-01T00:00:00Z"})
    assert (status, code) == (422, "validation_failed")
    assert (beyond["pointer"], beyond["code"], beyond["actual"]) == (
        "/expires_at",
        "out_of_range",
        "2090-01-01T00:00:00.000000Z",
    )
    ok(desk.redeem(1_000))
    assert refusals.redeem(77) == (
        409,
        "insufficient_balance",
        place("/bill/total_fen", "insufficient_balance", limit=0, actual=77),
    )


def test_a_voucher_that_has_ended_is_told_with_both_instants(shared_world: World) -> None:
    desk = counter(shared_world.city())
    past = (
        "valid_until = valid_from + interval '1 microsecond', redeemable_until = clock_timestamp() + interval '1 day'"
    )
    end_validity(shared_world.database, past, desk.voucher["id"])
    told = text("SELECT valid_until FROM vouchers WHERE id = :id")
    until = shared_world.database.transact(lambda tx: tx.execute(told, {"id": desk.voucher["id"]}).scalar_one())
    status, code, (expired,) = Refusals(desk).redeem()
    assert (status, code, expired["pointer"]) == (409, "voucher_expired", "/voucher_code")
    assert datetime.fromisoformat(expired["limit"]) == until < datetime.fromisoformat(expired["actual"])


CODE = "330100-AAAA-AAAA-AAAA"
HOLD = "hld_330100_01m85r7edwejb9kg3szhzhwwdp"


def of_line(**changes: Any) -> dict[str, Any]:
    return {"bill": {"total_fen": 1, "lines": [line_body(1) | changes]}}


NOT_VALID: list[tuple[dict[str, Any], list[dict[str, Any]]]] = [
    ({"voucher_code": None}, place("/voucher_code", "give_one", limit="voucher_code, hold_id", actual=0)),
    ({"hold_id": HOLD}, place("/voucher_code", "give_one", limit="voucher_code, hold_id", actual=2)),
    ({"final": True}, place("/final", "only_with_a_hold", limit="hold_id", actual="voucher_code")),
    (
        {"voucher_code": None, "hold_id": HOLD, "payment_code": "eyJ"},
        place("/payment_code", "settled_by_the_hold", limit="voucher_code", actual="hold_id"),
    ),
    ({"voucher_code": CODE}, place("/voucher_code", "value_error", actual=CODE)),
    ({"order_no": "a b"}, place("/order_no", "string_pattern_mismatch", limit="^[!-~]{1,64}$", actual="a b")),
    ({"claim": {"side": 1.0}}, place("/claim/side", "string_type", actual="1.0")),
    ({"claim": {f"k{n}": 1 for n in range(101)}}, place("/claim", "too_long", limit=100, actual=101)),
    (of_line(quantity="1 / 2"), place("/bill/lines/0/quantity", "value_error", actual="1 / 2")),
    (of_line(used_from=1_764_000_000), place("/bill/lines/0/used_from", "datetime_parsing", actual=1_764_000_000)),
    (of_line(used_from="1764000000"), place("/bill/lines/0/used_from", "datetime_parsing", actual="1764000000")),
    (
        of_line(used_from="2026-01-01T00:00:00"),
        place("/bill/lines/0/used_from", "value_error", actual="2026-01-01T00:00:00"),
    ),
    (
        {"bill": {"total_fen": 10**13 + 1, "lines": [line_body(1)]}},
        place("/bill/total_fen", "less_than_equal", limit=10**13, actual=10**13 + 1),
    ),
]


def test_what_is_not_valid_is_told_in_both_languages(shared_world: World) -> None:
    refusals = Refusals(counter(shared_world.city()))
    for change, expected in NOT_VALID:
        assert refusals.redeem(**change) == (422, "validation_failed", expected)


def test_headers_and_bodies_that_cannot_be_read_are_pointed_at(shared_world: World) -> None:
    desk = counter(shared_world.city())
    body = redemption_body(desk.voucher["code"], 100)

    def errors(status: int, **request: Any) -> Any:
        answer: httpx.Response = desk.machine.http.post("/v1/redemptions", **request)
        assert answer.status_code == status, answer.text
        return answer.json()["errors"]

    invalid = "idempotency_key_invalid"
    for key, numbers in ((b"", (255, 0)), (b"k" * 256, (255, 256)), (b"a b", ("! – ~", "U+0020"))):
        wrong = place(KEY, invalid, limit=numbers[0], actual=numbers[1])
        assert errors(400, json=body, headers={b"Idempotency-Key": key}) == wrong
    assert errors(400, json=body) == place(KEY, "idempotency_key_missing")
    keyed = JSON | {"Idempotency-Key": "K"}
    (broken,) = errors(400, content=b'{"a": 1,}', headers=keyed)
    assert broken == {
        "pointer": "",
        "code": "json_invalid",
        "detail": "is no JSON (RFC 8259) from character 9 on",
        "limit": "JSON (RFC 8259)",
        "actual": 9,
    }
    assert errors(400, content=b"\xff", headers=keyed) == place("", "malformed_request", limit="JSON (RFC 8259)")
    packed = errors(415, content=b"\x1f\x8b", headers=keyed | {"Content-Encoding": "gzip"})
    assert [packed[0]["pointer"], packed[0]["limit"]] == [
        "/header/Content-Encoding",
        "a body without Content-Encoding",
    ]


def judged(*steps: dict[str, Any]) -> Assessment:
    return Assessment(
        amount_fen=0, entitled_fen=0, eligible_fen=1, steps=steps, reductions=(), years_fen={}, counted=()
    )


@pytest.mark.parametrize(
    ("steps", "why", "numbers", "english", "chinese"),
    [
        (
            [],
            {"code": Reason.ROUNDED_TO_NOTHING},
            (100, 0),
            "The subsidy would be 0.00 yuan; the minimum is 1.00 yuan.",
            "补贴额仅为 0.00 元，最低要求 1.00 元。",
        ),
        (
            [{"step": "minimum", "of": "subsidy", "minimum_fen": 5_000, "actual_fen": 3_000}],
            {"code": Reason.BELOW_MIN},
            (5_000, 3_000),
            "The subsidy would be 30.00 yuan; the minimum is 50.00 yuan.",
            "补贴额仅为 30.00 元，最低要求 50.00 元。",
        ),
        (
            [{"step": "minimum", "of": "contract", "minimum_fen": 5_000, "actual_fen": 3_000}],
            {"code": Reason.BELOW_MIN},
            (5_000, 3_000),
            "The contract's amount is 30.00 yuan; the minimum is 50.00 yuan.",
            "合同金额为 30.00 元，最低要求 50.00 元。",
        ),
        (
            [],
            {"code": Reason.BELOW_MIN, "limit": "0.8", "actual": "0.5"},
            ("0.8", "0.5"),
            "What was attained is 0.5; the minimum is 0.8.",
            "实际达成为 0.5，最低要求 0.8。",
        ),
    ],
)
def test_a_minimum_is_told_as_what_it_is_a_minimum_of(
    steps: list[dict[str, Any]], why: dict[str, Any], numbers: tuple[Any, Any], english: str, chinese: str
) -> None:
    context = missed_minimum(judged(*steps), why, unit_fen=100)
    assert detail(Code.BELOW_MINIMUM, "en", context) == english
    assert detail(Code.BELOW_MINIMUM, "zh", context) == chinese
    (found,) = places_of(AppError(Code.BELOW_MINIMUM, pointer=POINTERS[Code.BELOW_MINIMUM], **context))
    assert (found.pointer, found.limit, found.actual) == ("/bill/total_fen", *numbers)


def test_a_cap_is_told_with_its_whole_limit() -> None:
    step = {"step": "cap", "scope": "firm", "name": "firm_year", "limit_fen": 0, "cap_fen": 800}
    other = {"step": "cap", "scope": "group", "name": "group_year", "limit_fen": 0, "cap_fen": 900}
    why = {"code": Reason.CAP_FIRM_PERIOD, "cap": "firm_year", "subsidy_fen": 30}
    assert reached_cap(judged(step, other), why) == {"cap": "firm_year", "limit_fen": 800, "actual_fen": 30}
    count = {"step": "cap", "scope": "count", "name": "bills", "limit_fen": 0, "limit": 3}
    assert reached_cap(judged(count), why | {"cap": "bills"}) == {"cap": "bills", "actual_fen": 30}


def test_a_refusal_that_knows_neither_place_nor_limit_has_no_places() -> None:
    assert places_of(AppError(Code.FORBIDDEN, role="provider")) == ()
    assert places_of(AppError(Code.BUSY, retry_after_s=1)) == ()
    listed = (FieldError("/a", "b"),)
    assert places_of(AppError(Code.VALIDATION_FAILED, errors=listed, count=1), "/elsewhere") == listed


def test_a_place_without_words_gets_those_of_its_code() -> None:
    assert told(FieldError("/a", "too_large", limit=7)) == "may be 7 at most / 至多为 7"
    assert told(FieldError("/a", "too_large", detail="own")) == "own"
    assert told(FieldError("/a", "no_such_code")) is None
