"""The most that may be assessed (核定) for an application, with every limit that lowers it. Pure. Amounts are fen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.kernel.clock import civil_date
from app.kernel.vocabulary import Reason
from app.services.rules.assess import assess, period_of
from app.services.rules.capping import limit_of
from app.services.rules.facts import Facts
from app.services.rules.limits import ClaimCap, CountCap, HolderCap
from app.services.rules.model import Rules


@dataclass(frozen=True, slots=True)
class Granted:
    """What vouchers of this programme already promise: to the firm, and to all firms of its group."""

    firm_fen: int = 0
    group_fen: int = 0


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit: its name, how much it is, and what of it was granted before."""

    name: str
    limit_fen: int
    granted_fen: int = 0
    missing: tuple[str, ...] = ()
    """The facts without which it is nothing."""

    @property
    def left_fen(self) -> int:
        """What is left of it."""
        return max(0, self.limit_fen - self.granted_fen)

    def plain(self) -> dict[str, Any]:
        """As it is stored in a trace."""
        found: dict[str, Any] = {"limit": self.name, "limit_fen": self.limit_fen, "left_fen": self.left_fen}
        if self.granted_fen:
            found["granted_before_fen"] = self.granted_fen
        return found | ({"missing": list(self.missing)} if self.missing else {})


@dataclass(frozen=True, slots=True)
class Maximum:
    """The least of all limits; the one that binds is the first that is as low."""

    amount_fen: int
    binding: Limit
    limits: tuple[Limit, ...]
    plan: dict[str, Any] | None
    """What the rules grant for the planned purchase, None where none was given or its rate is not known yet."""

    def plain(self) -> dict[str, Any]:
        """As it is stored in a trace."""
        found: dict[str, Any] = {
            "amount_fen": self.amount_fen,
            "binding": self.binding.name,
            "limits": [limit.plain() for limit in self.limits],
        }
        return found | ({"plan": self.plan} if self.plan is not None else {})


_NOT_ABOUT_AMOUNTS = frozenset({Reason.NOT_ELIGIBLE, Reason.OUTSIDE_WINDOW, Reason.RELATED_PARTY})
"""Why a plan is not assessed at all: conditions, which are judged by themselves."""
ASKED, APPLICATION, PLAN = "asked", "application", "plan"


def maximum(
    rules: Rules, facts: Facts, *, asked_fen: int, granted: Granted, valid_until: datetime, open_facts: bool
) -> Maximum:
    """The most that these rules let a voucher for this application be worth.

    The least of: what is asked for; what an application may come to; the caps of a voucher, a firm and its group, less
    what vouchers promise already; what the planned purchase would earn. A cap of a year counts once for each year that
    the voucher is valid in; one over a rolling window binds when bills are judged. With `open_facts`, limits that
    follow from facts which are not known yet do not bind.
    """
    limits = [Limit(ASKED, asked_fen)]
    if rules.applying.maximum_fen is not None:
        limits.append(Limit(APPLICATION, rules.applying.maximum_fen))
    limits += [limit for limit in _caps(rules, facts, granted, valid_until) if not (open_facts and limit.missing)]
    plan = _planned(rules, facts, open_facts=open_facts)
    if plan is not None:
        limits.append(Limit(PLAN, plan["subsidy_fen"]))
    binding = min(limits, key=lambda limit: limit.left_fen)
    return Maximum(binding.left_fen, binding, tuple(limits), plan)


def _caps(rules: Rules, facts: Facts, granted: Granted, valid_until: datetime) -> Iterator[Limit]:
    years = _years(rules, facts, valid_until)
    for cap in rules.caps:
        match cap:
            case CountCap():
                continue
            case ClaimCap(scope="voucher"):
                limit_fen, missing = limit_of(cap, facts)
                yield Limit(cap.name, limit_fen, 0, tuple(missing))
            case HolderCap(category=None) if cap.per in ("year", "lifetime"):
                limit_fen, missing = limit_of(cap, facts)
                before_fen = granted.firm_fen if cap.scope == "firm" else granted.group_fen
                yield Limit(cap.name, limit_fen * (years if cap.per == "year" else 1), before_fen, tuple(missing))


def _years(rules: Rules, facts: Facts, valid_until: datetime) -> int:
    first, last = period_of(rules, facts.on), period_of(rules, civil_date(valid_until))
    return max(1, int(last[:4]) - int(first[:4]) + 1)


def _planned(rules: Rules, facts: Facts, *, open_facts: bool) -> dict[str, Any] | None:
    if not facts.lines:
        return None
    assessment = assess(rules, facts)
    ineligible = any(one["code"] in _NOT_ABOUT_AMOUNTS for one in assessment.reductions)
    missing = {name for one in assessment.reductions for name in one.get("missing", ())}
    if ineligible or (missing and (open_facts or not all(name.startswith("claim.") for name in missing))):
        return None
    return {
        "bill_fen": sum(line.amount_fen for line in facts.lines),
        "subsidy_fen": assessment.entitled_fen,
        "steps": list(assessment.steps),
        "reductions": list(assessment.reductions),
    }
