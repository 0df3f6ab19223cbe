"""Which act leads an application from where to where: the one table of transitions. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import ApplicationAct as Act
from app.kernel.vocabulary import ApplicationStatus as Status

UNDER_WAY = frozenset(
    {Status.SUBMITTED, Status.ACCEPTED, Status.CORRECTION, Status.REVIEWED, Status.WAITLISTED},
)
"""Submitted and not yet decided."""
ENDS = frozenset({Status.APPROVED, Status.REJECTED, Status.WITHDRAWN})
RETURNABLE = (Status.SUBMITTED, Status.ACCEPTED)
"""From where it goes back for correction, and to where it comes again."""

TRANSITIONS: Mapping[Act, Mapping[Status, tuple[Status, ...]]] = {
    Act.CHANGE: {Status.DRAFT: (Status.DRAFT,), Status.CORRECTION: (Status.CORRECTION,)},
    Act.SUBMIT: {Status.DRAFT: (Status.SUBMITTED,)},
    Act.ACCEPT: {Status.SUBMITTED: (Status.ACCEPTED,)},
    Act.RETURN: {
        Status.SUBMITTED: (Status.CORRECTION,),
        Status.ACCEPTED: (Status.CORRECTION,),
        Status.CORRECTION: (Status.CORRECTION,),  # a longer time, or more that is missing
    },
    Act.RESUBMIT: {Status.CORRECTION: RETURNABLE},
    Act.FIRST_REVIEW: {Status.ACCEPTED: (Status.ACCEPTED,)},
    Act.ASSESS: {Status.ACCEPTED: (Status.REVIEWED,), Status.REVIEWED: (Status.REVIEWED,)},
    Act.PROPOSE: {Status.REVIEWED: (Status.REVIEWED,), Status.WAITLISTED: (Status.WAITLISTED,)},
    Act.DECLINE: {Status.REVIEWED: (Status.REVIEWED,), Status.WAITLISTED: (Status.WAITLISTED,)},
    Act.WAITLIST: {Status.REVIEWED: (Status.WAITLISTED,)},
    Act.END_WAITING: {Status.WAITLISTED: (Status.REVIEWED,)},
    Act.APPROVE: {Status.REVIEWED: (Status.APPROVED,), Status.WAITLISTED: (Status.APPROVED,)},
    Act.REJECT: dict.fromkeys(UNDER_WAY, (Status.REJECTED,)),
    Act.WITHDRAW: {Status.DRAFT: (Status.WITHDRAWN,)} | dict.fromkeys(UNDER_WAY, (Status.WITHDRAWN,)),
}
"""Act → from → to. Where there are two, it goes back to where it came from. Creating has no from."""
assert set(TRANSITIONS) == set(Act) - {Act.CREATE}, "every act has its transitions"


def next_status(act: Act, status: Status, *, accepted: bool = False) -> Status:
    """Where the act leads from this status; `accepted` says whether it has been accepted before.

    Raises `wrong_state` where the act is not possible.
    """
    possible = TRANSITIONS[act]
    if status not in possible:
        raise AppError(Code.WRONG_STATE, actual=status, expected=" / ".join(sorted(possible)))
    reached = possible[status]
    if len(reached) == 1:
        return reached[0]
    return Status.ACCEPTED if accepted else Status.SUBMITTED
