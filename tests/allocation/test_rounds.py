"""Allocation rounds over HTTP: every way of giving out money, carried out on candidates, vouchers and the ledger."""

from __future__ import annotations

from typing import Any

import pytest

from app.kernel.vocabulary import Role
from tests.allocation.rounds import available_fen, faces, frozen, programme, promote, propose, rows_of, waiting
from tests.world import CIXI, World, ok, problem, rules_body


@pytest.mark.parametrize(
    ("on_exhaustion", "granted", "waits", "left"),
    [
        ("partial", [150_000_00, 30_000_00, 0], [0, 0, 0], 0),
        ("stop", [150_000_00, 0, 0], [0, 0, 0], 30_000_00),
        ("skip", [150_000_00, 0, 20_000_00], [0, 0, 0], 10_000_00),
        ("waitlist", [150_000_00, 0, 0], [0, 90_000_00, 20_000_00], 30_000_00),
    ],
)
def test_example_e7_first_come_first_served(
    shared_world: World, on_exhaustion: str, granted: list[int], waits: list[int], left: int
) -> None:
    city = shared_world.city()
    programme_id = programme(city, 180_000_00, method="first_come", on_exhaustion=on_exhaustion)
    rows = rows_of(shared_world, 150_000_00, 90_000_00, 20_000_00)
    round_ = frozen(city, programme_id, rows)
    assert [one["granted_fen"] for one in round_.proposed["awards"]] == granted
    assert faces(city, programme_id) == {}

    asked = round_.submit()
    effect = ok(asked)["effect"]
    assert (effect["total_fen"], effect["waiting"], effect["waiting_fen"]) == (
        sum(granted),
        sum(fen > 0 for fen in waits),
        sum(waits),
    )
    problem(city.approve(asked, by=city.maker), 403, "forbidden")
    ok(city.approve(asked))

    firms = [row["firm_id"] for row in rows]
    assert faces(city, programme_id) == {firm: fen for firm, fen in zip(firms, granted, strict=True) if fen}
    assert available_fen(city, programme_id) == left
    assert [(one["granted_fen"], one["waits_fen"]) for one in round_.candidates()] == list(
        zip(granted, waits, strict=True)
    )
    line = [(1, "B", 90_000_00, 0), (2, "C", 20_000_00, 90_000_00)] if sum(waits) else []
    assert [
        (one["position"], one["reference_no"], one["waits_fen"], one["ahead_fen"])
        for one in waiting(city, programme_id)
    ] == line
    assert (round_.read()["status"], round_.read()["granted_total_fen"]) == ("executed", sum(granted))
    assert shared_world.differences() == []


def granted(proposed: dict[str, Any]) -> list[tuple[str, int, str | None]]:
    return [(one["reference_no"], one["granted_fen"], one["reason"]) for one in proposed["awards"]]


def test_ranked_by_score_exactly_as_written(shared_world: World) -> None:
    city = shared_world.city()
    programme_id = programme(city, 250, method="ranked", on_exhaustion="skip")
    rows = rows_of(shared_world, 100, 100, 100, 100, score=["86.2", "86.25", "9.5", "86.25"])
    round_ = frozen(city, programme_id, rows)
    assert granted(round_.proposed) == [
        ("B", 100, None),
        ("D", 100, None),
        ("A", 0, "BUDGET_EXHAUSTED"),
        ("C", 0, "BUDGET_EXHAUSTED"),
    ]


def test_pro_rata_adds_up_to_the_pool_to_the_fen(shared_world: World) -> None:
    city = shared_world.city()
    programme_id = programme(city, 100, method="pro_rata")
    rows = rows_of(shared_world, 100, 200, 400)
    round_ = frozen(city, programme_id, rows)
    assert [fen for _, fen, _ in granted(round_.proposed)] == [14, 29, 57]
    round_.execute()
    assert list(faces(city, programme_id).values()).count(29) == 1
    assert available_fen(city, programme_id) == 0
    assert shared_world.differences() == []


