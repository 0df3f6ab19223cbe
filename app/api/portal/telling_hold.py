"""A bill from a hold: what is told of it besides, since all bills of the hold so far are judged as one. Pure."""

from __future__ import annotations

from app.api.portal import telling_base
from app.api.portal.telling import Telling, Trace, amount
from app.kernel.vocabulary import Reason


def opening(telling: Telling) -> None:
    """That the bill is one of a hold's, before anything else is said of it."""
    if telling.of_hold is not None:
        part_no = telling.of_hold.part_no
        telling.say("why.hold_part" if telling.together else "why.hold_first", part=part_no)


def hold(telling: Telling, step: Trace) -> None:
    """What the hold's earlier bills drew of what all are due, and what it could still give."""
    cap = telling.find(Reason.CAP_HOLD)
    telling_base.refusals(telling)
    entitled_fen, before_fen = step["entitled_fen"], step["drawn_before_fen"]
    due_fen = max(0, entitled_fen - before_fen)
    if before_fen:
        told = {"entitled": amount(entitled_fen), "before": amount(before_fen), "due": amount(due_fen)}
        key = "why.hold_due" if due_fen else "why.hold_nothing_due"
        if "overpaid_fen" in step:
            key, told = "why.hold_overpaid", {**told, "overpaid": amount(step["overpaid_fen"])}
        telling.say(key, **told)
    if before_fen and entitled_fen:
        telling.row(telling.names.words("calc.drawn_before"), amount(before_fen), due_fen - entitled_fen)
    if cap is not None:
        held, cut_fen = amount(step["held_fen"]), cap["subsidy_fen"]
        telling.say("because.CAP_HOLD", held=held, due=amount(due_fen), cut=amount(cut_fen))
        telling.cut(Reason.CAP_HOLD, telling.names.words("calc.basis.hold", held=held), cut_fen)
    if deferred_fen := step.get("deferred_fen", 0):
        deferred = amount(deferred_fen)
        telling.say("why.hold_deferred", bill=amount(step["drawn_fen"]), deferred=deferred)
        telling.row(telling.names.words("calc.deferred"), "", -deferred_fen)
