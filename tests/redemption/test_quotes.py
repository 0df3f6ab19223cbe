"""A quote says what the redemption would draw, and costs nothing."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text

from app.kernel.vocabulary import Role
from tests.world import Counter, World, bill_body, counter, ok, problem, rules_body

CAP = {"scope": "firm", "name": "firm_year", "limit_fen": 2_000}


def quote_of(desk: Counter, total_fen: int, **changes: Any) -> Any:
    body = {"bill": bill_body(total_fen)} | changes
    return desk.manager.post(f"/v1/programmes/{desk.programme_id}/quotes", body)


def provider_quote(desk: Counter, total_fen: int, **changes: Any) -> Any:
    body = {"bill": bill_body(total_fen), "voucher_code": desk.voucher["code"]} | changes
    return desk.machine.post(f"/v1/programmes/{desk.programme_id}/quotes", body)


def test_a_quote_is_what_the_redemption_then_draws_with_the_same_trace(world: World) -> None:
    desk = counter(world.city(), caps=[CAP])
    quoted = ok(provider_quote(desk, 10_000))
    redeemed = ok(desk.redeem(10_000))
    assert quoted["subsidy_fen"] == redeemed["subsidy_fen"] == 2_000
    assert quoted["firm_pays_fen"] == redeemed["firm_pays_fen"] == 8_000
    assert quoted["trace"] == redeemed["trace"]


def test_a_quote_changes_nothing(world: World) -> None:
    desk = counter(world.city(), caps=[CAP])
    counted = text(
        "SELECT (SELECT count(*) FROM positions), (SELECT count(*) FROM entries), (SELECT count(*) FROM redemptions)"
    )
    before = world.database.transact(lambda tx: tuple(tx.execute(counted).one()))
    ok(provider_quote(desk, 10_000))
    ok(quote_of(desk, 10_000, voucher_id=desk.voucher["id"]))
    assert world.database.transact(lambda tx: tuple(tx.execute(counted).one())) == before
    assert desk.balance_fen() == 1_000_000


def test_a_firm_asks_without_a_voucher_with_one_and_with_a_provider(world: World) -> None:
    desk = counter(world.city(), face_value_fen=1_000)
    alone = ok(quote_of(desk, 10_000))
    assert (alone["subsidy_fen"], alone["voucher_balance_fen"], alone["refusal"]) == (3_000, None, None)
    drawn = ok(quote_of(desk, 10_000, voucher_id=desk.voucher["id"], provider_id=desk.machine.organisation_id))
    assert (drawn["assessed_fen"], drawn["subsidy_fen"], drawn["voucher_balance_fen"]) == (3_000, 1_000, 1_000)
    assert drawn["trace"]["reductions"] == [{"code": "CAP_VOUCHER", "subsidy_fen": 2_000}]


def test_a_bill_that_would_get_nothing_is_told_why_with_its_trace(world: World) -> None:
    size = {"kind": "is", "fact": "holder.size", "one_of": ["micro", "small"]}
    evidence = [{"document": "contract", "zh": "合同"}]
    desk = counter(world.city(), requirements=[{"name": "small_firms", "when": size}], evidence=evidence)
    answer = ok(quote_of(desk, 10_000))
    assert answer["subsidy_fen"] == 0
    assert answer["refusal"]["code"] == "not_eligible"
    assert "small_firms" in answer["refusal"]["detail"]
    assert answer["unstated_facts"] == ["holder.size"]
    assert answer["evidence"][0]["zh"] == "合同"
    assert answer["trace"]["reductions"][0]["code"] == "FACT_MISSING"


def test_a_quote_looks_at_what_the_firm_has_come_to(world: World) -> None:
    desk = counter(world.city(), caps=[CAP])
    ok(desk.redeem(5_000))
    assert ok(quote_of(desk, 10_000))["subsidy_fen"] == 500


def test_a_provider_needs_code_and_consent_and_others_get_no_quote(world: World) -> None:
    city = world.city()
    desk = counter(city)
    stranger = world.machine(world.provider())
    path = f"/v1/programmes/{desk.programme_id}/quotes"
    problem(stranger.post(path, {"bill": bill_body(100), "voucher_code": desk.voucher["code"]}), 422, "consent_missing")
    problem(stranger.post(path, {"bill": bill_body(100)}), 422, "consent_missing")
    problem(stranger.post(path, {"bill": bill_body(100), "voucher_id": desk.voucher["id"]}), 404, "voucher_not_found")
    other_firm = world.person(Role.FIRM, world.firm())
    problem(other_firm.post(path, {"bill": bill_body(100), "voucher_id": desk.voucher["id"]}), 404, "voucher_not_found")
    problem(
        other_firm.post(path, {"bill": bill_body(100), "voucher_code": desk.voucher["code"]}), 404, "voucher_not_found"
    )
    problem(city.maker.post(path, {"bill": bill_body(100)}), 403, "forbidden")
    refusal = problem(quote_of(desk, 100, claim={"tier": "1"}), 422, "validation_failed")
    assert refusal["errors"][0]["pointer"] == "/claim/tier"


def test_the_trace_shows_who_pays_which_part(world: World) -> None:
    """E12: one to one, and the declared order takes the spare fen."""
    sources = [{"source": "provincial", "share": 1}, {"source": "municipal", "share": 1}]
    desk = counter(world.city(), face_value_fen=10_000_001, rate="1.00", fund_sources=sources)
    quoted = ok(quote_of(desk, 10_000_001))["trace"]["steps"][-1]
    assert quoted == {
        "step": "sources",
        "parts": [{"source": "provincial", "fen": 5_000_001}, {"source": "municipal", "fen": 5_000_000}],
    }
    redeemed = ok(desk.redeem(10_000_001))
    drawn = redeemed["trace"]["steps"][-1]
    entry = ok(desk.city.auditor.get(f"/v1/ledger/entries/{redeemed['entry_id']}"))
    posted = [(posting["pool_id"], posting["amount_fen"]) for posting in entry["postings"]]
    assert [(part["pool"], part["fen"]) for part in drawn["parts"]] == posted
    assert [fen for _, fen in posted] == [5_000_001, 5_000_000]


def test_a_quote_is_judged_by_the_version_that_the_grants_terms_pin(world: World) -> None:
    city = world.city()
    rules = rules_body() | {"pinned_by": "contract"}
    programme_id = city.programme(rules=rules)
    base = counter(city)
    city.admit(programme_id, base.machine.organisation_id)
    terms = {"claim": {"contract_signed_on": "2026-06-01"}}
    voucher = city.issue(programme_id, base.voucher["firm_id"], 1_000_000, terms=terms)
    body = {"provider_id": base.machine.organisation_id, "limit_fen": 1_000_000}
    ok(base.manager.post(f"/v1/vouchers/{voucher['id']}/mandates", body))
    desk = Counter(city, programme_id, voucher, base.manager, base.machine, {})
    for stated in ({}, {"contract_signed_on": "2020-01-01"}):
        quoted = ok(provider_quote(desk, 1_000, claim=stated))
        assert quoted["subsidy_fen"] == ok(desk.redeem(1_000, claim=stated))["subsidy_fen"] == 300
    problem(quote_of(desk, 1_000, voucher_id=base.voucher["id"]), 404, "voucher_not_found")


def test_a_provider_is_told_where_the_firm_claims(world: World) -> None:
    desk = counter(world.city(), mode="post_reimburse", claimant="firm", payee="firm")
    assert ok(provider_quote(desk, 1_000))["refusal"]["code"] == "claimant_not_provider"
    assert ok(quote_of(desk, 1_000))["subsidy_fen"] == 300
