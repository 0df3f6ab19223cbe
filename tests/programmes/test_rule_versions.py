"""Later versions of the rules: dated ahead, published by a second person, compared; what was judged stays judged."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, text

from app.kernel.clock import civil_date
from app.kernel.ids import new_id
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import Role
from app.models import PositionCounter, RoleGrant
from app.services.approvals.requests import Decision
from app.services.identity.loading import load_principal
from app.services.identity.principals import Caller
from app.services.programmes.rule_versions import execute_publish_rule_version
from app.sql import now
from tests.world import LONG_AGO, Actor, City, World, counter, ok, problem, programme_body, rules_body


@pytest.fixture
def city(world: World) -> City:
    return world.city()


def today(world: World) -> date:
    return civil_date(world.database.transact(now))


def ahead(world: World, days: int = 1) -> str:
    return (today(world) + timedelta(days=days)).isoformat()


def body(city: City, *, days: int = 1, **rules: Any) -> dict[str, Any]:
    return {"effective_on": ahead(city.world, days), "rules": rules_body(**rules)}


def versions_of(programme_id: str) -> str:
    return f"/v1/programmes/{programme_id}/rule-versions"


def drafted(city: City, programme_id: str, **rules: Any) -> dict[str, Any]:
    written: dict[str, Any] = ok(city.maker.post(versions_of(programme_id), body(city, **rules)))
    return written


def published(city: City, programme_id: str, **rules: Any) -> dict[str, Any]:
    version: dict[str, Any] = drafted(city, programme_id, **rules)["version"]
    ok(city.approve(city.maker.post(f"{versions_of(programme_id)}/{version['id']}/submit")))
    return version


def numbers(reader: Actor, programme_id: str) -> list[tuple[int, str]]:
    return [(one["number"], one["status"]) for one in ok(reader.get(versions_of(programme_id)))]


def test_a_version_is_drafted_submitted_and_published_by_a_second_person(city: City) -> None:
    programme_id = city.programme()
    path = versions_of(programme_id)
    written = drafted(city, programme_id, rate="0.25")
    assert (written["number"], written["version"]["status"], written["findings"]) == (2, "draft", [])
    assert [(one["pointer"], one["before"], one["after"]) for one in written["changes"]] == [
        ("/rate/rate", "0.30", "0.25")
    ]
    asked = ok(city.maker.post(f"{path}/2/submit"))["approval"]
    assert (asked["kind"], asked["required_role"], asked["subject_id"]) == (
        "publish_rule_version",
        "checker",
        written["version"]["id"],
    )
    assert asked["command"]["rules_sha256"] == written["rules_sha256"]
    assert (asked["effect"]["number"], asked["effect"]["compared_with"]) == (2, 1)
    assert asked["effect"]["changes"][0]["zh"] == "补贴比例"
    problem(city.maker.post(f"/v1/approvals/{asked['id']}/approve"), 403, "forbidden")
    ok(city.checker.post(f"/v1/approvals/{asked['id']}/approve"))
    done = ok(city.maker.get(f"{path}/2"))
    assert (done["status"], done["created_by"], done["published_by"]) == ("published", city.maker.id, city.checker.id)
    assert done["rules_sha256"] == written["rules_sha256"]


def test_the_author_never_approves_what_he_wrote_even_when_another_submits_it(world: World, city: City) -> None:
    programme_id = city.programme()
    both = world.person(Role.MAKER, city.authority_id)
    grant_checker(world, both, city)
    version = ok(both.post(versions_of(programme_id), body(city)))["version"]
    asked = ok(city.maker.post(f"{versions_of(programme_id)}/{version['id']}/submit"))["approval"]
    problem(both.post(f"/v1/approvals/{asked['id']}/approve"), 422, "same_person")
    assert numbers(city.maker, programme_id) == [(2, "draft"), (1, "published")]


def test_who_rewrote_a_draft_does_not_approve_it_either(world: World, city: City) -> None:
    programme_id = city.programme()
    both = world.person(Role.MAKER, city.authority_id)
    grant_checker(world, both, city)
    path = f"{versions_of(programme_id)}/{drafted(city, programme_id)['version']['id']}"
    ok(both.http.put(path, json=body(city, rate="0.20")))
    asked = ok(city.maker.post(f"{path}/submit"))["approval"]
    problem(both.post(f"/v1/approvals/{asked['id']}/approve"), 422, "same_person")
    ok(city.checker.post(f"/v1/approvals/{asked['id']}/approve"))


def grant_checker(world: World, person: Actor, city: City) -> None:
    row = {
        "id": new_id("grn"),
        "user_id": person.id,
        "role": Role.CHECKER,
        "region_code": city.region_code,
        "authority_id": city.authority_id,
        "granted_at": LONG_AGO,
        "granted_by": "test",
    }
    world.database.transact(lambda tx: tx.execute(insert(RoleGrant).values(row)))


@pytest.mark.parametrize("days", [-1, 0])
def test_a_version_for_yesterday_or_today_is_refused_and_not_saved(world: World, city: City, days: int) -> None:
    programme_id = city.programme()
    for response in (
        city.maker.post(versions_of(programme_id), body(city, days=days)),
        city.maker.post(f"{versions_of(programme_id)}?dry_run=true", body(city, days=days)),
    ):
        refused = problem(response, 422, "effective_too_early")
        [place] = refused["errors"]
        assert (place["pointer"], place["limit"]) == ("/effective_on", ahead(world))
        assert ahead(world) in refused["detail"]
    assert numbers(city.maker, programme_id) == [(1, "published")]


def test_a_draft_whose_day_has_come_is_not_submitted(world: World, city: City) -> None:
    programme_id = city.programme()
    version = drafted(city, programme_id)["version"]
    backdate(world, version["id"])
    refused = city.maker.post(f"{versions_of(programme_id)}/{version['id']}/submit")
    problem(refused, 422, "effective_too_early")
    assert ok(city.maker.get("/v1/approvals", status="pending"))["data"] == []


def backdate(world: World, version_id: str) -> None:
    """As if the draft had been written yesterday for today."""
    statement = text("UPDATE rule_versions SET effective_on = :on WHERE id = :id")
    world.database.transact(lambda tx: tx.execute(statement, {"on": today(world), "id": version_id}))


def test_an_approval_that_comes_too_late_publishes_nothing(world: World, city: City) -> None:
    programme_id = city.programme()
    version = drafted(city, programme_id)["version"]
    asked = ok(city.maker.post(f"{versions_of(programme_id)}/{version['id']}/submit"))["approval"]

    def approve_tomorrow(tx: Any) -> None:
        principal = load_principal(tx, city.checker.id)
        assert principal is not None
        late = Decision(
            Caller(principal, "test"), city.maker.id, asked["id"], city.region_code, now(tx) + timedelta(days=1)
        )
        execute_publish_rule_version(tx, command=asked["command"], decision=late)

    with pytest.raises(AppError) as refused:
        world.database.transact(approve_tomorrow)
    assert refused.value.code is Code.EFFECTIVE_TOO_EARLY
    assert numbers(city.maker, programme_id) == [(2, "draft"), (1, "published")]


def test_a_version_for_tomorrow_changes_nothing_that_is_redeemed_today(world: World) -> None:
    city = world.city()
    desk = counter(city, rate="0.30")
    published(city, desk.programme_id, rate="0.50")
    assert ok(desk.redeem(10_000))["subsidy_fen"] == 3_000
    assert world.differences() == []


def test_a_version_judges_once_its_day_has_come(world: World) -> None:
    city = world.city()
    desk = counter(city, rate="0.30")
    version = drafted(city, desk.programme_id, rate="0.50")["version"]
    assert ok(desk.redeem(10_000))["subsidy_fen"] == 3_000
    its_day_has_come = text(
        "UPDATE rule_versions SET status = 'published', effective_on = :on, published_at = now(), published_by = :by"
        " WHERE id = :id"
    )
    values = {"on": today(world), "by": city.checker.id, "id": version["id"]}
    world.database.transact(lambda tx: tx.execute(its_day_has_come, values))
    redemption = ok(desk.redeem(10_000))
    assert (redemption["subsidy_fen"], redemption["rule_version_id"]) == (5_000, version["id"])


def test_versions_written_at_once_have_numbers_of_their_own(city: City) -> None:
    programme_id = city.programme()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: ok(city.maker.post(versions_of(programme_id), body(city))), range(4)))
    assert sorted(answer["number"] for answer in answers) == [2, 3, 4, 5]


def test_a_submitted_draft_does_not_change_until_it_is_rejected(city: City) -> None:
    programme_id = city.programme()
    path = f"{versions_of(programme_id)}/{drafted(city, programme_id)['version']['id']}"
    asked = ok(city.maker.post(f"{path}/submit"))["approval"]
    refused = problem(city.maker.http.put(path, json=body(city, rate="0.20")), 409, "wrong_state")
    assert "submitted" in refused["detail"]
    problem(city.maker.post(f"{path}/submit"), 409, "wrong_state")
    ok(city.checker.post(f"/v1/approvals/{asked['id']}/reject", {"reason": "比例有误"}))
    assert ok(city.maker.http.put(path, json=body(city, rate="0.20")))["version"]["rules"]["rate"]["rate"] == "0.20"
    ok(city.approve(city.maker.post(f"{path}/submit")))


def test_a_published_version_is_final(city: City) -> None:
    programme_id = city.programme()
    published(city, programme_id)
    for number in (1, 2):
        path = f"{versions_of(programme_id)}/{number}"
        problem(city.maker.http.put(path, json=body(city)), 409, "wrong_state")
        problem(city.maker.post(f"{path}/submit"), 409, "wrong_state")


def test_a_dry_run_tells_everything_and_saves_nothing(city: City) -> None:
    programme_id = city.programme()
    cliff = {
        "kind": "bracket",
        "method": "cliff_recalc",
        "bands": [
            {"up_to_fen": 50_000_000, "rate": {"kind": "flat", "rate": "0.50"}},
            {"rate": {"kind": "flat", "rate": "0.30"}},
        ],
    }
    asked = body(city) | {"rules": {"categories": ["training"], "rate": cliff}}
    response = city.maker.post(f"{versions_of(programme_id)}?dry_run=true", asked)
    told = ok(response)
    assert response.status_code == 200
    assert (told["version"], told["number"]) == (None, 2)
    assert [(one["code"], one["severity"]) for one in told["findings"]] == [
        ("cliff", "warning"),
        ("begins_anew", "warning"),
    ]
    assert [one["pointer"] for one in told["changes"]] == ["/rate"]
    assert numbers(city.maker, programme_id) == [(1, "published")]


@pytest.mark.parametrize(
    ("rules", "pointer"),
    [
        (rules_body(rate="1.3"), "/rules/rate/rate"),
        (rules_body() | {"discount": 1}, "/rules/discount"),
        ({"categories": ["training"], "rate": {"kind": "flat", "rate": 0.3}}, "/rules/rate/rate"),
        (rules_body(rate="0"), "/rules/rate/rate"),
        (rules_body(categories=["training", "training"]), "/rules/categories/1"),
        (rules_body(pinned_by="issue"), "/rules/pinned_by"),
        (rules_body(fund_sources=[{"source": "province", "share": 1}]), "/rules/fund_sources"),
        (rules_body(fund_sources=[{"source": "local", "share": 2}]), "/rules/fund_sources"),
    ],
)
def test_wrong_rules_are_refused_at_their_place_and_nothing_is_half_saved(
    shared_world: World, rules: dict[str, Any], pointer: str
) -> None:
    city = shared_world.city()
    programme_id = city.programme()
    draft = drafted(city, programme_id)
    wrong = {"effective_on": ahead(city.world), "rules": rules}
    for response in (
        city.maker.post(versions_of(programme_id), wrong),
        city.maker.http.put(f"{versions_of(programme_id)}/2", json=wrong),
    ):
        refused = problem(response, 422, "validation_failed")
        assert [place["pointer"] for place in refused["errors"]] == [pointer]
        assert refused["errors"][0]["detail"]
    assert numbers(city.maker, programme_id) == [(2, "draft"), (1, "published")]
    assert ok(city.maker.get(f"{versions_of(programme_id)}/2"))["rules_sha256"] == draft["rules_sha256"]


@pytest.mark.parametrize("rules", [rules_body(rate="0"), rules_body(categories=["training", "training"])])
def test_contradictory_rules_make_no_programme_either(city: City, rules: dict[str, Any]) -> None:
    problem(city.maker.post("/v1/programmes", programme_body(city, rules=rules)), 422, "validation_failed")
    assert ok(city.maker.get("/v1/programmes"))["data"] == []


def test_a_sentence_is_in_the_readers_language(city: City) -> None:
    programme_id = city.programme()
    said = {}
    for language in ("en", "zh-CN"):
        refused = city.maker.post(
            versions_of(programme_id), body(city, rate="0"), headers={"Accept-Language": language}
        )
        said[language] = refused.json()["errors"][0]["detail"]
    assert said["en"] == "A rate of 0 never grants anything. Give a rate above 0."
    assert said["zh-CN"] == "比例为 0，永远不会产生补贴。请填写大于 0 的比例。"


def test_the_first_version_changes_with_its_programme_only(city: City) -> None:
    draft = ok(city.maker.post("/v1/programmes", programme_body(city)))
    problem(city.maker.post(versions_of(draft["id"]), body(city)), 409, "wrong_state")
    problem(city.maker.post(f"{versions_of(draft['id'])}/1/submit"), 409, "wrong_state")


def test_drafts_are_seen_by_officials_and_published_versions_by_everybody(world: World, city: City) -> None:
    programme_id = city.programme()
    version = drafted(city, programme_id)["version"]
    firm = world.person(Role.FIRM, world.firm())
    for name in (version["id"], "2"):
        problem(firm.get(f"{versions_of(programme_id)}/{name}"), 404, "not_found")
        problem(firm.get(f"{versions_of(programme_id)}/1/diff/{name}"), 404, "not_found")
        for official in (city.checker, city.finance, city.auditor):
            assert ok(official.get(f"{versions_of(programme_id)}/{name}"))["id"] == version["id"]
    assert numbers(firm, programme_id) == [(1, "published")]
    assert ok(firm.get(f"{versions_of(programme_id)}/1"))["status"] == "published"
    problem(city.maker.get(f"{versions_of(programme_id)}/3"), 404, "not_found")
    problem(city.maker.get(f"{versions_of(programme_id)}/0"), 422, "validation_failed")


def test_only_makers_of_the_authority_write_versions(world: World, city: City) -> None:
    programme_id = city.programme()
    problem(city.checker.post(versions_of(programme_id), body(city)), 403, "forbidden")
    problem(world.city().maker.post(versions_of(programme_id), body(city)), 404, "not_found")
    other = city.programme(title="另一项目")
    version = drafted(city, other)["version"]
    problem(city.maker.http.put(f"{versions_of(programme_id)}/{version['id']}", json=body(city)), 404, "not_found")


def test_two_versions_are_compared_field_by_field(city: City) -> None:
    programme_id = city.programme()
    cap = {"scope": "firm", "name": "year", "limit_fen": 80_000_000}
    version = published(city, programme_id, rate="0.25", caps=[cap])
    path = versions_of(programme_id)
    difference = ok(city.maker.get(f"{path}/1/diff/{version['id']}"))
    assert (difference["from"]["number"], difference["to"]["number"]) == (1, 2)
    told = {one["pointer"]: one for one in difference["changes"]}
    assert told.keys() == {"/rate/rate", "/caps/0"}
    assert (told["/rate/rate"]["before"], told["/rate/rate"]["after"]) == ("0.30", "0.25")
    assert (told["/caps/0"]["before"], told["/caps/0"]["after"]["limit_fen"]) == (None, 80_000_000)
    back = ok(city.maker.get(f"{path}/2/diff/1"))
    assert {one["pointer"]: one["after"] for one in back["changes"]} == {"/rate/rate": "0.30", "/caps/0": None}
    assert ok(city.maker.get(f"{path}/2/diff/2"))["changes"] == []


def test_rules_are_checked_without_saving_anything(world: World, city: City) -> None:
    sized = {"kind": "is", "fact": "holder.size", "one_of": ["micro"]}
    trial = {"trial_until_on": "2025-12-31"}
    asked = {
        "rules": rules_body(rate="0", requirements=[{"name": "size", "when": sized}], basis=trial),
        "opens_at": "2026-01-01T00:00:00+08:00",
    }
    told = ok(city.maker.post("/v1/rules/check", asked))
    assert {(one["pointer"], one["severity"]) for one in told["findings"]} == {
        ("/rate/rate", "error"),
        ("/basis/trial_until_on", "error"),
    }
    assert len(told["rules_sha256"]) == 64
    needs = {one["fact"]: (one["type"], one["stated_by"]) for one in told["needs"]}
    assert needs["holder.size"] == ("words", "registry")
    firm = world.person(Role.FIRM, world.firm())
    problem(firm.post("/v1/rules/check", {"rules": rules_body()}), 403, "forbidden")
    assert world.anonymous().post("/v1/rules/check", json={"rules": rules_body()}).status_code == 401


def test_the_schema_is_public(world: World) -> None:
    schema = ok(world.anonymous().get("/v1/rules/schema"))
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["properties"]["rate"]["description"].endswith("补贴比例或金额")


def test_a_cap_that_a_later_version_brings_is_counted_from_its_publication_on_and_said_to_begin_anew(
    world: World,
) -> None:
    desk = counter(world.city(), rate="1.00")
    ok(desk.redeem(1_000))
    path = f"/v1/programmes/{desk.programme_id}/rule-versions"
    rules = ok(desk.city.maker.get(path))[0]["rules"]
    lifetime = {"scope": "firm", "name": "ever", "limit_fen": 5_000, "per": "lifetime"}
    body = {"effective_on": "2098-01-01", "rules": rules | {"caps": [lifetime]}}
    written = ok(desk.city.maker.post(path, body))
    assert [(one["code"], one["pointer"]) for one in written["findings"]] == [("begins_anew", "/caps/0")]
    ok(desk.city.approve(desk.city.maker.post(f"{path}/2/submit")))
    ok(desk.redeem(700))  # judged by the first version, counted for the second
    counted = select(PositionCounter.granted_fen).where(PositionCounter.period == "all")
    assert world.database.transact(lambda tx: tx.execute(counted).scalar_one()) == 700
    again = ok(desk.city.maker.post(path, body | {"effective_on": "2099-01-01"}))
    assert again["findings"] == []
    assert world.differences() == []
