"""A lottery that no official can turn: the list is frozen first, the seed is public, anybody computes it again."""

from __future__ import annotations

import copy
import hashlib
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from typer.testing import CliRunner

from app.cli.office.allocation import app
from app.embedded.databases import Urls
from app.kernel.vocabulary import Role
from app.services.allocation.replaying import UnreadableRecord, replay
from tests.allocation.rounds import (
    ANNOUNCEMENT,
    Round,
    announced,
    faces,
    frozen,
    frozen_lottery,
    programme,
    propose,
    rows_of,
)
from tests.world import World, ok, problem

SEED = "03 11 17 21 28 30 09"


def drawn_order(seed: str, *numbers: str) -> list[str]:
    """By hand: printf 'seed\\nA' | sha256sum, and so on."""
    return sorted(numbers, key=lambda number: hashlib.sha256(f"{seed}\n{number}".encode()).hexdigest())


@pytest.fixture(scope="module")
def drawn(shared_world: World) -> Round:
    """A lottery of four for the money of two, executed."""
    city = shared_world.city()
    programme_id = programme(city, 200, method="lottery", on_exhaustion="waitlist")
    round_ = frozen_lottery(city, programme_id, rows_of(shared_world, 100, 100, 100, 100))
    assert (round_.proposed["awards"], round_.proposed["granted_total_fen"]) == (None, None)
    with shared_world.anonymous() as anybody:
        before = round_.record(anybody)
    assert (before["frozen_sha256"], before["announcement"]) == (round_.proposed["frozen_sha256"], ANNOUNCEMENT)
    assert (before["frozen"], before["seed"], before["awards"]) == (None, None, None)
    problem(round_.submit(), 409, "wrong_state")
    assert ok(round_.draw(SEED))["status"] == "drawn"
    problem(round_.draw("01 02 03 04 05 06 07"), 409, "wrong_state")
    effect = ok(asked := round_.submit())["effect"]
    assert (effect["seed"], effect["announcement"], effect["count"]) == (SEED, ANNOUNCEMENT, 2)
    ok(city.approve(asked))
    return round_


@pytest.fixture
def record(shared_world: World, drawn: Round) -> dict[str, Any]:
    with shared_world.anonymous() as anybody:
        return copy.deepcopy(drawn.record(anybody))


def test_the_seed_decides_and_nothing_else(shared_world: World, drawn: Round) -> None:
    order = drawn_order(SEED, "A", "B", "C", "D")
    candidates = {one["reference_no"]: one for one in drawn.candidates()}
    assert [candidates[number]["rank"] for number in order] == [1, 2, 3, 4]
    winners = {candidates[number]["firm_id"]: 100 for number in order[:2]}
    assert faces(drawn.city, drawn.programme_id) == winners
    assert shared_world.differences() == []


def test_a_seed_is_recorded_after_its_time_and_never_changed(world: World, urls: Urls) -> None:
    city = world.city()
    programme_id = programme(city, 200, method="lottery")
    past = announced(-1)
    refused = problem(propose(city, programme_id, rows_of(world, 100), draw=past), 422, "validation_failed")
    assert [(error["pointer"], error["code"]) for error in refused["errors"]] == [("/draw/draws_at", "not_ahead")]
    twice = rows_of(world, 100, 100)
    twice[1]["firm_id"] = twice[0]["firm_id"]
    refused = problem(propose(city, programme_id, twice, draw=announced(3600)), 422, "validation_failed")
    assert [(error["pointer"], error["limit"]) for error in refused["errors"]] == [("/rows/1/firm_id", 1)]

    round_ = frozen_lottery(city, programme_id, rows_of(world, 100, 100))
    for wrong in ("", "号码", "1  2", "1\n2", "03,11,17,21,28,30,09", "3 11 17 21 28 30 9", "٠3 11 17 21 28 30 09"):
        problem(round_.draw(wrong), 422, "validation_failed")
    ok(round_.draw(f" {SEED} "))
    assert round_.read()["seed"] == SEED
    engine = create_engine(urls.owner_url)
    for change in (
        "UPDATE allocation_rounds SET seed = '1'",
        "DELETE FROM allocation_rounds",
        "UPDATE allocation_candidates SET asked_fen = 1",
        "DELETE FROM allocation_candidates",
    ):
        with engine.connect() as owner, pytest.raises(DBAPIError, match=r"append-only|never|change"):
            owner.execute(text(change))
    engine.dispose()
    actions = world.database.transact(
        lambda tx: tx.execute(
            text("SELECT action, details FROM audit_events WHERE object_id = :id ORDER BY id"), {"id": round_.id}
        ).all()
    )
    assert [action for action, _ in actions] == ["allocation_round.frozen", "allocation_round.drawn"]
    assert all(round_.proposed["frozen_sha256"] in details for _, details in actions)


