"""What rules ask of a line is stated with the line: on a quote, a hold, a redemption, and again at a refund."""

from __future__ import annotations

from typing import Any

from app.services.redemption.replaying import replay
from tests.redemption.test_replay_assessment import stored_by
from tests.world import Counter, World, counter, line_body, ok, problem

FILED_MODELS: dict[str, Any] = {
    "facts": [
        {"name": "line.model_filed", "type": "yes_no", "stated_by": "claimant"},
        {"name": "line.audited", "type": "yes_no"},
    ],
    "requirements": [{"name": "filed_model", "when": {"kind": "true", "fact": "line.model_filed"}}],
}


def bill_of(*lines: dict[str, Any]) -> dict[str, Any]:
    return {"total_fen": sum(line["amount_fen"] for line in lines), "lines": list(lines)}


def filed(amount_fen: int, **facts: Any) -> dict[str, Any]:
    return line_body(amount_fen) | {"facts": facts}


def quoted(desk: Counter, bill: dict[str, Any]) -> Any:
    body = {"bill": bill, "voucher_id": desk.voucher["id"], "provider_id": desk.machine.organisation_id}
    return desk.manager.post(f"/v1/programmes/{desk.programme_id}/quotes", body)


def test_a_line_earns_by_what_it_states(world: World) -> None:
    desk = counter(world.city(), **FILED_MODELS)
    bill = bill_of(filed(10_000, model_filed=True), filed(5_000, model_filed=False), line_body(2_000))
    assert ok(quoted(desk, bill))["subsidy_fen"] == 3_000
    redemption = ok(desk.redeem(17_000, bill=bill))
    assert redemption["subsidy_fen"] == 3_000
    (step,) = [step for step in redemption["trace"]["steps"] if step["step"] == "eligible_lines"]
    assert [(out["line"], out["code"]) for out in step["left_out"]] == [(2, "NOT_ELIGIBLE_LINE"), (3, "FACT_MISSING")]
    back = ok(
        desk.machine.post(
            f"/v1/redemptions/{redemption['id']}/refunds",
            {"reason": "退单", "lines": [{"line": 1, "amount_fen": 4_000}, {"line": 2, "amount_fen": 5_000}]},
        )
    )
    assert back["refund"]["subsidy_refund_fen"] == 1_200
    for subject_id in (redemption["id"], back["refund"]["id"]):
        assert replay(stored_by(desk.city.auditor, subject_id)).differences == (), subject_id
    assert world.differences() == []


def test_parts_of_a_hold_state_their_lines(world: World) -> None:
    desk = counter(world.city(), **FILED_MODELS)
    body = {"voucher_code": desk.voucher["code"], "hold_no": "H1", "bill": bill_of(filed(10_000, model_filed=True))}
    held = ok(desk.machine.post("/v1/holds", body))
    assert held["subsidy_fen"] == 3_000

    def part(order_no: str, *lines: dict[str, Any]) -> Any:
        order = {"hold_id": held["id"], "order_no": order_no, "bill": bill_of(*lines)}
        return desk.machine.post("/v1/redemptions", order)

    assert ok(part("P1", filed(6_000, model_filed=True)))["subsidy_fen"] == 1_800
    assert ok(part("P2", line_body(1_000)))["subsidy_fen"] == 0
    refused = problem(part("P3", filed(1_000, audited=True)), 422, "validation_failed")
    assert refused["errors"][0]["pointer"] == "/bill/lines/0/facts/audited"
    assert world.differences() == []


def test_what_a_line_may_not_state_is_refused_at_its_place(world: World) -> None:
    """An official's fact, one that nobody knows, one with a field of its own, a value of the wrong type."""
    desk = counter(world.city(), **FILED_MODELS)
    wrong = {"audited": True, "category": "training", "colour": "red"}
    bill = bill_of(line_body(1_000), filed(1_000, **wrong), filed(1_000, model_filed="yes"))
    for answer in (quoted(desk, bill), desk.redeem(3_000, bill=bill)):
        errors = problem(answer, 422, "validation_failed")["errors"]
        assert [(error["pointer"], error["code"], error["limit"]) for error in errors] == [
            ("/bill/lines/1/facts/audited", "not_for_the_claimant", "model_filed"),
            ("/bill/lines/1/facts/category", "not_for_the_claimant", "model_filed"),
            ("/bill/lines/1/facts/colour", "not_for_the_claimant", "model_filed"),
            ("/bill/lines/2/facts/model_filed", "wrong_fact_type", "yes_no"),
        ]


def test_the_card_and_the_last_day_of_use_decide_the_rate(world: World) -> None:
    """Until the end of June 30 % on any card; from July 50 % on one, 20 % on the others; no day, no subsidy."""
    day = "line.used_on"
    rate = {
        "kind": "line_cases",
        "cases": [
            {"when": {"kind": "date", "fact": day, "until_on": "2026-06-30"}, "rate": {"kind": "flat", "rate": "0.30"}},
            {
                "when": {"kind": "date", "fact": day, "from_on": "2026-07-01"},
                "rate": {"kind": "by", "fact": "line.accelerator", "rates": {CARD: "0.50"}, "otherwise": "0.20"},
            },
        ],
    }
    desk = counter(world.city())
    city = desk.city
    programme_id = city.programme(rules={"categories": ["training"], "rate": rate})
    city.admit(programme_id, desk.machine.organisation_id)
    voucher = city.issue(programme_id, desk.voucher["firm_id"], 1_000_000)
    mandate = {"provider_id": desk.machine.organisation_id, "limit_fen": 1_000_000}
    ok(desk.manager.post(f"/v1/vouchers/{voucher['id']}/mandates", mandate))
    there = Counter(city, programme_id, voucher, desk.manager, desk.machine, {})
    midnight = {"used_from": "2026-06-30T00:00:00+08:00", "used_until": "2026-07-01T00:00:00+08:00"}
    july = {"used_from": "2026-06-30T00:00:00+08:00", "used_until": "2026-07-01T00:00:01+08:00"}
    bill = bill_of(
        line_body(10_000) | midnight | {"accelerator": CARD},
        line_body(10_000) | july | {"accelerator": CARD},
        line_body(10_000) | july,
        line_body(10_000) | {"accelerator": CARD},
    )
    redemption = ok(there.redeem(40_000, bill=bill))
    assert redemption["subsidy_fen"] == 3_000 + 5_000 + 2_000
    assert replay(stored_by(city.auditor, redemption["id"])).differences == ()
    assert world.differences() == []


CARD = "nvidia_h800"
