"""What officials fix with a grant: facts of the claim, exceptions, other levels' decisions."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from app.kernel.canonical import canonical
from app.services.rules.parts import Fen, Part, PositiveFen, Slug, said
from app.services.rules.stated import Values


class Terms(Part):
    """A grant's own terms. They go before whatever a claimant states."""

    claim: Annotated[
        Values,
        said(
            "Facts of the claim, such as project_level, tier, approved_rate.",
            "申报事实，如项目级别、评定等级、核定比例",
        ),
    ] = Field(default_factory=dict)
    exceptions_fen: Annotated[
        dict[Slug, PositiveFen],
        said("Approved exceptions: cap → limit in fen.", "已批例外：上限名称 → 金额（分）", max_length=50),
    ] = Field(default_factory=dict)
    layers_fen: Annotated[
        dict[Slug, Fen], said("What other levels have decided to pay, in fen.", "其他层级已批金额（分）", max_length=10)
    ] = Field(default_factory=dict)

    def canonical(self) -> str:
        """The terms as they are stored with the row and the voucher, and hashed for the checker."""
        return canonical(self.model_dump(mode="json")).decode()
