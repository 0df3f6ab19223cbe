"""What becomes of the commands of one batch, place by place. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.kernel.problems import AppError
from app.services.idempotency import Answer
from app.services.redemption.commands import Command
from app.services.redemption.decisions import Refused


@dataclass(frozen=True, slots=True)
class PutOff:
    """Not decided: what it needs is busy. `counts` is false where it only waits for its twin."""

    counts: bool = True


Outcome = Answer | AppError | PutOff
"""An answer to send, a refusal that leaves no trace, or another try."""


class Outcomes:
    """The commands of a batch in their order, and what each has come to so far."""

    def __init__(self, commands: Sequence[Command]) -> None:
        self.commands = commands
        self._reached: dict[int, Outcome] = {}

    def __getitem__(self, place: int) -> Outcome:
        return self._reached[place]

    def open(self) -> list[int]:
        """The places that nothing has become of yet."""
        return [place for place in range(len(self.commands)) if place not in self._reached]

    def all(self) -> list[Outcome]:
        """Every outcome, once none is open."""
        return [self._reached[place] for place in range(len(self.commands))]

    def answers(self) -> Iterator[tuple[int, Answer]]:
        """The places that have an answer to send."""
        return ((place, outcome) for place, outcome in sorted(self._reached.items()) if isinstance(outcome, Answer))

    def settle(self, place: int, outcome: Outcome) -> None:
        """Say what has become of a command."""
        self._reached[place] = outcome

    def refuse(self, place: int, refused: Refused) -> None:
        """Refuse a command: with an answer that is stored under its key, or with a problem that leaves no trace."""
        command = self.commands[place]
        problem = refused.problem(command.pointer_of(refused.code))
        self.settle(place, command.render_refusal(problem) or problem)

    def put_off(self, place: int, *, counts: bool = True) -> None:
        """Leave a command to the next batch."""
        self.settle(place, PutOff(counts))
