"""The debarment list over HTTP: who decides, what it stops, when it ends."""

from __future__ import annotations

import psycopg
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from app.embedded.databases import Urls
from app.kernel.vocabulary import Role
from tests.standing.registrar import debar, debarred, identifier
from tests.world import HANGZHOU, NINGBO, World, bill_body, counter, ok, problem

HERE = {"region": "330100", "checkpoint": "redeem"}


def test_a_debarred_firm_spends_nothing_new_and_uses_up_what_is_held(world: World) -> None:
    city = world.city()
    shop = counter(city)
    machine, code = shop.machine, shop.voucher["code"]
    held = ok(machine.post("/v1/holds", {"voucher_code": code, "hold_no": "H1", "bill": bill_body(100_000)}))
    (entry,) = debarred(city, identifier(city.maker, shop.voucher["firm_id"]))
    assert (entry["made_by"], entry["decided_by"]) == (city.maker.id, city.checker.id)
    assert entry["checkpoints"] == ["apply", "issue", "redeem"]
    refused = problem(shop.redeem(100_000, order_no="O-1"), 422, "debarred")
    assert (refused["document_no"], refused["until_on"]) == ("杭经信罚〔2026〕9号", "2126-12-31")
    assert "杭经信罚〔2026〕9号" in refused["detail"] and "2126-12-31" in refused["detail"]
    new_hold = {"voucher_code": code, "hold_no": "H2", "bill": bill_body(100)}
    problem(machine.post("/v1/holds", new_hold), 422, "debarred")
    problem(machine.post("/v1/vouchers/check", {"voucher_code": code}), 422, "debarred")
    quote = ok(
        machine.post(f"/v1/programmes/{shop.programme_id}/quotes", {"voucher_code": code, "bill": bill_body(100)})
    )
    assert (quote["subsidy_fen"], quote["refusal"]["code"]) == (0, "debarred")
    from_hold = {"hold_id": held["id"], "order_no": "O-2", "bill": bill_body(100_000), "final": True}
    assert ok(machine.post("/v1/redemptions", from_hold))["subsidy_fen"] == 30_000
    lifted = city.maker.post(f"/v1/debarments/{entry['id']}/lift", {"document_no": "信用修复1号", "reason": "已修复"})
    problem(shop.redeem(100_000, order_no="O-3"), 422, "debarred")
    problem(city.approve(lifted, by=city.maker), 403, "forbidden")
    ok(city.approve(lifted))
    # a refused attempt does not use an order number up
    assert ok(shop.redeem(100_000, order_no="O-1"))["subsidy_fen"] == 30_000
    shown = ok(city.auditor.get(f"/v1/debarments/{entry['id']}"))
    assert (shown["lift_document_no"], shown["lift_reason"]) == ("信用修复1号", "已修复")
    again = city.maker.post(f"/v1/debarments/{entry['id']}/lift", {"document_no": "再次", "reason": "再次"})
    problem(again, 409, "wrong_state")
    assert ok(city.maker.get("/v1/debarments", live=True))["data"] == []
    assert world.differences() == []


def test_a_debarred_provider_earns_nothing_new_and_is_paid_unless_the_decision_says_otherwise(world: World) -> None:
    city = world.city()
    shop = counter(city)
    first, second = (ok(shop.redeem(100_000))["id"] for _ in range(2))
    provider = identifier(city.maker, shop.machine.organisation_id)
    debarred(city, provider)
    problem(shop.redeem(100_000), 422, "debarred")
    ok(city.approve(city.maker.post("/v1/payment-orders", {"redemption_ids": [first]}), by=city.finance))
    asked = city.maker.post("/v1/payment-orders", {"redemption_ids": [second]})
    debarred(city, provider, checkpoints=["pay"], document_no="杭经信罚〔2026〕10号")
    refused = problem(city.approve(asked, by=city.finance), 422, "debarred")
    assert refused["document_no"] == "杭经信罚〔2026〕10号"
    approval = asked.json()["approval_id"]
    ok(city.finance.post(f"/v1/approvals/{approval}/reject", {"reason": "列入名单"}))
    problem(city.maker.post("/v1/payment-orders", {"redemption_ids": [second]}), 422, "debarred")
    assert world.differences() == []


def test_a_debarred_firm_is_given_no_voucher_neither_when_asked_for_nor_when_approved(world: World) -> None:
    city = world.city()
    programme_id, firms = city.programme(), [world.firm(), world.firm(), world.firm()]
    debarred(city, identifier(city.maker, firms[1]))

    def batch(*which: int) -> dict[str, object]:
        rows = [{"reference_no": f"R{n}", "firm_id": firms[n], "face_value_fen": 100} for n in which]
        total_fen = 100 * len(rows)
        return {
            "programme_id": programme_id,
            "declared_count": len(rows),
            "declared_total_fen": total_fen,
            "rows": rows,
        }

    refused = problem(city.maker.post("/v1/issuance-batches", batch(0, 1)), 422, "validation_failed")
    ((code, limit),) = [(error["code"], error["limit"]) for error in refused["errors"]]
    assert (code, limit) == ("firm_debarred", "杭经信罚〔2026〕9号")
    asked = city.maker.post("/v1/issuance-batches", batch(0, 2))
    debarred(city, identifier(city.maker, firms[2]), document_no="杭经信罚〔2026〕11号")
    refused = problem(city.approve(asked), 422, "debarred")
    assert [(error["row"], error["limit"]) for error in refused["errors"]] == [(2, "杭经信罚〔2026〕11号")]
    assert ok(city.maker.get("/v1/vouchers"))["data"] == []


