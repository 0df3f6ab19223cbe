"""On what ground vouchers are voided: the fields that belong together on the wire."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from app.api.fields import AnyId, Title, Wire, wrong
from app.kernel.vocabulary import VoidGround
from app.services.vouchers.official_acts import Grounds

OF_RELATED = ("related_to", "evidence", "evidence_sha256")


class VoidGrounds(Wire):
    """Why vouchers are voided, as a word; of related parties with whom, and what proves it."""

    ground: Annotated[VoidGround | None, Field(description="To void: the reason as a word")] = None
    related_to: Annotated[
        AnyId | None,
        Field(description="With related_party: the provider with which the firm is related, by a link on record"),
    ] = None
    evidence: Annotated[
        Title | None, Field(description="With related_party: number of the document that proves it")
    ] = None
    evidence_sha256: Annotated[
        str | None,
        StringConstraints(pattern="^[0-9a-f]{64}$"),
        Field(description="With related_party: SHA-256 of that document's file"),
    ] = None

    @model_validator(mode="after")
    def _grounds_fit(self) -> Self:
        given = {name: getattr(self, name) for name in OF_RELATED}
        if self.ground is VoidGround.RELATED_PARTY:
            for name, value in given.items():
                if value is None:
                    raise wrong("needs_both", name, limit=", ".join(OF_RELATED), actual=0)
            return self
        for name, value in given.items():
            if value is not None:
                raise wrong("only_for_the_act", name, limit=VoidGround.RELATED_PARTY, actual=self.ground or "-")
        return self

    def grounds(self) -> Grounds | None:
        """The grounds as the domain's value, where any were given."""
        if self.ground is None:
            return None
        return Grounds(self.ground, self.related_to, self.evidence, self.evidence_sha256)
