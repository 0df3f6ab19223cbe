"""Walking a rule document part by part, each with its place. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from app.services.rules.needs import Place
from app.services.rules.parts import Part


def parts_of(part: Part, place: Place = ()) -> Iterator[tuple[Place, Part]]:
    """A part and every part below it, outermost first, with the keys that lead to it."""
    yield place, part
    for name in type(part).model_fields:
        yield from _below(getattr(part, name), (*place, name))


def _below(value: object, place: Place) -> Iterator[tuple[Place, Part]]:
    if isinstance(value, Part):
        yield from parts_of(value, place)
    elif isinstance(value, tuple):
        for number, inner in enumerate(value):
            yield from _below(inner, (*place, number))
