"""What differs between two rule documents, field by field, with what each field means. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from app.kernel.places import joined
from app.services.rules.needs import Place
from app.services.rules.schema import TAGS, said_of

NAMES: dict[Place, str] = {
    ("caps",): "name",
    ("requirements",): "name",
    ("facts",): "name",
    ("stacking", "layers"): "name",
    ("fund_sources",): "source",
    ("allocation", "quotas"): "tier",
    ("exceptions",): "cap",
}
"""Lists whose items are known by a name of theirs, whatever their place; all others are compared place by place."""


@dataclass(frozen=True, slots=True)
class Change:
    """One field that differs. What one of the documents does not have is None there.

    The pointer leads into the later document, or into the earlier one where only that has the field. `en` and `zh` say
    what the field means.
    """

    pointer: str
    before: Any
    after: Any
    en: str
    zh: str


def differences(before: dict[str, Any], after: dict[str, Any]) -> tuple[Change, ...]:
    """Every difference between two documents, in the order of the earlier one's fields.

    Both are plain JSON, with all defaults written out (`Rules.model_dump(mode="json")`): a field that was left out is
    otherwise told as a change to its default. A part that became another kind of part is told as a whole, and so is
    an item that came or went. Named items that only changed their order are told as their names in order.
    """
    return tuple(
        Change(joined(place), old, new, *said_of(place, after if _has(after, place) else before))
        for place, old, new in _of(before, after, ())
    )


def _of(before: Any, after: Any, place: Place) -> Iterator[tuple[Place, Any, Any]]:
    if isinstance(before, dict) and isinstance(after, dict) and _same_kind(before, after):
        for key in [*before, *(key for key in after if key not in before)]:
            yield from _of(before.get(key), after.get(key), (*place, key))
    elif isinstance(before, list) and isinstance(after, list):
        name = NAMES.get(place) or ("value" if _is_table([*before, *after]) else None)
        yield from _by_name(before, after, place, name) if name else _by_place(before, after, place)
    elif before != after or type(before) is not type(after):
        yield place, before, after


def _same_kind(before: dict[str, Any], after: dict[str, Any]) -> bool:
    return all(before.get(tag) == after.get(tag) for tag in TAGS)


def _is_table(rows: list[Any]) -> bool:
    """Whether these are rows of values with what holds for each, as stored documents write their tables."""
    return bool(rows) and all(isinstance(row, dict) and "value" in row for row in rows)


def _by_place(before: list[Any], after: list[Any], place: Place) -> Iterator[tuple[Place, Any, Any]]:
    for number in range(max(len(before), len(after))):
        old = before[number] if number < len(before) else None
        new = after[number] if number < len(after) else None
        yield from _of(old, new, (*place, number))


def _by_name(before: list[Any], after: list[Any], place: Place, name: str) -> Iterator[tuple[Place, Any, Any]]:
    new_places = {item[name]: number for number, item in enumerate(after)}
    old_places = {item[name]: number for number, item in enumerate(before)}
    for named, old_place in old_places.items():
        if named in new_places:
            yield from _of(before[old_place], after[new_places[named]], (*place, new_places[named]))
        else:
            yield (*place, old_place), before[old_place], None
    for named, new_place in new_places.items():
        if named not in old_places:
            yield (*place, new_place), None, after[new_place]
    kept_before = [named for named in old_places if named in new_places]
    kept_after = [named for named in new_places if named in old_places]
    if kept_before != kept_after:
        yield place, list(old_places), list(new_places)


def _has(document: Any, place: Place) -> bool:
    for key in place:
        try:
            document = document[key]
        except (KeyError, IndexError, TypeError):
            return False
    return True
