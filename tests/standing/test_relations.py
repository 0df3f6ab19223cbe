"""Links of organisations over HTTP: recorded by a registrar, ended and never deleted, and what they stop."""

from __future__ import annotations

import psycopg
import pytest
from sqlalchemy import create_engine, insert, select, text
from sqlalchemy.exc import DBAPIError

from app.embedded.databases import Urls
from app.kernel.ids import new_id
from app.kernel.vocabulary import Role
from app.models import Organisation
from tests.standing.registrar import identifier, registrar, relate
from tests.world import (
    LONG_AGO,
    NINGBO,
    World,
    bill_body,
    counter,
    ok,
    problem,
)


def test_firm_and_provider_are_related_from_the_moment_it_is_on_record_until_it_is_ended(world: World) -> None:
    city = world.city()
    shop, by = counter(city), registrar(world)
    provider_id, firm_id = shop.machine.organisation_id, shop.voucher["firm_id"]
    firm, provider = identifier(by, firm_id), identifier(by, provider_id)
    assert ok(shop.redeem(1_000))["subsidy_fen"] == 300
    small = ok(relate(by, firm_id, "holds", provider, share="0.2499"))
    assert (small["kind"], small["share"], small["other"]) == ("holds", "0.2499", provider)
    (seen,) = ok(by.get(f"/v1/organisations/{provider_id}/relations"))["data"]
    assert (seen["kind"], seen["other"]) == ("held_by", firm)
    assert ok(shop.redeem(1_000))["subsidy_fen"] == 300
    end = {"ended_on": "2026-06-30", "reason": "增资"}
    ok(by.post(f"/v1/organisations/{provider_id}/relations/{small['id']}/end", end))
    quarter = ok(relate(by, firm_id, "holds", provider, share="0.25", from_on="2026-07-01"))
    refused = problem(shop.redeem(1_000), 422, "related_party")
    assert "shareholding" in refused["detail"]
    code = shop.voucher["code"]
    hold = {"voucher_code": code, "hold_no": "H1", "bill": bill_body(100)}
    problem(shop.machine.post("/v1/holds", hold), 422, "related_party")
    asked = {"voucher_code": code, "bill": bill_body(100)}
    quote = ok(shop.machine.post(f"/v1/programmes/{shop.programme_id}/quotes", asked))
    assert (quote["subsidy_fen"], quote["refusal"]["code"]) == (0, "related_party")
    never = {"ended_on": "2026-06-30", "reason": "登记错误"}
    path = f"/v1/organisations/{firm_id}/relations"
    ok(by.post(f"{path}/{quarter['id']}/end", never))
    assert ok(shop.redeem(1_000))["subsidy_fen"] == 300
    problem(by.post(f"{path}/{quarter['id']}/end", never), 409, "wrong_state")
    assert [(row["id"], row["ended_on"]) for row in ok(by.get(path))["data"]] == [
        (quarter["id"], "2026-06-30"),
        (small["id"], "2026-06-30"),
    ]
    assert [row["id"] for row in ok(by.get(path, on="2026-06-30"))["data"]] == [small["id"]]
    assert world.differences() == []


def test_one_that_is_firm_and_provider_gets_no_subsidy_for_dealing_with_itself(world: World) -> None:
    city = world.city()
    programme_id, provider_id = city.programme(), world.provider()
    city.admit(programme_id, provider_id)

    def twin(tx: object) -> str:
        row = tx.execute(select(Organisation).where(Organisation.id == provider_id)).one()  # type: ignore[attr-defined]
        values = {name: getattr(row, name) for name in ("identifier_type", "identifier_value", "name", "region_code")}
        firm_id = new_id("org")
        values |= {"id": firm_id, "kind": "firm", "profile": {}, "created_at": LONG_AGO, "created_by": "test"}
        tx.execute(insert(Organisation).values(values))  # type: ignore[attr-defined]
        return firm_id

    firm_id = world.database.transact(twin)
    voucher = city.issue(programme_id, firm_id, 1_000)
    manager = world.person(Role.FIRM, firm_id)
    ok(manager.post(f"/v1/vouchers/{voucher['id']}/mandates", {"provider_id": provider_id, "limit_fen": 1_000}))
    body = {"voucher_code": voucher["code"], "order_no": "O-1", "bill": bill_body(1_000)}
    problem(world.machine(provider_id).post("/v1/redemptions", body), 422, "related_party")


