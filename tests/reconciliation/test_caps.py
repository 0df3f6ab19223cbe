"""Invariant 9 over stored books: what the service lets pass is right, what somebody wrote below it is found."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.embedded.databases import Urls
from app.embedded.server import Server
from app.kernel.clock import civil_date, utc_now
from app.services.reconciliation.reconcile import check_invariants
from tests.issuance.test_terms import desk_with
from tests.reconciliation.test_reconciliation import OF_THE_LOG, tamper
from tests.redemption.test_holds import hold, redeem
from tests.world import City, Counter, World, counter, line_body, ok, problem

YEARLY: dict[str, Any] = {"scope": "firm", "name": "firm_year", "limit_fen": 5_000}
DRAWN_TWICE = """
    UPDATE postings SET amount_fen = 6000 WHERE destination = 'obligated' AND amount_fen = 3000;
    UPDATE redemptions SET subsidy_fen = 6000, firm_pays_fen = 4000;
    UPDATE vouchers SET balance_fen = balance_fen - 3000, redeemed_fen = 6000;
    UPDATE allotments SET balance_fen = balance_fen - 3000, redeemed_fen = 6000;
    UPDATE mandates SET used_fen = 6000
"""
"""The whole of the books says 60 yuan where 30 were drawn."""
COUNTED_TWICE = "UPDATE positions SET granted_fen = 6000 WHERE granted_fen = 3000"
STATED_TWICE = """
    UPDATE redemptions SET facts = replace(facts, '"granted_fen"\\:3000', '"granted_fen"\\:6000')
"""


def desk_under(city: City, **rules: Any) -> Counter:
    """A counter under rules with a rate of their own."""
    base = counter(city)
    programme_id = city.programme(rules={"categories": ["training"], **rules})
    city.admit(programme_id, base.machine.organisation_id)
    voucher = city.issue(programme_id, base.voucher["firm_id"], 1_000_000)
    body = {"provider_id": base.machine.organisation_id, "limit_fen": 1_000_000}
    mandate = ok(base.manager.post(f"/v1/vouchers/{voucher['id']}/mandates", body))
    return Counter(city, programme_id, voucher, base.manager, base.machine, mandate)


def publish_later(desk: Counter, caps: list[dict[str, Any]]) -> None:
    """Another version with these caps, in force from tomorrow."""
    path = f"/v1/programmes/{desk.programme_id}/rule-versions"
    rules = ok(desk.city.maker.get(path))[0]["rules"]
    body = {"effective_on": (civil_date(utc_now()) + timedelta(days=1)).isoformat(), "rules": rules | {"caps": caps}}
    written = ok(desk.city.maker.post(path, body))
    ok(desk.city.approve(desk.city.maker.post(f"{path}/{written['version']['id']}/submit")))


def broken(world: World) -> tuple[set[str], list[tuple[str, str, str]]]:
    """The invariants that are broken besides the sealed log's, and what the ninth says."""
    findings = check_invariants(world.database).findings
    named = {finding.name for finding in findings if finding.count} - OF_THE_LOG
    caps = [
        (row.subject, row.expected, row.actual) for one in findings if one.name == "caps" for row in one.differences
    ]
    return named, caps


@pytest.mark.parametrize(
    ("tampering", "named", "limit"),
    [
        ((DRAWN_TWICE,), {"caps"}, "counted firm year by {}"),  # drawn, and no counter knows of it
        ((DRAWN_TWICE, COUNTED_TWICE), {"caps", "positions"}, "counted firm year by {}"),
        ((DRAWN_TWICE, COUNTED_TWICE, STATED_TWICE), {"caps"}, "firm_year by {}"),
    ],
)
def test_a_posting_and_its_counters_edited_beyond_a_cap_are_found(
    world: World, server: Server, urls: Urls, tampering: tuple[str, ...], named: set[str], limit: str
) -> None:
    desk = counter(world.city(), caps=[YEARLY])
    redemption = ok(desk.redeem(10_000))
    assert broken(world) == (set(), [])
    tamper(server, urls, ";".join(tampering))
    found, caps = broken(world)
    assert found == named
    assert caps[0][0].startswith(limit.format(redemption["id"]))
    if "counted" not in limit:
        subject = f"firm_year by {redemption['id']}, firm {desk.voucher['firm_id']} of {desk.programme_id}"
        assert caps == [(subject, "<= 5000", "6000")]


