"""The bills that are assessed together: one redemption's, or all of a hold's. Pure: a refund judges what is left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.services.redemption.assessing import Counts, counted_as_drawn, stored_facts
from app.services.redemption.effects import refunded_json
from app.services.redemption.holds.decisions import counted_after_refund
from app.services.redemption.holds.states import HoldState, Part
from app.services.rules.assess import Assessment
from app.services.rules.facts import Facts
from app.services.rules.model import Rules
from app.services.rules.position import Position, brackets_of


@dataclass(frozen=True, slots=True)
class WholePosition:
    """What a refund looks at. Amounts are fen; lines count from 1."""

    judged_at: datetime
    """The instant at which its bills were judged."""
    parts: Sequence[Part]
    """Its redemptions, oldest first."""
    holders: Mapping[str, str]
    """Whose counters it counts in, by kind."""
    counted: Counts
    """What it counts there by now."""
    place: Position | None
    """What the holders had come to when its bills were judged; None where that was not stored yet."""
    hold: HoldState | None = None
    pending: Counts = ()
    """What will be taken off there when the money of its recoveries comes back: it is not to be taken off twice."""

    @classmethod
    def of_hold(cls, hold: HoldState) -> WholePosition:
        """All that was redeemed from a hold."""
        return cls(hold.held_at, hold.parts, hold.holders, hold.counted, hold.position_at_first, hold, hold.pending)

    @property
    def drawn_fen(self) -> int:
        """The subsidy that its redemptions have, net of refunds."""
        return sum(part.drawn_fen for part in self.parts)

    def part(self, redemption_id: str) -> Part:
        """One of its redemptions."""
        return next(part for part in self.parts if part.redemption_id == redemption_id)

    def cancel(self, redemption_id: str, lines: Mapping[int, int]) -> None:
        """Cancel more of one bill."""
        part = self.part(redemption_id)
        part.refunded_fen = dict(Counter(part.refunded_fen) + Counter(lines))

    def left(self) -> Facts:
        """The facts with what is left of the bills."""
        if self.hold is not None:
            return self.hold.whole_bill()
        (part,) = self.parts
        return stored_facts(part.facts, part.refunded_fen, at=self.judged_at, left_fen=part.left_fen)

    def others(self, present: Position, rules: Rules) -> Position:
        """What its holders have come to without it, seen from its place among the claims of a bracket.

        A bracket that works out all of the period anew is told all there is: what was taken from one bill for another
        is balanced out. A hold keeps its place there too, as its redemptions did.
        """
        rest = present.without(self.counted)
        works_out_anew = any(bracket.method == "cliff_recalc" for bracket in brackets_of(rules.rate))
        if self.place is None or (works_out_anew and self.hold is None):
            return rest
        return rest.in_the_place_of(self.place)

    def counts(self, assessment: Assessment, drawn_fen: int) -> Counts:
        """What it counts once `drawn_fen` is left of its subsidy, and `assessment` judges what is left of its bills."""
        if self.hold is not None:
            return counted_after_refund(self.hold, assessment, drawn_fen)
        return counted_as_drawn(assessment, drawn_fen)

    def told(self) -> dict[str, Any]:
        """What a refund's stored facts tell of its hold: the redemptions and what was cancelled of each by now."""
        if self.hold is None:
            return {}
        redemptions = [part.redemption_id for part in self.parts]
        return {"hold": {"id": self.hold.id, "redemptions": redemptions, "refunded": refunded_json(self.parts)}}

    def pieces(self, returned_fen: int, redemption_id: str) -> list[tuple[str, int]]:
        """What goes back from which redemption: from this one first, then from the others of its hold, newest first.

        This one is always there, though nothing may go back from it.
        """
        order = [self.part(redemption_id), *reversed(self.parts)]
        pieces: dict[str, int] = {}
        for part in order:
            if part.redemption_id not in pieces:
                pieces[part.redemption_id] = min(returned_fen, part.drawn_fen)
                returned_fen -= pieces[part.redemption_id]
        return [(one, fen) for one, fen in pieces.items() if fen or one == redemption_id]
