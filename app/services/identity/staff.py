"""Who needs a second factor, and whose proof of himself is fresh enough for an act of weight. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from app.kernel.ids import is_id
from app.kernel.problems import AppError, Code, Scalar
from app.kernel.vocabulary import Role
from app.services.identity.principals import Principal

NO_STAFF = frozenset({Role.FIRM, Role.PROVIDER})
"""Their people decide nothing official: a second factor is theirs to choose."""

SKEW = timedelta(minutes=1)
"""By how much a proof may lie ahead: another machine may have issued the token."""


def is_staff(principal: Principal) -> bool:
    """Whether a role is held that a firm's or provider's people never hold."""
    return not principal.roles <= NO_STAFF


def must_have_second_factor(principal: Principal, *, staff: bool) -> bool:
    """Whether this person signs in with a second factor only; `staff` is the installation's setting."""
    return staff and is_staff(principal) and is_id(principal.id, "usr")


def require_fresh(principal: Principal, *, at: datetime, max_age_s: int) -> None:
    """Let a person pass who has proved himself within `max_age_s` seconds. Machines do so with every token.

    Raises `step_up_needed`.
    """
    if is_id(principal.id, "cli"):
        return
    proof = principal.proof
    if proof is None or not -SKEW <= at - proof.at <= timedelta(seconds=max_age_s):
        extra: dict[str, Scalar] = {"max_age_s": max_age_s}
        raise AppError(Code.STEP_UP_NEEDED, minutes=-(-max_age_s // 60), max_age_s=max_age_s, extra=extra)