def test_nothing_is_drawn_before_its_time(shared_world: World) -> None:
    city = shared_world.city()
    programme_id = programme(city, 200, method="lottery")
    draw = announced(3600)
    round_ = frozen(city, programme_id, rows_of(shared_world, 100), draw=draw)
    told = problem(round_.draw(SEED), 409, "draw_too_early")
    assert datetime.fromisoformat(told["errors"][0]["limit"]) == datetime.fromisoformat(draw["draws_at"])
    assert round_.read()["seed"] is None


# -- anybody computes it again


def test_a_record_is_computed_again_without_the_service(record: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "record.json"
    file.write_text(json.dumps(record, ensure_ascii=False), encoding="utf-8")
    done = CliRunner().invoke(app, ["replay", str(file), "--noted", record["frozen_sha256"]])
    assert done.exit_code == 0, done.output
    assert "一致" in done.output and SEED in done.output and "2.00" in done.output
    found = replay(record)
    assert [award.reference_no for award in found.awards] == drawn_order(SEED, "A", "B", "C", "D")


def tampered(record: dict[str, Any], how: str) -> None:
    match how:
        case "another list":
            record["frozen"]["candidates"][0]["firm_id"] = "org_somebody"
        case "another seed":
            record["seed"] = "01 02 03 04 05 06 07"
        case "another spelling of the seed":
            record["seed"] = record["seed"].replace(" ", ",")
        case "another award":
            record["awards"][0]["granted_fen"] += 1
        case "an award left out":
            record["awards"].pop()
        case "another budget":
            record["frozen"]["budget_fen"] = 400
        case "drawn before it was frozen":
            record["frozen_at"] = record["drawn_at"]


@pytest.mark.parametrize(
    "how",
    [
        "another list",
        "another seed",
        "another spelling of the seed",
        "another award",
        "an award left out",
        "another budget",
        "drawn before it was frozen",
    ],
)
def test_a_record_that_was_changed_does_not_agree(record: dict[str, Any], how: str) -> None:
    assert replay(record).differences == ()
    tampered(record, how)
    assert replay(record).differences


def test_a_list_frozen_anew_after_the_draw_shows_against_the_hash_that_was_noted(record: dict[str, Any]) -> None:
    noted = hashlib.sha256(b"another list").hexdigest()
    ((english, chinese),) = replay(record, noted_sha256=noted).differences
    assert noted in english and noted in chinese


@pytest.mark.parametrize("broken", [{}, {"v": 2}, {"v": 1, "frozen": None}, {"v": 1, "frozen": {"round_id": 1}}])
def test_what_is_no_record_is_said_to_be_none(broken: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(UnreadableRecord):
        replay(broken)
    file = tmp_path / "broken.json"
    file.write_text("[1", encoding="utf-8")
    assert CliRunner().invoke(app, ["replay", str(file)]).exit_code == 1


@pytest.mark.parametrize(
    ("name", "value"), [("asked_fen", "many"), ("score", "high"), ("asked_fen", -1), ("reference_no", "B"), ("who", 1)]
)
def test_a_record_with_a_broken_list_is_said_to_be_none(record: dict[str, Any], name: str, value: object) -> None:
    record["frozen"]["candidates"][0][name] = value
    with pytest.raises(UnreadableRecord):
        replay(record)


def test_a_lottery_that_is_begun_again_shows_that_one_was_given_up(shared_world: World) -> None:
    city = shared_world.city()
    programme_id = programme(city, 200, method="lottery")
    rows = rows_of(shared_world, 100, 100)
    first = frozen_lottery(city, programme_id, rows)
    ok(first.draw(SEED))
    ok(city.approve(first.cancel()))
    second = frozen(city, programme_id, rows, draw=announced(3600))
    with shared_world.anonymous() as anybody:
        assert second.record(anybody)["cancelled_before"] == [first.id]
        given_up = first.record(anybody)
    assert (given_up["seed"], given_up["awards"], len(given_up["frozen"]["candidates"])) == (SEED, None, 2)


def test_a_firm_reads_the_whole_record_like_anybody(shared_world: World, drawn: Round) -> None:
    stranger = shared_world.person(Role.FIRM, shared_world.firm())
    assert len(drawn.record(stranger.http)["frozen"]["candidates"]) == 4
