"""Whether the terms of a grant are possible under the programme's rules. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from app.services.issuance.terms import Terms
from app.services.issuance.words import CellProblem
from app.services.rules.eligibility import number
from app.services.rules.limits import CountCap
from app.services.rules.model import Rules
from app.services.rules.rates import UpTo, highest
from app.services.rules.rating import decimal
from app.services.rules.stated import value_problem
from app.services.rules.walking import parts_of


def terms_problems(rules: Rules, terms: Terms) -> Iterator[CellProblem]:
    """What the rules do not know or allow: a fact, a rate above the maximum, a cap without exceptions, a layer."""
    for key, value in terms.claim.items():
        problem = value_problem(rules, "", f"claim.{key}", value)
        if problem is not None:
            yield CellProblem(f"terms_{problem.code}", limit=problem.limit, actual=problem.actual)
    yield from _rates_above_the_maximum(rules, terms)
    hard_limits = {cap.name: cap.hard_limit_fen for cap in rules.caps if not isinstance(cap, CountCap)}
    allowed = {exception.cap for exception in rules.exceptions}
    for name, fen in terms.exceptions_fen.items():
        hard_limit_fen = hard_limits.get(name)
        if name not in allowed or hard_limit_fen is None:
            yield CellProblem("terms_no_exception", limit=", ".join(sorted(allowed)) or "-", actual=name)
        elif fen > hard_limit_fen:
            yield CellProblem("terms_above_hard_limit", limit=hard_limit_fen, actual=fen)
    layers = [layer.name for layer in rules.stacking.layers]
    for name in terms.layers_fen:
        if name not in layers:
            yield CellProblem("terms_unknown_layer", limit=", ".join(layers) or "-", actual=name)


def _rates_above_the_maximum(rules: Rules, terms: Terms) -> Iterator[CellProblem]:
    for _, part in parts_of(rules.rate):
        if isinstance(part, UpTo):
            approved = terms.claim.get(part.fact.removeprefix("claim."))
            maximum = highest(part.maximum)
            if approved is None or maximum is None or value_problem(rules, "", part.fact, approved) is not None:
                continue
            if number(approved) > maximum:
                yield CellProblem("terms_rate_above_maximum", limit=decimal(maximum), actual=str(approved))