def test_all_firms_of_a_group_share_its_cap(world: World) -> None:
    city, by = world.city(), registrar(world)
    cap = {"scope": "group", "name": "group_year", "limit_fen": 500}
    shop = counter(city, caps=[cap])
    other_firm = world.firm()
    voucher = city.issue(shop.programme_id, other_firm, 1_000_000)
    manager = world.person(Role.FIRM, other_firm)
    mandate = {"provider_id": shop.machine.organisation_id, "limit_fen": 1_000_000}
    ok(manager.post(f"/v1/vouchers/{voucher['id']}/mandates", mandate))
    ok(relate(by, shop.voucher["firm_id"], "group", group="某（中国）集团"))
    spelled = ok(relate(by, other_firm, "group", group="某(中国) 集团"))
    assert spelled["group"] == "某（中国）集团", "one group has one name"
    assert ok(shop.redeem(1_000))["subsidy_fen"] == 300
    body = {"voucher_code": voucher["code"], "order_no": "O-1", "bill": bill_body(1_000)}
    assert ok(shop.machine.post("/v1/redemptions", body))["subsidy_fen"] == 200, "300 of 500 are used"
    refused = problem(relate(by, other_firm, "group", group="别的集团"), 409, "relation_exists")
    assert refused["relation_id"] == spelled["id"]
    assert world.differences() == []


def test_what_is_wrong_with_a_link_is_told(world: World) -> None:
    by, firm_id, other = registrar(world), world.firm(), {"type": "uscc", "value": "91330106MA0000015K"}
    for kind, changes, pointer, code in (
        ("holds", {}, "/share", "missing_for_kind"),
        ("holds", {"share": "0"}, "/share", "string_pattern_mismatch"),
        ("holds", {"share": "0.0000"}, "/share", "value_error"),
        ("holds", {"share": "1.0001"}, "/share", "string_pattern_mismatch"),
        ("same_controller", {"share": "0.5"}, "/share", "not_for_this_kind"),
        ("same_controller", {"group": "某集团"}, "/group", "not_for_this_kind"),
        ("same_controller", {"until_on": "2025-12-31"}, "/until_on", "out_of_range"),
        ("same_controller", {"evidence": ""}, "/evidence", "string_too_short"),
    ):
        refused = problem(relate(by, firm_id, kind, other, **changes), 422, "validation_failed")
        assert [(error["pointer"], error["code"]) for error in refused["errors"]] == [(pointer, code)]
    itself = relate(by, firm_id, "same_controller", identifier(by, firm_id))
    assert problem(itself, 422, "validation_failed")["errors"][0]["code"] == "same_party"


def test_a_registrar_records_for_whom_he_keeps_and_others_read_what_they_see(world: World) -> None:
    city, other = world.city(), world.city(NINGBO)
    by, foreign = registrar(world), registrar(world, NINGBO)
    firm_id = world.firm()
    outside = {"type": "uscc", "value": "91330106MA0000015K"}
    for actor, status in ((city.maker, 403), (city.checker, 403), (foreign, 404)):
        problem(
            relate(actor, firm_id, "same_controller", outside), status, "forbidden" if status == 403 else "not_found"
        )
    one = ok(relate(by, firm_id, "same_controller", outside))
    problem(relate(by, firm_id, "same_controller", outside), 409, "relation_exists")
    path = f"/v1/organisations/{firm_id}/relations"
    for actor in (city.maker, city.auditor, world.person(Role.FIRM, firm_id)):
        assert [row["id"] for row in ok(actor.get(path))["data"]] == [one["id"]]
    for actor in (other.maker, foreign, world.person(Role.FIRM, world.firm())):
        problem(actor.get(path), 404, "not_found")
    end = {"ended_on": "2026-06-30", "reason": "股权转让"}
    for actor, status, code in ((foreign, 404, "not_found"), (city.maker, 403, "forbidden")):
        problem(actor.post(f"{path}/{one['id']}/end", end), status, code)
    early = by.post(f"{path}/{one['id']}/end", end | {"ended_on": "2025-12-30"})
    assert problem(early, 422, "validation_failed")["errors"][0]["code"] == "out_of_range"


def test_a_link_is_ended_once_and_never_rewritten(world: World, urls: Urls) -> None:
    by, firm_id = registrar(world), world.firm()
    one = ok(relate(by, firm_id, "same_controller", {"type": "uscc", "value": "91330106MA0000015K"}))
    end = {"ended_on": "2026-06-30", "reason": "股权转让"}
    ok(by.post(f"/v1/organisations/{firm_id}/relations/{one['id']}/end", end))
    changes = {
        "UPDATE organisation_relations SET share = 1": (urls.app_url,),
        "UPDATE organisation_relations SET end_reason = 'x'": (urls.app_url, urls.owner_url),
        "DELETE FROM organisation_relations": (urls.app_url, urls.owner_url),
    }
    for change, roles in changes.items():
        for url in roles:
            engine = create_engine(url)
            with engine.connect() as tx, pytest.raises(DBAPIError) as refused:
                tx.execute(text(change))
            assert isinstance(refused.value.orig, psycopg.errors.InsufficientPrivilege), change
            engine.dispose()
