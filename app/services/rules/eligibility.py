"""Judging a predicate on facts: true, false, or unknown with the facts that were missing. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from fractions import Fraction

from app.kernel.clock import add_months
from app.kernel.regions import covers
from app.services.rules.facts import Facts, Line, Value
from app.services.rules.predicates import (
    Aged,
    AllOf,
    AnyOf,
    Dated,
    InRegion,
    Is,
    IsTrue,
    Measures,
    Not,
    NotBefore,
    Predicate,
    Test,
)


class Judge:
    """Looks facts up for one claim and, where it is given, one of its lines."""

    __slots__ = ("_facts", "_line", "missing")

    def __init__(self, facts: Facts, line: Line | None = None) -> None:
        self._facts = facts
        self._line = line
        self.missing: list[str] = []
        """The facts that were looked for and not given."""

    def value(self, name: str) -> Value | None:
        """A fact by its name, None where it is not known."""
        subject, _, key = name.partition(".")
        match subject:
            case "holder":
                return self._facts.holder.get(key)
            case "provider":
                return self._facts.provider.get(key)
            case "claim":
                return self._facts.claim.get(key)
            case _:
                return self._of_line(key)

    def _of_line(self, key: str) -> Value | None:
        line = self._line
        if line is None:
            return None
        match key:
            case "category":
                return line.category
            case "unit":
                return line.unit
            case "facility_class":
                return line.facility_class or self._facts.provider.get(key)
            case "accelerator":
                return line.accelerator
            case "used_on":
                return line.used_on.isoformat() if line.used_on else None
            case _:
                return line.facts.get(key)

    def holds(self, predicate: Predicate) -> bool | None:
        """Whether it holds; None where that depends on a fact that was not given (then it is in `missing`)."""
        before = len(self.missing)
        found = self._holds(predicate)
        if found is not None:
            del self.missing[before:]  # it did not depend on them
        return found

    def _holds(self, predicate: Predicate) -> bool | None:
        match predicate:
            case AllOf():
                found = [self.holds(inner) for inner in predicate.of]
                return False if False in found else None if None in found else True
            case AnyOf():
                found = [self.holds(inner) for inner in predicate.of]
                return True if True in found else None if None in found else False
            case Not():
                inner_holds = self.holds(predicate.of)
                return None if inner_holds is None else not inner_holds
            case _:
                return self._tests(predicate)

    def _tests(self, test: Test) -> bool | None:
        value = self.value(test.fact)
        other = self.value(test.other) if isinstance(test, NotBefore) else None
        looked_for = [(test.fact, value)]
        if isinstance(test, NotBefore):
            looked_for.append((test.other, other))
        for name, given in looked_for:
            if given is None:
                if test.if_missing == "passes":
                    return True
                self.missing.append(name)
                return None
        assert value is not None, "what is missing was told above"
        match test:
            case Is():
                words = value if isinstance(value, tuple) else (str(value),)
                return any(word in test.one_of for word in words)
            case InRegion():
                return any(covers(region, str(value)) for region in test.regions)
            case Measures():
                return _measures(test, number(value))
            case Dated():
                return (test.from_on is None or test.from_on.isoformat() <= str(value)) and (
                    test.until_on is None or str(value) <= test.until_on.isoformat()
                )
            case Aged():
                return _aged(test, date.fromisoformat(str(value)), self._facts.on)
            case NotBefore():
                return str(value) >= str(other)
            case IsTrue():
                return value is True


def number(value: Value) -> Fraction:
    """A number's fact, exactly."""
    return Fraction(str(value))


def _measures(test: Measures, value: Fraction) -> bool:
    bounds: tuple[tuple[str | None, Callable[[Fraction], bool]], ...] = (
        (test.at_least, lambda bound: value >= bound),
        (test.above, lambda bound: value > bound),
        (test.at_most, lambda bound: value <= bound),
        (test.below, lambda bound: value < bound),
    )
    return all(inside(Fraction(bound)) for bound, inside in bounds if bound is not None)


def _aged(test: Aged, since: date, on: date) -> bool:
    """A year is complete on the corresponding day, or on the month's last where there is none (民法典 §202)."""
    return (test.years_at_least is None or on >= add_months(since, 12 * test.years_at_least)) and (
        test.years_below is None or on < add_months(since, 12 * test.years_below)
    )
