"""Whatever is sent to `POST /v1/redemptions`: the shortcut and the route agree about it, and so does a batch's row."""

from __future__ import annotations

from collections import Counter as Tally
from random import Random

from tests.world import World, counter, problem, redemption_body

PLAIN = "application/json"
BY_THE_ROUTE = "application/json; charset=utf-8"
CASES = 240
SEED = 20_261_126

ODD = (
    *("-0", "0", "1", "1.0", "1e3", "1E400", "-1", "00", "0x1", "true", "false", "null", "NaN"),
    *("10000000000000", "10000000000001", "9223372036854775808", "18446744073709551616", "1" * 400, "1." + "0" * 400),
    *('""', '" "', '"a\\u0000"', '"\\ud800"', '"\\ud83d\\ude00"', '"１"', '"0.30"', '"1e3"', '"O-1"', '"\\x"'),
    *('"2026-11-01T00:00:00Z"', '"2026-11-01"', '"1764000000"', '"483 920 170"', '"eyJ"', '"卡时"', '"a b"'),
    *("[]", "{}", "[1]", '{"contract_no":"C-1"}', '{"contract_no":1.0}', '{"":1}', "[" * 60 + "]" * 60),
)
"""Values as they stand in a body; some are no JSON."""

OUTER = ("voucher_code", "order_no", "bill", "expected_subsidy_fen", "claim", "final", "hold_id", "payment_code", "差")
OF_BILL = ("total_fen", "lines", "tax_rate", "discount")
OF_LINE = ("category", "quantity", "unit", "unit_price", "amount_fen", "used_from", "usage_ref", "provider_site")

LANGUAGES = ("en", "zh-CN", "", "de, zh;q=0.1", "en;q=x")
KEYS: tuple[list[str], ...] = ([""], ["K" * 256], ["a b"], ["K", "K"], [])


class Bodies:
    """Redemptions that may have odd values, twice or where none belongs, and may be cut off or wrapped."""

    def __init__(self, random: Random, voucher_code: str) -> None:
        self._random = random
        self._voucher_code = voucher_code

    def plain(self, number: int) -> bytes:
        """A redemption as it should be."""
        return self._body(number, set()).encode()

    def next(self, number: int) -> bytes:
        """One body; about one in five is a redemption as it should be."""
        random = self._random
        odd = set(random.sample((*OUTER, *OF_BILL, *OF_LINE), k=random.choice((0, 1, 1, 1, 2))))
        body = self._body(number, odd)
        shape = random.random()
        if shape < 0.04:
            return body.encode()[: random.randrange(len(body))]
        if shape < 0.08:
            return random.choice((b"\xef\xbb\xbf", b" \n", b"[", b"\xff", b"\x00")) + body.encode()
        return body.encode("utf-16" if shape < 0.1 else "utf-8")

    def _body(self, number: int, odd: set[str]) -> str:
        random = self._random
        fen = random.choice((1, 1_000, 4_001))
        line = {"category": '"training"', "quantity": f'"{fen}"', "unit": '"card_hour"', "unit_price": '"0.01"'}
        of_line = self._written(line | {"amount_fen": f"{fen}"}, odd & {*OF_LINE})
        of_bill = self._written({"total_fen": f"{fen}", "lines": f"[{of_line}]"}, odd & {*OF_BILL})
        outer = {"voucher_code": f'"{self._voucher_code}"', "order_no": f'"B{number}"', "bill": of_bill}
        return self._written(outer, odd & {*OUTER})

    def _written(self, values: dict[str, str], odd: set[str]) -> str:
        members = list(values.items())
        for name in sorted(odd):
            members = [one for one in members if one[0] != name or self._random.random() < 0.2]
            value = self._random.choice(ODD)
            if name in values and self._random.random() < 0.5:
                value = self._spelt_otherwise(values[name])
            members.insert(self._random.randrange(len(members) + 1), (name, value))
        return "{" + ",".join(f'"{name}":{value}' for name, value in members) + "}"

    def _spelt_otherwise(self, value: str) -> str:
        """The same to some readers of JSON, or to people."""
        if value.isdigit():
            return self._random.choice(
                (f"{value}.0", f"{value}e0", f"+{value}", f"0{value}", f'"{value}"', f" {value}\t")
            )
        if value.startswith('"'):
            first, rest = value[1], value[2:]
            return self._random.choice((f'"\\u{ord(first):04x}{rest}', f'" {first}{rest}', f'"{first}{rest[:-1]}\\n"'))
        return f"[{value}]"


def test_the_shortcut_and_the_route_agree_about_whatever_is_sent(shared_world: World) -> None:
    random, tally = Random(SEED), Tally[str]()
    desk = counter(shared_world.city())
    http, bodies = desk.machine.http, Bodies(random, desk.voucher["code"])
    for number in range(CASES):
        oddly_keyed = random.random() < 0.1
        content = bodies.plain(number) if oddly_keyed else bodies.next(number)
        keys = random.choice(KEYS) if oddly_keyed else [f"K{number}"]
        headers = [("Accept-Language", random.choice(LANGUAGES)), *(("Idempotency-Key", key) for key in keys)]
        first, second = (
            http.post("/v1/redemptions", content=content, headers=[*headers, ("Content-Type", way)])
            for way in random.sample((PLAIN, BY_THE_ROUTE), k=2)
        )
        one, other = first.json(), second.json()
        code = one.get("code", "redeemed")
        tally[code] += 1
        assert (first.status_code, first.headers["content-type"]) == (
            second.status_code,
            second.headers["content-type"],
        )
        if "idempotency-replayed" in second.headers:
            assert first.content == second.content, content
            continue
        assert one | {"request_id": ""} == other | {"request_id": ""}, content
        assert code not in {"redeemed", "idempotency_key_reused"}, content
        if code == "validation_failed":
            rows = b'{"redemptions":[' + content + b"]}"
            row = http.post("/v1/redemptions:batch", content=rows, headers=[*headers, ("Content-Type", PLAIN)])
            if row.is_success:  # a body in another encoding is none of a batch's rows
                (answer,) = row.json()["data"]
                compared = ("status", "detail", "errors")
                assert [answer["body"][name] for name in compared] == [one[name] for name in compared], content
                tally["row"] += 1
    assert {"malformed_request", "idempotency_key_invalid", "idempotency_key_missing", "below_minimum"} <= {*tally}
    assert all(tally[name] > CASES // 8 for name in ("redeemed", "validation_failed", "row")), tally
    assert shared_world.differences() == []


def test_a_key_that_is_sent_twice_is_no_key_by_either_way(shared_world: World) -> None:
    desk = counter(shared_world.city())
    body = redemption_body(desk.voucher["code"], 1_000)
    for way in (PLAIN, BY_THE_ROUTE):
        headers = [("Content-Type", way), ("Idempotency-Key", "K"), ("Idempotency-Key", "K")]
        answer = desk.machine.http.post("/v1/redemptions", json=body, headers=headers)
        problem(answer, 400, "idempotency_key_invalid")
