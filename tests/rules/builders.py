"""Rules, bills and positions in few words. Amounts of bills are yuan here (`yuan("123456.78")`), of rules fen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from app.kernel.clock import SHANGHAI
from app.services.rules.assess import Assessment, assess
from app.services.rules.facts import Facts, Line
from app.services.rules.model import Rules
from app.services.rules.position import ALL, Bucket, Counter, Position

NOON = datetime(2026, 6, 30, 12, tzinfo=SHANGHAI)


def yuan(text: str | int) -> int:
    """Fen of an amount in yuan, thousands grouped as people write them: `yuan("1,000.50")` is 100050."""
    whole, _, decimals = str(text).replace(",", "").partition(".")
    return int(whole) * 100 + int(decimals.ljust(2, "0"))


def shanghai(text: str) -> datetime:
    """A local time, `2026-12-31T23:59`, or the beginning of a day."""
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def flat(rate: str) -> dict[str, Any]:
    return {"kind": "flat", "rate": rate}


def rules(rate: str | dict[str, Any] = "0.30", **others: Any) -> Rules:
    """Rules for `compute`, at a flat rate unless another rate function is given."""
    document = {"categories": ["compute"], "rate": flat(rate) if isinstance(rate, str) else rate}
    return Rules.model_validate(document | others)


def firm_cap(limit_fen: int, **others: Any) -> dict[str, Any]:
    return {"scope": "firm", "name": "yearly", "limit_fen": limit_fen} | others


def is_one_of(fact: str, *words: str) -> dict[str, Any]:
    return {"kind": "is", "fact": fact, "one_of": list(words)}


def requires(when: dict[str, Any], **others: Any) -> dict[str, Any]:
    """A `requirements` setting of one condition."""
    return {"requirements": [{"name": "condition", "when": when} | others]}


def bill(*lines: int | Line, at: datetime = NOON, **known: Any) -> Facts:
    """One claim. A number is a line of `compute` of so many fen."""
    full = [line if isinstance(line, Line) else Line("compute", line) for line in lines]
    return Facts(lines=full, at=at, **known)


def position(counters: Mapping[tuple[str, ...], Counter] | None = None) -> Position:
    """A position from `{("firm", "2026"): Counter(…)}`."""
    return Position((Bucket(*key), counter) for key, counter in (counters or {}).items())


def granted(holder: str, fen: int, *, period: str = ALL, category: str = "", claims: int = 1) -> Position:
    """The position of a holder who has been granted so much."""
    return position({(holder, period, category): Counter(granted_fen=fen, claims=claims)})


def one_after_another(given: Rules, bills: Sequence[Facts], so_far: Position | None = None) -> list[Assessment]:
    """Assess claims in order, each seeing what the ones before counted."""
    position = so_far if so_far is not None else Position()
    assessments = []
    for facts in bills:
        assessment = assess(given, facts, position)
        position.add(assessment.counted)
        assessments.append(assessment)
    return assessments


def codes(assessment: Assessment) -> list[str]:
    return [str(reduction["code"]) for reduction in assessment.reductions]
