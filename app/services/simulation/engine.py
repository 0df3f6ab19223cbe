"""simulate(): a list of bills under one rule version, by the same assess() and positions as redemption. Pure.

Bills are taken in the order of their instants (equal ones in the order given), first come first served against one
budget. A bill that earns something adds to the caps' counters; one that earns nothing is refused, as redemption
refuses it, and leaves no trace in them. Bills that only the budget cuts count as if they had been paid in full, so
that `subsidy_fen + unmet_fen` is what a budget without end would have paid; only where the rules skip a bill that does
not fit and go on does it count for nothing. What a voucher's own face value would have cut is not looked at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any, NamedTuple

from app.kernel.vocabulary import Reason
from app.services.rules.allocation import Pool
from app.services.rules.assess import Assessment, assess
from app.services.rules.model import Rules
from app.services.simulation.bills import SimulatedBill
from app.services.simulation.books import Books
from app.services.simulation.report import (
    LARGEST,
    Beneficiary,
    Cut,
    Month,
    Refusals,
    Simulation,
    share_of,
)

PROGRESS_EVERY = 250


def simulate(
    rules: Rules,
    bills: Sequence[SimulatedBill],
    *,
    budget_fen: int | None,
    progress: Callable[[int], None] | None = None,
) -> Simulation:
    """What these rules would have granted for these bills, with `budget_fen` to give out (None: no limit).

    `progress` is told how many bills are done, now and then and at the end. Same input, same result. Raises nothing
    for bills whose facts are of the right types.
    """
    run = _Run(rules, budget_fen)
    done = 0
    for done, bill in enumerate(sorted(bills, key=lambda one: one.facts.at), start=1):
        run.take(bill)
        if progress is not None and done % PROGRESS_EVERY == 0:
            progress(done)
    if progress is not None:
        progress(done)
    return run.result()


class _CutKey(NamedTuple):
    """What tells the cuts apart; empty where it does not apply."""

    code: str
    cap: str
    requirement: str
    missing: tuple[str, ...]


class _Sums:
    """Running totals, of a month or of everything."""

    __slots__ = ("billed_fen", "bills", "eligible_fen", "firms", "paid_bills", "subsidy_fen", "unmet_fen")

    def __init__(self) -> None:
        self.bills = self.paid_bills = self.billed_fen = self.eligible_fen = self.subsidy_fen = self.unmet_fen = 0
        self.firms: set[str] = set()

    def add(self, firm: str, *, billed_fen: int, eligible_fen: int, asked_fen: int, paid_fen: int) -> None:
        self.bills += 1
        self.billed_fen += billed_fen
        self.eligible_fen += eligible_fen
        self.subsidy_fen += paid_fen
        self.unmet_fen += asked_fen - paid_fen
        if paid_fen:
            self.paid_bills += 1
            self.firms.add(firm)


class _Run:
    """One simulation under way."""

    def __init__(self, rules: Rules, budget_fen: int | None) -> None:
        self._rules = rules
        self._budget_fen = budget_fen
        self._pool = Pool(budget_fen, rules.allocation.on_exhaustion)
        self._books = Books(rules)
        self._total = _Sums()
        self._months: dict[str, _Sums] = {}
        self._firms: dict[str, list[int]] = {}
        self._refused: dict[str, list[int]] = {}
        self._cuts: dict[_CutKey, list[int]] = {}
        self._short_on: date | None = None

    def take(self, bill: SimulatedBill) -> None:
        """Judge one bill and pay it."""
        facts = bill.facts
        position = self._books.position_of(bill)
        assessment = assess(self._rules, facts, position)
        asked_fen = assessment.amount_fen
        paid_fen = self._pool.draw(asked_fen) if asked_fen else 0
        if paid_fen == asked_fen or self._pool.closed:
            position.add(assessment.counted if asked_fen else ())
        if paid_fen < asked_fen:
            self._short_on = self._short_on or facts.on
            self._cut({"code": Reason.BUDGET_EXHAUSTED, "subsidy_fen": asked_fen - paid_fen})
        for reduction in assessment.reductions:
            self._cut(reduction)
        billed_fen = sum(line.amount_fen for line in facts.lines)
        amounts = {
            "billed_fen": billed_fen,
            "eligible_fen": assessment.eligible_fen,
            "asked_fen": asked_fen,
            "paid_fen": paid_fen,
        }
        self._total.add(bill.firm, **amounts)
        self._months.setdefault(f"{facts.on:%Y-%m}", _Sums()).add(bill.firm, **amounts)
        firm = self._firms.setdefault(bill.firm, [0, 0])
        firm[0] += paid_fen
        firm[1] += 1
        if not paid_fen:
            refused = self._refused.setdefault(_why_nothing(assessment), [0, 0])
            refused[0] += 1
            refused[1] += billed_fen

    def result(self) -> Simulation:
        """All of it, in fixed orders."""
        total = self._total
        largest = sorted(self._firms.items(), key=lambda item: (-item[1][0], item[0]))[:LARGEST]
        return Simulation(
            unit=self._rules.unit.name if self._rules.unit.kind == "in_kind" else "cny",
            budget_fen=self._budget_fen,
            left_fen=self._pool.left_fen,
            on_exhaustion=self._rules.allocation.on_exhaustion,
            runs_out_on=self._short_on,
            bills=total.bills,
            paid_bills=total.paid_bills,
            firms=len(self._firms),
            firms_reached=len(total.firms),
            billed_fen=total.billed_fen,
            eligible_fen=total.eligible_fen,
            subsidy_fen=total.subsidy_fen,
            unmet_fen=total.unmet_fen,
            average_rate=share_of(total.subsidy_fen, total.eligible_fen),
            months=tuple(
                Month(
                    month,
                    sums.bills,
                    len(sums.firms),
                    sums.billed_fen,
                    sums.eligible_fen,
                    sums.subsidy_fen,
                    sums.unmet_fen,
                )
                for month, sums in sorted(self._months.items())
            ),
            largest=tuple(
                Beneficiary(firm, fen, bills, share_of(fen, total.subsidy_fen)) for firm, (fen, bills) in largest if fen
            ),
            refused=tuple(Refusals(reason, *sums) for reason, sums in sorted(self._refused.items())),
            cuts=tuple(
                Cut(key.code, key.cap or None, key.requirement or None, key.missing, *sums)
                for key, sums in sorted(self._cuts.items())
            ),
            by_firm=Counter({firm: fen for firm, (fen, _) in self._firms.items()}),
        )

    def _cut(self, reduction: dict[str, Any]) -> None:
        key = _CutKey(
            str(reduction["code"]),
            reduction.get("cap", ""),
            reduction.get("requirement", ""),
            tuple(reduction.get("missing", ())),
        )
        sums = self._cuts.setdefault(key, [0, 0, 0])
        sums[0] += 1
        sums[1] += reduction.get("base_fen", 0)
        sums[2] += reduction.get("subsidy_fen", 0)


def _why_nothing(assessment: Assessment) -> str:
    if assessment.amount_fen:
        return Reason.BUDGET_EXHAUSTED
    return assessment.refusal or Reason.ROUNDED_TO_NOTHING
