"""Refusals gathered: each kind at once, repetitions once a minute, and no attacker writes more than some dozen."""

from __future__ import annotations

from app.kernel.vocabulary import Role
from app.services.auditing.refusals import OBJECTS, PRINCIPALS, REST, ROUTES, Attempt, Gatherer
from app.services.identity.principals import Caller, Grant, Principal


def attempt(
    principal: str = "usr_1", route: str = "GET /v1/vouchers/{id}", *, status: int = 404, at: str = "a"
) -> Attempt:
    who = Principal(principal, "org_1", "330100", (Grant(Role.MAKER, "330100"),))
    return Attempt(Caller(who, "r1", "192.0.2.1"), route, status, (at,))


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_first_is_told_at_once_and_the_rest_of_the_minute_as_one() -> None:
    clock = Clock()
    gatherer = Gatherer(timer=clock)
    for number in range(100):
        gatherer.note(attempt(at=f"vch_{number}"))
    assert [(one.count, one.objects) for one in gatherer.due()] == [(1, ["vch_0"])]
    assert gatherer.due() == []
    clock.now = 59
    assert gatherer.due() == []
    clock.now = 60
    assert [(one.count, one.objects) for one in gatherer.due()] == [(99, [f"vch_{n}" for n in range(1, 1 + OBJECTS)])]
    assert gatherer.due() == []
    gatherer.note(attempt())
    assert [one.count for one in gatherer.due()] == [1]


def test_statuses_routes_and_principals_are_told_apart() -> None:
    gatherer = Gatherer(timer=Clock())
    for one in (attempt(), attempt(status=403), attempt(route="GET /v1/holds/{id}"), attempt("usr_2"), attempt()):
        gatherer.note(one)
    assert len(gatherer.due()) == 4


def test_a_flood_over_many_routes_ends_in_one_event() -> None:
    gatherer = Gatherer(timer=Clock())
    for number in range(10_000):
        gatherer.note(attempt(route=f"GET /v1/nothing/{number}", status=403))
    assert len(gatherer.due()) == ROUTES + 1
    rest = gatherer.due(all_of_them=True)
    assert [(one.count, one.first.route) for one in rest] == [(10_000 - ROUTES - 1, f"GET /v1/nothing/{ROUTES}")]
    assert REST not in {one.first.route for one in rest}


def test_what_is_remembered_is_bounded() -> None:
    gatherer = Gatherer(timer=Clock())
    taken = [gatherer.note(attempt(f"usr_{number}")) for number in range(PRINCIPALS + 5)]
    assert taken == [True] * PRINCIPALS + [False] * 5
    assert gatherer.note(attempt("usr_0"))


def test_what_was_gathered_is_written_when_the_process_ends() -> None:
    gatherer = Gatherer(timer=Clock())
    for _ in range(3):
        gatherer.note(attempt())
    assert sum(one.count for one in gatherer.due(all_of_them=True)) == 3
