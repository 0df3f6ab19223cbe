"""On what ground vouchers are voided: the fields that belong together on the wire."""

from __future__ import annotations

from app.api.fields import wrong
from app.kernel.vocabulary import VoidGround
from app.services.vouchers.official_acts import Grounds


def check_grounds(ground: VoidGround | None, related_to: str | None, evidence: str | None) -> None:
    """Related parties need the provider and the evidence, other grounds have neither. For a validator of the whole."""
    if ground is VoidGround.RELATED_PARTY:
        for name, value in (("related_to", related_to), ("evidence", evidence)):
            if value is None:
                raise wrong("needs_both", name, limit="related_to, evidence", actual=0)
        return
    for name, value in (("related_to", related_to), ("evidence", evidence)):
        if value is not None:
            raise wrong("only_for_the_act", name, limit=VoidGround.RELATED_PARTY, actual=ground or "-")


def grounds_of(ground: VoidGround | None, related_to: str | None, evidence: str | None) -> Grounds | None:
    """The grounds as the domain's value, where any were given."""
    return Grounds(ground, related_to, evidence) if ground is not None else None
