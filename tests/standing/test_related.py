"""How two legal persons are related on a day, and what is on record of one. Pure."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import pytest

from app.kernel.vocabulary import Checkpoint, RelationKind
from app.services.rules.facts import Value
from app.services.standing.facts import (
    Debarment,
    Relation,
    Standing,
    debarment_at,
    group_on,
    record_facts,
    related,
    with_relation,
)

ON = date(2026, 11, 26)
A, B, C, D = "uscc:A", "uscc:B", "uscc:C", "uscc:D"


def link(kind: RelationKind, a: str, b: str | None, **changes: object) -> Relation:
    values: dict[str, object] = {"from_on": date(2026, 1, 1), "until_on": None} | changes
    return Relation(kind, a, b, **values)  # type: ignore[arg-type]


def holds(a: str, b: str, share: str, **changes: object) -> Relation:
    return link(RelationKind.HOLDING, a, b, share=Fraction(share), **changes)


CONTROLLER, LEGAL, CONTACT = (
    RelationKind.SAME_CONTROLLER,
    RelationKind.SAME_LEGAL_REPRESENTATIVE,
    RelationKind.SHARED_CONTACT,
)


@pytest.mark.parametrize(
    ("relations", "expected"),
    [
        ([], {}),
        ([holds(A, B, "0.25")], {"shareholding": "0.25"}),
        ([holds(B, A, "0.25")], {"shareholding": "0.25"}),
        # 0.6 × 0.5 = 0.3 through C, besides 0.05 directly
        ([holds(A, C, "0.5"), holds(C, B, "0.6"), holds(A, B, "0.05")], {"shareholding": "0.35"}),
        ([holds(A, C, "0.3333"), holds(C, B, "0.3333")], {"shareholding": "0.11108889"}),
        # more than half is control, half is not
        ([holds(A, B, "0.5")], {"shareholding": "0.5"}),
        ([holds(A, B, "0.5001")], {"shareholding": "0.5001", "same_controller": True}),
        # one parent that controls both; two parts of a half are none
        ([holds(C, A, "0.6"), holds(C, B, "0.51")], {"same_controller": True}),
        ([holds(C, A, "0.6"), holds(C, B, "0.5")], {}),
        ([link(CONTROLLER, A, C), link(CONTROLLER, B, C)], {"same_controller": True}),
        ([link(CONTROLLER, A, C), holds(C, B, "0.7")], {"same_controller": True}),
        ([link(LEGAL, A, C), link(LEGAL, B, C)], {"same_legal_representative": True}),
        # what one kind says carries over to no other, nor contacts to a third
        ([link(LEGAL, A, C), link(CONTROLLER, B, C)], {}),
        ([link(CONTACT, A, C), link(CONTACT, B, C)], {}),
        ([link(CONTACT, A, B)], {"shared_contact": True}),
        (
            [
                link(RelationKind.GROUP, A, None, group="某（中国）集团"),
                link(RelationKind.GROUP, B, None, group="某(中国) 集团"),
            ],
            {"same_group": True},
        ),
        ([link(RelationKind.GROUP, A, None, group="甲"), link(RelationKind.GROUP, B, None, group="乙")], {}),
        # days: the last one counts, the one after it does not
        ([holds(A, B, "0.3", until_on=ON)], {"shareholding": "0.3"}),
        ([holds(A, B, "0.3", until_on=date(2026, 11, 25))], {}),
        ([holds(A, B, "0.3", from_on=date(2026, 11, 27))], {}),
    ],
)
def test_what_two_are_to_each_other(relations: list[Relation], expected: dict[str, object]) -> None:
    assert related(relations, A, B, on=ON) == expected
    assert related(reversed(relations), B, A, on=ON) == expected


def test_who_deals_with_himself_is_related_in_every_way() -> None:
    assert related([], A, A, on=ON) == {
        "shareholding": "1",
        "same_controller": True,
        "same_legal_representative": True,
    }


def test_whichever_source_says_that_parties_are_related_is_believed() -> None:
    on_record: dict[str, Value] = {"shareholding": "0.3", "same_controller": True}
    assert with_relation({"shareholding": "0.1", "same_controller": False, "tier": "1"}, on_record) == {
        "shareholding": "0.3",
        "same_controller": True,
        "tier": "1",
    }
    assert with_relation({"shareholding": "0.4"}, {"shareholding": "0.3"}) == {"shareholding": "0.4"}


def entry(region_code: str, from_on: date, until_on: date | None, *checkpoints: Checkpoint) -> Debarment:
    return Debarment(
        f"dbr_{until_on}", region_code, A, "甲", "文1号", checkpoints or tuple(Checkpoint), from_on, until_on
    )


def test_a_list_binds_its_region_and_those_below_on_its_days_at_its_checkpoints() -> None:
    city = Standing(A, debarments=(entry("330100", date(2026, 11, 1), ON, Checkpoint.ISSUE, Checkpoint.REDEEM),))
    for region_code, binds in (("330100", True), ("330106", True), ("330200", False), ("330000", False)):
        assert (debarment_at(city, region_code, Checkpoint.REDEEM, on=ON) is not None) is binds
    assert debarment_at(city, "330100", Checkpoint.PAY, on=ON) is None
    assert debarment_at(city, "330100", Checkpoint.ISSUE, on=date(2026, 11, 27)) is None
    assert debarment_at(city, "330100", Checkpoint.ISSUE, on=date(2026, 10, 31)) is None
    assert debarment_at(None, "330100", Checkpoint.ISSUE, on=ON) is None
    longest = entry("330000", date(2026, 1, 1), None)
    both = Standing(A, debarments=(*city.debarments, longest))
    assert debarment_at(both, "330100", Checkpoint.ISSUE, on=ON) == longest


def test_rules_can_ask_when_one_was_debarred_last() -> None:
    assert record_facts(None, "330100", on=ON) == {"debarred": False}
    over = Standing(A, debarments=(entry("330100", date(2024, 1, 1), date(2025, 6, 30)),))
    assert record_facts(over, "330106", on=ON) == {"debarred": False, "last_debarred_on": "2025-06-30"}
    assert record_facts(over, "330200", on=ON) == {"debarred": False}
    now = Standing(A, debarments=(*over.debarments, entry("330000", ON, None)))
    assert record_facts(now, "330106", on=ON) == {"debarred": True, "last_debarred_on": "2026-11-26"}
    ahead = Standing(A, debarments=(entry("330100", date(2026, 12, 1), None),))
    assert record_facts(ahead, "330100", on=ON) == {"debarred": False}


def test_a_group_holds_on_its_days() -> None:
    one = link(RelationKind.GROUP, A, None, group="某集团", until_on=date(2026, 6, 30))
    assert group_on(Standing(A, (one,)), date(2026, 6, 30)) == "某集团"
    assert group_on(Standing(A, (one,)), ON) is None
