"""Vouchers whose firm turns out to be related to a provider: who is listed, and what a void for it writes down."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text

from tests.standing.registrar import identifier, registrar, relate
from tests.world import NINGBO, World, counter, ok, problem

PROOF = "0123456789abcdef" * 4
WHY = {"reason": "专项核查", "ground": "related_party", "evidence": "杭审〔2026〕7号", "evidence_sha256": PROOF}


def void_details(world: World) -> Any:
    details = text("SELECT details::jsonb FROM entries WHERE kind = 'void'")
    return world.database.transact(lambda tx: tx.execute(details).scalar_one())


def test_a_void_names_the_links_the_parties_and_what_was_redeemed(world: World) -> None:
    desk, by = counter(world.city()), registrar(world)
    firm_id, provider_id = desk.manager.organisation_id, desk.machine.organisation_id
    drawn = [ok(desk.redeem(10_000))["id"], ok(desk.redeem(20_000))["id"]]
    ok(desk.machine.post(f"/v1/redemptions/{drawn[1]}/refunds", {"amount_fen": 10_000, "reason": "退单"}))
    path, body = f"/v1/vouchers/{desk.voucher['id']}/void", {**WHY, "related_to": provider_id}
    listed = f"/v1/programmes/{desk.programme_id}/related-parties"

    refused = problem(desk.city.maker.post(path, body), 409, "relation_not_on_record")
    assert firm_id in refused["detail"] and provider_id in refused["detail"]
    assert ok(desk.city.maker.get(listed))["data"] == []

    # Known only now, and true since January: the firm holds 60 % of a company that holds half of the provider.
    between = {"type": "uscc", "value": "91330106MA0000015K"}
    links = [
        ok(relate(by, firm_id, "holds", between, share="0.6"))["id"],
        ok(relate(by, provider_id, "held_by", between, share="0.5"))["id"],
    ]
    ok(relate(by, firm_id, "shared_contact", {"type": "uscc", "value": "91330282MA0000023M"}))
    (found,) = ok(desk.city.maker.get(listed))["data"]
    named = {"firm_id": firm_id, "relation_ids": sorted(links), "redemption_ids": drawn}
    assert {name: found[name] for name in named} == named
    assert (found["signs"], found["redeemed_fen"], found["same_person"]) == (["shareholding"], 6_000, False)

    asked = desk.city.maker.post(path, body)
    approval = ok(asked)
    assert approval["command"]["related"] == [{"voucher_id": desk.voucher["id"], **named}]
    assert approval["effect"]["related"] == named | {
        "same_person": False,
        "related_on": found["related_on"],
        "facts": {"shareholding": "0.3"},
        "signs": ["shareholding"],
        "redeemed_fen": 6_000,
    }
    told = approval["in_words"]["en"]
    assert links[0] in told and "2 redemption(s) of 60.00 yuan" in told and PROOF[:12] in told

    ok(desk.city.approve(asked))
    assert void_details(world) == body | named
    assert ok(desk.city.maker.get(listed))["data"][0]["status"] == "voided"
    assert world.differences() == []


def test_a_link_struck_off_meanwhile_stops_the_void(world: World) -> None:
    desk, by = counter(world.city()), registrar(world)
    provider = identifier(by, desk.machine.organisation_id)
    link = ok(relate(by, desk.manager.organisation_id, "same_controller", provider))
    body = {"act": "void", "related_to": desk.machine.organisation_id, **WHY}
    asked = desk.city.maker.post("/v1/voucher-acts", body | {"voucher_ids": [desk.voucher["id"]]})
    (effect,) = ok(asked)["effect"]["vouchers"]
    assert (effect["related"]["relation_ids"], effect["related"]["redemption_ids"]) == ([link["id"]], [])
    never = {"ended_on": "2025-12-31", "reason": "登记错误"}
    ok(by.post(f"/v1/organisations/{desk.manager.organisation_id}/relations/{link['id']}/end", never))
    refused = problem(desk.city.approve(asked), 409, "vouchers_unfit")
    assert [one["code"] for one in refused["errors"]] == ["relation_not_on_record"]
    assert ok(desk.manager.get(f"/v1/vouchers/{desk.voucher['id']}"))["status"] == "active"


def test_every_unrelated_firm_of_many_is_told(world: World) -> None:
    desk, by = counter(world.city()), registrar(world)
    provider = identifier(by, desk.machine.organisation_id)
    ok(relate(by, desk.manager.organisation_id, "same_controller", provider))
    stranger = desk.city.issue(desk.programme_id, world.firm(), 100)["id"]
    ids = [stranger, desk.voucher["id"]]
    body = {"act": "void", "related_to": desk.machine.organisation_id, "voucher_ids": ids, **WHY}
    refused = problem(desk.city.maker.post("/v1/voucher-acts", body), 409, "vouchers_unfit")
    assert [(one["pointer"], one["code"]) for one in refused["errors"]] == [
        ("/voucher_ids/0", "relation_not_on_record")
    ]


def test_related_parties_need_provider_and_proof_and_only_they_have_them(world: World) -> None:
    desk = counter(world.city())
    path, provider = f"/v1/vouchers/{desk.voucher['id']}/void", desk.machine.organisation_id
    body = {**WHY, "related_to": provider}
    for wrong in (
        {"evidence": None},
        {"evidence_sha256": None},
        {"evidence_sha256": PROOF.upper()},
        {"related_to": None},
        {"related_to": desk.manager.organisation_id},
        {"ground": "fraud"},
        {"ground": None},
    ):
        problem(desk.city.maker.post(path, body | wrong), 422, "validation_failed")


def test_only_officials_of_the_programme_look_for_related_parties(world: World) -> None:
    desk, elsewhere = counter(world.city()), world.city(NINGBO)
    path = f"/v1/programmes/{desk.programme_id}/related-parties"
    for may in (desk.city.maker, desk.city.checker, desk.city.finance):
        assert ok(may.get(path)) == {"data": []}
    for may_not in (desk.machine, desk.manager, elsewhere.maker, world.city().maker):
        problem(may_not.get(path), 403, "forbidden")
