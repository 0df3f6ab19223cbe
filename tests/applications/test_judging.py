"""Conditions, amounts, windows and limits of applications."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.kernel.clock import civil_date, utc_now
from app.kernel.vocabulary import Role
from tests.applications import papers
from tests.applications.desk import Desk, application_body, assessment
from tests.applications.test_uploads import send
from tests.standing.registrar import debarred, identifier, registrar, relate
from tests.world import NINGBO, Actor, ok, problem


def requirement(name: str, when: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "when": when, **more}


IN_HANGZHOU = requirement(
    "in_hangzhou", {"kind": "in_region", "fact": "holder.region_code", "regions": ["330100"]}, zh="注册地在杭州市"
)
SMALL = requirement("small", {"kind": "is", "fact": "holder.size", "one_of": ["micro", "small"]}, en="A small firm")
LEVEL = requirement("level", {"kind": "is", "fact": "claim.project_level", "one_of": ["national", "provincial"]})
CONTRACT = requirement(
    "contract", {"kind": "date", "fact": "claim.contract_signed_on", "from_on": "2026-01-01"}, zh="合同签订日"
)
CARDS = requirement("cards", {"kind": "number", "fact": "provider.capacity_cards", "at_least": "8"})


def profile(desk: Desk, firm: Actor, size: str, **more: Any) -> None:
    document = {"size": size, **more}
    desk.city.world.database.transact(
        lambda tx: tx.execute(
            text("UPDATE organisations SET profile = CAST(:profile AS jsonb) WHERE id = :id"),
            {"profile": json.dumps(document), "id": firm.organisation_id},
        )
    )


def outcomes(answer: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["outcome"] for one in answer["judgement"]["conditions"]}


def test_every_condition_is_told_and_what_fails_refuses(desk: Desk) -> None:
    programme_id = desk.programme(requirements=[IN_HANGZHOU, SMALL, LEVEL, CONTRACT, CARDS])
    stranger = desk.firm(NINGBO)
    profile(desk, stranger, "large")
    refused = problem(desk.apply(programme_id, stranger), 422, "applicant_not_eligible")
    assert [(one["pointer"], one["code"]) for one in refused["errors"]] == [
        ("/conditions/in_hangzhou", "condition_fails"),
        ("/conditions/small", "condition_fails"),
    ]
    assert [one["detail"] for one in refused["errors"]] == ["注册地在杭州市", "A small firm"]

    own = desk.firm()
    profile(desk, own, "small")
    application = ok(desk.apply(programme_id, own))
    assert outcomes(application) == {
        "in_hangzhou": "holds",
        "small": "holds",
        "level": "open",
        "contract": "later",
        "cards": "later",
    }


def test_what_was_open_must_be_known_when_the_amount_is_fixed(desk: Desk) -> None:
    programme_id = desk.programme(requirements=[LEVEL])
    application_id = desk.accepted(programme_id)
    refused = problem(desk.act(application_id, "assess", assessment(100_000)), 422, "applicant_not_eligible")
    assert (refused["errors"][0]["code"], refused["errors"][0]["actual"]) == (
        "condition_missing",
        "claim.project_level",
    )
    terms = {"claim": {"project_level": "municipal"}}
    problem(desk.act(application_id, "assess", assessment(100_000, terms=terms)), 422, "applicant_not_eligible")
    terms = {"claim": {"project_level": "national"}}
    ok(desk.act(application_id, "assess", assessment(100_000, terms=terms)))
    ok(desk.city.approve(desk.act(application_id, "approve")))
    assert desk.read(application_id)["status"] == "approved"
    stored = desk.stored("SELECT terms FROM vouchers WHERE id = %s", desk.read(application_id)["voucher_id"])
    assert '"project_level":"national"' in stored


def test_a_claimants_fact_that_is_judged_at_applying_only_must_be_stated(desk: Desk) -> None:
    at_apply = CONTRACT | {"checkpoints": ["apply"]}
    programme_id, firm = desk.programme(requirements=[at_apply]), desk.firm()
    problem(desk.apply(programme_id, firm), 422, "applicant_not_eligible")
    problem(desk.apply(programme_id, firm, claim={"contract_signed_on": "2025-12-31"}), 422, "applicant_not_eligible")
    problem(desk.apply(programme_id, firm, claim={"project_level": "national"}), 422, "validation_failed")
    ok(desk.apply(programme_id, firm, claim={"contract_signed_on": "2026-01-01"}))


def test_a_firm_that_ceases_to_fit_is_not_granted_and_nothing_is_issued(desk: Desk) -> None:
    programme_id, firm = desk.programme(requirements=[SMALL]), desk.firm()
    profile(desk, firm, "small")
    application_id = desk.reviewed(programme_id, firm)
    proposed = ok(desk.act(application_id, "approve"))
    profile(desk, firm, "large")
    path = f"/v1/approvals/{proposed['approval_id']}"
    problem(desk.city.checker.post(f"{path}/approve"), 422, "applicant_not_eligible")
    assert ok(desk.city.maker.get("/v1/vouchers", programme_id=programme_id))["data"] == []
    assert ok(desk.city.checker.get(path))["status"] == "pending"


def test_an_exemption_counts_only_for_the_conditions_that_the_checker_saw(desk: Desk) -> None:
    programme_id, firm = desk.programme(requirements=[SMALL | {"checkpoints": ["issue"]}]), desk.firm()
    profile(desk, firm, "large")
    application_id = desk.accepted(programme_id, firm)
    problem(desk.act(application_id, "assess", assessment(100_000)), 422, "applicant_not_eligible")
    exemption = {"reason": "市政府专题会议纪要", "document_no": "杭政纪〔2026〕3号"}
    assessed = ok(desk.act(application_id, "assess", assessment(100_000, exemption=exemption)))
    assert assessed["exception"]["conditions"] == ["small"]
    proposed = ok(desk.act(application_id, "approve"))
    approval = ok(desk.city.checker.get(f"/v1/approvals/{proposed['approval_id']}"))
    assert approval["effect"]["exceptions"] == 1
    assert approval["effect"]["applications"][0]["exception"]["document_no"] == "杭政纪〔2026〕3号"
    ok(desk.city.checker.post(f"/v1/approvals/{proposed['approval_id']}/approve"))
    assert desk.read(application_id)["status"] == "approved"


def test_amounts_are_bounded_and_the_limit_that_binds_is_named(desk: Desk) -> None:
    caps = [
        {"scope": "voucher", "name": "per_voucher", "limit_fen": 800_000},
        {"scope": "firm", "name": "per_firm", "per": "lifetime", "limit_fen": 1_000_000},
    ]
    applying = {"minimum_fen": 10_000, "at_once": 2}
    programme_id, firm = desk.programme(caps=caps, applying=applying), desk.firm()
    problem(desk.apply(programme_id, firm, amount_fen=9_999), 422, "amount_out_of_range")
    refused = problem(desk.apply(programme_id, firm, amount_fen=800_001), 422, "amount_out_of_range")
    assert "per_voucher" in refused["detail"] and refused["errors"][0]["limit"] == 800_000
    desk.granted(programme_id, firm, fen=700_000, amount_fen=800_000)
    refused = problem(desk.apply(programme_id, firm, amount_fen=300_001), 422, "amount_out_of_range")
    assert ("per_firm" in refused["detail"], refused["errors"][0]["limit"]) == (True, 300_000)
    application_id = desk.accepted(programme_id, firm, amount_fen=300_000)
    refused = problem(desk.act(application_id, "assess", assessment(300_001)), 422, "amount_out_of_range")
    assert (refused["errors"][0]["pointer"], refused["errors"][0]["limit"]) == ("/assessed_fen", 300_000)
    ok(desk.act(application_id, "assess", assessment(300_000)))


def test_a_debarred_firm_neither_applies_nor_is_granted(desk: Desk) -> None:
    programme_id, firm, later = desk.programme(), desk.firm(), desk.firm()
    keeper = registrar(desk.city.world)
    draft = ok(desk.apply(programme_id, firm, draft=True))["id"]
    debarred(desk.city, identifier(keeper, firm.organisation_id))
    problem(firm.post(f"/v1/applications/{draft}/submit"), 422, "debarred")
    problem(desk.apply(programme_id, firm), 422, "debarred")
    application_id = desk.reviewed(programme_id, later)
    proposed = ok(desk.act(application_id, "approve"))
    debarred(desk.city, identifier(keeper, later.organisation_id), document_no="杭经信罚〔2026〕10号")
    refused = desk.city.checker.post(f"/v1/approvals/{proposed['approval_id']}/approve")
    problem(refused, 422, "debarred")
    assert desk.read(application_id)["status"] == "reviewed"


def test_a_cap_of_the_group_counts_what_its_other_firms_were_granted(desk: Desk) -> None:
    caps = [{"scope": "group", "name": "per_group", "per": "lifetime", "limit_fen": 600_000}]
    programme_id, first, second, third = desk.programme(caps=caps), desk.firm(), desk.firm(), desk.firm()
    profile(desk, first, "small", group="钱塘集团")
    ok(relate(registrar(desk.city.world), second.organisation_id, "group", group="钱塘集团"))
    desk.granted(programme_id, first, fen=400_000)
    refused = problem(desk.apply(programme_id, second, amount_fen=200_001), 422, "amount_out_of_range")
    assert ("per_group" in refused["detail"], refused["errors"][0]["limit"]) == (True, 200_000)
    ok(desk.apply(programme_id, second, amount_fen=200_000))
    ok(desk.apply(programme_id, third, amount_fen=600_000))


def test_what_is_planned_bounds_what_may_be_assessed(desk: Desk) -> None:
    plan = [{"category": "training", "amount_fen": 1_000_000}]  # at 30 %: 300,000
    application = ok(desk.apply(desk.programme(), plan=plan))
    assert (application["judgement"]["maximum_fen"], application["judgement"]["binding_limit"]) == (300_000, "plan")
    ok(desk.act(application["id"], "accept"))
    problem(desk.act(application["id"], "assess", assessment(300_001)), 422, "amount_out_of_range")
    assert ok(desk.act(application["id"], "assess", assessment(300_000)))["assessed_fen"] == 300_000


def test_papers_that_the_rules_ask_for_must_be_there(desk: Desk) -> None:
    evidence = [
        {"document": "contract", "checkpoints": ["apply"], "zh": "已签订的服务合同"},
        {"document": "invoice"},
    ]
    programme_id, firm = desk.programme(evidence=evidence), desk.firm()
    refused = problem(desk.apply(programme_id, firm), 422, "evidence_missing")
    assert [(one["limit"], one["detail"]) for one in refused["errors"]] == [("contract", "已签订的服务合同")]
    upload = ok(send(firm, papers.pdf("合同在此")))["id"]
    wrong = [{"document": "contrat", "upload_id": upload}]
    problem(desk.apply(programme_id, firm, documents=wrong), 422, "validation_failed")
    ok(desk.apply(programme_id, firm, documents=[{"document": "contract", "upload_id": upload}]))


def test_applications_come_within_the_programmes_window_and_the_rules(desk: Desk) -> None:
    now = utc_now()
    closed = desk.city.programme(closes_at=(now - timedelta(minutes=1)).isoformat())
    problem(desk.apply(closed), 422, "application_window_closed")
    for until in (timedelta(minutes=5), timedelta(days=2)):
        problem(desk.apply(desk.city.programme(opens_at=(now + until).isoformat())), 422, "application_window_closed")
    windows = [{"of": "apply", "opens_at": "2026-01-01T09:00", "closes_at": "2026-01-31T17:00"}]
    refused = problem(desk.apply(desk.programme(windows=windows)), 422, "applicant_not_eligible")
    assert refused["errors"][0]["pointer"] == "/conditions/window"


def test_a_paused_programme_takes_no_application(desk: Desk) -> None:
    programme_id, firm = desk.programme(), desk.firm()
    draft = ok(desk.apply(programme_id, firm, draft=True))["id"]
    ok(desk.city.maker.post(f"/v1/programmes/{programme_id}/pause"))
    problem(firm.post(f"/v1/applications/{draft}/submit"), 409, "programme_paused")


def test_how_often_a_firm_applies_is_the_rules_to_say(desk: Desk) -> None:
    programme_id, firm = desk.programme(applying={"at_once": 1, "in_all": 2}), desk.firm()
    first = desk.granted(programme_id, firm)["id"]
    second = ok(desk.apply(programme_id, firm))["id"]
    refused = problem(desk.apply(programme_id, firm), 409, "application_limit_reached")
    assert refused["application_id"] == second
    ok(desk.city.approve(desk.act(second, "reject", {"reason": "用途不符"})))
    third = ok(desk.apply(programme_id, firm))["id"]
    desk.act(third, "accept")
    ok(desk.act(third, "assess", assessment(100_000)))
    ok(desk.city.approve(desk.act(third, "approve")))
    refused = problem(desk.apply(programme_id, firm), 409, "application_limit_reached")
    assert (first != third, refused["application_id"]) == (True, third)


def test_a_validity_of_the_firms_own_only_where_the_rules_let_it(desk: Desk) -> None:
    validity = {"kind": "days", "days": 90}
    day = (civil_date(utc_now()) + timedelta(days=30)).isoformat()
    closed = desk.programme(validity=validity)
    problem(desk.apply(closed, valid_until_on=day), 422, "validation_failed")
    programme_id = desk.programme(validity=validity, applying={"firm_names_validity": True})
    late = (civil_date(utc_now()) + timedelta(days=91)).isoformat()
    problem(desk.apply(programme_id, valid_until_on=late), 422, "validation_failed")
    granted = desk.granted(programme_id, valid_until_on=day)
    voucher = ok(desk.city.maker.get(f"/v1/vouchers/{granted['voucher_id']}"))
    assert voucher["valid_until"].startswith(day) and voucher["valid_until"].endswith("T16:00:00.000000Z")


@pytest.mark.parametrize(
    "changes",
    [
        {"amount_fen": 0},
        {"amount_fen": "500000"},
        {"amount_fen": 1.5},
        {"purpose": ""},
        {"purpose": "a\x00b"},
        {"firm_id": "org_01m8ayz11vewda3234qkjd8dn9"},
        {"plan": [{"category": "training", "amount_fen": -1}]},
        {"documents": [{"document": "../x", "upload_id": "upl_330100_01m8ayz11vewda3234qkjd8dn9"}]},
        {"claim": {"contract_signed_on": 5}},
    ],
)
def test_bodies_that_are_not_as_they_must_be_are_refused(desk: Desk, changes: dict[str, Any]) -> None:
    problem(
        desk.firm().post("/v1/applications", application_body(_programme(desk), **changes)), 422, "validation_failed"
    )


_programmes: dict[str, str] = {}


def _programme(desk: Desk) -> str:
    return _programmes.setdefault(desk.city.authority_id, desk.programme())


def test_a_county_reviews_first_where_the_rules_say_so(desk: Desk) -> None:
    programme_id = desk.programme(applying={"first_review": "county"})
    world = desk.city.world
    county = world.city("330106")
    other_county = world.city("330108")
    firm = desk.firm("330106", name="西湖区科技公司")
    application = ok(desk.apply(programme_id, firm))
    assert (application["stage"], application["district_code"]) == ("county", "330106")
    application_id = application["id"]
    problem(desk.act(application_id, "accept"), 403, "forbidden")
    problem(desk.act(application_id, "accept", by=other_county.maker), 404, "not_found")
    ok(desk.act(application_id, "accept", by=county.maker))
    problem(desk.act(application_id, "assess", assessment(1), by=county.maker), 409, "wrong_state")
    passed = ok(desk.act(application_id, "first-review", {"reason": "情况属实"}, by=county.maker))
    assert passed["stage"] == "city"
    problem(desk.act(application_id, "reject", {"reason": "越权"}, by=county.maker), 403, "forbidden")
    assert desk.read(application_id, by=county.maker)["stage"] == "city"
    ok(desk.act(application_id, "assess", assessment(100_000)))
    problem(desk.act(application_id, "approve", by=county.maker), 403, "forbidden")
    ok(desk.city.approve(desk.act(application_id, "approve")))
    counts = ok(county.maker.get("/v1/applications/counts", programme_id=programme_id))
    assert (counts["stages"]["passed"], counts["stages"]["county"]) == (1, 0)
    assert (
        world.person(Role.CHECKER, county.authority_id, "330106").get(f"/v1/applications/{application_id}").is_success
    )