def test_tiers_of_places_by_the_rules(shared_world: World) -> None:
    city = shared_world.city()
    quotas = [{"tier": "一等", "share": "0.5"}, {"tier": "二等", "share": "0.5"}]
    programme_id = programme(city, 10_000, method="quota_tiers", on_exhaustion="waitlist", quotas=quotas, places=2)
    rows = rows_of(shared_world, 100, 100, 80, tier=["一等", "一等", "二等"], score=["1", "2", "3"])
    round_ = frozen(city, programme_id, rows)
    assert granted(round_.proposed) == [("C", 80, None), ("B", 100, None), ("A", 0, "TIER_FULL")]
    round_.execute()
    assert [one["reference_no"] for one in waiting(city, programme_id)] == ["A"]
    # Money is there, but no place: nobody is next until one comes free.
    problem(promote(city, programme_id, dry_run=True), 409, "nothing_to_allocate")
    voucher = next(
        one
        for one in ok(city.maker.get("/v1/vouchers", programme_id=programme_id))["data"]
        if one["firm_id"] == rows[1]["firm_id"]
    )
    ok(city.approve(city.maker.post(f"/v1/vouchers/{voucher['id']}/void", {"reason": "企业注销"})))
    assert [one["reference_no"] for one in ok(promote(city, programme_id, dry_run=True))["promoted"]] == ["A"]


def test_a_project_gets_what_its_level_is_entitled_to_and_no_more_in_a_later_round(shared_world: World) -> None:
    city = shared_world.city()
    entitlements = [{"value": "national", "limit_fen": 300}, {"value": "provincial", "limit_fen": 150}]
    programme_id = programme(city, 10_000, method="entitlement", on_exhaustion="stop", entitlements_fen=entitlements)
    levels = {"project": ["P1", "P2"], "project_level": ["national", "provincial"]}
    first = frozen(city, programme_id, rows_of(shared_world, 200, 400, **levels))
    assert granted(first.proposed) == [("A", 200, None), ("B", 150, "ENTITLEMENT")]
    first.execute()
    again = rows_of(shared_world, 400, 1, **levels)
    for row, reference_no in zip(again, ("A2", "B2"), strict=True):
        row["reference_no"] = reference_no
    second = frozen(city, programme_id, again)
    assert granted(second.proposed) == [("A2", 100, "ENTITLEMENT"), ("B2", 0, "ENTITLEMENT")]


def test_two_sources_are_never_overdrawn_however_the_vouchers_split(shared_world: World) -> None:
    city = shared_world.city()
    sources = [{"source": "provincial", "share": 1}, {"source": "municipal", "share": 2}]
    rules = rules_body(allocation={"method": "pro_rata"}, fund_sources=sources)
    programme_id = city.programme(appropriation_fen=1_000, rules=rules)
    round_ = frozen(city, programme_id, rows_of(shared_world, 701, 702, 703, 704))
    assert round_.proposed["budget_fen"] == 1_494  # (1,000 − 4) × 3 / 2 of the municipal source
    assert sum(fen for _, fen, _ in granted(round_.proposed)) == 1_494
    round_.execute()
    assert shared_world.differences() == []


# -- what a list may not be


@pytest.mark.parametrize(
    ("allocation", "marks", "pointer", "code"),
    [
        ({"method": "ranked"}, {}, "/rows/0/score", "needed_by_method"),
        ({"method": "lottery"}, {}, "/draw", "needed_by_method"),
        (
            {"method": "quota_tiers", "quotas": [{"tier": "1", "share": "1"}]},
            {"tier": ["2"]},
            "/rows/0/tier",
            "unknown_value",
        ),
        (
            {"method": "entitlement", "entitlements_fen": [{"value": "national", "limit_fen": 3}]},
            {},
            "/rows/0/project_level",
            "needed_by_method",
        ),
    ],
)
def test_a_list_that_the_method_cannot_serve_is_refused(
    shared_world: World, allocation: dict[str, Any], marks: dict[str, Any], pointer: str, code: str
) -> None:
    city = shared_world.city()
    programme_id = programme(city, 1_000, **allocation)
    refused = problem(propose(city, programme_id, rows_of(shared_world, 100, **marks)), 422, "validation_failed")
    assert (pointer, code) in [(error["pointer"], error["code"]) for error in refused["errors"]]
    assert all(error["detail"] for error in refused["errors"])