def test_one_entry_for_a_document_however_often_it_is_asked_for(world: World) -> None:
    city = world.city()
    who = {"type": "uscc", "value": "９１３３０１０６ｍａ０００００１５k"}
    first, second = debar(city, who), None
    problem(debar(city, who), 409, "approval_pending")
    second = debar(city, who, reason="同一文号再次提请")
    ok(city.approve(first))
    ok(city.approve(second))
    (entry,) = ok(city.maker.get("/v1/debarments", identifier="91330106MA0000015K"))["data"]
    assert (entry["identifier"]["value"], entry["reason"]) == ("91330106MA0000015K", "骗取补贴")
    known = debar(city, who)
    assert (known.status_code, known.json()["known_count"], known.json()["approval"]) == (200, 1, None)


def test_what_is_wrong_with_an_entry_is_told(world: World) -> None:
    city, given = world.city(), {"type": "uscc", "value": "91330106MA0000015K"}
    mistyped = {"type": "uscc", "value": "91330106MA0000015J"}
    for changes, pointer, code in (
        ({"until_on": "2025-12-31"}, "/entries/0/until_on", "ends_before_it_begins_on"),
        ({"from_on": "2020-01-01", "until_on": "2020-12-31"}, "/entries/0/until_on", "out_of_range"),
        ({"checkpoints": []}, "/entries/0/checkpoints", "too_short"),
        ({"checkpoints": ["visit"]}, "/entries/0/checkpoints/0", "enum"),
        ({"identifier": mistyped}, "/entries/0/identifier/value", "uscc_not_valid"),
    ):
        refused = problem(debar(city, given, **changes), 422, "validation_failed")
        assert [(error["pointer"], error["code"]) for error in refused["errors"]] == [(pointer, code)]


def test_who_decides_and_who_reads(world: World) -> None:
    city, other, county = world.city(), world.city(NINGBO), world.city("330106")
    firm_id = world.firm()
    manager, stranger = world.person(Role.FIRM, firm_id), world.person(Role.FIRM, world.firm())
    who = identifier(city.maker, firm_id)
    (entry,) = debarred(city, who)
    body = {
        "region_code": HANGZHOU,
        "authority_id": city.authority_id,
        "entries": [
            {
                "identifier": who,
                "name": "某",
                "reason": "某某",
                "document_no": "2",
                "from_on": "2026-01-01",
            }
        ],
    }
    for actor, status, code in (
        (city.checker, 403, "forbidden"),
        (city.finance, 403, "forbidden"),
        (manager, 403, "forbidden"),
        (other.maker, 404, "not_found"),
        (county.maker, 404, "not_found"),
    ):
        problem(actor.post("/v1/debarments", body), status, code)
    path = f"/v1/debarments/{entry['id']}"
    for actor in (city.finance, city.auditor, county.maker, manager):
        assert ok(actor.get(path))["id"] == entry["id"]
    for actor in (other.maker, stranger):
        problem(actor.get(path), 404, "not_found")
        assert ok(actor.get("/v1/debarments"))["data"] == []
    lift = {"document_no": "1", "reason": "撤销"}
    problem(county.maker.post(f"{path}/lift", lift), 403, "forbidden")
    problem(other.maker.post(f"{path}/lift", lift), 404, "not_found")
    assert ok(city.maker.get("/v1/debarments", organisation_id=firm_id, live=False))["data"] == []


def test_a_citys_list_stops_nothing_in_another_city_and_rules_can_ask_for_it(world: World) -> None:
    here, there = world.city(), world.city(NINGBO)
    clean = {
        "name": "three_years_clean",
        "when": {"kind": "age", "fact": "holder.last_debarred_on", "years_at_least": 3, "if_missing": "passes"},
    }
    shop = counter(there)
    firm = identifier(there.maker, shop.voucher["firm_id"])
    debarred(here, firm)
    assert ok(shop.redeem(100_000))["subsidy_fen"] == 30_000
    asking = counter(here, requirements=[clean])
    ok(asking.redeem(1_000))
    over = {"from_on": "2026-01-01", "until_on": None, "checkpoints": ["apply"]}
    debarred(here, identifier(here.maker, asking.voucher["firm_id"]), **over)
    refused = problem(asking.redeem(1_000), 422, "not_eligible")
    assert "three_years_clean" in refused["detail"]


def test_an_entry_is_lifted_once_and_never_rewritten(world: World, urls: Urls) -> None:
    city = world.city()
    (entry,) = debarred(city, {"type": "uscc", "value": "91330106MA0000015K"})
    lifted = city.maker.post(f"/v1/debarments/{entry['id']}/lift", {"document_no": "1", "reason": "撤销"})
    ok(city.approve(lifted))
    changes = {
        "UPDATE debarments SET name = 'x'": (urls.app_url,),
        "UPDATE debarments SET lift_reason = 'x'": (urls.app_url, urls.owner_url),
        "DELETE FROM debarments": (urls.app_url, urls.owner_url),
        "TRUNCATE debarments": (urls.app_url, urls.owner_url),
    }
    for change, by in changes.items():
        for url in by:
            engine = create_engine(url)
            with engine.connect() as tx:
                tx.execute(text("SELECT set_config('app.regions', '%', true)"))
                with pytest.raises(DBAPIError) as refused:
                    tx.execute(text(change))
            assert isinstance(refused.value.orig, psycopg.errors.InsufficientPrivilege), change
            engine.dispose()