def test_the_cap_of_a_bill_needs_no_counter(world: World, server: Server, urls: Urls) -> None:
    desk = counter(world.city(), caps=[{"scope": "claim", "name": "bill", "limit_fen": 5_000}])
    redemption = ok(desk.redeem(10_000))
    tamper(server, urls, DRAWN_TWICE)
    assert broken(world) == ({"caps"}, [(f"bill by {redemption['id']}", "<= 5000", "6000")])


def test_a_counter_that_was_emptied_does_not_hide_what_follows(world: World, server: Server, urls: Urls) -> None:
    """The firm's counter goes back to nothing, and the service itself grants the cap once more."""
    desk = counter(world.city(), caps=[YEARLY])
    ok(desk.redeem(10_000))
    tamper(server, urls, "UPDATE positions SET granted_fen = 0, base_fen = 0, gross_fen = 0, claims = 0")
    second = ok(desk.redeem(100_000))
    assert second["subsidy_fen"] == 5_000
    found, caps = broken(world)
    assert found == {"positions", "caps"}
    assert [(subject.split(",")[0], *rest) for subject, *rest in caps] == [
        (f"firm_year by {second['id']}", "<= 5000", "8000")
    ]


def test_an_exception_is_one_that_was_approved(world: World, server: Server, urls: Urls) -> None:
    """Written into the voucher afterwards it is none, nor is what only the facts of a claim say."""
    desk = desk_with(world, {"exceptions_fen": {"firm_year": 1_500}})
    assert ok(desk.redeem(10_000))["subsidy_fen"] == 1_500
    plain = desk_with(world, None)
    assert ok(plain.redeem(10_000))["subsidy_fen"] == 1_000
    assert broken(world) == (set(), [])
    terms = '{"claim":{},"exceptions_fen":{"firm_year"\\:1900},"layers_fen":{}}'
    ids = f"'{desk.voucher['id']}', '{plain.voucher['id']}'"
    tamper(server, urls, f"UPDATE vouchers SET terms = '{terms}' WHERE id IN ({ids})")
    found, caps = broken(world)
    assert found == {"caps"}
    assert {subject for subject, *_ in caps} == {f"terms of {desk.voucher['id']}", f"terms of {plain.voucher['id']}"}
    tamper(server, urls, "UPDATE vouchers SET terms = NULL")
    _, caps = broken(world)
    assert [(subject.split(" by ")[0], *rest) for subject, *rest in caps] == [("firm_year", "<= 1000", "1500")]


def test_books_in_which_every_cap_is_used_to_the_fen_are_right(world: World, server: Server, urls: Urls) -> None:
    """Firm, group, contract, voucher, category, window and number of claims; a bracket; a hold; refunds; two versions.

    Of 8,000 (training alone) the contract has 6,000; a second contract 2,000; the bracket pays 50 % up to 20,000.
    """
    firm: dict[str, Any] = {"scope": "firm", "limit_fen": 8_000}
    caps = [
        {**firm, "name": "year"},
        {**firm, "name": "ever", "per": "lifetime"},
        {**firm, "name": "window", "per": {"months": 3}},
        {**firm, "name": "training", "category": "training"},
        {**firm, "name": "of_all", "scope": "group"},
        {"scope": "contract", "name": "per_contract", "limit_fen": 6_000},
        {"scope": "claims", "name": "often", "limit": 4},
    ]
    bands = [
        {"up_to_fen": 20_000, "rate": {"kind": "flat", "rate": "0.50"}},
        {"rate": {"kind": "flat", "rate": "0.30"}},
    ]
    rate = {"kind": "bracket", "method": "marginal", "bands": bands}
    desk = desk_under(world.city(), rate=rate, caps=caps)
    one, two = "A},", 'B"},"2'
    first = ok(desk.redeem(10_000, claim={"contract_no": one}))
    assert first["subsidy_fen"] == 5_000
    assert ok(desk.redeem(10_000, claim={"contract_no": one}))["subsidy_fen"] == 1_000
    assert ok(desk.redeem(10_000, claim={"contract_no": two}))["subsidy_fen"] == 2_000
    problem(desk.redeem(10_000, claim={"contract_no": two}), 422, "cap_firm_period")
    assert broken(world) == (set(), [])
    ok(desk.machine.post(f"/v1/redemptions/{first['id']}/refunds", {"amount_fen": 2_000, "reason": "退单"}))
    held = ok(hold(desk, 10_000, claim={"contract_no": two}))
    assert held["subsidy_fen"] == 1_000
    assert broken(world) == (set(), [])
    part = ok(redeem(desk, held, 2_000, "P1"))
    ok(desk.machine.post(f"/v1/redemptions/{part['id']}/refunds", {"amount_fen": 1_000, "reason": "退单"}))
    publish_later(desk, [{**firm, "name": "year", "limit_fen": 4_000}])
    tamper(server, urls, "UPDATE rule_versions SET effective_on = '2026-01-02' WHERE number = 2")
    ok(desk.machine.post(f"/v1/holds/{held['id']}/release", {}))
    problem(desk.redeem(10_000, claim={"contract_no": two}), 422, "cap_firm_period")
    assert broken(world) == ({"approved_rules"}, []), "from another day than was approved, and no cap exceeded"


