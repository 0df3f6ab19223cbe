"""What is checked of a bill besides what it earns: references, capacity, prices. D25."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import StringConstraints

from app.services.rules.parts import Part, said

Verdict = Literal["refuse", "flag"]
"""Nothing is drawn, or it is drawn and noted for whoever reviews."""

UnitName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
"""A unit as lines of bills name it."""


class UsageRefCheck(Part):
    """The provider's job or metering number on a line."""

    repeated: Annotated[
        Verdict | None,
        said(
            "A reference that was billed before; null: not looked at.",
            "用量凭证号已计费过：拒绝、提示，null 为不核验",
        ),
    ] = "flag"
    required: Annotated[
        bool, said("Whether every covered line must have one.", "每个可补贴行是否必须填写用量凭证号")
    ] = False


class CapacityCheck(Part):
    """Card-hours and PFLOPS·hours, with those of other bills, against what the registry says there is in that time."""

    beyond: Annotated[
        Verdict | None,
        said(
            "More than site or provider can make in that time, with its other bills; null: not looked at.",
            "与其他账单合计后超出机房或机构在该时段内的最大算力：拒绝、提示，null 为不核验",
        ),
    ] = None


class PriceCheck(Part):
    """Unit prices against the list with which the provider was admitted."""

    above_list: Annotated[
        Verdict | None,
        said(
            "A price above the admitted one, or not on the list; null: not looked at.",
            "单价高于入围价目或不在价目内：拒绝、提示，null 为不核验",
        ),
    ] = None


class InvoiceCheck(Part):
    """The invoice line that a line of a bill is billed on: what of it was subsidised before counts no more."""

    required: Annotated[bool, said("Whether every covered line must name one.", "每个可补贴行是否必须填写发票")] = False
    contract_required: Annotated[
        bool,
        said(
            "Whether the claim must state contract_no and contract_fen; together no more than the contract counts.",
            "是否必须填写合同编号与合同总额；同一合同计入补贴的金额合计不超过合同总额",
        ),
    ] = False


class BillChecks(Part):
    """Whether a bill can be true. Where nothing is said, a reference that was billed before is noted, never refused.

    Documents of before keep what they grant: a note changes no amount. Who wants a second bill refused says so.
    """

    usage_ref: Annotated[UsageRefCheck, said("References of metered usage.", "用量凭证号")] = UsageRefCheck()
    capacity: Annotated[CapacityCheck, said("Quantities and declared capacity.", "用量与申报算力")] = CapacityCheck()
    price: Annotated[PriceCheck, said("Prices and the admitted list.", "单价与入围价目")] = PriceCheck()
    invoice: Annotated[InvoiceCheck, said("Invoice lines and contracts.", "发票与合同")] = InvoiceCheck()

    @property
    def look_beyond_the_bill(self) -> bool:
        """Whether they look at the provider's capacity or prices, beside its references."""
        return self.capacity.beyond is not None or self.price.above_list is not None
