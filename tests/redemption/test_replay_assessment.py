"""An auditor computes stored amounts again: the same bytes, or the difference is named."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from app.kernel.canonical import canonical
from app.services.redemption.replaying import StoredAssessment, replay
from tests.world import Actor, World, counter, ok, problem, rules_body

RICH: dict[str, Any] = {
    "caps": [
        {"scope": "claim", "name": "per_bill", "limit_fen": 200_000},
        {"scope": "firm", "name": "firm_year", "limit_fen": 250_000},
        {"scope": "group", "name": "rolling", "limit_fen": 900_000, "per": {"months": 36}},
    ],
    "requirements": [
        {"name": "signed", "when": {"kind": "date", "fact": "claim.contract_signed_on", "from_on": "2026-01-01"}}
    ],
    "base": {"vat": "excluded", "default_tax_rate": "0.06"},
}
SIGNED = {"contract_signed_on": "2026-02-01"}


def stored_by(actor: Actor, subject_id: str) -> StoredAssessment:
    document = ok(actor.get(f"/v1/redemptions/{subject_id}/assessment"))
    texts = {
        name: canonical(document[name]).decode() if document[name] is not None else None
        for name in ("facts", "refund_facts", "trace", "rules")
    }
    others = {other_id: canonical(facts).decode() for other_id, facts in document["others"].items()}
    judged_at = datetime.fromisoformat(document["judged_at"])
    return StoredAssessment(**document | texts | {"judged_at": judged_at, "others": others})


def test_redemptions_and_refunds_come_out_to_the_byte(world: World) -> None:
    city = world.city()
    desk = counter(city, face_value_fen=300_000, **RICH)
    first = ok(desk.redeem(1_000_000, claim=SIGNED))
    second = ok(desk.redeem(400_000, claim=SIGNED))
    refund = ok(desk.machine.post(f"/v1/redemptions/{first['id']}/refunds", {"amount_fen": 600_000, "reason": "退单"}))
    again = ok(desk.machine.post(f"/v1/redemptions/{first['id']}/refunds", {"amount_fen": 1_000, "reason": "退单"}))
    for subject_id, amount_fen in (
        (first["id"], first["subsidy_fen"]),
        (second["id"], second["subsidy_fen"]),
        (refund["refund"]["id"], refund["refund"]["subsidy_refund_fen"]),
        (again["refund"]["id"], again["refund"]["subsidy_refund_fen"]),
    ):
        stored = stored_by(city.auditor, subject_id)
        found = replay(stored)
        assert found.differences == ()
        assert found.trace == stored.trace
        assert found.amount_fen == stored.amount_fen == amount_fen
    assert first["subsidy_fen"] == 200_000
    assert second["subsidy_fen"] == 50_000
    assert world.differences() == []


def test_what_was_changed_since_is_named(world: World) -> None:
    city = world.city()
    desk = counter(city, **RICH)
    redemption = ok(desk.redeem(100_000, claim=SIGNED))
    stored = stored_by(city.auditor, redemption["id"])
    dearer = stored.facts.replace('"amount_fen":100000', '"amount_fen":200000').replace(
        '"total_fen":100000', '"total_fen":200000'
    )
    kinder = stored.rules.replace('"rate":"0.30"', '"rate":"0.50"')
    assert kinder != stored.rules
    assert dearer != stored.facts
    amount_fen = stored.amount_fen
    assert set(replay(replace(stored, facts=dearer)).differences) == {
        f"amount_fen: {amount_fen} / 56604",
        "trace",
        "facts_sha256",
    }
    assert set(replay(replace(stored, rules=kinder)).differences) == {
        f"amount_fen: {amount_fen} / 47170",
        "trace",
        "rules_sha256",
    }
    assert "amount_fen: 1 / 28302" in replay(replace(stored, amount_fen=1)).differences


def test_facts_of_the_first_format_give_their_amount_again(world: World) -> None:
    """What was stored before facts had a position and given facts stays explainable."""
    rules: Any = rules_body() | {"cap": {"kind": "bill", "limit_fen": 900}}
    line = {
        "category": "training",
        "quantity": "3335",
        "unit": "card_hour",
        "unit_price": "0.01",
        "amount_fen": 3335,
        "used_from": None,
        "used_until": None,
        "provider_site": None,
        "usage_ref": None,
    }
    facts = {
        "v": 1,
        "provider": "org_1",
        "order_no": "A-1",
        "provider_categories": ["training"],
        "bill": {"total_fen": 3335, "tax_rate": None, "lines": [line]},
    }
    steps = [
        {"step": "rule_version", "id": "rul_1", "number": 1},
        {"step": "voucher", "balance_fen": 5000, "drawn_fen": 900},
    ]
    city = world.city()
    redemption = ok(counter(city).redeem(100))
    stored = replace(
        stored_by(city.auditor, redemption["id"]),
        facts=canonical(facts).decode(),
        rules=canonical(rules | {"v": 1}).decode(),
        trace=canonical({"v": 1, "steps": steps, "reductions": []}).decode(),
        amount_fen=900,
        entry_id=None,
    )
    found = replay(stored)
    assert found.amount_fen == 900
    assert found.differences == ("rules_sha256",)  # of the document that this test put in its place


def test_only_officials_and_auditors_read_what_was_looked_at(world: World) -> None:
    city = world.city()
    desk = counter(city)
    redemption = ok(desk.redeem(100))
    path = f"/v1/redemptions/{redemption['id']}/assessment"
    problem(desk.machine.get(path), 403, "forbidden")
    problem(desk.manager.get(path), 403, "forbidden")
    problem(world.city("330200").auditor.get(path), 404, "not_found")
    assert ok(city.maker.get(path))["amount_fen"] == 30