def test_a_refund_that_gives_nothing_back_moves_a_claim_between_years_and_breaks_no_cap(world: World) -> None:
    """Of two years' 600 each the voucher, or the hold, has 600 in all; 2026 loses 570, and 2027 is never raised."""
    desk = counter(world.city(), face_value_fen=600, caps=[YEARLY], attribution={"by": "usage"})
    other = desk.second_voucher(600)
    lines = [line_body(2_000) | {"used_until": f"{year}-03-01T10:00:00+08:00"} for year in (2026, 2027)]
    two_years = {"total_fen": 4_000, "lines": lines}
    held = ok(
        other.machine.post("/v1/holds", {"voucher_code": other.voucher["code"], "hold_no": "H", "bill": two_years})
    )
    asked = {"hold_id": held["id"], "order_no": "P", "bill": two_years}
    for redemption in (ok(desk.redeem(0, bill=two_years)), ok(other.machine.post("/v1/redemptions", asked))):
        assert redemption["subsidy_fen"] == 600
        less = {"lines": [{"line": 1, "amount_fen": 1_900}], "reason": "退单"}
        refund = ok(desk.machine.post(f"/v1/redemptions/{redemption['id']}/refunds", less))["refund"]
        assert refund["subsidy_refund_fen"] == 0
    assert broken(world) == (set(), [])


def test_a_refund_that_gives_nothing_back_may_still_take_off_a_years_counter(world: World) -> None:
    """50 % of 5,000 in each of two years, 3,000 for the contract: 1,500 of each year.

    Without 2,000 of the second year it is 4,000, so still 3,000, of which 1,125 are the second year's. That of the
    first year is not raised.
    """
    caps = [
        {"scope": "contract", "name": "per_contract", "limit_fen": 3_000},
        {"scope": "firm", "name": "year", "limit_fen": 9_000},
    ]
    rate = {"kind": "flat", "rate": "0.50"}
    desk = desk_under(world.city(), rate=rate, caps=caps, attribution={"by": "usage"})
    lines = [
        line_body(5_000) | {"used_from": f"{day}T00:00:00+08:00", "used_until": f"{day}T12:00:00+08:00"}
        for day in ("2025-12-01", "2026-01-05")
    ]
    claim = {"contract_no": "HT-1"}
    drawn = ok(desk.redeem(0, bill={"total_fen": 10_000, "lines": lines}, claim=claim))
    assert drawn["subsidy_fen"] == 3_000
    body = {"lines": [{"line": 2, "amount_fen": 2_000}], "reason": "退单"}
    given_back = ok(desk.machine.post(f"/v1/redemptions/{drawn['id']}/refunds", body))
    assert given_back["refund"]["subsidy_refund_fen"] == 0
    query = text("SELECT period, granted_fen FROM positions WHERE holder = 'firm' AND granted_fen > 0 ORDER BY period")
    counters = world.database.transact(lambda tx: tx.execute(query).all())
    assert [tuple(row) for row in counters] == [("2025", 1_500), ("2026", 1_125)]
    assert broken(world) == (set(), [])