def test_all_that_is_wrong_is_told_at_once(shared_world: World) -> None:
    city = shared_world.city()
    programme_id = programme(city, 1_000)
    rows = [*rows_of(shared_world, 100, 100), {"reference_no": "A", "uscc": "91330106MA0000015X", "asked_fen": 1}]
    refused = problem(propose(city, programme_id, rows), 422, "validation_failed")
    assert [error["pointer"] for error in refused["errors"]] == ["/rows/2/uscc", "/rows/2/reference_no"]
    more = {"budget_fen": 1_001}
    refused = problem(propose(city, programme_id, rows[:2], **more), 422, "validation_failed")
    assert [(error["pointer"], error["limit"]) for error in refused["errors"]] == [("/budget_fen", 1_000)]


def test_a_rehearsal_keeps_nothing_and_a_budget_may_be_less_than_there_is(shared_world: World) -> None:
    city = shared_world.city()
    programme_id = programme(city, 1_000)
    rows = rows_of(shared_world, 100, 100)
    response = propose(city, programme_id, rows, budget_fen=150, dry_run=True)
    assert (response.status_code, ok(response)["id"], granted(ok(response))) == (
        200,
        None,
        [("A", 100, None), ("B", 50, "BUDGET_EXHAUSTED")],
    )
    assert ok(city.maker.get("/v1/allocation-rounds", programme_id=programme_id))["data"] == []


def test_one_round_at_a_time_and_none_before_those_who_wait(shared_world: World) -> None:
    city = shared_world.city()
    programme_id = programme(city, 150, on_exhaustion="waitlist")
    first = frozen(city, programme_id, rows_of(shared_world, 100, 100))
    later = [{"reference_no": "X", "firm_id": shared_world.firm(), "asked_fen": 10}]
    told = problem(propose(city, programme_id, later), 409, "allocation_open")
    assert told["round_id"] == first.id
    first.execute()
    problem(propose(city, programme_id, later), 409, "waitlist_not_empty")
    asked = city.maker.post(
        f"/v1/programmes/{programme_id}/waitlist/end", {"reason": "企业放弃", "reference_nos": ["B"]}
    )
    ok(city.approve(asked))
    assert waiting(city, programme_id) == []
    frozen(city, programme_id, later)
    assert shared_world.differences() == []


# -- what a second person decides


def test_rejected_awards_can_be_submitted_again_and_a_cancelled_round_stays_on_record(shared_world: World) -> None:
    city = shared_world.city()
    programme_id = programme(city, 150)
    round_ = frozen(city, programme_id, rows_of(shared_world, 100, 100))
    asked = ok(round_.submit())
    batch = ok(city.checker.get(f"/v1/issuance-batches/{asked['subject_id']}"))
    assert (batch["status"], batch["row_count"], batch["total_fen"]) == ("submitted", 2, 150)
    problem(round_.submit(), 409, "wrong_state")
    problem(round_.cancel(), 409, "wrong_state")
    ok(city.checker.post(f"/v1/approvals/{asked['id']}/reject", {"reason": "请复核"}))
    assert round_.read()["status"] == "frozen"
    again = ok(round_.submit())
    assert again["command"]["awards_sha256"] == asked["command"]["awards_sha256"]
    ok(city.checker.post(f"/v1/approvals/{again['id']}/reject", {"reason": "名单有误"}))
    ok(city.approve(round_.cancel()))
    assert (round_.read()["status"], round_.read()["reason"]) == ("cancelled", "名单有误")
    problem(round_.submit(), 409, "wrong_state")
    with shared_world.anonymous() as anybody:
        record = round_.record(anybody)
    assert (record["status"], len(record["frozen"]["candidates"]), record["awards"]) == ("cancelled", 2, None)
    assert faces(city, programme_id) == {}
    assert shared_world.differences() == []


