"""Two rule documents held side by side: what changed, where, and what the field means."""

from __future__ import annotations

from typing import Any

import pytest

from app.services.rules.differences import differences
from app.services.rules.model import Rules

FLAT = {"kind": "flat", "rate": "0.30"}
YEAR = {"scope": "firm", "name": "year", "limit_fen": 100}
ONCE = {"scope": "claims", "name": "once", "limit": 1}


def written(**changes: Any) -> dict[str, Any]:
    return Rules.model_validate({"categories": ["training"], "rate": FLAT} | changes).model_dump(mode="json")


def changes(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    return [(one.pointer, one.before, one.after) for one in differences(before, after)]


def test_equal_documents_do_not_differ() -> None:
    assert differences(written(), written()) == ()


def test_a_field_is_told_with_its_meaning_in_both_languages() -> None:
    [change] = differences(written(), written(rate={"kind": "flat", "rate": "0.25"}))
    assert (change.pointer, change.before, change.after) == ("/rate/rate", "0.30", "0.25")
    assert change.en == 'Share of the base that is subsidised, such as "0.30".'
    assert change.zh == "补贴比例"


def test_another_kind_of_part_is_told_as_a_whole() -> None:
    fixed = {"kind": "fixed", "fact": "claim.tier", "amounts_fen": {"一等": 100}}
    told = changes(written(), written(rate=fixed))
    stored = {"kind": "fixed", "fact": "claim.tier", "amounts_fen": [{"value": "一等", "amount_fen": 100}]}
    assert told == [("/rate", FLAT, stored)]


def test_caps_are_matched_by_name_wherever_they_stand() -> None:
    before, after = written(caps=[YEAR, ONCE]), written(caps=[ONCE, YEAR | {"limit_fen": 200}])
    assert changes(before, after) == [
        ("/caps/1/limit_fen", 100, 200),
        ("/caps", ["year", "once"], ["once", "year"]),
    ]


def test_a_named_item_that_came_or_went_is_told_as_a_whole() -> None:
    once = {"scope": "claims", "name": "once", "holder": "firm", "per": "lifetime", "when": None, "limit": 1}
    assert changes(written(caps=[ONCE]), written()) == [("/caps/0", once, None)]
    assert changes(written(), written(caps=[ONCE])) == [("/caps/0", None, once)]


def test_rows_of_a_table_are_matched_by_value() -> None:
    before = written(rate={"kind": "by", "fact": "holder.size", "rates": {"micro": "0.5", "small": "0.4"}})
    after = written(rate={"kind": "by", "fact": "holder.size", "rates": {"small": "0.4", "micro": "0.6"}})
    assert changes(before, after) == [
        ("/rate/rates/1/rate", "0.5", "0.6"),
        ("/rate/rates", ["micro", "small"], ["small", "micro"]),
    ]


def test_other_lists_are_compared_place_by_place() -> None:
    before, after = written(categories=["training", "inference"]), written(categories=["training"])
    assert changes(before, after) == [("/categories/1", "inference", None)]


@pytest.mark.parametrize(("before", "after"), [(True, 1), (0, False)])
def test_a_number_is_no_truth_value(before: Any, after: Any) -> None:
    assert changes({"v": before}, {"v": after}) == [("/v", before, after)]


def test_keys_are_escaped_in_pointers() -> None:
    assert changes({"a/b": 1, "c~d": 1}, {"a/b": 2, "c~d": 2}) == [("/a~1b", 1, 2), ("/c~0d", 1, 2)]
