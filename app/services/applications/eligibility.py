"""Whether an application fits the programme's conditions, condition by condition. Pure.

A bill's conditions are judged when there is a bill (`rules/assess.py` stops at the first that fails). An application
has none yet: each condition is told by itself, and what nobody can know yet is left for later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from app.services.redemption.assessing import claimable
from app.services.rules.eligibility import Judge
from app.services.rules.facts import Facts
from app.services.rules.model import Rules
from app.services.rules.needs import facts_in
from app.services.rules.terms import Requirement

Step = Literal["apply", "issue"]

ABOUT_A_PROVIDER = frozenset(
    {
        "claim.shareholding",
        "claim.same_controller",
        "claim.same_legal_representative",
        "claim.shared_contact",
        "claim.other_side_claimed",
    }
)
"""Facts about firm and provider together: there is no provider before a bill."""


class Outcome(StrEnum):
    """What became of one condition."""

    HOLDS = "holds"
    FAILS = "fails"
    MISSING = "missing"
    """A fact is not known that has to be known now."""
    OPEN = "open"
    """A fact is not known that officials or the registry have yet to say."""
    LATER = "later"
    """It is about a bill or a provider, or is judged again with the bill."""


STOPS = frozenset({Outcome.FAILS, Outcome.MISSING})


@dataclass(frozen=True, slots=True)
class Finding:
    """One condition and what became of it; both sentences are the rules' own, or their name for it."""

    name: str
    outcome: Outcome
    en: str
    zh: str
    missing: tuple[str, ...] = ()

    def plain(self) -> dict[str, Any]:
        """As it is stored in a trace."""
        found: dict[str, Any] = {"name": self.name, "outcome": str(self.outcome), "en": self.en, "zh": self.zh}
        return found | ({"missing": list(self.missing)} if self.missing else {})


@dataclass(frozen=True, slots=True)
class Eligibility:
    """All conditions of one step."""

    step: Step
    findings: tuple[Finding, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing stands against it at this step."""
        return not self.stopping

    @property
    def stopping(self) -> tuple[Finding, ...]:
        """What stands against it."""
        return tuple(finding for finding in self.findings if finding.outcome in STOPS)


WINDOW = "window"
WINDOW_WORDS = ("Applied within the time that the rules give for it.", "在规则规定的申领时段内提交。")


def judge(rules: Rules, facts: Facts, *, step: Step, applied_at: datetime | None = None) -> Eligibility:
    """Every condition that is judged at this step. With `applied_at`, also whether that lies within a window to apply.

    What fails or must be known now stands against it. At `apply` facts that officials and the registry state may be
    open; at `issue` they must be there. Raises nothing for facts of the right types.
    """
    facts = replace(facts, checkpoint=step)
    findings = [] if applied_at is None else list(_window(rules, facts, applied_at))
    findings += [_judged(rules, facts, one, step) for one in rules.requirements if step in one.checkpoints]
    return Eligibility(step, tuple(findings))


def _window(rules: Rules, facts: Facts, at: datetime) -> list[Finding]:
    windows = [
        window
        for window in rules.windows
        if window.of == "apply" and (window.when is None or Judge(facts).holds(window.when) is not False)
    ]
    if not windows:
        return []
    inside = any(window.first_instant() <= at < window.end_instant() for window in windows)
    return [Finding(WINDOW, Outcome.HOLDS if inside else Outcome.FAILS, *WINDOW_WORDS)]


def _judged(rules: Rules, facts: Facts, requirement: Requirement, step: Step) -> Finding:
    words = (requirement.en or requirement.zh or requirement.name, requirement.zh or requirement.en or requirement.name)
    judged = Judge(facts)
    holds = judged.holds(requirement.when)
    if holds is not None and not _about_a_bill(requirement):
        return Finding(requirement.name, Outcome.HOLDS if holds else Outcome.FAILS, *words)
    if _about_a_bill(requirement):
        return Finding(requirement.name, Outcome.LATER, *words)
    missing = tuple(sorted(set(judged.missing)))
    again = bool({"redeem", "pay"} & set(requirement.checkpoints))
    own = {f"claim.{name}" for name in claimable(rules)}
    if again and all(name in own or name in ABOUT_A_PROVIDER for name in missing):
        return Finding(requirement.name, Outcome.LATER, *words, missing)
    if step == "apply" and not own.intersection(missing):
        return Finding(requirement.name, Outcome.OPEN, *words, missing)
    return Finding(requirement.name, Outcome.MISSING, *words, missing)


def _about_a_bill(requirement: Requirement) -> bool:
    return any(name.startswith(("line.", "provider.")) for _, name, _ in facts_in(requirement.when))


def stored(eligibility: Eligibility) -> Mapping[str, Any]:
    """As plain values, for a trace."""
    return {
        "step": eligibility.step,
        "eligible": eligibility.holds,
        "conditions": [finding.plain() for finding in eligibility.findings],
    }