def test_money_that_has_gone_meanwhile_leaves_everything_as_it_was(shared_world: World) -> None:
    city = shared_world.city()
    programme_id = programme(city, 150)
    round_ = frozen(city, programme_id, rows_of(shared_world, 100, 100))
    asked = round_.submit()
    city.issue(programme_id, shared_world.firm(), 1)
    problem(city.approve(asked), 409, "budget_exhausted")
    assert (round_.read()["status"], len(faces(city, programme_id))) == ("submitted", 1)
    city.fund(programme_id, 1)
    ok(city.approve(asked))
    assert available_fen(city, programme_id) == 0
    assert shared_world.differences() == []


def test_only_the_authoritys_makers_act_and_foreign_rounds_do_not_exist(shared_world: World) -> None:
    city, other = shared_world.city(), shared_world.city(CIXI)
    programme_id = programme(city, 150)
    rows = rows_of(shared_world, 100)
    body = {"title": "一", "rows": rows}
    for by in (city.checker, city.finance, city.auditor):
        problem(by.post(f"/v1/programmes/{programme_id}/allocation-rounds", body), 403, "forbidden")
    problem(other.maker.post(f"/v1/programmes/{programme_id}/allocation-rounds", body), 404, "not_found")
    round_ = frozen(city, programme_id, rows)
    for act, sent in (("submit", None), ("draw", {"seed": "1"}), ("cancel", {"reason": "不再进行"})):
        problem(other.maker.post(f"/v1/allocation-rounds/{round_.id}/{act}", sent), 404, "not_found")
        problem(city.finance.post(f"/v1/allocation-rounds/{round_.id}/{act}", sent), 403, "forbidden")
    problem(other.auditor.get(f"/v1/allocation-rounds/{round_.id}"), 404, "not_found")
    problem(other.auditor.get(f"/v1/allocation-rounds/{round_.id}/candidates"), 404, "not_found")
    problem(other.maker.post(f"/v1/programmes/{programme_id}/waitlist/promote", {}), 404, "not_found")
    assert ok(other.auditor.get("/v1/allocation-rounds"))["data"] == []


def test_a_firm_sees_its_own_row_and_only_once_it_is_decided(shared_world: World) -> None:
    city = shared_world.city()
    programme_id = programme(city, 150, on_exhaustion="waitlist")
    rows = rows_of(shared_world, 100, 100)
    round_ = frozen(city, programme_id, rows)
    manager = shared_world.person(Role.FIRM, rows[1]["firm_id"])
    stranger = shared_world.person(Role.FIRM, shared_world.firm())
    (own,) = ok(manager.get(f"/v1/allocation-rounds/{round_.id}/candidates"))["data"]
    assert (own["reference_no"], own["granted_fen"]) == ("B", None)
    round_.execute()
    (own,) = ok(manager.get(f"/v1/allocation-rounds/{round_.id}/candidates"))["data"]
    assert (own["granted_fen"], own["waits_fen"], own["reason"]) == (0, 100, "BUDGET_EXHAUSTED")
    (place,) = ok(manager.get(f"/v1/programmes/{programme_id}/waitlist"))["data"]
    assert (place["position"], place["ahead_fen"]) == (1, 0)
    assert ok(stranger.get(f"/v1/programmes/{programme_id}/waitlist"))["data"] == []
    problem(stranger.get(f"/v1/allocation-rounds/{round_.id}"), 404, "not_found")
